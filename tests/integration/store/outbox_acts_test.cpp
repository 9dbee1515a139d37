// What persons decide about single deliveries, refused orders and the pause of a line: done once, journaled, or not at all.
#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;
using domain::delivery_state;

namespace {

store::outbox_entry seen(store_bench& b, std::int64_t batch_id, const std::string& kind)
{
    return b.await(b.db.outbox_by_id(b.delivery(batch_id, kind).id)).value();
}

store::as_seen as_it_is(store_bench& b, std::int64_t batch_id)
{
    const auto row = b.batch(batch_id);
    store::as_seen out;
    out.state = row.state;
    out.version = row.version;
    return out;
}

std::string journaled(const store_bench& b, const std::string& what)
{
    return b.value(fmt::format("select string_agg(who || ': ' || answer || ' ' || mo_id || ' ' || coalesce(odoo_id, 0), ', ' order by id) from journal where what = '{}'", what));
}

// One that waits for its next try in an hour.
domain::batch backing_off(store_bench& b, std::int64_t id)
{
    const auto row = b.complete(id, "10");
    b.await(b.db.retry_later(b.h, b.delivery(id, "finish"), 1h, "busy"));
    return row;
}

}  // namespace

TEST_CASE("where a batch stands is read with its open deliveries and what Odoo may have accepted")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    const auto id = batches[0].id;
    auto stands = b.await(b.db.standing_of(id)).value();
    CHECK(stands.batch.id == id);
    CHECK(stands.facts.state == batch_state::loaded);
    CHECK_FALSE((stands.facts.dosed || stands.facts.accepted || stands.facts.finish || stands.facts.cancel));
    b.complete(id, "10");
    stands = b.await(b.db.standing_of(id)).value();
    CHECK(stands.facts.dosed);
    CHECK_FALSE(stands.facts.accepted);
    CHECK(stands.facts.finish == delivery_state::due);
    // An attempt without an outcome may have come through.
    const auto attempt = b.await(b.db.begin_attempt(b.h, b.delivery(id, "finish"), "write_final", boost::json::object())).value();
    stands = b.await(b.db.standing_of(id)).value();
    CHECK(stands.facts.accepted);
    CHECK(stands.facts.finish == delivery_state::sending);
    b.await(b.db.end_attempt(b.h, attempt, domain::call_outcome::rejected, "no"));
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "no"));
    stands = b.await(b.db.standing_of(id)).value();
    CHECK_FALSE(stands.facts.accepted);
    CHECK(stands.facts.state == batch_state::parked);
    CHECK(stands.facts.finish == delivery_state::parked);
    REQUIRE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "scrapped"))));
    stands = b.await(b.db.standing_of(id)).value();
    CHECK_FALSE(stands.facts.finish);
    CHECK(stands.facts.cancel == delivery_state::due);
    CHECK_FALSE(b.await(b.db.standing_of(999)));
}

TEST_CASE("an act on a batch that changed since it was seen is not done and changes nothing")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "1");
    b.set_state(id, batch_state::held);
    const auto old = as_it_is(b, id);
    b.change(fmt::format("update mo_batch set version = version + 1 where id = {}", id));
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "x"), old)));
    CHECK_FALSE(b.await(b.db.complete_batch(b.h, id, kg("5"), b.batch(id).actual, entry("api.complete", "x"), old)));
    CHECK_FALSE(b.await(b.db.retry_batch(b.h, id, entry("api.retry", "x"), old)));
    CHECK(b.contents() == before);
    CHECK(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "x"), as_it_is(b, id))));
}

TEST_CASE("of two equal acts on a batch at once one is done and journaled")
{
    struct act {
        const char* name;
        batch_state state;
        std::function<asio::awaitable<bool>(store::store&, const store::hold&, std::int64_t, store::as_seen)> run;
    };
    // Not temporaries: the calls begin later.
    static const std::string cancelled = "cancelled", why = "why";
    static const auto produced = kg("5");
    static const domain::silo_kg actual{{101, kg("5")}};
    const std::vector<act> acts{
        {"take out", batch_state::loaded, [](store::store& s, const store::hold& h, std::int64_t id, store::as_seen) { return s.ask_take_out(h, id, cancelled, entry("act", "why")); }},
        {"cancel", batch_state::held, [](store::store& s, const store::hold& h, std::int64_t id, store::as_seen x) { return s.ask_cancel(h, id, entry("act", "why"), x); }},
        {"complete", batch_state::lost, [](store::store& s, const store::hold& h, std::int64_t id, store::as_seen x) { return s.complete_batch(h, id, produced, actual, entry("act", "why"), x); }},
        {"reset", batch_state::held, [](store::store& s, const store::hold& h, std::int64_t id, store::as_seen x) { return s.reset_batch(h, id, x.version, why, entry("act", "why")); }},
    };
    for (const auto& a : acts) {
        CAPTURE(a.name);
        store_bench b;
        const auto id = b.load(b.h, {1})[0].id;
        b.set_state(id, a.state);
        const auto x = as_it_is(b, id);
        outcome<bool> first, second;
        b.race(a.run(b.db, b.h, id, x), first, a.run(b.other_db, b.h, id, x), second, fmt::format("select from mo_batch where id = {} for update", id));
        REQUIRE(first.value);
        REQUIRE(second.value);
        CHECK(*first.value != *second.value);
        CHECK(b.count("journal where what = 'act'") == 1);
    }
}

TEST_CASE("of two equal retries at once one makes the delivery due now")
{
    for (const bool parked : {true, false}) {
        for (const bool by_row : {true, false}) {
            CAPTURE(parked, by_row);
            store_bench b;
            const auto id = b.load(b.h, {1})[0].id;
            backing_off(b, id);
            if (parked) b.await(b.db.park(b.h, b.delivery(id, "finish"), "no such order"));
            const auto x = as_it_is(b, id);
            const auto row = seen(b, id, "finish");
            outcome<bool> first, second;
            const auto lock = fmt::format("select from mo_batch where id = {} for update", id);
            if (by_row) b.race(b.db.retry_delivery(b.h, row, entry("act", "")), first, b.other_db.retry_delivery(b.h, row, entry("act", "")), second, lock);
            else b.race(b.db.retry_batch(b.h, id, entry("act", ""), x), first, b.other_db.retry_batch(b.h, id, entry("act", ""), x), second, lock);
            REQUIRE(first.value);
            REQUIRE(second.value);
            CHECK(*first.value != *second.value);
            CHECK(b.count("journal where what = 'act'") == 1);
            CHECK(b.due().size() == 1);
        }
    }
}

TEST_CASE("a discarded finish archives its completed or parked batch as discarded with it")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    backing_off(b, batches[0].id);
    b.complete(batches[1].id, "20");
    b.await(b.db.park(b.h, b.delivery(batches[1].id, "finish"), "no such order"));
    for (const auto& x : batches) {
        CAPTURE(x.mo_id);
        const auto finish = seen(b, x.id, "finish");
        REQUIRE(b.await(b.db.discard_finish(b.h, finish, as_it_is(b, x.id), 120s, entry("api.discard", "booked by hand"))));
        CHECK(b.value(fmt::format("select state || ': ' || last_error from odoo_outbox where id = {}", finish.id)) == "discarded: booked by hand");
        CHECK(b.value(fmt::format("select status || ': ' || notes from mo_histories where batch_id = {}", x.id)) == "discarded: booked by hand");
        CHECK(b.count(fmt::format("mo_histories_consumption c join mo_histories h on h.id = c.history_id where h.batch_id = {} and c.actual > 0", x.id)) == 1);
    }
    CHECK(b.count("mo_batch") == 0);
    CHECK(journaled(b, "api.discard") == "shift lead: booked by hand WH/MO/00001 1, shift lead: booked by hand WH/MO/00002 2");
    CHECK(b.count("alert where state <> 'resolved'") == 0);
    CHECK(b.due().empty());
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
}

TEST_CASE("a finish that is no longer as it was seen is not discarded and its batch stays")
{
    const std::vector<std::pair<const char*, std::function<void(store_bench&, std::int64_t)>>> changes{
        {"sent", [](store_bench& b, std::int64_t id) { b.await(b.db.delivered(b.h, b.delivery(id, "finish"), true, 5s, std::nullopt, "done")); }},
        {"in flight", [](store_bench& b, std::int64_t id) { b.await(b.db.begin_attempt(b.h, b.delivery(id, "finish"), "write_final", boost::json::object())); }},
        {"another version", [](store_bench& b, std::int64_t id) { b.change(fmt::format("update odoo_outbox set version = version + 1 where batch_id = {}", id)); }},
        {"another version of the batch", [](store_bench& b, std::int64_t id) { b.change(fmt::format("update mo_batch set version = version + 1 where id = {}", id)); }},
        {"parked meanwhile", [](store_bench& b, std::int64_t id) { b.await(b.db.park(b.h, b.delivery(id, "finish"), "no")); }},
    };
    for (const auto& [name, change] : changes) {
        CAPTURE(name);
        store_bench b;
        const auto id = b.load(b.h, {1})[0].id;
        b.complete(id, "10");
        const auto finish = seen(b, id, "finish");
        const auto x = as_it_is(b, id);
        change(b, id);
        const auto before = b.contents();
        CHECK_FALSE(b.await(b.db.discard_finish(b.h, finish, x, 120s, entry("api.discard", "booked by hand"))));
        CHECK(b.contents() == before);
    }
}

TEST_CASE("of a finish that is begun and discarded at once either it is sent or it is discarded")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    const auto finish = seen(b, id, "finish");
    const auto x = as_it_is(b, id);
    const auto d = b.delivery(id, "finish");
    outcome<bool> discarded;
    outcome<std::optional<std::int64_t>> begun;
    const boost::json::value values = boost::json::object();
    b.race(b.db.discard_finish(b.h, finish, x, 120s, entry("api.discard", "booked by hand")), discarded, b.other_db.begin_attempt(b.h, d, "write_final", values), begun,
           fmt::format("select from odoo_outbox where id = {} for update", d.id));
    REQUIRE(discarded.value);
    REQUIRE(begun.value);
    CHECK(*discarded.value != begun.value->has_value());
    CHECK(b.count("mo_batch") == (*discarded.value ? 0 : 1));
    CHECK(b.count("mo_histories") == (*discarded.value ? 1 : 0));
    CHECK(b.delivery_state(id, "finish") == (*discarded.value ? "discarded" : "sending"));
}

TEST_CASE("a finish is not discarded while its last write may still take effect")
{
    store_bench b;
    const auto id = b.load(b.h, {1}).front().id;
    backing_off(b, id);
    const auto attempt = b.await(b.db.begin_attempt(b.h, b.delivery(id, "finish"), "write_final", boost::json::object())).value();
    b.await(b.db.end_attempt(b.h, attempt, domain::call_outcome::unclear, "timeout"));
    b.await(b.db.retry_later(b.h, b.delivery(id, "finish"), 1h, "timeout"));
    const auto finish = seen(b, id, "finish");
    CHECK(b.await(b.db.standing_of(id, 120s)).value().facts.unclear);
    CHECK_FALSE(b.await(b.db.discard_finish(b.h, finish, as_it_is(b, id), 120s, entry("api.discard", "booked by hand"))));
    CHECK(b.delivery_state(id, "finish") == "due");
    CHECK(b.count("mo_histories") == 0);
    b.change("update odoo_attempt set started_at = now() - interval '121 seconds'");
    CHECK_FALSE(b.await(b.db.standing_of(id, 120s)).value().facts.unclear);
    CHECK(b.await(b.db.discard_finish(b.h, finish, as_it_is(b, id), 120s, entry("api.discard", "booked by hand"))));
    CHECK(b.value("select status from mo_histories") == "discarded");
}

TEST_CASE("another delivery than a finish is discarded alone with who and why")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "1");
    const auto consumption = seen(b, id, "consumption");
    REQUIRE(b.await(b.db.discard_delivery(b.h, consumption, entry("api.discard", "not wanted"))));
    CHECK(b.value("select state || ': ' || last_error from odoo_outbox") == "discarded: not wanted");
    CHECK(b.batch(id).state == batch_state::running);
    CHECK(journaled(b, "api.discard") == "shift lead: not wanted WH/MO/00001 1");
    CHECK(b.value("select \"values\" ->> 'kind' from journal where what = 'api.discard'") == "consumption");
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.discard_delivery(b.h, consumption, entry("api.discard", "again"))));
    // A finish ends with its batch or not at all.
    CHECK(b.contents() == before);
    b.complete(id, "2");
    CHECK_FALSE(b.await(b.db.discard_delivery(b.h, seen(b, id, "finish"), entry("api.discard", "again"))));
    // One about no order at all.
    b.change("insert into odoo_outbox (line, odoo_db, odoo_id, kind, state) values ('line1', 'odoo', 0, 'maintenance_request', 'parked')");
    const auto request = b.await(b.db.outbox_by_id(std::stoll(b.value("select max(id) from odoo_outbox")))).value();
    CHECK(b.await(b.db.retry_delivery(b.h, request, entry("api.retry", "rights given"))));
    CHECK(b.await(b.db.discard_delivery(b.h, request, entry("api.discard", "repaired"))));
    CHECK(b.value("select state from odoo_outbox where kind = 'maintenance_request'") == "discarded");
}

TEST_CASE("a batch whose parked cancel is given up is held again with an alert")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "1");
    b.set_state(id, batch_state::held);
    REQUIRE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "scrapped"))));
    b.await(b.db.park(b.h, b.delivery(id, "cancel"), "done in Odoo"));
    REQUIRE(b.batch(id).state == batch_state::parked);
    REQUIRE(b.await(b.db.discard_delivery(b.h, seen(b, id, "cancel"), entry("api.discard", "it was made after all"))));
    CHECK(b.batch(id).state == batch_state::held);
    CHECK(b.batch(id).reason == "its cancel was given up: it was made after all");
    CHECK(b.delivery_state(id, "cancel") == "discarded");
    CHECK(b.value("select string_agg(kind, ',') from alert where state = 'open'") == "held");
    CHECK(b.await(b.db.complete_batch(b.h, id, kg("1"), b.batch(id).actual, entry("api.complete", "weighed"))));
    CHECK(b.count("alert where state = 'open'") == 0);
}

TEST_CASE("a delivery that is due or in flight or over is not retried")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    const auto row = seen(b, id, "finish");
    auto before = b.contents();
    CHECK_FALSE(b.await(b.db.retry_delivery(b.h, row, entry("api.retry", ""))));
    CHECK(b.contents() == before);
    const auto attempt = b.await(b.db.begin_attempt(b.h, b.delivery(id, "finish"), "write_final", boost::json::object()));
    before = b.contents();
    CHECK_FALSE(b.await(b.db.retry_delivery(b.h, row, entry("api.retry", ""))));
    CHECK(b.contents() == before);
    b.await(b.db.end_attempt(b.h, *attempt, domain::call_outcome::rejected, "no"));
    b.await(b.db.retry_later(b.h, b.delivery(id, "finish"), 1h, "busy"));
    CHECK(b.await(b.db.retry_delivery(b.h, row, entry("api.retry", "now"))));
    CHECK(journaled(b, "api.retry") == "shift lead: now WH/MO/00001 1");
    CHECK(b.due().size() == 1);
    CHECK(b.due()[0].tries == 0);
    b.await(b.db.delivered(b.h, b.delivery(id, "finish"), true, 5s, std::nullopt, "done"));
    before = b.contents();
    CHECK_FALSE(b.await(b.db.retry_delivery(b.h, row, entry("api.retry", ""))));
    CHECK(b.contents() == before);
}

TEST_CASE("nothing that Odoo may have accepted is reset and nothing that is begun at that moment")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    for (const auto& x : batches) {
        b.set_state(x.id, batch_state::held);
        REQUIRE(b.await(b.db.ask_cancel(b.h, x.id, entry("api.cancel", ""))));
    }
    const auto version = b.batch(batches[0].id).version;
    // In flight: its end is not known.
    const auto attempt = b.await(b.db.begin_attempt(b.h, b.delivery(batches[0].id, "cancel"), "action_cancel", boost::json::object()));
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.reset_batch(b.h, batches[0].id, version, "again", entry("api.reset", "again"))));
    CHECK(b.contents() == before);
    b.await(b.db.end_attempt(b.h, *attempt, domain::call_outcome::not_sent, "refused"));
    b.await(b.db.retry_later(b.h, b.delivery(batches[0].id, "cancel"), 1s, "refused"));
    CHECK(b.await(b.db.reset_batch(b.h, batches[0].id, version, "again", entry("api.reset", "again"))));
    CHECK(b.delivery_state(batches[0].id, "cancel") == "discarded");

    const auto other = batches[1].id;
    const auto d = b.delivery(other, "cancel");
    outcome<bool> reset;
    outcome<std::optional<std::int64_t>> begun;
    const boost::json::value values = boost::json::object();
    const auto seen_version = b.batch(other).version;
    b.race(b.db.reset_batch(b.h, other, seen_version, "again", entry("api.reset", "again")), reset, b.other_db.begin_attempt(b.h, d, "action_cancel", values), begun,
           fmt::format("select from odoo_outbox where id = {} for update", d.id));
    REQUIRE(reset.value);
    REQUIRE(begun.value);
    CHECK(*reset.value != begun.value->has_value());
    CHECK(b.count(fmt::format("mo_batch where id = {}", other)) == (*reset.value ? 0 : 1));
}

TEST_CASE("the outbox is listed by id and page by page and filtered")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3});
    b.dose(batches[0].id, "1");
    b.complete(batches[1].id, "10");
    b.complete(batches[2].id, "20");
    b.await(b.db.park(b.h, b.delivery(batches[2].id, "finish"), "no such order"));
    store::outbox_filter f;
    auto all = b.await(b.db.outbox(f));
    REQUIRE(all.size() == 3);
    CHECK(all[0].id < all[1].id);
    CHECK(all[0].kind == domain::delivery_kind::consumption);
    CHECK(all[0].batch_id == batches[0].id);
    CHECK(all[0].mo_id == "WH/MO/00001");
    CHECK_FALSE(all[0].sent);
    CHECK(all[2].state == delivery_state::parked);
    CHECK(all[2].last_error == "no such order");
    f.limit = 2;
    CHECK(b.await(b.db.outbox(f)).size() == 2);
    f.after = all[1].id;
    CHECK(b.await(b.db.outbox(f)).at(0).id == all[2].id);
    f = {};
    f.kind = domain::delivery_kind::finish;
    CHECK(b.await(b.db.outbox(f)).size() == 2);
    f.states = {delivery_state::parked};
    CHECK(b.await(b.db.outbox(f)).size() == 1);
    f = {};
    f.batch = batches[1].id;
    CHECK(b.await(b.db.outbox(f)).size() == 1);
    f.line = "line2";
    CHECK(b.await(b.db.outbox(f)).empty());
    f = {};
    f.states = {delivery_state::sent, delivery_state::discarded};
    CHECK(b.await(b.db.outbox(f)).empty());
    CHECK_FALSE(b.await(b.db.outbox_by_id(999)));
}

TEST_CASE("a refused order is due at once when a person says so and once only")
{
    store_bench b;
    store::refusal r;
    r.order = identity(77);
    r.mo_id = "WH/MO/00077";
    r.reason = "unknown unit";
    auto other = r;
    other.order = identity(78);
    other.mo_id = "WH/MO/00078";
    b.await(b.db.record_refusals(b.h, {r, other}, 10min));
    const auto all = b.await(b.db.refusals("odoo", "", 0, 10));
    REQUIRE(all.size() == 2);
    CHECK(all[0].odoo_id == 77);
    CHECK(all[0].reason == "unknown unit");
    CHECK(all[0].retry > all[0].last);
    CHECK(b.await(b.db.refusals("odoo", "", 77, 10)).size() == 1);
    CHECK(b.await(b.db.refusals("odoo", "", 0, 1)).size() == 1);
    CHECK(b.await(b.db.refusals("odoo", "line2", 0, 10)).empty());
    CHECK(b.await(b.db.refusals("another", "", 0, 10)).empty());
    CHECK_FALSE(b.await(b.db.refusal_of_order("another", 77)));
    CHECK(b.await(b.db.excluded_orders("odoo")).size() == 2);

    const auto row = b.await(b.db.refusal_of_order("odoo", 77)).value();
    outcome<bool> first, second;
    b.race(b.db.retry_refusal(b.h, row, entry("api.retry-refusal", "unit added")), first, b.other_db.retry_refusal(b.h, row, entry("api.retry-refusal", "unit added")), second,
           "select from order_refusal where odoo_id = 77 for update");
    REQUIRE(first.value);
    REQUIRE(second.value);
    CHECK(*first.value != *second.value);
    CHECK(journaled(b, "api.retry-refusal") == "shift lead: unit added WH/MO/00077 77");
    CHECK(b.await(b.db.excluded_orders("odoo")) == std::vector<std::int64_t>{78});
}

TEST_CASE("a pause and its reason survive a taking and of two equal ones at once one is done")
{
    store_bench b;
    CHECK_FALSE(b.await(b.db.pause_of("line1")));
    outcome<bool> first, second;
    b.race(b.db.pause_line(b.h, entry("api.pause", "silos are filled")), first, b.other_db.pause_line(b.h, entry("api.pause", "silos are filled")), second,
           "select from line where line = 'line1' for update");
    REQUIRE(first.value);
    REQUIRE(second.value);
    CHECK(*first.value != *second.value);
    CHECK(b.count("journal where what = 'api.pause' and who = 'shift lead' and answer = 'silos are filled'") == 1);
    b.h = b.take("line1");
    CHECK(b.await(b.db.pause_of("line1")) == "silos are filled");
    CHECK(b.await(b.db.lines()).at(0).paused);
    CHECK(b.await(b.db.lines()).at(0).paused_why == "silos are filled");
    CHECK_FALSE(b.await(b.db.pause_line(b.h, entry("api.pause", "another reason"))));
    CHECK(b.await(b.db.pause_of("line1")) == "silos are filled");
    CHECK(b.await(b.db.resume_line(b.h, entry("api.resume", "full"))));
    CHECK_FALSE(b.await(b.db.resume_line(b.h, entry("api.resume", "full"))));
    CHECK_FALSE(b.await(b.db.pause_of("line1")));
    CHECK(b.count("journal where what = 'api.resume'") == 1);
    CHECK_FALSE(b.await(b.db.pause_of("nowhere")));
}

TEST_CASE("no load is armed on a paused line")
{
    store_bench b;
    const auto staged = b.stage(b.h, {1, 2});
    const std::vector<std::int64_t> ids{staged[0].id, staged[1].id};
    const auto why = entry("plc.load", "");
    b.await(b.db.pause_line(b.h, entry("api.pause", "silos are filled")));
    CHECK_FALSE(b.await(b.db.arm_load(b.h, staged[0].load, ids, why)));
    b.await(b.db.resume_line(b.h, entry("api.resume", "")));
    CHECK(b.await(b.db.arm_load(b.h, staged[0].load, ids, why)));
}
