// What persons ask for, against the table 'States' of design section 2: every act in every state.
#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;

namespace {

const std::vector<batch_state> all_states{batch_state::queued,     batch_state::loading, batch_state::loaded, batch_state::running, batch_state::completed,
                                          batch_state::cancelling, batch_state::held,    batch_state::lost,   batch_state::parked};

bool is_one_of(batch_state s, const std::vector<batch_state>& states)
{
    return std::find(states.begin(), states.end(), s) != states.end();
}

const std::vector<batch_state> waiting{batch_state::queued, batch_state::loading, batch_state::loaded};
const std::vector<batch_state> stopped{batch_state::held, batch_state::lost, batch_state::parked};

// In each state in turn: the act is done exactly in `allowed`, journaled with who and why; elsewhere it changes nothing.
void in_every_state(const std::vector<batch_state>& allowed, const std::string& what, const std::function<bool(store_bench&, std::int64_t)>& act)
{
    store_bench b;
    for (const auto state : all_states) {
        CAPTURE(domain::to_string(state));
        b.change("truncate mo_batch, odoo_outbox, journal, plc_load cascade");
        const auto id = b.load(b.h, {1, 2})[0].id;
        b.set_state(id, state);
        const auto before = b.contents();
        const bool done = act(b, id);
        CHECK(done == is_one_of(state, allowed));
        if (done) CHECK(b.value(fmt::format("select who || ': ' || answer || ' ' || mo_id || ' ' || odoo_id from journal where what = '{}' and batch_id = {}", what, id)) == "shift lead: because WH/MO/00001 1");
        else CHECK(b.contents() == before);
        CHECK(b.count("journal") == (done ? 1 : 0));
    }
}

}  // namespace

TEST_CASE("an order is taken out only while it waits in the queue or the PLC")
{
    for (const std::string reason : {"cancelled", "reset", "discarded"}) {
        CAPTURE(reason);
        in_every_state(waiting, "api.take_out", [&](store_bench& b, std::int64_t id) {
            const bool done = b.await(b.db.ask_take_out(b.h, id, reason, entry("api.take_out", "because")));
            if (!done) return false;
            CHECK(b.batch(id).state == batch_state::cancelling);
            CHECK(b.batch(id).reason == reason);
            // Odoo is told of a cancel only; a reset order is to be fetched again.
            CHECK(b.delivery_state(id, "cancel") == (reason == "cancelled" ? "due" : ""));
            CHECK(b.count("odoo_outbox") == (reason == "cancelled" ? 1 : 0));
            const auto disarm = b.await(b.db.to_disarm("line1"));
            REQUIRE(disarm.size() == 1);
            CHECK(disarm[0].id == id);
            return true;
        });
    }
}

TEST_CASE("a slot is blanked once for an order that was taken out, and again after it was asked for again")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3});
    b.await(b.db.ask_take_out(b.h, batches[2].id, "reset", entry("api.reset", "")));
    b.await(b.db.ask_take_out(b.h, batches[0].id, "cancelled", entry("api.cancel", "")));
    const auto todo = b.await(b.db.to_disarm("line1"));
    REQUIRE(todo.size() == 2);
    CHECK(todo[0].slot == 1);
    CHECK(todo[1].slot == 3);
    CHECK(b.await(b.db.to_disarm("line2")).empty());
    b.await(b.db.disarmed(b.h, batches[0].id));
    CHECK(b.await(b.db.to_disarm("line1")).size() == 1);
    CHECK(b.count(fmt::format("journal where what = 'plc.disarm' and batch_id = {}", batches[0].id)) == 1);
    b.await(b.db.disarmed(b.h, batches[2].id));
    CHECK(b.await(b.db.to_disarm("line1")).empty());
}

TEST_CASE("an open consumption of an order that is taken out is dropped, one in flight is left to its end")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    for (const auto& x : batches) {
        b.dose(x.id, "1");
        b.set_state(x.id, batch_state::loaded);
    }
    b.await(b.db.begin_attempt(b.h, b.delivery(batches[1].id, "consumption"), "write_consumption", boost::json::array()));
    for (const auto& x : batches) REQUIRE(b.await(b.db.ask_take_out(b.h, x.id, "cancelled", entry("api.cancel", ""))));
    CHECK(b.delivery_state(batches[0].id, "consumption") == "discarded");
    CHECK(b.delivery_state(batches[1].id, "consumption") == "sending");
}

TEST_CASE("a batch that is held, lost or parked is cancelled in Odoo without the PLC, and no other")
{
    in_every_state(stopped, "api.cancel", [](store_bench& b, std::int64_t id) {
        const auto state = b.batch(id).state;
        const bool done = b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "because")));
        if (!done) return false;
        CHECK(b.batch(id).state == state);   // it ends when Odoo says so
        CHECK(b.delivery_state(id, "cancel") == "due");
        CHECK(b.count("odoo_outbox") == 1);
        return true;
    });
}

TEST_CASE("a cancel gives up a parked finish, and asked again it makes a parked cancel due now")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "no such order"));
    REQUIRE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "not wanted"))));
    CHECK(b.delivery_state(id, "finish") == "discarded");
    const auto cancel = b.delivery(id, "cancel");
    b.await(b.db.retry_later(b.h, cancel, 1h, "busy"));
    b.await(b.db.park(b.h, cancel, "done in Odoo"));
    CHECK(b.due().empty());
    REQUIRE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "again"))));
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].id == cancel.id);
    CHECK(b.due()[0].tries == 0);
}

TEST_CASE("a retry is for a parked batch and for a delivery that waits, and for nothing else")
{
    // Without a delivery there is nothing to retry in any state.
    in_every_state({}, "api.retry", [](store_bench& b, std::int64_t id) { return b.await(b.db.retry_batch(b.h, id, entry("api.retry", "because"))); });
}

TEST_CASE("a retried batch is what it was before it was parked, its delivery due now and its alert resolved")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3});
    const auto completed = batches[0].id, held = batches[1].id, waiting_one = batches[2].id;
    b.complete(completed, "10");
    b.await(b.db.retry_later(b.h, b.delivery(completed, "finish"), 1h, "busy"));
    b.await(b.db.park(b.h, b.delivery(completed, "finish"), "no such order"));
    b.await(b.db.raise_alert(b.h, "delivery_parked", "WH/MO/00001", "no such order"));
    b.await(b.db.raise_alert(b.h, "delivery_parked", "WH/MO/00002", "done in Odoo"));
    b.set_state(held, batch_state::held);
    REQUIRE(b.await(b.db.ask_cancel(b.h, held, entry("api.cancel", ""))));
    b.await(b.db.park(b.h, b.delivery(held, "cancel"), "done in Odoo"));
    REQUIRE(b.batch(held).state == batch_state::parked);
    b.complete(waiting_one, "30");
    b.await(b.db.retry_later(b.h, b.delivery(waiting_one, "finish"), 1h, "busy"));
    REQUIRE(b.due().empty());

    REQUIRE(b.await(b.db.retry_batch(b.h, completed, entry("api.retry", "it is back"))));
    CHECK(b.batch(completed).state == batch_state::completed);
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].tries == 0);
    CHECK(b.value("select string_agg(subject, ',') from alert where state = 'open'") == "WH/MO/00002");
    CHECK(b.count(fmt::format("journal where what = 'api.retry' and who = 'shift lead' and answer = 'it is back' and batch_id = {}", completed)) == 1);
    // The one whose cancel was parked had not completed.
    REQUIRE(b.await(b.db.retry_batch(b.h, held, entry("api.retry", ""))));
    CHECK(b.batch(held).state == batch_state::held);
    REQUIRE(b.await(b.db.retry_batch(b.h, waiting_one, entry("api.retry", ""))));
    CHECK(b.batch(waiting_one).state == batch_state::completed);
    CHECK(b.due().size() == 3);
}

TEST_CASE("a batch that is held, lost or parked is completed with a person's figures, and no other")
{
    in_every_state(stopped, "api.complete", [](store_bench& b, std::int64_t id) {
        domain::silo_kg actual;
        actual[101] = kg("500.125");
        actual[102] = kg("7");
        auto why = entry("api.complete", "because");
        why.values = boost::json::parse(R"({"101": 500.125})");
        const bool done = b.await(b.db.complete_batch(b.h, id, kg("990"), actual, why));
        if (!done) return false;
        const auto row = b.batch(id);
        CHECK(row.state == batch_state::completed);
        CHECK(row.version == 1);
        CHECK(row.status_manufacturing);
        CHECK_FALSE(row.update_odoo);
        CHECK(row.weight == kg("990"));
        CHECK(row.actual.at(101) == kg("500.125"));
        CHECK(row.actual.at(102) == kg("7"));
        CHECK(row.planned.at(101) == kg("600.25"));
        const auto finish = b.delivery(id, "finish");
        CHECK(finish.version == 1);
        CHECK(finish.payload.at("weight").as_string() == "990");
        CHECK(b.value("select \"values\" ->> '101' from journal") == "500.125");
        return true;
    });
}

TEST_CASE("completing by hand replaces a parked finish, gives up an open cancel and resolves the alert")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "no such order"));
    b.await(b.db.raise_alert(b.h, "delivery_parked", "WH/MO/00001", "no such order"));
    b.change(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, batch_id, kind) values ('line1', 'odoo', 1, {}, 'cancel')", id));
    const auto old = b.delivery(id, "finish");
    REQUIRE(b.await(b.db.complete_batch(b.h, id, kg("11"), b.batch(id).actual, entry("api.complete", "weighed"))));
    const auto finish = b.delivery(id, "finish");
    CHECK(finish.id == old.id);
    CHECK(finish.version == old.version + 1);
    CHECK(finish.version == b.batch(id).version);
    CHECK(finish.state == domain::delivery_state::due);
    CHECK(b.delivery_state(id, "cancel") == "discarded");
    CHECK(b.count("alert where state = 'open'") == 0);
    // What was on its way with the old figures acknowledges nothing.
    b.await(b.db.delivered(b.h, old, true, 5s, std::nullopt, "late"));
    CHECK_FALSE(b.batch(id).update_odoo);
    CHECK(b.await(b.db.archivable("line1", false)).empty());
}

TEST_CASE("a discarded finish ends its batch as discarded, from completed and from parked, with who and why")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    for (const auto& x : batches) b.complete(x.id, "10");
    b.await(b.db.park(b.h, b.delivery(batches[1].id, "finish"), "no such order"));
    for (const auto& x : batches) {
        REQUIRE(b.await(b.db.archive(b.h, x.id, domain::history_status::discarded, "booked by hand", entry("api.discard", "booked by hand"))));
        CHECK(b.delivery_state(x.id, "finish") == "discarded");
        CHECK(b.value(fmt::format("select status || ': ' || notes from mo_histories where batch_id = {}", x.id)) == "discarded: booked by hand");
        CHECK(b.value(fmt::format("select who || ': ' || answer || ' ' || mo_id || ' ' || odoo_id from journal where what = 'api.discard' and batch_id = {}", x.id)) ==
              fmt::format("shift lead: booked by hand {} {}", x.mo_id, x.order.odoo_id));
    }
    CHECK(b.due().empty());
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
}

TEST_CASE("a parked cancel of a batch that had completed is retried as the cancel it is, and no finish is made for it")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "other quantities"));
    REQUIRE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "scrapped"))));
    b.await(b.db.park(b.h, b.delivery(id, "cancel"), "done in Odoo"));
    REQUIRE(b.await(b.db.retry_batch(b.h, id, entry("api.retry", "open again"))));
    CHECK(b.batch(id).state == batch_state::held);
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
    CHECK(b.delivery_state(id, "cancel") == "due");
    CHECK(b.delivery_state(id, "finish") == "discarded");
}
