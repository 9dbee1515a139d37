#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;
using domain::delivery_kind;

namespace {

std::vector<std::string> kinds(const std::vector<store::delivery>& rows)
{
    std::vector<std::string> out;
    for (const auto& d : rows) out.push_back(std::string(domain::to_string(d.kind)) + " " + std::to_string(d.odoo_id));
    return out;
}

void add(const store_bench& b, const std::string& kind, int odoo_id, const std::string& next_at = "now()", const std::string& db = "odoo", const std::string& line = "line1")
{
    b.change(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, kind, next_at) values ('{}', '{}', {}, '{}', {})", line, db, odoo_id, kind, next_at));
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("due deliveries come by the priority of their kind, then by their time")
{
    store_bench b;
    add(b, "consumption", 1, "now() - interval '9 minutes'");
    add(b, "webhook", 2);
    add(b, "note", 3);
    add(b, "maintenance_request", 4);
    add(b, "cancel", 5);
    add(b, "finish", 6, "now() - interval '1 second'");
    add(b, "finish", 7, "now() - interval '2 seconds'");
    add(b, "finish", 8, "now() + interval '1 minute'");
    CHECK(kinds(b.due()) == names{"finish 7", "finish 6", "cancel 5", "maintenance_request 4", "note 3", "webhook 2", "consumption 1"});
    // A limit of each kind: what waits of one does not hide the others.
    CHECK(kinds(b.due(1)) == names{"finish 7", "cancel 5", "maintenance_request 4", "note 3", "webhook 2", "consumption 1"});
}

TEST_CASE("an order's rows are offered one at a time, and rows about no order independently")
{
    store_bench b;
    add(b, "note", 1);
    add(b, "finish", 1);
    add(b, "webhook", 0);
    add(b, "webhook", 0);
    add(b, "maintenance_request", 0);
    CHECK(kinds(b.due()) == names{"finish 1", "maintenance_request 0", "webhook 0", "webhook 0"});
    b.change("update odoo_outbox set state = 'sent' where kind = 'finish'");
    CHECK(kinds(b.due()) == names{"maintenance_request 0", "note 1", "webhook 0", "webhook 0"});
}

TEST_CASE("rows of another database, of another line and parked or ended rows are never due")
{
    store_bench b;
    add(b, "finish", 1, "now()", "before the restore");
    add(b, "finish", 2, "now()", "odoo", "line2");
    add(b, "finish", 3);
    for (const std::string state : {"parked", "sent", "discarded"}) {
        b.change("update odoo_outbox set state = '" + state + "' where odoo_id = 3");
        CHECK(b.due().empty());
        CHECK_FALSE(b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s)));
    }
    CHECK(b.await(b.db.due_deliveries({"line1"}, "before the restore", 120s, 50)).size() == 1);
    CHECK(b.await(b.db.due_deliveries({"line1", "line2"}, "odoo", 120s, 50)).size() == 1);
}

TEST_CASE("a consumption waits while a finish or a cancel of its order is open, parked too")
{
    store_bench b;
    add(b, "consumption", 1);
    for (const std::string kind : {"finish", "cancel"}) {
        add(b, kind, 1, "now() + interval '1 minute'");
        for (const std::string state : {"due", "sending", "parked"}) {
            b.change("update odoo_outbox set state = '" + state + "' where kind = '" + kind + "'");
            CHECK(b.due().empty());
        }
        b.change("update odoo_outbox set state = 'discarded' where kind = '" + kind + "'");
        CHECK(kinds(b.due()) == names{"consumption 1"});
    }
}

TEST_CASE("the next delivery is as far away as its time or its order's unclear attempt, and zero when it is due")
{
    store_bench b;
    CHECK_FALSE(b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s)));
    add(b, "note", 1, "now() + interval '40 seconds'");
    auto wait = b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s));
    REQUIRE(wait);
    CHECK((*wait > 20s && *wait <= 40s));
    b.change("insert into odoo_attempt (line, outbox_id, odoo_db, odoo_id, version, call, \"values\", epoch) select line, id, odoo_db, odoo_id, 0, 'x', '[]', 1 from odoo_outbox");
    wait = b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s));
    REQUIRE(wait);
    CHECK((*wait > 100s && *wait <= 120s));
    add(b, "note", 2, "now() - interval '1 hour'");
    CHECK(b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s)) == core::duration::zero());
}

TEST_CASE("an acknowledgement counts for the version that was sent and for nothing newer")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    const auto sent = b.delivery(id, "consumption");
    const auto attempt = b.await(b.db.begin_attempt(b.h, sent, "write_consumption", boost::json::array()));
    b.dose(id, "20");   // newer totals while the old ones are in flight
    b.await(b.db.delivered(b.h, sent, false, 5s, attempt, "true"));
    CHECK_FALSE(b.batch(id).update_odoo);
    const auto again = b.delivery(id, "consumption");
    CHECK(again.id == sent.id);
    CHECK(again.state == domain::delivery_state::due);
    CHECK(again.version == 2);
    CHECK(b.due().empty());   // not before the live interval
    CHECK(b.value("select outcome || ' ' || answer from odoo_attempt") == "ok true");
    b.await(b.db.delivered(b.h, again, false, 5s, std::nullopt, ""));
    CHECK(b.batch(id).update_odoo);
    CHECK_FALSE(b.batch(id).done_marked);
    CHECK(b.delivery_state(id, "consumption") == "sent");
    CHECK(b.value("select sent_at is not null from odoo_outbox") == "t");
    b.dose(id, "30");
    CHECK_FALSE(b.batch(id).update_odoo);
}

TEST_CASE("a finish that was delivered makes its batch archivable only at its current version and done-marked")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    const auto finish = b.delivery(id, "finish");
    CHECK(b.await(b.db.archivable("line1", false)).empty());
    auto older = finish;
    older.version = finish.version - 1;
    b.await(b.db.delivered(b.h, older, true, 5s, std::nullopt, "older"));
    CHECK(b.await(b.db.archivable("line1", false)).empty());
    CHECK(b.delivery_state(id, "finish") == "due");
    b.await(b.db.delivered(b.h, finish, false, 5s, std::nullopt, "components only"));
    CHECK(b.await(b.db.archivable("line1", true)).empty());
    CHECK(b.await(b.db.archivable("line1", false)).size() == 1);
    b.change("update odoo_outbox set state = 'sending'");
    b.await(b.db.delivered(b.h, finish, true, 5s, std::nullopt, "done"));
    CHECK(b.await(b.db.archivable("line1", true)).at(0).id == id);
    CHECK(b.await(b.db.archivable("line2", true)).empty());
    CHECK(b.count("journal where what = 'odoo.finish' and answer = 'done'") == 1);
}

TEST_CASE("a failed delivery is due again after its delay with its tries counted, newer totals keep their own time")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    const auto first = b.delivery(id, "consumption");
    b.await(b.db.begin_attempt(b.h, first, "write_consumption", boost::json::array()));
    b.change("update odoo_attempt set outcome = 'rejected'");
    b.await(b.db.retry_later(b.h, first, 1h, "busy"));
    CHECK(b.due().empty());
    CHECK(b.value("select state || ' ' || tries || ' ' || last_error from odoo_outbox") == "due 1 busy");
    b.change("update odoo_outbox set next_at = now()");
    b.dose(id, "20");
    b.await(b.db.retry_later(b.h, first, 1h, "busy again"));
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].version == 2);
    CHECK(b.due()[0].tries == 2);
    b.await(b.db.delivered(b.h, b.due()[0], false, 5s, std::nullopt, ""));
    CHECK(b.value("select tries || last_error from odoo_outbox") == "0");
}

TEST_CASE("a parked finish parks its batch with the reason and stays parked until a person retries it (L-06)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "no such order"));
    CHECK(b.batch(id).state == batch_state::parked);
    CHECK(b.batch(id).reason == "no such order");
    CHECK(b.delivery_state(id, "finish") == "parked");
    CHECK(b.value("select last_error from odoo_outbox") == "no such order");
    CHECK(b.value("select answer from journal where what = 'parked.finish'") == "no such order");
    // The alert comes with it: a crash behind it cannot leave a parked order that nobody is told of.
    CHECK(b.value("select kind || ' ' || subject || ': ' || text from alert") == "delivery_parked WH/MO/00001: finish of WH/MO/00001: no such order");
    CHECK(b.due().empty());
    const auto parked = b.delivery(id, "finish");
    // Neither the machinery that sends nor the sweep brings it back.
    CHECK_FALSE(b.await(b.db.begin_attempt(b.h, parked, "write_final", boost::json::object())));
    CHECK_FALSE(b.await(b.db.set_finish_values(b.h, parked, domain::finish_values{})));
    b.await(b.db.retry_later(b.h, parked, 0s, "x"));
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
    CHECK(b.delivery_state(id, "finish") == "parked");
    CHECK(b.await(b.db.retry_batch(b.h, id, entry("api.retry", "the order is there again"))));
    CHECK(b.batch(id).state == batch_state::completed);
    CHECK(b.batch(id).reason.empty());
    CHECK(kinds(b.due()) == names{"finish 1"});
}

TEST_CASE("a parked consumption stays parked with the newest totals, and its batch goes on")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "consumption"), "refused"));
    CHECK(b.batch(id).state == batch_state::running);
    b.dose(id, "20");
    const auto d = b.delivery(id, "consumption");
    CHECK(d.state == domain::delivery_state::parked);
    CHECK(d.version == 2);
    CHECK(b.due().empty());
    b.complete(id, "30");
    CHECK(b.delivery_state(id, "consumption") == "discarded");
    CHECK(kinds(b.due()) == names{"finish 1"});
}

TEST_CASE("live values that a crash left as being sent end when their finish is parked")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    // Killed between the attempt and its end.
    REQUIRE(b.await(b.db.begin_attempt(b.h, b.delivery(id, "consumption"), "write_consumption", boost::json::array())));
    b.complete(id, "30");
    REQUIRE(b.delivery_state(id, "consumption") == "sending");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "refused"));
    CHECK(b.delivery_state(id, "consumption") == "discarded");
    CHECK(b.delivery_state(id, "finish") == "parked");
    CHECK(b.value("select last_error from odoo_outbox where kind = 'consumption'") == "its finish is parked");
    CHECK(b.await(b.db.retry_batch(b.h, id, entry("api.retry", ""))));
    CHECK(b.delivery_state(id, "consumption") == "discarded");
}

TEST_CASE("parking an older version than the present one parks neither the row nor its batch")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    const auto old = b.delivery(id, "finish");
    b.await(b.db.park(b.h, old, "refused"));
    REQUIRE(b.await(b.db.complete_batch(b.h, id, kg("12"), b.batch(id).actual, entry("api.complete", "weighed by hand"))));
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.park(b.h, old, "refused once more")));
    CHECK(b.contents() == before);
}

TEST_CASE("the values of a finish are committed for its version, read back exactly and gone with a new version")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    const auto d = b.delivery(id, "finish");
    CHECK_FALSE(d.values);
    domain::finish_values v;
    v.produced = kg("999.995");
    v.produced_from = "plc weight";
    v.moves.push_back({71, kg("10.005")});
    v.moves.push_back({72, kg("0")});
    REQUIRE(b.await(b.db.set_finish_values(b.h, d, v)));
    const auto back = b.delivery(id, "finish");
    CHECK(back.state == domain::delivery_state::sending);
    REQUIRE(back.values);
    CHECK(back.values->moves == v.moves);
    CHECK(back.values->produced == v.produced);
    CHECK(back.values->produced_from == "plc weight");
    CHECK(b.count(fmt::format("journal where what = 'finish.values' and batch_id = {} and odoo_id = 1 and \"values\" is not null", id)) == 1);
    // Somebody who computed from another version commits nothing.
    auto other = d;
    other.version = d.version + 1;
    domain::finish_values wrong;
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.set_finish_values(b.h, other, wrong)));
    CHECK(b.contents() == before);
    // A person's figures begin anew.
    b.await(b.db.park(b.h, back, "refused"));
    REQUIRE(b.await(b.db.retry_batch(b.h, id, entry("api.retry", ""))));
    CHECK(b.delivery(id, "finish").values);
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "refused"));
    REQUIRE(b.await(b.db.complete_batch(b.h, id, kg("12"), b.batch(id).actual, entry("api.complete", "weighed by hand"))));
    CHECK_FALSE(b.delivery(id, "finish").values);
    CHECK_FALSE(b.await(b.db.set_finish_values(b.h, d, v)));
}

TEST_CASE("a completed batch without a finish gets one with its stored figures, once (L-01)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10.5");
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
    b.await(b.db.discard(b.h, b.delivery(id, "finish"), "by mistake"));
    CHECK(b.value("select last_error from odoo_outbox") == "by mistake");
    CHECK(b.await(b.db.sweep_completed(b.h)) == 1);
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
    const auto d = b.delivery(id, "finish");
    CHECK(d.version == b.batch(id).version);
    CHECK(d.payload.at("actual").at("101").as_string() == "10.500");
    b.await(b.db.delivered(b.h, d, true, 5s, std::nullopt, ""));
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
}

TEST_CASE("live values that Odoo must not get any more are dropped together with their alert")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    store::alert_note alert;
    alert.kind = "order_done_elsewhere";
    alert.subject = "WH/MO/00001";
    alert.text = "the order is done in Odoo";
    CHECK(b.await(b.db.drop_consumption(b.h, b.delivery(id, "consumption"), alert)));
    CHECK(b.delivery_state(id, "consumption") == "discarded");
    CHECK(b.count("alert where kind = 'order_done_elsewhere' and state = 'open' and count = 1") == 1);
    b.dose(id, "20");
    CHECK_FALSE(b.await(b.db.drop_consumption(b.h, b.delivery(id, "consumption"), alert)));
    CHECK(b.count("alert where count = 2") == 1);
}

TEST_CASE("a delivered order resolves the alert of its parked delivery in the same step, unless another one is still parked")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "refused"));
    b.change("update odoo_outbox set state = 'due'");
    add(b, "consumption", 1);
    b.change("update odoo_outbox set state = 'parked' where kind = 'consumption'");
    b.await(b.db.delivered(b.h, b.delivery(id, "finish"), true, 5s, std::nullopt, "done"));
    CHECK(b.value("select state from alert") == "open");
    b.change("update odoo_outbox set state = 'due' where kind = 'finish'; update odoo_outbox set state = 'discarded' where kind = 'consumption'");
    b.await(b.db.delivered(b.h, b.delivery(id, "finish"), true, 5s, std::nullopt, "done"));
    CHECK(b.value("select state from alert") == "resolved");
}

TEST_CASE("values that book something nowhere come with their alert, read back exactly, and not for a version that moved on")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    const auto d = b.delivery(id, "finish");
    domain::finish_values v;
    v.produced = kg("10");
    v.moves.push_back({71, kg("10")});
    v.unplanned[103] = kg("2.5");
    auto other = d;
    other.version = d.version + 1;
    CHECK_FALSE(b.await(b.db.set_finish_values(b.h, other, v)));
    CHECK(b.count("alert") == 0);
    REQUIRE(b.await(b.db.set_finish_values(b.h, d, v)));
    CHECK(b.delivery(id, "finish").values->unplanned == v.unplanned);
    CHECK(b.value("select \"values\" -> 'unplanned' ->> '103' from journal where what = 'finish.values'") == "2.5");
    CHECK(b.value("select kind || ' ' || subject || ' ' || text from alert") ==
          "unplanned_silo WH/MO/00001 WH/MO/00001: dosed and booked nowhere, as no component of the order stands for it: silo 103: 2.5 kg");
}

TEST_CASE("deliveries that wait for the configuration share one alert, which ends with the last of them")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3});
    std::vector<store::delivery> rows;
    for (const auto& x : batches) {
        b.complete(x.id, "10");
        rows.push_back(b.delivery(x.id, "finish"));
    }
    CHECK(b.await(b.db.wait_for_configuration(b.h, rows[0], 60s, "the login was refused")));
    CHECK_FALSE(b.await(b.db.wait_for_configuration(b.h, rows[1], 60s, "the login was refused")));
    CHECK_FALSE(b.await(b.db.wait_for_configuration(b.h, rows[2], 60s, "the login was refused")));
    CHECK(b.due().empty());
    CHECK(b.value("select kind || ' ' || subject || ' ' || text || ' ' || count from alert") == "odoo_configuration odoo the login was refused 3");
    CHECK(b.count("odoo_outbox where last_error = 'waits for the configuration: the login was refused' and tries = 1") == 3);
    const auto state = [&] { return b.value("select state from alert where kind = 'odoo_configuration'"); };
    b.await(b.db.delivered(b.h, rows[0], true, 5s, std::nullopt, "done"));
    CHECK(state() == "open");
    b.await(b.db.retry_later(b.h, rows[1], 5s, "no answer"));
    CHECK(state() == "open");
    SECTION("parked")
    {
        b.await(b.db.park(b.h, rows[2], "refused"));
    }
    SECTION("archived with its batch")
    {
        b.await(b.db.archive(b.h, batches[2].id, domain::history_status::cancelled, "", std::nullopt));
    }
    CHECK(state() == "resolved");
}

TEST_CASE("deliveries for another database than the configured one are named by one alert, which ends with them")
{
    store_bench b;
    for (const auto& x : b.load(b.h, {1, 2})) b.complete(x.id, "10");
    const std::vector<std::string> both{"odoo WH/MO/00001", "odoo WH/MO/00002"};
    CHECK(b.await(b.db.note_foreign_deliveries(b.h, "restored")) == both);
    CHECK(b.value("select text from alert where kind = 'foreign_database' and state = 'open'") == "ODOO_DB is restored; deliveries for another database are kept and not sent: odoo WH/MO/00001, odoo WH/MO/00002");
    CHECK(b.await(b.db.note_foreign_deliveries(b.h, "odoo")).empty());
    CHECK(b.count("alert where state = 'open'") == 0);
}

TEST_CASE("a row that is given up ends the alert of the configuration it was the last to wait for")
{
    store_bench b;
    const auto id = b.load(b.h, {1}).front().id;
    b.dose(id, "5");
    const auto d = b.delivery(id, "consumption");
    CHECK(b.await(b.db.wait_for_configuration(b.h, d, 60s, "no right")));
    REQUIRE(b.count("alert where kind = 'odoo_configuration' and state = 'open'") == 1);
    b.await(b.db.discard(b.h, d, "the batch has completed"));
    CHECK(b.delivery_state(id, "consumption") == "discarded");
    CHECK(b.count("alert where kind = 'odoo_configuration' and state = 'open'") == 0);
}
