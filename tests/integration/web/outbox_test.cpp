// What a person may do with a delivery and with a refused order, and the lists that show them.
#include "web_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

constexpr const char* why = R"({"reason": "booked by hand", "who": "Ada"})";

// A delivery about no batch that nobody sends by itself soon.
std::string delivery(web_bench& b, const std::string& kind, const std::string& state, const std::string& database = "factory")
{
    return b.sql(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, kind, state, next_at, tries, last_error) values ('line1', '{}', 0, 'x', '{}', '{}', now() + interval '1 hour', 7, 'no') returning id",
                             database, kind, state));
}

std::string state_of(web_bench& b, const std::string& id)
{
    return b.sql("select state from odoo_outbox where id = " + id);
}

std::string finish_of(web_bench& b, std::int64_t batch)
{
    return b.sql(fmt::format("select id from odoo_outbox where kind = 'finish' and batch_id = {}", batch));
}

void refuse(web_bench& b, int id, const std::string& line = "line1", const std::string& when = "now() + interval '1 hour'")
{
    b.sql(fmt::format("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) values ('{}', 'factory', {}, 'WH/MO/{:05}', 'unknown unit', {})", line, id, id, when));
}

}  // namespace

TEST_CASE("a discarded finish archives its batch as discarded with who and why and once")
{
    web_bench b;
    b.ready();
    batch_setup parked{"parked", 100, true, "parked"}, waiting{"completed", 100, true, "due"};
    for (const auto& s : {parked, waiting}) {
        CAPTURE(s.state);
        const auto id = b.batch(s);
        const auto target = "outbox/" + finish_of(b, id) + "/discard";
        const auto r = b.post(target, why);
        CAPTURE(r.text);
        CHECK(r.status == 202);
        CHECK(r.body.at("accepted") == "discard");
        CHECK(b.state(id).empty());
        const auto of = " where batch_id = " + std::to_string(id);
        CHECK(b.sql("select status || '|' || notes from mo_histories" + of) == "discarded|booked by hand");
        CHECK(b.sql("select state || '|' || last_error from odoo_outbox" + of) == "discarded|booked by hand");
        CHECK(b.sql("select what || '|' || answer || '|' || who from journal" + of) == "api.discard|booked by hand|Ada");
        const auto again = b.post(target, why);
        CHECK(again.status == 409);
        CHECK_THAT(again.error(), Contains("given up"));
    }
}

TEST_CASE("a finish is not given up while its last write may still take effect: 409 says so")
{
    web_bench b;
    b.ready();
    const auto id = b.batch({"completed", 100, true, "due"});
    b.sql("insert into odoo_attempt (line, outbox_id, odoo_db, odoo_id, batch_id, version, call, \"values\", epoch) select line, id, odoo_db, odoo_id, batch_id, version, 'button_mark_done', '{}', 1 from odoo_outbox where batch_id = " +
          std::to_string(id));
    const auto target = "outbox/" + finish_of(b, id) + "/discard";
    const auto r = b.post(target, why);
    CHECK(r.status == 409);
    CHECK_THAT(r.error(), Contains("ODOO_UNCLEAR_WAIT"));
    CHECK(b.state(id) == "completed");
    b.sql("update odoo_attempt set started_at = now() - interval '1 hour'");
    CHECK(b.post(target, why).status == 202);
}

TEST_CASE("a discard of another kind ends the row and what is over or in flight is 409")
{
    web_bench b;
    b.ready();
    for (const std::string state : {"parked", "due"}) {
        const auto id = delivery(b, "webhook", state);
        CHECK(b.post("outbox/" + id + "/discard", why).status == 202);
        CHECK(b.sql("select state || '|' || last_error from odoo_outbox where id = " + id) == "discarded|booked by hand");
    }
    struct row {
        const char* state;
        const char* reason;
    };
    for (const auto& r : {row{"sent", "reached Odoo"}, row{"sending", "at this moment"}, row{"discarded", "given up: no"}}) {
        for (const std::string act : {"retry", "discard"}) {
            CAPTURE(r.state, act);
            const auto id = delivery(b, "webhook", r.state);
            const auto answer = b.post("outbox/" + id + "/" + act, why);
            CHECK(answer.status == 409);
            CHECK_THAT(answer.error(), Contains(r.reason));
            CHECK(state_of(b, id) == r.state);
        }
    }
    // Only what the table allows: a running batch has no finish.
    batch_setup s{"running", 5, false, "due"};
    const auto id = b.batch(s);
    const auto answer = b.post("outbox/" + finish_of(b, id) + "/discard", why);
    CHECK(answer.status == 409);
    CHECK_THAT(answer.error(), Contains("running"));
    CHECK(b.state(id) == "running");
    CHECK(b.sql("select count(*) from journal where what = 'api.discard'") == "2");
}

TEST_CASE("a retry of a delivery makes it due now and its parked batch goes on")
{
    web_bench b;
    b.ready();
    batch_setup s{"parked", 100, true, "parked"};
    const auto id = b.batch(s);
    CHECK(b.post("outbox/" + finish_of(b, id) + "/retry", R"({"who": "Ada"})").status == 202);
    CHECK(b.state(id) == "completed");
    CHECK(b.sql(fmt::format("select who || '|' || what from journal where batch_id = {} and what like 'api.%'", id)) == "Ada|api.retry");
    // Nothing that this process would send by itself: no line of another name is served here.
    const auto other = delivery(b, "webhook", "parked");
    CHECK(b.post("outbox/" + other + "/retry").status == 202);
    b.await([&] { return state_of(b, other) != "parked" || b.sql("select next_at <= now() from odoo_outbox where id = " + other) == "t"; });
    const auto foreign = delivery(b, "webhook", "parked", "another");
    const auto r = b.post("outbox/" + foreign + "/retry");
    CHECK(r.status == 409);
    CHECK_THAT(r.error(), Contains("another") && Contains("factory"));
    CHECK(state_of(b, foreign) == "parked");
    // It may be given up, though.
    CHECK(b.post("outbox/" + foreign + "/discard", why).status == 202);
}

TEST_CASE("a parked cancel is retried with its batch and given up it leaves the batch held")
{
    web_bench b;
    b.ready();
    for (const std::string act : {"retry", "discard"}) {
        CAPTURE(act);
        const auto id = b.batch({"parked", 5});
        const auto cancel = b.sql(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, state, version, next_at) select line, odoo_db, odoo_id, mo_id, id, 'cancel', 'parked', version, "
                                              "now() from mo_batch where id = {} returning id",
                                              id));
        CHECK(b.post("outbox/" + cancel + "/" + act, why).status == 202);
        CHECK(b.state(id) == "held");
        CHECK(b.sql(fmt::format("select count(*) from odoo_outbox where id = {} and state in ('due', 'sending')", cancel)) == (act == "retry" ? "1" : "0"));
    }
}

TEST_CASE("GET outbox lists what is open page by page and filters")
{
    web_bench b;
    b.ready();
    std::vector<std::string> ids;
    for (const std::string state : {"parked", "parked", "parked", "sent", "discarded"}) ids.push_back(delivery(b, "webhook", state));
    auto r = b.get("/api/v1/outbox");
    CAPTURE(r.text);
    CHECK(r.status == 200);
    REQUIRE(r.body.at("items").as_array().size() == 3);
    CHECK(r.body.at("next").is_null());
    const auto& first = r.body.at("items").at(0);
    CHECK(first.at("id") == std::stoll(ids[0]));
    CHECK(first.at("kind") == "webhook");
    CHECK(first.at("state") == "parked");
    CHECK(first.at("last_error") == "no");
    CHECK(first.at("tries") == 7);
    CHECK(first.at("batch_id").is_null());
    CHECK(first.at("sent_at").is_null());
    CHECK_THAT(first.at("next_at").as_string().c_str(), Catch::EndsWith("Z"));
    r = b.get("/api/v1/outbox?limit=2");
    CHECK(r.body.at("items").as_array().size() == 2);
    CHECK(r.body.at("next") == std::stoll(ids[1]));
    r = b.get("/api/v1/outbox?limit=2&after=" + ids[1]);
    CHECK(r.body.at("items").as_array().size() == 1);
    CHECK(r.body.at("next").is_null());
    CHECK(b.get("/api/v1/outbox?state=sent,discarded").body.at("items").as_array().size() == 2);
    CHECK(b.get("/api/v1/outbox?kind=finish").body.at("items").as_array().empty());
    CHECK(b.get("/api/v1/outbox?line=line9").body.at("items").as_array().empty());
    CHECK(b.get("/api/v1/outbox?batch=1").body.at("items").as_array().empty());
    for (const std::string bad : {"limit=0", "limit=501", "limit=x", "after=-1", "state=open", "state=", "kind=x", "batch=x", "colour=red", "limit=1&limit=2", "line=%00"}) {
        CAPTURE(bad);
        const auto refused = b.get("/api/v1/outbox?" + bad);
        CHECK(refused.status == 400);
        CHECK_FALSE(refused.error().empty());
    }
}

TEST_CASE("a refused order is due at once when a person says so and is listed with its reason")
{
    web_bench b;
    b.ready();
    refuse(b, 77);
    refuse(b, 78);
    refuse(b, 79, "line9");
    auto r = b.get("/api/v1/refusals?limit=2");
    CAPTURE(r.text);
    CHECK(r.status == 200);
    REQUIRE(r.body.at("items").as_array().size() == 2);
    CHECK(r.body.at("next") == 78);
    CHECK(r.body.at("items").at(0).at("id") == 77);
    CHECK(r.body.at("items").at(0).at("mo_id") == "WH/MO/00077");
    CHECK(r.body.at("items").at(0).at("reason") == "unknown unit");
    CHECK(b.get("/api/v1/refusals?after=78").body.at("items").as_array().size() == 1);
    CHECK(b.get("/api/v1/refusals?line=line1").body.at("items").as_array().size() == 2);
    r = b.post("refusals/77/retry", why);
    CAPTURE(r.text);
    CHECK(r.status == 202);
    CHECK(r.body.at("refusal") == 77);
    CHECK(b.sql("select retry_at <= now() from order_refusal where odoo_id = 77") == "t");
    CHECK(b.sql("select retry_at > now() from order_refusal where odoo_id = 78") == "t");
    CHECK(b.sql("select what || '|' || answer || '|' || who || '|' || mo_id || '|' || odoo_id from journal") == "api.retry-refusal|booked by hand|Ada|WH/MO/00077|77");
    r = b.post("refusals/77/retry", why);
    CHECK(r.status == 409);
    CHECK_THAT(r.error(), Contains("due already"));
    CHECK(b.post("refusals/79/retry", why).status == 409);   // a line of another process
}

TEST_CASE("reading needs a token when API_READ_TOKEN is set and health does not")
{
    const web_bench::environment with{{"API_READ_TOKEN", "battery-staple"}};
    web_bench b(with);
    b.ready();
    for (const std::string page : {"/api/v1/lines", "/api/v1/outbox", "/api/v1/refusals", "/api/v1/nosuch"}) {
        CAPTURE(page);
        CHECK(b.get(page).status == 401);
        CHECK(b.request("GET", page, {}, "Bearer wrong").status == 401);
        const unsigned there = page == "/api/v1/nosuch" ? 404 : 200;
        CHECK(b.request("GET", page, {}, "Bearer battery-staple").status == there);
        CHECK(b.request("GET", page, {}, std::string("Bearer ") + token).status == there);
    }
    CHECK(b.get("/healthz").status == 200);
    CHECK(b.get("/readyz").status == 200);
    // It is good for reading only.
    CHECK(b.request("POST", "/api/v1/lines/line1/pause", R"({"reason": "x"})", "Bearer battery-staple").status == 401);
}
