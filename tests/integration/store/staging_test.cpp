#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using domain::batch_state;
using domain::load_state;
using staging = std::variant<store::staged, store::stage_conflict>;

namespace {

bool won(const outcome<staging>& o)
{
    return o.value && std::holds_alternative<store::staged>(*o.value);
}

const store::stage_conflict* lost(const outcome<staging>& o)
{
    return o.value ? std::get_if<store::stage_conflict>(&*o.value) : nullptr;
}

void empty_queue(const store_bench& b)
{
    b.change("delete from mo_batch");
    b.change("update plc_load set state = 'taken'");
}

// In the middle of a transaction that stages: its load and a batch are written, nothing is committed.
const std::string midway = "lock table mo_batch_consumption in access exclusive mode";

}  // namespace

TEST_CASE("a staged load reads back as it was mapped, and its orders are known and excluded from then on")
{
    store_bench b;
    const auto answer = b.await(b.db.stage_load(b.h, images(), {order(11, 1), order(12, 2)}));
    REQUIRE(std::holds_alternative<store::staged>(answer));
    const auto& s = std::get<store::staged>(answer);
    CHECK(s.load.number == 1);
    CHECK(s.load.state == load_state::staged);
    CHECK(s.load.images == images());
    REQUIRE(s.batches.size() == 2);
    const auto& first = s.batches[0];
    CHECK(first.order == identity(11));
    CHECK(first.mo_id == "WH/MO/00011");
    CHECK(first.order_key == "WH/MO/00011");
    CHECK(first.line == "line1");
    CHECK(first.run == 1);
    CHECK(first.slot == 1);
    CHECK(first.state == batch_state::queued);
    CHECK(first.bom_id == "BOM-1");
    CHECK(first.finished_goods == "FEED-1");
    CHECK(first.planned_kg == kg("1000.5"));
    CHECK(first.planned == order(11, 1).order.planned);
    CHECK(first.version == 0);
    CHECK_FALSE(first.last_read);
    CHECK(s.batches[1].slot == 2);
    const std::set<std::string> known{"WH/MO/00012"};
    CHECK(b.await(b.db.known_orders("line1", {"WH/MO/00012", "WH/MO/00013"})) == known);
    CHECK(b.await(b.db.known_orders("line2", {"WH/MO/00012"})).empty());
    auto excluded = b.await(b.db.excluded_orders("odoo"));
    std::sort(excluded.begin(), excluded.end());
    CHECK(excluded == std::vector<std::int64_t>{11, 12});
    CHECK(b.await(b.db.excluded_orders("another")).empty());
}

TEST_CASE("staging raced on two sessions with the lock bypassed: one wins, the other gets a conflict and leaves nothing (L-11)")
{
    store_bench b;
    for (int round = 0; round < 30; ++round) {
        CAPTURE(round);
        const std::int64_t id = 100 + 10 * round;
        // The same orders, or others for the same slots; as it comes, or both certainly in the middle.
        const std::int64_t other = round % 3 == 2 ? id + 5 : id;
        const std::vector<store::staged_order> mine{order(id, 1), order(id + 1, 2)}, theirs{order(other, 1), order(other + 1, 2)};
        outcome<staging> first, second;
        b.race(b.db.stage_load(b.h, images(), mine), first, b.other_db.stage_load(b.h, images(), theirs), second, round % 2 == 0 ? midway : "");
        REQUIRE_FALSE(first.failure);
        REQUIRE_FALSE(second.failure);
        REQUIRE(won(first) != won(second));
        const auto& winner = std::get<store::staged>(won(first) ? *first.value : *second.value);
        CHECK(winner.load.number == round + 1);
        CHECK(winner.batches.size() == 2);
        CHECK(b.count("plc_load") == round + 1);
        CHECK(b.count("mo_batch") == 2);
        CHECK(b.count(fmt::format("mo_batch where odoo_id in ({0}, {0} + 1) and load = {1}", won(first) ? id : other, winner.load.id)) == 2);
        CHECK(b.count("mo_batch_consumption") == 4);
        const auto* conflict = lost(won(first) ? second : first);
        CHECK(conflict->taken.size() == (other == id ? 2U : 0U));
        empty_queue(b);
    }
}

TEST_CASE("two lines racing for one order: one gets it, the other a conflict that names it and nothing else (L-11)")
{
    store_bench b;
    const auto line2 = b.take("line2");
    for (int round = 0; round < 20; ++round) {
        CAPTURE(round);
        const std::int64_t id = 100 + 10 * round, shared = id + 1;
        b.change("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) select 'line1', 'odoo', x, 'x', 'x', now() from (values (" + std::to_string(id) + "), (" + std::to_string(id + 2) + ")) v(x)");
        const std::vector<store::staged_order> mine{order(id, 1), order(shared, 2)}, theirs{order(id + 2, 1), order(shared, 2)};
        outcome<staging> first, second;
        b.race(b.db.stage_load(b.h, images(), mine), first, b.other_db.stage_load(line2, images(), theirs), second, round % 2 == 0 ? midway : "");
        REQUIRE_FALSE(first.failure);
        REQUIRE_FALSE(second.failure);
        REQUIRE(won(first) != won(second));
        const auto* conflict = lost(won(first) ? second : first);
        CHECK(conflict->taken == std::vector<domain::order_identity>{identity(shared)});
        CHECK(b.value("select string_agg(distinct line, ',') from mo_batch") == (won(first) ? "line1" : "line2"));
        CHECK(b.count("mo_batch") == 2);
        CHECK(b.count("mo_batch_consumption") == 4);
        CHECK(b.count("plc_load where state = 'staged'") == 1);
        // The loser's refusals are as they were, too.
        CHECK(b.value("select odoo_id from order_refusal") == std::to_string(won(first) ? id + 2 : id));
        b.change("delete from order_refusal");
        empty_queue(b);
    }
}

TEST_CASE("two lines that want the same two orders in opposite order do not deadlock (L-11)")
{
    store_bench b;
    const auto line2 = b.take("line2");
    outcome<staging> first, second;
    b.race(b.db.stage_load(b.h, images(), {order(1, 1), order(2, 2)}), first, b.other_db.stage_load(line2, images(), {order(2, 1), order(1, 2)}), second, midway);
    CHECK_FALSE(first.failure);
    CHECK_FALSE(second.failure);
    CHECK(won(first) != won(second));
    CHECK(b.count("mo_batch") == 2);
    // The slots are what was asked for, whatever the order of writing.
    CHECK(b.value("select string_agg(batch_no::text, ',' order by odoo_id) from mo_batch") == (won(first) ? "1,2" : "2,1"));
}

TEST_CASE("a line with an unfinished batch or an open load is offered nothing else, and says so without naming an order")
{
    store_bench b;
    const auto batches = b.load(b.h, {1});
    const auto refused = [&] {
        const auto before = b.contents();
        const auto answer = b.await(b.db.stage_load(b.h, images(), {order(2, 5)}));
        CHECK(b.contents() == before);
        return std::holds_alternative<store::stage_conflict>(answer) && std::get<store::stage_conflict>(answer).taken.empty();
    };
    for (const auto state : {batch_state::queued, batch_state::loading, batch_state::loaded, batch_state::running}) {
        CAPTURE(domain::to_string(state));
        b.set_state(batches[0].id, state);
        CHECK(refused());
    }
    for (const auto state : {batch_state::cancelling, batch_state::held, batch_state::lost, batch_state::completed, batch_state::parked}) {
        CAPTURE(domain::to_string(state));
        b.change("delete from mo_batch where odoo_id = 2");
        b.change("update plc_load set state = 'taken'");
        b.set_state(batches[0].id, state);
        CHECK(std::holds_alternative<store::staged>(b.await(b.db.stage_load(b.h, images(), {order(2, 1)}))));
    }
    b.change("delete from mo_batch where odoo_id = 2");
    b.change("update plc_load set state = 'arming' where id = (select max(id) from plc_load)");
    CHECK(refused());
}

TEST_CASE("slots are unique per line among unfinished rows, in the database itself (L-11)")
{
    store_bench b;
    const auto line2 = b.take("line2");
    b.stage(b.h, {1});
    b.stage(line2, {2});
    const auto another = [](const std::string& state) {
        return "insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, batch_no, load, state, quantity_goods) select line, odoo_db, 99, odoo_create_date, 'x', 'x', batch_no, load, '" + state +
               "', 1 from mo_batch where odoo_id = 1";
    };
    CHECK_THROWS_WITH(b.change(another("queued")), Catch::Contains("mo_batch_slot"));
    CHECK_THROWS_WITH(b.change(another("running")), Catch::Contains("mo_batch_slot"));
    CHECK_NOTHROW(b.change(another("held")));
    CHECK_THROWS_WITH(b.change(another("held")), Catch::Contains("mo_batch_order"));
    // Two orders for one slot of one load: nothing of it is staged.
    empty_queue(b);
    const auto answer = b.await(b.db.stage_load(b.h, images(), {order(5, 3), order(6, 3)}));
    CHECK(std::holds_alternative<store::stage_conflict>(answer));
    CHECK(b.count("mo_batch") == 0);
}

TEST_CASE("a withdrawn offer is staged anew from slot 1 without the order that was taken out")
{
    store_bench b;
    const auto batches = b.stage(b.h, {1, 2, 3});
    const auto load = batches[0].load;
    b.await(b.db.set_load_state(b.h, load, load_state::arming, batch_state::loading));
    CHECK(b.await(b.db.open_load("line1"))->state == load_state::arming);
    CHECK(b.batch(batches[2].id).state == batch_state::loading);
    REQUIRE(b.await(b.db.ask_take_out(b.h, batches[0].id, "cancelled", entry("api.cancel", "wrong recipe"))));
    const auto again = b.await(b.db.restage(b.h, load, true));
    REQUIRE(again);
    CHECK(again->number == 2);
    CHECK(again->state == load_state::staged);
    CHECK(again->images == images());
    CHECK(b.value("select state from plc_load where number = 1") == "withdrawn");
    CHECK(again->after_withdrawal);
    CHECK(b.await(b.db.loads_in_use("line1")).back().id == again->id);
    CHECK(b.batch(batches[0].id).load == load);
    CHECK(b.batch(batches[0].id).state == batch_state::cancelling);
    for (const int i : {1, 2}) {
        const auto moved = b.batch(batches[static_cast<std::size_t>(i)].id);
        CHECK(moved.load == again->id);
        CHECK(moved.slot == i);
        CHECK(moved.state == batch_state::queued);
    }
    for (const int i : {1, 2}) REQUIRE(b.await(b.db.ask_take_out(b.h, batches[static_cast<std::size_t>(i)].id, "reset", entry("api.reset", "again"))));
    CHECK_FALSE(b.await(b.db.restage(b.h, again->id, false)));
    CHECK(b.count("plc_load where state <> 'withdrawn'") == 0);
}

TEST_CASE("staging settles what was said about the order before: its refusal and the alert about it")
{
    store_bench b;
    store::refusal refused;
    refused.order = identity(1);
    refused.mo_id = "WH/MO/00001";
    refused.reason = "unknown unit";
    b.await(b.db.record_refusals(b.h, {refused}, std::chrono::hours(1)));
    b.await(b.db.raise_alert(b.h, "order_refused", "WH/MO/00001", "unknown unit"));
    b.await(b.db.raise_alert(b.h, "order_refused", "WH/MO/00002", "unknown unit"));
    b.stage(b.h, {1});
    CHECK(b.count("order_refusal") == 0);
    CHECK(b.value("select string_agg(subject, ',') from alert where state = 'open'") == "WH/MO/00002");
}

TEST_CASE("a load is armed only with exactly the batches that were written, also when one is taken out at that moment")
{
    store_bench b;
    const auto batches = b.stage(b.h, {1, 2});
    const auto load = batches[0].load;
    const std::vector<std::int64_t> both{batches[1].id, batches[0].id}, one{batches[0].id};
    CHECK_FALSE(b.await(b.db.arm_load(b.h, load, one, entry("plc.load", ""))));
    CHECK(b.value("select state from plc_load") == "staged");
    CHECK(b.count("journal where what = 'plc.load'") == 0);
    // The taking out holds its row when the arming comes to compare: it is waited for.
    outcome<bool> out, armed;
    {
        pg::connection taker(b.ioc.get_executor(), b.uri);
        b.hold_gate(taker, fmt::format("update mo_batch set state = 'cancelling', reason = 'cancelled' where id = {}", batches[1].id));
        // It outlives the call, which goes on below.
        const auto why = entry("plc.load", "");
        b.start(b.db.arm_load(b.h, load, both, why), armed);
        b.wait_for_waiting(1);
        b.await(taker.query("commit"));
        b.finish([&] { return armed.ended(); });
    }
    REQUIRE(armed.value);
    CHECK_FALSE(*armed.value);
    CHECK(b.value("select state from plc_load") == "staged");
    // What became owed to the PLC while the load was written comes first.
    b.await(b.db.open_duty(b.h, 4, "WH/MO/00009", 9));
    CHECK_FALSE(b.await(b.db.arm_load(b.h, load, one, entry("plc.load", ""))));
    b.await(b.db.close_duty(b.h, b.await(b.db.open_duties("line1")).at(0).id, "acknowledged"));
    CHECK(b.await(b.db.arm_load(b.h, load, one, entry("plc.load", "armed"))));
    CHECK(b.value("select state from plc_load") == "arming");
    CHECK(b.count("journal where what = 'plc.load' and answer = 'armed'") == 1);
}

TEST_CASE("a withdrawal begins only of an armed load, keeps it from being armed, and ends with the taking or the new staging")
{
    store_bench b;
    const auto batches = b.stage(b.h, {1, 2});
    const auto load = batches[0].load;
    const std::vector<std::int64_t> both{batches[0].id, batches[1].id};
    b.await(b.db.begin_withdrawal(b.h, load));
    CHECK_FALSE(b.await(b.db.open_load("line1"))->withdrawing);
    REQUIRE(b.await(b.db.arm_load(b.h, load, both, entry("plc.load", ""))));
    b.await(b.db.begin_withdrawal(b.h, load));
    CHECK(b.await(b.db.open_load("line1"))->withdrawing);
    b.await(b.db.set_load_state(b.h, load, load_state::arming, batch_state::loaded));
    CHECK(b.await(b.db.open_load("line1"))->withdrawing);
    CHECK_FALSE(b.await(b.db.arm_load(b.h, load, both, entry("plc.load", ""))));
    b.await(b.db.set_load_state(b.h, load, load_state::taken, std::nullopt));
    CHECK(b.count("plc_load where withdraw_since is not null") == 0);
    b.change("update plc_load set state = 'arming', withdraw_since = now()");
    const auto again = b.await(b.db.restage(b.h, load, true));
    REQUIRE(again);
    CHECK(again->after_withdrawal);
    CHECK_FALSE(again->withdrawing);
    // A load that replaces one that replaced a withdrawn offer is no safer than that.
    CHECK(b.await(b.db.restage(b.h, again->id, false))->after_withdrawal);
}
