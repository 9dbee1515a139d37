// What a person may do with a batch: the table of design section 2, row by row, and what is written for it (L-50, L-53).
#include "web_bench.hpp"

#include <fmt/format.h>

#include <set>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

constexpr const char* why = R"({"reason": "x"})";
constexpr const char* figures = R"({"produced": 98.5, "actuals": {"101": 97.25, "114": "1.25"}, "reason": "weighed by hand"})";

std::string at(std::int64_t id, const char* act)
{
    return fmt::format("batches/{}/{}", id, act);
}

}  // namespace

TEST_CASE("what the table does not allow is 409 with the reason, and changes nothing")
{
    struct row {
        batch_setup batch;
        const char* act;
        const char* reason;
    };
    batch_setup running{"running", 5}, completed{"completed", 100, true, "due"}, dosed{"held", 5}, known{"held"};
    known.accepted = true;
    const std::vector<row> table{
        {{"queued"}, "complete", "queued"},      {{"loading"}, "complete", "loading"},     {{"loaded"}, "complete", "loaded"},
        {{"queued"}, "retry", "queued"},         {{"loaded"}, "retry", "loaded"},          {running, "cancel", "stop it at the PLC"},
        {running, "reset", "running"},           {running, "complete", "running"},         {running, "retry", "running"},
        {{"held"}, "retry", "held"},             {{"lost"}, "retry", "lost"},              {dosed, "reset", "material was dosed"},
        {known, "reset", "Odoo has accepted"},   {completed, "cancel", "completed"},       {completed, "reset", "completed"},
        {completed, "complete", "completed"},    {{"cancelling"}, "cancel", "cancelling"}, {{"cancelling"}, "reset", "cancelling"},
        {{"cancelling"}, "complete", "cancelling"}, {{"cancelling"}, "retry", "cancelling"},
    };
    web_bench b;
    b.ready();
    for (const auto& r : table) {
        CAPTURE(r.batch.state, r.act);
        const auto id = b.batch(r.batch);
        const auto answer = b.post(at(id, r.act), std::string(r.act) == "complete" ? figures : R"({"reason": "because"})");
        CHECK(answer.status == 409);
        CHECK_THAT(answer.error(), Contains(r.reason));
        CHECK(b.state(id) == r.batch.state);
        CHECK(b.sql("select count(*) from journal") == "0");
        b.sql("set client_min_messages = error; truncate mo_batch, odoo_outbox cascade");
    }
}

TEST_CASE("cancel and reset of a waiting batch take it out of the PLC first, journaled with who and why")
{
    web_bench b;
    b.ready();
    for (const std::string state : {"queued", "loading", "loaded"}) {
        for (const std::string act : {"cancel", "reset"}) {
            CAPTURE(state, act);
            const auto id = b.batch({state});
            const auto r = b.post(at(id, act.c_str()), R"({"reason": "wrong recipe", "who": "Ada"})");
            CHECK(r.status == 202);
            CHECK(r.body.at("batch") == id);
            CHECK(r.body.at("accepted") == json::value(act));
            const auto where = " where id = " + std::to_string(id);
            CHECK(b.sql("select state || ' ' || reason || ' ' || disarmed from mo_batch" + where) == "cancelling " + std::string(act == "cancel" ? "cancelled" : "reset") + " false");
            CHECK(b.sql("select count(*) from odoo_outbox where kind = 'cancel' and batch_id = " + std::to_string(id)) == (act == "cancel" ? "1" : "0"));
            CHECK(b.sql("select what || '|' || answer || '|' || who || '|' || line from journal where batch_id = " + std::to_string(id)) == "api." + act + "|wrong recipe|Ada|line1");
            // It is under way now.
            CHECK(b.post(at(id, act.c_str()), why).status == 409);
        }
    }
}

TEST_CASE("cancel of a held, lost or parked batch owes the cancellation to Odoo and gives up its finish")
{
    web_bench b;
    b.ready();
    for (const std::string state : {"held", "lost", "parked"}) {
        CAPTURE(state);
        batch_setup s{state, 12.5};
        if (state == "parked") s.finish = "parked";
        const auto id = b.batch(s);
        CHECK(b.post(at(id, "cancel"), why).status == 202);
        const auto of = " and batch_id = " + std::to_string(id);
        CHECK(b.sql("select count(*) from odoo_outbox where kind = 'cancel' and state in ('due', 'sending')" + of) == "1");
        if (state == "parked") CHECK(b.sql("select state from odoo_outbox where kind = 'finish'" + of) == "discarded");
        CHECK(b.sql("select actual from mo_batch_consumption where silo = 101" + of) == "12.500");
    }
}

TEST_CASE("L-53 reset of a held batch without any actual goes to history, never just away")
{
    web_bench b;
    b.ready();
    const auto id = b.batch({"held"});
    CHECK(b.post(at(id, "reset"), R"({"reason": "again"})").status == 202);
    CHECK(b.state(id).empty());
    CHECK(b.sql("select status || '|' || notes || '|' || mo_id from mo_histories where batch_id = " + std::to_string(id)) == "reset|again|WH/MO/00001");
    CHECK(b.post(at(id, "reset"), why).status == 404);
}

TEST_CASE("complete takes a person's figures as the batch's and owes Odoo a finish with them")
{
    web_bench b;
    b.ready();
    for (const std::string state : {"held", "lost", "parked"}) {
        CAPTURE(state);
        batch_setup s{state, 12.5};
        if (state == "parked") s.finish = "parked";
        const auto id = b.batch(s);
        const auto r = b.post(at(id, "complete"), figures);
        CAPTURE(r.text);
        CHECK(r.status == 202);
        const auto where = " where id = " + std::to_string(id), of = " where batch_id = " + std::to_string(id);
        CHECK(b.sql("select state || ' ' || version || ' ' || actual_weight_quantity_finished_goods || ' ' || status_manufacturing from mo_batch" + where) == "completed 4 98.500 true");
        CHECK(b.sql("select string_agg(silo || '=' || actual, ' ' order by silo) from mo_batch_consumption" + of + " and actual > 0") == "101=97.250 114=1.250");
        CHECK(b.sql("select count(*) from odoo_outbox" + of + " and kind = 'finish' and version = 4 and state in ('due', 'sending')") == "1");
        CHECK(b.sql("select answer || '|' || (\"values\" ->> '101') from journal" + of + " and what = 'api.complete'") == "weighed by hand|97.25");
        CHECK(b.post(at(id, "complete"), figures).status == 409);
    }
}

TEST_CASE("complete without produced quantity, figures or reason is 400 and says what is expected")
{
    web_bench b;
    b.ready();
    const auto id = b.batch({"held", 12.5});
    for (const std::string body : {
             "", "{}", R"({"produced": 98.5, "actuals": {"101": 97}})", R"({"produced": 98.5, "reason": "x"})", R"({"actuals": {"101": 97}, "reason": "x"})",
             R"({"produced": 0, "actuals": {"101": 97}, "reason": "x"})", R"({"produced": -1, "actuals": {"101": 97}, "reason": "x"})",
             R"({"produced": "many", "actuals": {"101": 97}, "reason": "x"})", R"({"produced": true, "actuals": {"101": 97}, "reason": "x"})",
             R"({"produced": 98.5, "actuals": [97], "reason": "x"})", R"({"produced": 98.5, "actuals": {"101": 97}, "reason": ""})",
             R"({"produced": 98.5, "actuals": {"101": 97}, "reason": 5})", R"({"produced": 98.5, "actuals": {"999": 97}, "reason": "x"})",
             R"({"produced": 98.5, "actuals": {"silo101": 97}, "reason": "x"})", R"({"produced": 98.5, "actuals": {"101": -0.01}, "reason": "x"})",
             R"({"produced": 98.5, "actuals": {"101": null}, "reason": "x"})", R"({"produced": 98.5, "actuals": {"": 97}, "reason": "x"})",
             // More than a column of kilograms holds.
             R"({"produced": 100000000000, "actuals": {"101": 97}, "reason": "x"})", R"({"produced": 98.5, "actuals": {"101": 100000000000}, "reason": "x"})",
             R"({"produced": 1e300, "actuals": {"101": 97}, "reason": "x"})", R"({"produced": 0.0001, "actuals": {"101": 97}, "reason": "x"})"}) {
        CAPTURE(body);
        const auto r = b.post(at(id, "complete"), body);
        CHECK(r.status == 400);
        CHECK_THAT(r.error(), Contains("actuals"));
        CHECK(b.state(id) == "held");
    }
    CHECK(b.sql("select count(*) from odoo_outbox") == "0");
    CHECK(b.sql("select actual from mo_batch_consumption") == "12.500");
    CHECK(b.sql("select count(*) from journal") == "0");
}

TEST_CASE("a reason of any text is stored as it is")
{
    web_bench b;
    b.ready();
    const auto id = b.batch({"held"});
    CHECK(b.post(at(id, "reset"), R"({"reason": "d'accord \"così\" \u00fc \\ ; drop table mo_batch"})").status == 202);
    CHECK(b.sql("select answer from journal") == "d'accord \"così\" ü \\ ; drop table mo_batch");
    // PostgreSQL has no NUL in a text, and would end the reason there.
    const auto other = b.batch({"held"});
    const auto r = b.post(at(other, "reset"), R"({"reason": "a\u0000b"})");
    CHECK(r.status == 400);
    CHECK_THAT(r.error(), Contains("NUL"));
    CHECK(b.state(other) == "held");
}

TEST_CASE("L-06 retry makes a parked finish due now from its first step, and a waiting one too")
{
    web_bench b;
    b.ready();
    batch_setup parked{"parked", 100, true, "parked"}, waiting{"completed", 100, true, "due"};
    for (const auto& s : {parked, waiting}) {
        CAPTURE(s.state);
        const auto id = b.batch(s);
        const auto r = b.post(at(id, "retry"), R"({"reason": "Odoo repaired"})");
        CAPTURE(r.text);
        CHECK(r.status == 202);
        CHECK(b.state(id) == "completed");
        const auto of = " where batch_id = " + std::to_string(id);
        // The dispatcher may have tried it since, in vain.
        CHECK(b.sql("select count(*) from odoo_outbox" + of + " and kind = 'finish' and state in ('due', 'sending') and next_at < now() + interval '30 min'") == "1");
        CHECK(b.sql("select answer from journal" + of + " and what = 'api.retry'") == "Odoo repaired");
    }
}

TEST_CASE("an unknown key or a wrong type or no reason is 400 and changes nothing")
{
    web_bench b;
    b.ready();
    const auto held = b.batch({"held"});
    batch_setup p{"parked", 100, true, "parked"};
    const auto parked = b.batch(p);
    const auto finish = b.sql("select id from odoo_outbox where batch_id = " + std::to_string(parked));
    b.sql("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) values ('line1', 'factory', 77, 'WH/MO/00077', 'unit', now() + interval '1 hour')");
    const std::vector<std::string> all{at(held, "cancel"), at(held, "reset"), at(parked, "retry"), "outbox/" + finish + "/retry", "outbox/" + finish + "/discard", "refusals/77/retry",
                                       "lines/line1/pause", "lines/line1/resume", "lines/line1/start-over", "lines/line1/tasks/cleanup/run"};
    for (const auto& target : all) {
        for (const std::string body : {R"({"reason": "x", "becuase": "y"})", R"({"reason": 5})", R"({"reason": "x", "who": 5})", R"({"reason": "x", "who": null})", R"({"reason": "x", "who": "a\u0000b"})"}) {
            CAPTURE(target, body);
            const auto r = b.post(target, body);
            CHECK(r.status == 400);
            CHECK_THAT(r.error(), Contains("expected {\"reason\": text"));
        }
    }
    CHECK_THAT(b.post(all[0], R"({"reason": "x", "becuase": "y"})").error(), Contains("'becuase'"));
    for (const auto& target : {all[0], all[1], all[4], all[6], all[8]}) {
        for (const std::string body : {"", "{}", R"({"reason": ""})", R"({"who": "Ada"})"}) {
            CAPTURE(target, body);
            const auto r = b.post(target, body);
            CHECK(r.status == 400);
            CHECK_THAT(r.error(), Contains("'reason'"));
        }
    }
    CHECK(b.sql("select count(*) from journal") == "0");
    CHECK(b.state(held) == "held");
    CHECK(b.state(parked) == "parked");
    CHECK(b.sql("select paused from line") == "f");
}

TEST_CASE("of two equal acts on a batch the first is 202 and the second 409 with a sentence")
{
    web_bench b;
    b.ready();
    batch_setup p{"parked", 12.5, true, "parked"};
    const auto parked = b.batch(p), held = b.batch({"held", 12.5});
    CHECK(b.post(at(held, "cancel"), why).status == 202);
    const auto again = b.post(at(held, "cancel"), why);
    CHECK(again.status == 409);
    CHECK_THAT(again.error(), Contains("cancel") && Contains("on its way"));
    CHECK(b.post(at(parked, "complete"), figures).status == 202);
    CHECK(b.post(at(parked, "complete"), figures).status == 409);
    CHECK(b.sql("select string_agg(what, ' ' order by id) from journal where what like 'api.%'") == "api.cancel api.complete");
}

TEST_CASE("of equal acts that come at once one is 202 and the others are 409")
{
    web_bench b;
    b.ready();
    batch_setup p{"parked", 12.5, true, "parked"};
    const auto parked = b.batch(p);
    const auto finish = b.sql("select id from odoo_outbox where batch_id = " + std::to_string(parked));
    const auto discarded = "outbox/" + finish + "/discard";
    const auto loaded = b.batch({"loaded"}), held = b.batch({"held", 5}), lost = b.batch({"lost", 5}), empty = b.batch({"held"});
    b.sql("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) values ('line1', 'factory', 77, 'WH/MO/00077', 'unit', now() + interval '1 hour')");
    const std::vector<std::pair<std::string, std::string>> acts{{at(loaded, "reset"), why}, {at(held, "cancel"), why}, {at(lost, "complete"), figures}, {at(empty, "reset"), why}, {discarded, why}, {"refusals/77/retry", why}};
    for (const auto& [target, body] : acts) {
        CAPTURE(target);
        b.sql("truncate journal");
        std::multiset<unsigned> statuses;
        for (const auto& r : b.post_at_once(target, body, 3)) statuses.insert(r.status == 404 ? 409 : r.status);   // 404: it is in history by then
        CHECK(statuses == std::multiset<unsigned>{202, 409, 409});
        CHECK(b.sql("select count(*) from journal where what like 'api.%'") == "1");
    }
    std::multiset<unsigned> statuses;
    for (const auto& r : b.post_at_once("lines/line1/pause", why, 3)) statuses.insert(r.status);
    CHECK(statuses == std::multiset<unsigned>{200, 409, 409});
}
