#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;
using domain::history_status;
using staging = std::variant<store::staged, store::stage_conflict>;

namespace {

// A transaction that deletes a batch stops after the delete, before its commit, until the gate opens.
const std::string stop_after_delete =
    "create function stop_here() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;"
    "create trigger stop_here after delete on mo_batch for each row execute function stop_here()";

}  // namespace

TEST_CASE("a batch moves to history with its consumption, in one step, and its deliveries end (L-53)")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    const auto id = batches[0].id;
    b.dose(id, "10");
    const auto done = b.complete(id, "12.34");
    REQUIRE(b.await(b.db.archive(b.h, id, history_status::completed, "all well", std::nullopt)));
    CHECK_FALSE(b.await(b.db.batch(id)));
    CHECK(b.count("mo_batch_consumption") == 2);   // the other batch's
    CHECK(b.count("mo_histories") == 1);
    CHECK(b.value("select status || '|' || notes || '|' || line || '|' || mo_id || '|' || order_key || '|' || run || '|' || batch_no || '|' || status_manufacturing || '|' || bom_id || '|' || finished_goods || '|' || "
                  "quantity_goods || '|' || actual_weight_quantity_finished_goods from mo_histories") == "completed|all well|line1|WH/MO/00001|WH/MO/00001|1|1|true|BOM-1|FEED-1|1000.500|12.340");
    CHECK(b.count(fmt::format("mo_histories where batch_id = {} and load = {} and odoo_db = 'odoo' and odoo_id = 1 and completed_at is not null and last_read_from_plc is not null and archived_at is not null", id, done.load)) == 1);
    CHECK(b.value("select string_agg(silo || ' ' || planned || ' ' || actual, ', ' order by silo) from mo_histories_consumption") == "101 600.250 12.340, 114 400.250 0.000");
    CHECK(b.delivery_state(id, "finish") == "sent");
    CHECK(b.delivery_state(id, "consumption") == "discarded");
    // The acknowledgement that is owed to the PLC does not go with the row (L-36).
    REQUIRE(b.await(b.db.open_duties("line1")).size() == 1);
    CHECK(b.await(b.db.open_duties("line1"))[0].batch_id == id);
    CHECK(b.await(b.db.known_orders("line1", {"WH/MO/00001"})).size() == 1);
}

TEST_CASE("archiving twice gives one history row, and the second time nothing is journaled (L-05)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    CHECK(b.await(b.db.archive(b.h, id, history_status::reset, "again", entry("api.reset", "again"))));
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.archive(b.h, id, history_status::reset, "again", entry("api.reset", "again"))));
    CHECK_FALSE(b.await(b.db.archive(b.h, id, history_status::completed, "", std::nullopt)));
    CHECK(b.contents() == before);
    CHECK(b.count("journal where what = 'api.reset'") == 1);
}

TEST_CASE("archiving raced on two sessions gives one history row (L-05)")
{
    store_bench b;
    for (int round = 0; round < 20; ++round) {
        CAPTURE(round);
        const auto id = b.load(b.h, {100 + round})[0].id;
        // With a delivery that both must end, or nothing but the row itself to decide it.
        const bool owing = round % 4 < 2;
        if (owing) b.complete(id, "10");
        outcome<bool> first, second;
        // As it comes, or both waiting for the row.
        b.race(b.db.archive(b.h, id, history_status::completed, "", std::nullopt), first, b.other_db.archive(b.h, id, history_status::cancelled, "", entry("api.cancel", "")), second,
               round % 2 == 0 ? "select from mo_batch for update" : "");
        REQUIRE(first.value);
        REQUIRE(second.value);
        CHECK(*first.value != *second.value);
        CHECK(b.count("mo_histories") == round + 1);
        CHECK(b.count("mo_histories_consumption") == 2 * (round + 1));
        CHECK(b.value(fmt::format("select status from mo_histories where batch_id = {}", id)) == (*first.value ? "completed" : "cancelled"));
        if (owing) CHECK(b.delivery_state(id, "finish") == (*first.value ? "sent" : "discarded"));
        CHECK(b.count(fmt::format("journal where what = 'api.cancel' and batch_id = {}", id)) == (*first.value ? 0 : 1));
    }
}

TEST_CASE("a failure in the middle of archiving leaves the batch and no history (L-05)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.change("create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;"
             "create trigger refuse before delete on mo_batch for each row execute function refuse()");
    const auto before = b.contents();
    CHECK_THROWS_AS(b.await(b.db.archive(b.h, id, history_status::completed, "", std::nullopt)), pg::error);
    CHECK(b.contents() == before);
    b.change("drop trigger refuse on mo_batch");
    CHECK(b.await(b.db.archive(b.h, id, history_status::completed, "", std::nullopt)));
}

TEST_CASE("every status but completed discards the deliveries that were open, parked ones too")
{
    store_bench b;
    std::int64_t order_id = 1;
    for (const auto status : {history_status::cancelled, history_status::failed, history_status::discarded, history_status::reset}) {
        CAPTURE(domain::to_string(status));
        const auto id = b.load(b.h, {order_id++})[0].id;
        b.complete(id, "10");
        b.await(b.db.park(b.h, b.delivery(id, "finish"), "no such order"));
        REQUIRE(b.await(b.db.archive(b.h, id, status, "given up", entry("api.discard", "given up"))));
        CHECK(b.delivery_state(id, "finish") == "discarded");
        CHECK(b.value(fmt::format("select status from mo_histories where batch_id = {}", id)) == domain::to_string(status));
        CHECK(b.value(fmt::format("select who || ': ' || answer || ' ' || mo_id from journal where what = 'api.discard' and batch_id = {}", id)) ==
              fmt::format("shift lead: given up WH/MO/{:05}", order_id - 1));
    }
    CHECK(b.await(b.db.open_duties("line1")).size() == 4);
    CHECK(b.await(b.db.sweep_completed(b.h)) == 0);
}

TEST_CASE("an open cancel outlives its row, and is delivered without it")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    REQUIRE(b.await(b.db.ask_take_out(b.h, id, "cancelled", entry("api.cancel", "wrong recipe"))));
    REQUIRE(b.await(b.db.archive(b.h, id, history_status::cancelled, "cancelled", std::nullopt)));
    REQUIRE(b.due().size() == 1);
    const auto d = b.due()[0];
    CHECK(d.kind == domain::delivery_kind::cancel);
    CHECK_FALSE(d.batch);
    CHECK(d.mo_id == "WH/MO/00001");
    CHECK(d.odoo_id == 1);
    REQUIRE(b.await(b.db.begin_attempt(b.h, d, "action_cancel", boost::json::object())));
    b.await(b.db.delivered(b.h, d, false, 5s, std::nullopt, "cancelled in Odoo"));
    CHECK(b.delivery_state(id, "cancel") == "sent");
}

TEST_CASE("a reset gives up an open cancel: the order is to be made again")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.set_state(id, batch_state::held);
    b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "broken")));
    REQUIRE(b.delivery_state(id, "cancel") == "due");
    REQUIRE(b.await(b.db.archive(b.h, id, history_status::reset, "make it after all", entry("api.reset", "make it after all"))));
    CHECK(b.delivery_state(id, "cancel") == "discarded");
    CHECK(b.due().empty());
}

TEST_CASE("an archived order is refused by staging for ever, after a reset it comes back as the next run (L-09)")
{
    store_bench b;
    std::int64_t order_id = 10;
    for (const auto status : {history_status::completed, history_status::cancelled, history_status::failed, history_status::discarded}) {
        CAPTURE(domain::to_string(status));
        const auto id = b.load(b.h, {++order_id})[0].id;
        b.await(b.db.archive(b.h, id, status, "", std::nullopt));
        const auto before = b.contents();
        const auto answer = b.await(b.db.stage_load(b.h, images(), {order(order_id, 1), order(99, 2)}));
        REQUIRE(std::holds_alternative<store::stage_conflict>(answer));
        CHECK(std::get<store::stage_conflict>(answer).taken == std::vector<domain::order_identity>{identity(order_id)});
        CHECK(b.contents() == before);
    }
    for (int run = 1; run <= 3; ++run) {
        const auto again = b.load(b.h, {5})[0];
        CHECK(again.run == run);
        CHECK(b.await(b.db.archive(b.h, again.id, run < 3 ? history_status::reset : history_status::completed, "", std::nullopt)));
    }
    CHECK(b.count("mo_histories where odoo_id = 5") == 3);
    CHECK(std::holds_alternative<store::stage_conflict>(b.await(b.db.stage_load(b.h, images(), {order(5, 1)}))));
    // The same id with another create_date is another order (a restored database).
    auto reborn = order(11, 1);
    reborn.order.source.id.create_date += 1us;
    const auto answer = b.await(b.db.stage_load(b.h, images(), {reborn}));
    REQUIRE(std::holds_alternative<store::staged>(answer));
    CHECK(std::get<store::staged>(answer).batches[0].run == 1);
}

TEST_CASE("an order that another line stages while its archiving is not yet committed is refused, or becomes the next run (L-05, L-09)")
{
    store_bench b;
    const auto line2 = b.take("line2");
    b.change(stop_after_delete);
    for (const auto status : {history_status::completed, history_status::reset}) {
        CAPTURE(domain::to_string(status));
        const std::int64_t order_id = status == history_status::reset ? 2 : 1;
        const auto id = b.load(b.h, {order_id})[0].id;
        pg::connection gate(b.ioc.get_executor(), b.uri);
        b.hold_gate(gate, "select pg_advisory_xact_lock(4711)");
        outcome<bool> archived;
        outcome<staging> staged;
        const std::string notes;
        const auto wanted_images = images();
        const std::vector<store::staged_order> wanted{order(order_id, 1)};
        b.start(b.db.archive(b.h, id, status, notes, std::nullopt), archived);
        b.wait_for_waiting(1);
        b.start(b.other_db.stage_load(line2, wanted_images, wanted), staged);
        b.wait_for_waiting(2);
        b.await(gate.query("commit"));
        b.finish([&] { return archived.ended() && staged.ended(); });
        REQUIRE(archived.value);
        CHECK(*archived.value);
        REQUIRE(staged.value);
        if (status == history_status::completed) {
            REQUIRE(std::holds_alternative<store::stage_conflict>(*staged.value));
            CHECK(std::get<store::stage_conflict>(*staged.value).taken == std::vector<domain::order_identity>{identity(order_id)});
            CHECK(b.count("mo_batch") == 0);
            continue;
        }
        REQUIRE(std::holds_alternative<store::staged>(*staged.value));
        const auto& again = std::get<store::staged>(*staged.value).batches.at(0);
        CHECK(again.run == 2);
        b.change("drop trigger stop_here on mo_batch");
        CHECK(b.await(b.db.archive(line2, again.id, history_status::completed, "", std::nullopt)));
    }
}

TEST_CASE("archived orders that Odoo still shows as open are flagged and excluded, reset ones are not")
{
    store_bench b;
    const auto first = b.load(b.h, {1, 2, 3});
    b.await(b.db.archive(b.h, first[0].id, history_status::completed, "", std::nullopt));
    b.await(b.db.archive(b.h, first[1].id, history_status::reset, "", std::nullopt));
    b.await(b.db.archive(b.h, first[2].id, history_status::cancelled, "", std::nullopt));
    CHECK(b.await(b.db.excluded_orders("odoo")).empty());
    auto restored = identity(3);
    restored.create_date += 1us;
    const auto flagged = b.await(b.db.flag_archived(b.h, {identity(1), identity(2), restored, identity(4)}));
    CHECK(flagged == std::vector<domain::order_identity>{identity(1)});
    CHECK(b.await(b.db.excluded_orders("odoo")) == std::vector<std::int64_t>{1});
    // Told with the flag, also if whoever has set it dies there.
    CHECK(b.value("select string_agg(subject || ' ' || count, ', ') from alert where line = 'line1' and kind = 'archived_but_open' and state = 'open'") == "WH/MO/00001 1");
    CHECK(b.await(b.db.flag_archived(b.h, {identity(1)})).size() == 1);
    CHECK(b.value("select string_agg(subject || ' ' || count, ', ') from alert where line = 'line1' and kind = 'archived_but_open' and state = 'open'") == "WH/MO/00001 2");
    CHECK(b.await(b.db.flag_archived(b.h, {})).empty());
}

TEST_CASE("an archived order whose cancel is on its way to Odoo is left out and not told as open")
{
    store_bench b;
    const auto batches = b.load(b.h, {1});
    store::journal_entry asked;
    asked.what = "api.cancel";
    REQUIRE(b.await(b.db.ask_take_out(b.h, batches[0].id, "cancelled", asked)));
    REQUIRE(b.await(b.db.archive(b.h, batches[0].id, history_status::cancelled, "", std::nullopt)));
    CHECK(b.await(b.db.excluded_orders("odoo")) == std::vector<std::int64_t>{1});
    b.change("update odoo_outbox set state = 'sending'");
    CHECK(b.await(b.db.excluded_orders("odoo")) == std::vector<std::int64_t>{1});
    // Odoo refuses it, or has given the id to another order: that one is not kept out.
    b.change("update odoo_outbox set state = 'parked'");
    CHECK(b.await(b.db.excluded_orders("odoo")).empty());
}

TEST_CASE("the views give one row per batch with a column per silo, planned and actual")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    b.complete(batches[0].id, "12.34");
    b.change(fmt::format("delete from mo_batch_consumption where batch_id = {}", batches[1].id));
    const std::string columns = "consumption_silo_a, actual_consumption_silo_a, consumption_lq114, actual_consumption_lq114, consumption_silo_m, consumption_lq115";
    for (const std::string view : {"v_mo_batch", "v_mo_histories"}) {
        CAPTURE(view);
        const auto row = sql(b.uri, "select mo_id, " + columns + " from " + view + " where mo_id = 'WH/MO/00001'");
        REQUIRE(row.size() == 1);
        CHECK(row[0] == std::vector<std::optional<std::string>>{"WH/MO/00001", "600.250", "12.340", "400.250", "0.000", std::nullopt, std::nullopt});
        CHECK(b.count(view) == 2);   // one without any consumption has its row, too
        // silo_a .. silo_m, lq114, lq115, each planned and actual.
        CHECK(b.count("information_schema.columns where table_name = '" + view + "' and column_name ~ '^(actual_)?consumption_(silo_[a-m]|lq11[45])$'") == 30);
        for (const auto& x : batches) b.await(b.db.archive(b.h, x.id, history_status::completed, "", std::nullopt));
    }
}

TEST_CASE("the live deliveries of an archived batch are folded in the journal to first, last and how many the last stands for")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    for (const auto& x : batches)
        for (const auto* figure : {"1", "2", "3", "4", "5"}) {
            b.dose(x.id, figure);
            const auto d = b.delivery(x.id, "consumption");
            const auto a = b.await(b.db.begin_attempt(b.h, d, "write_consumption", boost::json::array()));
            b.await(b.db.delivered(b.h, d, false, 0s, a, figure));
        }
    REQUIRE(b.count("journal where what = 'odoo.write_consumption'") == 10);
    b.await(b.db.archive(b.h, batches[0].id, history_status::completed, "", std::nullopt));
    const auto rows = sql(b.uri, fmt::format("select answer, count from journal where what = 'odoo.write_consumption' and batch_id = {} order by id", batches[0].id));
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == std::vector<std::optional<std::string>>{"ok: 1", "1"});
    CHECK(rows[1] == std::vector<std::optional<std::string>>{"ok: 5", "4"});
    CHECK(b.count(fmt::format("journal where what = 'odoo.write_consumption' and batch_id = {}", batches[1].id)) == 5);
}

TEST_CASE("a cancel that Odoo has confirmed ends with its held, lost or parked batch in one step")
{
    const auto state = GENERATE(batch_state::held, batch_state::lost, batch_state::parked);
    CAPTURE(domain::to_string(state));
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10.5");
    b.set_state(id, state);
    REQUIRE(b.await(b.db.ask_cancel(b.h, id, entry("api.cancel", "not wanted"))));
    auto d = b.delivery(id, "cancel");
    b.await(b.db.park(b.h, d, "Odoo refused it"));
    REQUIRE(b.await(b.db.retry_batch(b.h, id, entry("api.retry", ""))));
    b.await(b.db.raise_alert(b.h, "delivery_parked", "WH/MO/00001", "from before"));
    b.set_state(id, state);
    d = b.delivery(id, "cancel");
    CHECK(b.await(b.db.cancelled_in_odoo(b.h, d, "cancelled in Odoo")));
    CHECK(b.count("mo_batch") == 0);
    CHECK(b.value("select status || ': ' || notes from mo_histories") == "cancelled: cancelled in Odoo");
    CHECK(b.value("select actual from mo_histories_consumption where silo = 101") == "10.500");
    CHECK(b.value("select state from odoo_outbox where kind = 'cancel'") == "sent");
    CHECK(b.count("journal where what = 'odoo.cancel' and answer = 'cancelled in Odoo'") == 1);
    CHECK(b.count("alert where kind = 'delivery_parked' and state <> 'resolved'") == 0);
    // Said once more, after a crash that nobody noticed, it changes nothing.
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.cancelled_in_odoo(b.h, d, "cancelled in Odoo")));
    CHECK(b.contents() == before);
}

TEST_CASE("a cancel that a person gave up meanwhile, or whose batch is still being taken out, archives nothing")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    const auto held = batches[0].id, leaving = batches[1].id;
    b.set_state(held, batch_state::held);
    REQUIRE(b.await(b.db.ask_cancel(b.h, held, entry("api.cancel", "not wanted"))));
    const auto d = b.delivery(held, "cancel");
    REQUIRE(b.await(b.db.complete_batch(b.h, held, kg("12"), b.batch(held).planned, entry("api.complete", "weighed by hand"))));
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.cancelled_in_odoo(b.h, d, "cancelled in Odoo")));
    CHECK(b.contents() == before);

    REQUIRE(b.await(b.db.ask_take_out(b.h, leaving, "cancelled", entry("api.cancel", ""))));
    CHECK_FALSE(b.await(b.db.cancelled_in_odoo(b.h, b.delivery(leaving, "cancel"), "cancelled in Odoo")));
    CHECK(b.delivery_state(leaving, "cancel") == "sent");
    CHECK(b.batch(leaving).state == batch_state::cancelling);
}

TEST_CASE("an archived batch raises its alert and takes the one of its parked delivery along, in the same step")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.park(b.h, b.delivery(id, "finish"), "refused"));
    CHECK(b.count("alert where kind = 'delivery_parked' and subject = 'WH/MO/00001' and state = 'open'") == 1);
    store::alert_note alert;
    alert.kind = "order_cancelled";
    alert.subject = "WH/MO/00001";
    alert.text = "the order is cancelled in Odoo";
    CHECK(b.await(b.db.archive(b.h, id, history_status::cancelled, "cancelled in Odoo", std::nullopt, alert)));
    CHECK(b.value("select string_agg(kind || ' ' || state, ', ' order by id) from alert") == "delivery_parked resolved, order_cancelled open");
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.archive(b.h, id, history_status::cancelled, "cancelled in Odoo", std::nullopt, alert)));
    CHECK(b.contents() == before);
}

TEST_CASE("a reset of a batch that moved on meanwhile does nothing")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.set_state(id, domain::batch_state::held);
    const auto seen = b.batch(id);
    // The mill cleared the fault and the batch doses on.
    b.dose(id, "10");
    CHECK_FALSE(b.await(b.db.reset_batch(b.h, id, seen.version, "", entry("api.reset", "why"))));
    CHECK(b.count("mo_batch") == 1);
    CHECK(b.count("mo_histories") == 0);
    CHECK(b.count("journal where what = 'api.reset'") == 0);
    b.set_state(id, domain::batch_state::held);
    b.await(b.db.raise_alert(b.h, "held", "WH/MO/00001", "failed"));
    CHECK(b.await(b.db.reset_batch(b.h, id, b.batch(id).version, "", entry("api.reset", "why"))));
    CHECK(b.value("select status from mo_histories") == "reset");
    CHECK(b.count("alert where state = 'open'") == 0);
}

TEST_CASE("a batch is given up only as it was seen: one that was dosed or completed meanwhile stays")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.set_state(id, domain::batch_state::loaded);
    const auto seen = b.batch(id);
    const store::as_seen guard{seen.state, seen.version};
    b.dose(id, "10");
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.archive(b.h, id, history_status::reset, "start-over", entry("api.start-over", "why"), store::alert_note{"started_over", "WH/MO/00001", "dosed"}, guard)));
    CHECK(b.contents() == before);
    b.complete(id, "12.34");
    const auto completed = b.contents();
    CHECK_FALSE(b.await(b.db.archive(b.h, id, history_status::failed, "start-over", std::nullopt, std::nullopt, store::as_seen{domain::batch_state::running, seen.version + 1})));
    CHECK(b.contents() == completed);
    const auto now = b.batch(id);
    CHECK(b.await(b.db.archive(b.h, id, history_status::failed, "start-over", std::nullopt, std::nullopt, store::as_seen{now.state, now.version})));
}

TEST_CASE("a parked cancel of a batch in history neither holds back nor swallows what is owed for a new order under the same Odoo id")
{
    store_bench b;
    const auto old = b.load(b.h, {1})[0].id;
    REQUIRE(b.await(b.db.ask_take_out(b.h, old, "cancelled", entry("api.cancel", "wrong recipe"))));
    REQUIRE(b.await(b.db.archive(b.h, old, history_status::cancelled, "cancelled", std::nullopt)));
    b.value("update odoo_outbox set state = 'parked'");
    // Odoo was restored and gave the id again.
    b.value("update mo_histories set odoo_create_date = odoo_create_date - interval '1 day'");
    const auto id = b.load(b.h, {1})[0].id;
    b.dose(id, "10");
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].kind == domain::delivery_kind::consumption);
    b.set_state(id, domain::batch_state::loaded);
    REQUIRE(b.await(b.db.ask_take_out(b.h, id, "cancelled", entry("api.cancel", "wrong again"))));
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].kind == domain::delivery_kind::cancel);
    CHECK(b.due()[0].batch_id == id);
}

TEST_CASE("what was told of an order in Odoo while its batch was here ends with the batch")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    for (const auto* kind : {"order_changed", "order_done_elsewhere"})
        for (const auto* subject : {"WH/MO/00001", "WH/MO/00002"}) b.await(b.db.raise_alert(b.h, kind, subject, "look"));
    b.await(b.db.archive(b.h, batches[0].id, history_status::completed, "", std::nullopt));
    CHECK(b.count("alert where state = 'resolved' and subject = 'WH/MO/00001'") == 2);
    CHECK(b.count("alert where state = 'open' and subject = 'WH/MO/00002'") == 2);
}
