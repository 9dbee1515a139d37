#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;
using owed = store::batch_change::delivery;

TEST_CASE("a changed batch owes one consumption, and newer totals replace an unsent one with its version")
{
    store_bench b;
    const auto id = b.load(b.h, {1, 2})[0].id;
    const auto running = b.dose(id, "10.25");
    CHECK(running.state == batch_state::running);
    CHECK(running.version == 1);
    CHECK(running.actual.at(101) == kg("10.25"));
    CHECK(running.actual.at(114) == kg("0"));
    CHECK(running.planned.at(101) == kg("600.25"));
    CHECK(running.weight == kg("10.25"));
    CHECK(running.raw == domain::words{1, 2, 3});
    CHECK(running.last_read);
    CHECK(running.last_changed);
    const auto first = b.delivery(id, "consumption");
    CHECK(first.version == 1);
    CHECK(first.batch_id == id);
    CHECK(first.odoo_id == 1);
    CHECK(first.mo_id == "WH/MO/00001");
    CHECK(boost::json::serialize(first.payload) == R"({"actual":{"101":"10.25"},"weight":"10.25"})");
    b.dose(id, "20.5");
    const auto second = b.delivery(id, "consumption");
    CHECK(second.id == first.id);
    CHECK(second.version == 2);
    CHECK(boost::json::serialize(second.payload) == R"({"actual":{"101":"20.5"},"weight":"20.5"})");
    CHECK(b.count("odoo_outbox") == 1);
}

TEST_CASE("a whole cycle is one lease of the pool, however many batches changed")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    std::vector<store::batch_change> changes;
    for (const auto& x : batches) changes.push_back(found(x, batch_state::running, "1", owed::consumption));
    const auto before = b.pool.acquired();
    CHECK(b.await(b.db.record_cycle(b.h, changes, {}, 5s)).not_applied.empty());
    CHECK(b.pool.acquired() == before + 1);
    CHECK(b.count("odoo_outbox where kind = 'consumption'") == 10);
}

TEST_CASE("a new consumption waits for the live interval after the last one that was sent")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    CHECK(b.due().size() == 1);
    b.await(b.db.delivered(b.h, b.delivery(id, "consumption"), false, 5s, std::nullopt, ""));
    b.dose(id, "11");
    CHECK(b.due().empty());
    const auto wait = b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s));
    REQUIRE(wait);
    CHECK(*wait > 1s);
    CHECK(*wait <= 5s);
    b.change("update odoo_outbox set sent_at = sent_at - interval '6 seconds' where state = 'sent'");
    b.change("delete from odoo_outbox where state = 'due'");
    b.dose(id, "12");
    CHECK(b.due().size() == 1);
}

TEST_CASE("the completing read opens the finish and the acknowledgement, and drops an open consumption (L-01, L-36)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    const auto done = b.complete(id, "12.34");
    CHECK(done.state == batch_state::completed);
    CHECK(done.version == 2);
    CHECK(done.status_manufacturing);
    CHECK_FALSE(done.update_odoo);
    CHECK(b.value("select completed_at is not null from mo_batch") == "t");
    CHECK(b.delivery_state(id, "consumption") == "discarded");
    const auto finish = b.delivery(id, "finish");
    CHECK(finish.version == 2);
    CHECK(finish.state == domain::delivery_state::due);
    CHECK(boost::json::serialize(finish.payload) == R"({"actual":{"101":"12.34"},"weight":"12.34"})");
    const auto duties = b.await(b.db.open_duties("line1"));
    REQUIRE(duties.size() == 1);
    CHECK(duties[0].slot == 1);
    CHECK(duties[0].mo_id == "WH/MO/00001");
    CHECK(duties[0].batch_id == id);
}

TEST_CASE("a consumption that is being sent when its batch completes is left to its end, and the finish is not erased")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    const auto sending = b.delivery(id, "consumption");
    const auto attempt = b.await(b.db.begin_attempt(b.h, sending, "write_consumption", boost::json::array()));
    REQUIRE(attempt);
    b.complete(id, "12");
    CHECK(b.delivery_state(id, "consumption") == "sending");
    CHECK(b.delivery_state(id, "finish") == "due");
    CHECK(b.due().empty());   // the finish waits for the flight
    b.await(b.db.delivered(b.h, sending, false, 5s, attempt, "true"));
    CHECK(b.delivery_state(id, "consumption") == "sent");
    CHECK_FALSE(b.batch(id).update_odoo);
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].kind == domain::delivery_kind::finish);
}

TEST_CASE("a batch that completes without a change of its figures still gets a version of its own and a finish (L-01)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    b.await(b.db.delivered(b.h, b.delivery(id, "consumption"), false, 5s, std::nullopt, ""));
    REQUIRE(b.batch(id).update_odoo);
    auto change = found(b.batch(id), batch_state::completed, "10", owed::finish);
    change.values_changed = false;
    REQUIRE(b.record(change));
    CHECK(b.batch(id).version == 2);
    CHECK_FALSE(b.batch(id).update_odoo);   // the acknowledged live figures do not archive it
    CHECK(b.delivery(id, "finish").version == 2);
}

TEST_CASE("a completed batch is frozen: a second change is not applied, changes nothing and owes nothing (L-35)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    for (const auto state : {batch_state::completed, batch_state::parked}) {
        b.set_state(id, state);
        const auto before = b.contents();
        for (const auto owe : {owed::none, owed::consumption, owed::finish}) {
            auto change = found(b.batch(id), batch_state::running, "99", owe);
            change.acknowledge = true;
            const auto result = b.await(b.db.record_cycle(b.h, {change}, {id}, 5s));
            CHECK(result.not_applied == std::set<std::int64_t>{id});
            CHECK(b.contents() == before);
        }
    }
}

TEST_CASE("a change derived from an older version is not applied, and the others of its cycle are")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    const auto stale = found(b.batch(batches[0].id), batch_state::running, "5", owed::consumption);
    b.dose(batches[0].id, "10");
    const auto row = b.value(fmt::format("select b::text from v_mo_batch b where id = {}", batches[0].id));
    const auto result = b.await(b.db.record_cycle(b.h, {stale, found(batches[1], batch_state::running, "7", owed::consumption)}, {}, 5s));
    CHECK(result.not_applied == std::set<std::int64_t>{batches[0].id});
    CHECK(b.value(fmt::format("select b::text from v_mo_batch b where id = {}", batches[0].id)) == row);
    CHECK(b.delivery(batches[0].id, "consumption").version == 1);
    CHECK(b.batch(batches[1].id).actual.at(101) == kg("7"));
}

TEST_CASE("a change derived before a person took the order out does not bring it back")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    const auto derived_before = b.batch(id);
    REQUIRE(b.await(b.db.ask_take_out(b.h, id, "cancelled", entry("api.cancel", "wrong recipe"))));
    for (const auto state : {batch_state::running, batch_state::lost, batch_state::held, batch_state::completed}) {
        CAPTURE(domain::to_string(state));
        const auto before = b.contents();
        CHECK_FALSE(b.record(found(derived_before, state, "3", state == batch_state::completed ? owed::finish : owed::consumption)));
        CHECK(b.contents() == before);
    }
    // What was dosed all the same is stored, with the state left as it is.
    CHECK(b.record(found(b.batch(id), batch_state::cancelling, "3", owed::none)));
    CHECK(b.batch(id).actual.at(101) == kg("3"));
    CHECK(b.batch(id).state == batch_state::cancelling);
}

TEST_CASE("one failing change leaves nothing of its cycle")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3});
    auto good = found(batches[0], batch_state::completed, "10", owed::finish);
    good.acknowledge = true;
    const auto bad = found(batches[1], batch_state::running, "999999999999", owed::consumption);   // does not fit numeric(14,3)
    const auto before = b.contents();
    CHECK_THROWS_AS(b.await(b.db.record_cycle(b.h, {good, bad}, {batches[2].id}, 5s)), pg::error);
    CHECK(b.contents() == before);
}

TEST_CASE("a seen batch gets its time of reading and nothing else, and a change of text or image is no new version (L-37)")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    b.await(b.db.record_cycle(b.h, {}, {batches[0].id}, 5s));
    CHECK(b.batch(batches[0].id).last_read);
    CHECK_FALSE(b.batch(batches[0].id).last_changed);
    CHECK_FALSE(b.batch(batches[1].id).last_read);
    b.await(b.db.touch_read(b.h, {batches[1].id}));
    CHECK(b.batch(batches[1].id).last_read);
    CHECK(b.batch(batches[1].id).version == 0);
    auto change = found(batches[0], batch_state::lost, "5", owed::none);
    change.values_changed = false;
    change.reason = "the slot shows another order";
    REQUIRE(b.record(change));
    const auto row = b.batch(batches[0].id);
    CHECK(row.state == batch_state::lost);
    CHECK(row.reason == "the slot shows another order");
    CHECK(row.version == 0);
    CHECK(row.actual.at(101).is_zero());
    CHECK_FALSE(row.last_changed);
    CHECK(b.count("odoo_outbox") == 0);
}

TEST_CASE("a line changes no batch of another line")
{
    store_bench b;
    const auto line2 = b.take("line2");
    const auto theirs = b.load(line2, {1})[0];
    const auto before = b.contents();
    CHECK_FALSE(b.record(b.h, found(theirs, batch_state::running, "1", owed::consumption)));
    b.await(b.db.touch_read(b.h, {theirs.id}));
    CHECK_FALSE(b.await(b.db.ask_take_out(b.h, theirs.id, "reset", entry("api.reset", ""))));
    CHECK_FALSE(b.await(b.db.archive(b.h, theirs.id, domain::history_status::discarded, "", entry("api.discard", ""))));
    CHECK(b.contents() == before);
}
