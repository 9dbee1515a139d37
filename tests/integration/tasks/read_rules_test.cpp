// What the read cycle makes of odd slots, as rows, alerts and journal: each rule of design section 4, Read and Duties.
#include "logged.hpp"
#include "read_bench.hpp"

#include "support/catch.hpp"
#include "support/slot_life.hpp"
#include "tasks/auto_sync_mo.hpp"
#include "tasks/start_over.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using bb_test::figures;
using std::chrono::steady_clock;
using namespace std::chrono_literals;
using tests::read_bench;

namespace {

constexpr int slot = 3;

figures shown(const std::string& order, int hundredths, int manufacturing = 0, int operation = 0)
{
    figures f;
    f.order = order;
    f.batch_no = slot;
    f.dosed[0] = hundredths;
    f.manufacturing = manufacturing;
    f.operation = operation;
    return f;
}

const std::string ours = "WH/MO/00014";

// One order of ours in slot 3 of a load that the PLC has taken, read cycle by cycle, five seconds apart.
struct plant : read_bench {
    explicit plant(const std::map<std::string, std::string>& changes = {}) : read_bench(changes) { restart(); }

    std::int64_t load(const std::string& order, const std::string& state = "loaded")
    {
        std::string images = "{}";
        for (int s = 1; s <= map.slots.count; ++s) {
            std::string words;
            for (const auto w : device->read_area.at(static_cast<std::size_t>(s - 1))) words += (words.empty() ? "" : ",") + std::to_string(w);
            images = sql(fmt::format("select jsonb_set('{}'::jsonb, '{{{}}}', '[{}]')", images, s, words));
        }
        const auto id = sql(fmt::format("with l as (insert into plc_load (line, number, state, images) select 'line1', coalesce(max(number), 0) + 1, 'taken', '{}' from plc_load returning id) insert into mo_batch (line, odoo_db, "
                                        "odoo_id, odoo_create_date, mo_id, order_key, batch_no, load, state, quantity_goods) select 'line1', 'mill', {}, '2026-11-23 10:46:09+00', '{}', '{}', {}, id, '{}', 100 from l returning id",
                                        images, order.substr(order.size() - 3), order, order, slot, state));
        figures recipe;
        recipe.order = order;
        recipe.batch_no = slot;
        device->write_area.at(slot - 1) = bb_test::encode(recipe);
        line().rows_changed();
        return std::stoll(id);
    }
    // Another slot's batch keeps the cycle going when this one's is over.
    void keep_going()
    {
        sql("insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, batch_no, load, state, quantity_goods) select 'line1', 'mill', 99, now(), 'WH/MO/00099', 'WH/MO/00099', 9, max(id), 'held', 1 from plc_load");
        line().rows_changed();
    }
    void put(const figures& f) { device->read_area.at(slot - 1) = bb_test::encode(f); }
    void cycles(int n, std::chrono::seconds apart = 5s)
    {
        for (; n > 0; --n) {
            now += apart;
            await(reader->run());
        }
    }
    void see(const figures& f, int n = 1)
    {
        put(f);
        cycles(n);
    }
    void restart() { reader = std::make_unique<tasks::plc_read_sync>(line(), [this] { return now; }); }
    void archive(std::int64_t id, domain::history_status as = domain::history_status::completed)
    {
        await(rows->archive(hold(), id, as, "", std::nullopt));
        line().rows_changed();
    }
    std::string state(std::int64_t id) const { return sql(fmt::format("select state from mo_batch where id = {}", id)); }
    // "open" or "resolved", of the newest one.
    std::string alert(const std::string& kind, const std::string& subject) const
    {
        return sql(fmt::format("select state from alert where kind = '{}' and subject = '{}' order by id desc limit 1", kind, subject));
    }
    // What the journal says that slot 3 showed then: raw and decoded.
    std::string journaled(const std::string& what) const
    {
        return sql(fmt::format("select mo_id || ': ' || (\"values\" -> 'shows' ->> 'order') || ' ' || coalesce(\"values\" -> 'shows' -> 'actual' ->> '101', '0') || ' raw ' || (\"values\" -> 'raw' ->> 29) from journal "
                               "where what = '{}' order by id desc limit 1",
                               what));
    }
    int flag() const { return device->read_area.at(slot - 1).at(76); }

    steady_clock::time_point now = steady_clock::now();
    std::unique_ptr<tasks::plc_read_sync> reader;
};

}  // namespace

TEST_CASE("a cycle in which nothing changed asks the store nothing, whatever the slots show, and a changed one once")
{
    // Without live deliveries, so that the dispatcher is not woken beside it.
    const std::map<std::string, std::string> quiet{{"TASK2_ODOO_SYNC", "false"}};
    plant p(quiet);
    const auto old = p.load("WH/MO/00001");
    p.see(shown("WH/MO/00001", 1200, 1), 3);
    p.archive(old);
    p.device->read_area.at(6) = bb_test::encode([] {
        auto f = shown("WH/MO/00077", 5);
        f.batch_no = 7;
        return f;
    }());
    p.load(ours);
    p.put(shown(ours, 100));
    p.cycles(5, 1s);
    const auto before = p.pool->acquired();
    p.cycles(4, 1s);
    CHECK(p.pool->acquired() == before);
    p.put(shown(ours, 200));
    p.cycles(1, 1s);
    CHECK(p.pool->acquired() == before + 1);
}

TEST_CASE("a slot that gives no consistent picture is alerted in the third cycle, keeps its old data, and ends the alert when it does (L-31)")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    int reads = 0;
    p.device->on_read = [&](int s) {
        // Every request sees another register half written.
        if (s != slot) return p.device->read_area.at(static_cast<std::size_t>(s - 1));
        auto w = bb_test::encode(shown(ours, 70000));
        w[27] = static_cast<std::uint16_t>(++reads);
        return w;
    };
    p.cycles(2);
    CHECK(p.alert("slot_inconsistent", "slot 3").empty());
    p.cycles(1);
    CHECK(p.alert("slot_inconsistent", "slot 3") == "open");
    CHECK(p.sql("select actual from mo_batch_consumption where silo = 101") == "10.000");
    CHECK(p.state(id) == "running");
    p.device->on_read = nullptr;
    p.cycles(1);
    CHECK(p.alert("slot_inconsistent", "slot 3") == "resolved");
}

TEST_CASE("a refused reading is alerted and journaled with what was seen, stores nothing, and ends with its cause (L-28, L-31)")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.see(shown(ours, 500001), 2);
    CHECK(p.alert("implausible", ours) == "open");
    CHECK(p.journaled("plc.implausible") == "WH/MO/00014: WH/MO/00014 5000.01 raw 41249");
    CHECK(p.sql("select answer from journal where what = 'plc.implausible'") == "slot 3 refused, nothing of it is stored: silo 101 shows 5000.01 kg, possible is 0 to 5000");
    CHECK(p.count("journal where what = 'plc.implausible'") == 1);
    CHECK(p.sql("select actual from mo_batch_consumption where silo = 101") == "10.000");
    p.restart();
    p.see(shown(ours, 1000), 2);
    CHECK(p.alert("implausible", ours) == "resolved");
    CHECK(p.state(id) == "running");
}

TEST_CASE("an impossible end makes a held row that is explained, acknowledged once and revived by what follows (L-36)")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 2000));
    p.see(shown(ours, 500, 1), 2);
    CHECK(p.state(id) == "running");
    CHECK(p.flag() == 0);
    p.cycles(2);
    CHECK(p.state(id) == "held");
    CHECK(p.alert("held", ours) == "open");
    CHECK(p.journaled("batch.held") == "WH/MO/00014: WH/MO/00014 5 raw 500");
    CHECK(p.sql("select \"values\" -> 'actual' ->> '101' from journal where what = 'batch.held'") == "20");
    CHECK(p.count("odoo_outbox where kind = 'finish'") == 0);
    CHECK(p.flag() == 1);
    CHECK(p.device->acknowledged == 1);
    // The mill mends the figures.
    p.see(shown(ours, 2100, 1), 2);
    CHECK(p.state(id) == "completed");
    CHECK(p.alert("held", ours) == "resolved");
    CHECK(p.count("odoo_outbox where kind = 'finish' and payload -> 'actual' ->> '101' = '21'") == 1);
}

TEST_CASE("a lost batch is alerted and journaled with the order that took its slot, and found again (L-34)")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.see(shown("WH/MO/00088", 4711), 6);
    CHECK(p.state(id) == "running");
    p.cycles(1);
    CHECK(p.state(id) == "lost");
    CHECK(p.alert("lost", ours) == "open");
    CHECK(p.journaled("batch.lost") == "WH/MO/00014: WH/MO/00088 47.11 raw 4711");
    CHECK(p.alert("unknown_order", "slot 3 WH/MO/00088") == "open");
    CHECK(p.sql("select actual from mo_batch_consumption where silo = 101") == "10.000");
    p.see(shown(ours, 1000));
    CHECK(p.state(id) == "running");
    CHECK(p.alert("lost", ours) == "resolved");
    CHECK(p.alert("unknown_order", "slot 3 WH/MO/00088") == "resolved");
    CHECK(p.journaled("batch.running") == "WH/MO/00014: WH/MO/00014 10 raw 1000");
}

TEST_CASE("a lost batch that comes back ended with impossible figures is held, and lost no more")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 2000));
    p.see(shown("WH/MO/00088", 4711), 8);
    REQUIRE(p.state(id) == "lost");
    p.see(shown(ours, 500, 1), 4);
    CHECK(p.state(id) == "held");
    CHECK(p.alert("held", ours) == "open");
    CHECK(p.alert("lost", ours) == "resolved");
}

TEST_CASE("an order that was never loaded is alerted in the third cycle in any slot, journaled, never acknowledged, and over when it is gone, also after a restart (L-34)")
{
    plant p;
    p.load(ours);
    auto f = shown("WH/MO/00077", 1250, 1);
    f.batch_no = 7;
    p.device->read_area.at(6) = bb_test::encode(f);
    p.cycles(2);
    CHECK(p.count("alert") == 0);
    p.cycles(3);
    CHECK(p.alert("unknown_order", "slot 7 WH/MO/00077") == "open");
    CHECK(p.sql("select count from alert where kind = 'unknown_order'") == "1");
    CHECK(p.journaled("plc.unknown_order") == "WH/MO/00077: WH/MO/00077 12.5 raw 1250");
    CHECK(p.device->read_area.at(6).at(76) == 0);
    CHECK(p.count("plc_duty") == 0);
    p.restart();
    p.device->read_area.at(6) = bb_test::encode({});
    p.cycles(1);
    CHECK(p.alert("unknown_order", "slot 7 WH/MO/00077") == "resolved");
}

TEST_CASE("an order of ours in the wrong slot is alerted there and changes no row (L-34)")
{
    plant p;
    const auto id = p.load(ours);
    auto f = shown(ours, 1250);
    f.batch_no = 7;
    p.device->read_area.at(6) = bb_test::encode(f);
    p.cycles(3);
    CHECK(p.alert("misplaced_order", "slot 7 WH/MO/00014") == "open");
    CHECK(p.state(id) == "loaded");
    CHECK(p.count("mo_batch_consumption where actual <> 0") == 0);
}

TEST_CASE("an order from history that doses again is told at once, with nothing stored or sent, until it stands as it was (L-35)")
{
    plant p;
    const auto old = p.load("WH/MO/00001");
    p.see(shown("WH/MO/00001", 1200, 1), 3);
    p.archive(old);
    p.keep_going();
    p.cycles(2);
    CHECK(p.count("alert") == 0);
    const auto before = p.sql("select string_agg(h::text || c::text, ';') from mo_histories h join mo_histories_consumption c on c.history_id = h.id");
    const auto deliveries = p.count("odoo_outbox");
    auto again = shown("WH/MO/00001", 1300);
    p.see(again);
    CHECK(p.alert("doses_again", "slot 3 WH/MO/00001") == "open");
    CHECK(p.journaled("plc.doses_again") == "WH/MO/00001: WH/MO/00001 13 raw 1300");
    p.restart();
    again.dosed[0] = 1250;
    again.manufacturing = 1;
    again.read_data = 1;
    p.see(again);
    CHECK(p.alert("doses_again", "slot 3 WH/MO/00001") == "resolved");
    CHECK(p.alert("changed_after_end", "slot 3 WH/MO/00001") == "open");
    CHECK(p.sql("select text from alert where kind = 'changed_after_end'") == "slot 3: WH/MO/00001 ended with other figures than the stored ones: silo 101: 12.5 kg, stored 12 kg. Nothing of it is stored or sent");
    again.dosed[0] = 1200;
    p.see(again);
    CHECK(p.alert("changed_after_end", "slot 3 WH/MO/00001") == "resolved");
    CHECK(p.sql("select string_agg(h::text || c::text, ';') from mo_histories h join mo_histories_consumption c on c.history_id = h.id") == before);
    CHECK(p.count("odoo_outbox") == deliveries);
}

TEST_CASE("an ended order of ours that lost its acknowledgement gets one new duty, while it waits, from history and after a restart (L-36)")
{
    plant p;
    const auto old = p.load("WH/MO/00001");
    p.see(shown("WH/MO/00001", 1200, 1), 3);
    REQUIRE(p.flag() == 1);
    REQUIRE(p.count("plc_duty where done_at is not null") == 1);
    p.keep_going();
    const auto forget = [&] {
        p.device->read_area.at(slot - 1).at(76) = 0;
        p.cycles(3, 30s);
        CHECK(p.flag() == 1);
        CHECK(p.count("plc_duty where done_at is null") == 0);
    };
    forget();                       // completed, waiting for Odoo
    CHECK(p.count("plc_duty") == 2);
    p.archive(old);
    forget();                       // in history
    CHECK(p.count("plc_duty") == 3);
    p.restart();
    forget();                       // and unknown to the process
    CHECK(p.count("plc_duty") == 4);
    CHECK(p.count("plc_duty where batch_id = " + std::to_string(old)) == 4);
    CHECK(p.count("journal where what = 'plc.acknowledge_again' and mo_id = 'WH/MO/00001'") == 3);
    CHECK(p.device->acknowledged == 4);
    // What a held batch shows is the same.
    const auto held = p.load(ours);
    p.see(shown(ours, 500, 0, 1), 4);
    REQUIRE(p.state(held) == "held");
    REQUIRE(p.flag() == 1);
    forget();
    CHECK(p.count("plc_duty where mo_id = '" + ours + "'") == 2);
}

TEST_CASE("a duty never acknowledges the next batch of its slot, whoever comes to work it off (L-36)")
{
    plant p;
    const auto old = p.load("WH/MO/00001");
    // The PLC does not take the acknowledgement.
    p.device->on_acknowledge = [](int) -> bool { throw plc::error(core::error_kind::rejected, "write", "plc", "busy"); };
    p.put(shown("WH/MO/00001", 1200, 1));
    CHECK_THROWS_AS(p.cycles(1), plc::error);
    REQUIRE(p.count("plc_duty where done_at is null") == 1);
    p.archive(old);
    p.restart();
    CHECK_THROWS_AS(p.cycles(1), plc::error);   // it outlives its row and the process
    p.device->on_acknowledge = nullptr;
    const auto asked = p.device->acknowledged;
    p.see(shown(ours, 900, 1));
    CHECK(p.sql("select how from plc_duty") == "slot moved on");
    CHECK(p.flag() == 0);
    CHECK(p.device->acknowledged == asked);
}

TEST_CASE("an old batch where the PLC may come to the next one at any moment is not acknowledged again (L-36)")
{
    plant p;
    const auto old = p.load("WH/MO/00001");
    p.see(shown("WH/MO/00001", 1200, 1), 3);
    p.archive(old);
    p.load(ours);
    p.sql("update plc_load set state = 'arming' where number = 2");
    p.line().rows_changed();
    p.device->read_area.at(slot - 1).at(76) = 0;
    p.cycles(5);
    CHECK(p.flag() == 0);
    CHECK(p.count("plc_duty where done_at is null") == 0);
    p.sql("update plc_load set state = 'taken' where number = 2");
    p.line().rows_changed();
    p.cycles(5);
    CHECK(p.flag() == 0);
    CHECK(p.device->acknowledged == 1);
    // Nothing waits for the slot any more.
    p.sql("update mo_batch set state = 'cancelling', disarmed = true where mo_id = '" + ours + "'");
    p.line().rows_changed();
    p.cycles(1);
    CHECK(p.flag() == 1);
}

TEST_CASE("a PLC that cannot keep an acknowledgement is not written to all the time, and is told of")
{
    plant p;
    const auto old = p.load("WH/MO/00001");
    p.see(shown("WH/MO/00001", 1200, 1), 3);
    p.archive(old);
    p.keep_going();
    p.device->on_acknowledge = [](int) { return true; };
    p.device->read_area.at(slot - 1).at(76) = 0;
    const auto from = p.device->acknowledged;
    p.cycles(60, 1s);
    CHECK(p.device->acknowledged - from <= 2);
    p.cycles(10, 60s);
    CHECK(p.alert("acknowledgement_lost", "slot 3 WH/MO/00001") == "open");
    p.put({});
    p.cycles(1);
    CHECK(p.alert("acknowledgement_lost", "slot 3 WH/MO/00001") == "resolved");
}

TEST_CASE("both status words set are completed, told and journaled")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000, 1, 1), 2);
    CHECK(p.state(id) == "completed");
    CHECK(p.alert("both_status", ours) == "open");
    CHECK(p.sql("select \"values\" -> 'shows' ->> 'status_operation' from journal where what = 'batch.completed'") == "1");
    CHECK(p.count("odoo_outbox where kind = 'finish'") == 1);
}

TEST_CASE("a failure of the PLC holds its batch after three equal reads, or cancels it when that is the policy")
{
    const bool cancel = GENERATE(false, true);
    const std::map<std::string, std::string> policy{{"ON_PLC_FAILURE", cancel ? "cancel" : "hold"}};
    plant p(policy);
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.see(shown(ours, 1000, 0, 1), 2);
    p.see(shown(ours, 1000));
    p.see(shown(ours, 1000, 0, 1), 2);
    CHECK(p.state(id) == "running");
    CHECK(p.count("alert") == 0);
    p.cycles(1);
    CHECK(p.state(id) == "held");
    CHECK(p.alert("held", ours) == "open");
    CHECK(p.journaled("batch.held") == "WH/MO/00014: WH/MO/00014 10 raw 1000");
    CHECK(p.flag() == 1);
    CHECK(p.count("odoo_outbox where kind = 'cancel' and state = 'due'") == (cancel ? 1 : 0));
    CHECK(p.count("journal where what = 'policy.cancel' and who = 'ON_PLC_FAILURE=cancel'") == (cancel ? 1 : 0));
    // The mill clears the fault and doses on.
    p.see(shown(ours, 1500));
    CHECK(p.sql("select actual from mo_batch_consumption where silo = 101") == "15.000");
    CHECK(p.state(id) == (cancel ? "held" : "running"));
}

TEST_CASE("a held batch that doses on after start-over is no PLC that forgot its recipes")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000, 0, 1), 4);
    REQUIRE(p.state(id) == "held");
    p.await(tasks::start_over(p.line(), "engineer", "mixed up"));
    CHECK(p.state(id) == "held");
    p.see(shown(ours, 1100), 10);
    CHECK(p.state(id) == "running");
    CHECK(p.count("alert where kind = 'plc_reset'") == 0);
    CHECK(p.line().paused_why().empty());
    p.see(shown(ours, 1200, 1), 2);
    CHECK(p.state(id) == "completed");
}

TEST_CASE("a PLC that forgot its recipes is journaled per order with what its slot showed")
{
    plant p;
    p.load(ours);
    p.see(shown(ours, 1000));
    p.device->write_area.at(slot - 1) = bb_test::encode({});
    p.see({}, 3);
    CHECK(p.alert("plc_reset", "plc") == "open");
    CHECK(p.count("journal where what = 'plc.reset' and mo_id = '" + ours + "'") == 1);
    CHECK(p.count("mo_batch where state = 'lost'") == 0);
}

TEST_CASE("alerts that an earlier process left open end with their causes")
{
    plant p;
    p.load(ours);
    p.sql("insert into alert (line, kind, subject, text) values ('line1', 'implausible', 'WH/MO/00014', ''), ('line1', 'recipe_gone', 'WH/MO/00014', ''), ('line1', 'duty_open', 'slot 3 WH/MO/00001', ''), "
          "('line1', 'doses_again', 'slot 4 WH/MO/00002', ''), ('line1', 'slot_inconsistent', 'slot 3', '')");
    p.sql("insert into plc_duty (line, slot, mo_id, batch_id) values ('line1', 3, 'WH/MO/00001', 1)");
    p.restart();
    p.see(shown(ours, 1000), 2);
    CHECK(p.count("alert where state = 'open'") == 0);
}

TEST_CASE("the slots are read until what was told of them is over, also when no batch needs them any more")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000, 1), 2);
    auto f = shown(ours, 1100, 1);
    f.read_data = 1;
    p.keep_going();
    p.see(f);
    REQUIRE(p.alert("changed_after_end", "slot 3 WH/MO/00014") == "open");
    p.archive(id);
    p.sql("delete from mo_batch");
    p.line().rows_changed();
    p.restart();
    p.cycles(2);
    CHECK(p.alert("changed_after_end", "slot 3 WH/MO/00014") == "open");
    p.put({});
    p.cycles(1);
    CHECK(p.alert("changed_after_end", "slot 3 WH/MO/00014") == "resolved");
    int reads = 0;
    p.device->on_read = [&](int s) {
        ++reads;
        return p.device->read_area.at(static_cast<std::size_t>(s - 1));
    };
    p.cycles(3);
    CHECK(reads == 0);
}

TEST_CASE("a batch whose slot the PLC cleared is lost while its recipe stands, also when the slot was empty before the load")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.see({}, 10);
    CHECK(p.state(id) == "lost");
    CHECK(p.count("alert where kind = 'plc_reset'") == 0);
}

TEST_CASE("a PLC that lost its memory loses no batch as long as it cannot be asked for its recipes")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000), 2);
    // It boots: blank everywhere, and slot 5 never answers, so that no cycle comes to the WRITE slots.
    p.device->write_area.at(slot - 1) = bb_test::encode({});
    p.device->on_read = [&p](int s) {
        if (s == 5) throw plc::error(core::error_kind::timeout, "FC03 read 6400+77", "plc in memory", "no answer");
        return p.device->read_area.at(static_cast<std::size_t>(s - 1));
    };
    p.put({});
    for (int i = 0; i < 12; ++i) CHECK_THROWS_AS(p.cycles(1), plc::error);
    CHECK(p.state(id) == "running");
    p.device->on_read = nullptr;
    p.cycles(2);
    CHECK(p.state(id) == "running");
    CHECK(p.alert("plc_reset", "plc") == "open");
    CHECK_FALSE(p.line().paused_why().empty());
}

TEST_CASE("a revived batch of an older load is lost when its slot is cleared, and blocks nothing for ever")
{
    plant p;
    const auto old = p.load(ours);
    p.see(shown(ours, 1000, 0, 1), 4);
    REQUIRE(p.state(old) == "held");
    // The next load uses another slot; the mill clears the fault and doses on.
    p.sql("insert into plc_load (line, number, state, images) select 'line1', max(number) + 1, 'taken', '{}' from plc_load");
    p.device->write_area.at(slot - 1) = bb_test::encode({});
    p.line().rows_changed();
    p.see(shown(ours, 1200), 2);
    REQUIRE(p.state(old) == "running");
    p.see({}, 12);
    CHECK(p.state(old) == "lost");
    CHECK(p.count("alert where kind = 'plc_reset' and state = 'open'") == 0);
}

TEST_CASE("slots that the PLC refuses for one reason are one line in the log, and one when they are back")
{
    plant p;
    p.load(ours);
    p.see(shown(ours, 1000), 2);
    const auto text = tests::logged([&] {
        p.device->on_read = [](int) -> domain::words { throw plc::error(core::error_kind::rejected, "FC03", "plc in memory", "exception code 2: Illegal data address", "2"); };
        for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(p.cycles(1), plc::error);
        p.device->on_read = nullptr;
        p.cycles(3);
    });
    INFO(text);
    CHECK(p.count("alert where kind = 'slot_inconsistent' and state = 'resolved'") == 10);
    CHECK(text.find("READ slot 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 is refused: exception code 2") != std::string::npos);
    CHECK(text.find("READ slot 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 gives a consistent picture again") != std::string::npos);
    CHECK(text.find("READ slot", text.find("gives a consistent picture again")) == std::string::npos);
}

TEST_CASE("final figures that are not stored yet are not acknowledged, though a failure of the batch is still owed one (L-36)")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.device->on_acknowledge = [](int) { return false; };
    p.see(shown(ours, 1000, 0, 1), 4);
    REQUIRE(p.state(id) == "held");
    REQUIRE(p.count("plc_duty where done_at is null") == 1);
    p.device->on_acknowledge = nullptr;
    const int before = p.device->acknowledged;
    // The fault is cleared and the batch ends. This cycle cannot read the slot, but its duty pass can.
    p.put(shown(ours, 1200, 1));
    int reads = 0;
    p.device->on_read = [&](int s) {
        if (s == slot && ++reads == 1) throw plc::error(core::error_kind::rejected, "FC03", "plc in memory", "exception code 4", "4");
        return p.device->read_area.at(static_cast<std::size_t>(s - 1));
    };
    CHECK_THROWS_AS(p.cycles(1), plc::error);
    CHECK(reads > 1);
    CHECK(p.device->acknowledged == before);
    CHECK(p.state(id) == "held");
    p.device->on_read = nullptr;
    p.cycles(2);
    CHECK(p.state(id) == "completed");
    CHECK(p.sql("select actual::text from mo_batch_consumption where silo = 101") == "12.000");
    CHECK(p.flag() == 1);
    CHECK(p.count("plc_duty where done_at is null") == 0);
}

TEST_CASE("a new holding of the line is not paused by what an earlier one saw, and tells again what it told")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.device->write_area.at(slot - 1) = bb_test::encode({});
    p.see({}, 3);
    REQUIRE_FALSE(p.line().paused_why().empty());
    // Another process had the line meanwhile, and a person started over there.
    p.archive(id, domain::history_status::failed);
    p.sql("update alert set state = 'resolved'");
    p.reader->start_afresh();
    p.cycles(2);
    CHECK(p.line().paused_why().empty());
    CHECK(p.count("alert where state = 'open'") == 0);
    // What was bad for its third cycle right before is told by the new holding.
    const auto next = p.load("WH/MO/00015");
    p.device->on_read = [](int) -> domain::words { throw plc::error(core::error_kind::rejected, "FC03", "plc in memory", "exception code 4", "4"); };
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(p.cycles(1), plc::error);
    REQUIRE(p.alert("slot_inconsistent", "slot 3") == "open");
    p.sql("update alert set state = 'resolved'");
    p.reader->start_afresh();
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(p.cycles(1), plc::error);
    CHECK(p.alert("slot_inconsistent", "slot 3") == "open");
    CHECK(p.state(next) == "loaded");
}

TEST_CASE("a held batch whose slot changes in nothing but a text is acknowledged all the same (L-36)")
{
    plant p;
    const auto id = p.load(ours);
    p.see(shown(ours, 1000));
    p.device->on_acknowledge = [](int) { return false; };
    p.see(shown(ours, 1000, 0, 1), 4);
    REQUIRE(p.state(id) == "held");
    REQUIRE(p.count("plc_duty where done_at is null") == 1);
    p.device->on_acknowledge = nullptr;
    p.device->read_area.at(slot - 1).at(17) = 0x4645;
    p.cycles(4);
    CHECK(p.flag() == 1);
    CHECK(p.count("plc_duty where done_at is null") == 0);
    CHECK(p.state(id) == "held");
}

TEST_CASE("a load whose arming never reached the PLC and an acknowledgement that is owed do not wait for each other (L-18, L-36)")
{
    plant p;
    p.load(ours, "loading");
    p.sql("update mo_batch set batch_no = 1");
    p.sql("update plc_load set state = 'arming'");
    // The batch it is owed to is in history by now.
    p.sql("insert into plc_duty (line, slot, mo_id, batch_id) values ('line1', 5, 'WH/MO/00001', 12345)");
    figures ended;
    ended.order = "WH/MO/00001";
    ended.batch_no = 5;
    ended.dosed[0] = 1000;
    ended.manufacturing = 1;
    p.device->read_area.at(4) = bb_test::encode(ended);
    p.line().rows_changed();
    p.cycles(1);
    CHECK(p.count("plc_duty where done_at is null") == 1);
    const auto run = p.await(tasks::auto_sync_mo(p.line()));
    CHECK(run.detail.find("acknowledgements are owed") != std::string::npos);
    CHECK(p.sql("select state from plc_load") == "staged");
    p.cycles(1);
    CHECK(p.count("plc_duty where done_at is null") == 0);
    CHECK(p.device->read_area.at(4).at(76) == 1);
}

TEST_CASE("a load that is staged as far as the database knows and stands in the PLC is not written again")
{
    plant p;
    const auto id = p.load(ours, "loading");
    p.sql("update mo_batch set batch_no = 1");
    p.sql("update plc_load set state = 'staged'");
    figures recipe;
    recipe.order = ours;
    recipe.batch_no = 1;
    p.device->write_area.at(2) = domain::empty_slot(p.map);
    p.device->write_area.at(0) = bb_test::encode(recipe);
    SECTION("offered")
    {
        p.device->write_area.at(0).at(76) = 0;
        p.await(tasks::auto_sync_mo(p.line()));
        CHECK(p.sql("select state from plc_load") == "arming");
    }
    SECTION("taken and shown")
    {
        p.device->write_area.at(0).at(76) = 1;
        auto f = shown(ours, 100);
        f.batch_no = 1;
        p.device->read_area.at(0) = bb_test::encode(f);
        p.await(tasks::auto_sync_mo(p.line()));
        CHECK(p.sql("select state from plc_load") == "taken");
    }
    CHECK(p.state(id) == "loaded");
    CHECK(p.count("journal where what = 'plc.load'") == 0);
}

TEST_CASE("a name that an earlier run of the order left in WRITE slot 1 does not stand for the load that is staged now")
{
    plant p;
    p.load(ours, "loading");
    p.sql("update mo_batch set batch_no = 1");
    p.sql("update plc_load set state = 'staged'");
    figures recipe;
    recipe.order = ours;
    recipe.batch_no = 1;
    p.device->write_area.at(2) = domain::empty_slot(p.map);
    p.device->write_area.at(0) = bb_test::encode(recipe);
    p.device->write_area.at(0).at(76) = 1;
    p.await(tasks::auto_sync_mo(p.line()));
    CHECK(p.sql("select state from plc_load") == "arming");
    CHECK(p.count("journal where what = 'plc.load'") == 1);
}

TEST_CASE("a staged load is not written over orders that the PLC has in hand and the database does not know")
{
    plant p;
    p.load(ours, "loading");
    p.sql("update mo_batch set batch_no = 1");
    p.sql("update plc_load set state = 'staged'");
    p.device->write_area.at(2) = domain::empty_slot(p.map);
    auto f = shown("WH/MO/00088", 100);
    f.batch_no = 5;
    p.device->read_area.at(4) = bb_test::encode(f);
    p.await(tasks::auto_sync_mo(p.line()));
    CHECK(p.sql("select state from plc_load") == "staged");
    CHECK(p.count("journal where what = 'plc.load'") == 0);
    CHECK(p.alert("unknown_in_plc", "plc") == "open");
    // It ends with the PLC's work.
    f.manufacturing = 1;
    p.device->read_area.at(4) = bb_test::encode(f);
    p.await(tasks::auto_sync_mo(p.line()));
    CHECK(p.alert("unknown_in_plc", "plc") == "resolved");
    CHECK(p.sql("select state from plc_load") == "arming");
}

TEST_CASE("an order that the PLC made and the database does not know is named by an alert, also when Odoo does not offer it")
{
    plant p;
    auto f = shown("WH/MO/00088", 100, 1);
    f.batch_no = 5;
    // What stood there before our first load is another program's.
    p.device->read_area.at(4) = bb_test::encode(f);
    p.await(tasks::auto_sync_mo(p.line()));
    CHECK(p.count("alert where kind = 'made_unknown'") == 0);
    p.archive(p.load(ours));
    p.await(tasks::auto_sync_mo(p.line()));
    CHECK(p.count("alert where kind = 'made_unknown'") == 0);
    f = shown("WH/MO/00089", 100, 1);
    f.batch_no = 6;
    p.device->read_area.at(5) = bb_test::encode(f);
    for (int i = 0; i < 2; ++i) p.await(tasks::auto_sync_mo(p.line()));
    CHECK(p.sql("select subject || ' ' || state || ' ' || count from alert where kind = 'made_unknown'") == "WH/MO/00089 open 1");
    CHECK(p.sql("select text from alert where kind = 'made_unknown'").find("READ slot 6, 1") != std::string::npos);
}

TEST_CASE("a lost batch whose cancel a person has asked for is not given up by start-over and made again")
{
    plant p;
    const auto id = p.load(ours, "lost");
    store::journal_entry e;
    e.what = "api.cancel";
    e.who = "shift lead";
    REQUIRE(p.await(p.rows->ask_cancel(p.hold(), id, e)));
    const auto done = p.await(tasks::start_over(p.line(), "shift lead", "the PLC was exchanged"));
    CHECK(done.reset == 0);
    CHECK(p.state(id) == "lost");
    CHECK(p.sql("select state from odoo_outbox where kind = 'cancel'") == "due");
    CHECK(p.count("mo_histories") == 0);
}
