// The four steps of a load (design section 4, Load): what holds when it is cut anywhere, when the PLC does not take what was
// written or the offer, and when the PLC holds what nobody here knows.
#include "e2e/expect.hpp"

using namespace bb_test;

namespace {

bool schema_there(plant& p)
{
    return !p.sql("select to_regclass('mo_batch')").empty();
}

int fetches(plant& p)
{
    int n = 0;
    const auto calls = p.odoo("/calls");
    for (const auto& c : calls.as_array()) n += c.at("method").as_string() == "web_search_read" && c.at("order").as_int64() == 0 ? 1 : 0;
    return n;
}

std::string staged_rows(plant& p)
{
    return p.sql("select string_agg(id || ' ' || mo_id || ' ' || batch_no || ' ' || run, ', ' order by id) from mo_batch");
}

std::string offered_in(plant& p, int slot)
{
    const auto state = p.plc("/state");
    return std::string(state.at("slots").as_array()[static_cast<std::size_t>(slot - 1)].at("offered").as_string());
}

std::int64_t open_alerts(plant& p, const std::string& kind)
{
    return p.count("alert where kind = '" + kind + "' and state = 'open'");
}

}  // namespace

TEST_CASE("after a crash at any step of a load the stored rows are offered, once, and nothing is fetched again (L-18)")
{
    for (const std::string point : {"sync.staged", "load.loading", "load.written", "load.verified", "load.arming", "load.armed"}) {
        // The PLC may take the offer while nobody watches: it is adopted then.
        for (const bool taken_meanwhile : {false, true}) {
            if (taken_meanwhile && point != "load.armed") continue;
            CAPTURE(point, taken_meanwhile);
            plant_options o;
            o.plc_speed = 2000;
            plant p(o);
            p.plc("/take", R"({"enabled": false})");
            p.generate(2);
            p.start_bridge({{"BATCHBRIDGE_CRASH_AT", point}});
            wait_until("the crash at " + point, seconds(20), [&] { return !p.bridge_runs(); });
            const auto rows = staged_rows(p);
            const auto asked = fetches(p);
            // Odoo has one more by now: it belongs to the next load.
            p.generate(1);
            if (taken_meanwhile) {
                p.plc("/pause", "{}");
                p.plc("/take", R"({"enabled": true})");
                wait_until("the taking", seconds(5), [&] { return p.plc("/state").at("ready").as_int64() == 1; });
            }
            p.start_bridge();
            wait_until("the load to be loaded", seconds(20), [&] { return p.count("mo_batch where state = 'loaded'") == 2; });
            CHECK(staged_rows(p) == rows);
            CHECK(fetches(p) == asked);
            CHECK(p.count("plc_load") == 1);
            CHECK(offered_in(p, 1) == "WH/MO/00001");
            CHECK(offered_in(p, 2) == "WH/MO/00002");
            CHECK(offered_in(p, 3).empty());
            p.plc("/take", R"({"enabled": true})");
            p.plc("/resume", "{}");
            p.wait_archived(3, seconds(40));
            check_exact(p, 3);
        }
    }
}

TEST_CASE("an offer that the PLC does not take for ten minutes is told, and no more once it is taken")
{
    plant_options o;
    o.plc_speed = 2000;
    plant p(o);
    p.plc("/take", R"({"enabled": false})");
    p.generate(1);
    p.start_bridge();
    wait_until("the offer", seconds(20), [&] { return schema_there(p) && p.count("mo_batch where state = 'loaded'") == 1; });
    CHECK(open_alerts(p, "load_not_taken") == 0);
    p.kill_bridge();
    p.sql("update plc_load set changed_at = now() - interval '11 minutes'");
    p.start_bridge();
    wait_until("the alert", seconds(20), [&] { return open_alerts(p, "load_not_taken") == 1; });
    CHECK(occurrences(p.bridge_log(), "is the PLC running, and waiting for recipes?") == 1);
    p.plc("/take", R"({"enabled": true})");
    p.wait_archived(1, seconds(30));
    CHECK(open_alerts(p, "load_not_taken") == 0);
    check_exact(p, 1);
}

TEST_CASE("a PLC that does not keep what was written is never armed: the read-back is told with its registers, and the load goes on when it keeps it (L-17)")
{
    plant_options o;
    o.plc_speed = 2000;
    plant p(o);
    // Slow enough that this test's hand comes between the writing of slot 5 and its read-back.
    p.plc("/fault", R"({"kind": "delay", "delay_ms": 20})");
    p.generate(2);
    p.start_bridge();
    wait_until("the alert", seconds(60), [&] {
        p.plc("/registers", R"({"address": 7428, "values": [7]})");
        return schema_there(p) && open_alerts(p, "load_verify") == 1;
    });
    CHECK_THAT(p.sql("select text from alert where kind = 'load_verify'"), Catch::Contains("slot 5 address 7428: wrote 0, read 7"));
    CHECK(p.count("mo_batch where state = 'loading'") == 2);
    CHECK(offered_in(p, 1).empty());
    CHECK(p.plc("/state").at("loads_taken").as_int64() == 0);
    p.plc("/clear", "{}");
    p.wait_archived(2, seconds(60));
    CHECK(open_alerts(p, "load_verify") == 0);
    check_exact(p, 2);
}

TEST_CASE("an order of a predecessor that waits in a WRITE slot keeps the line from loading until the PLC has made it")
{
    plant_options o;
    o.plc_speed = 2000;
    plant p(o);
    // "OLD-7" in WRITE slot 3; READ slot 3 does not show it.
    p.plc("/registers", R"({"address": 7200, "values": [3, 20300, 17453, 14080]})");
    p.generate(2);
    p.start_bridge();
    wait_until("the alert", seconds(20), [&] { return schema_there(p) && open_alerts(p, "unknown_in_plc") == 1; });
    CHECK(p.count("mo_batch") == 0);
    CHECK_THAT(p.sql("select text from alert where kind = 'unknown_in_plc'"), Catch::Contains("WRITE slot 3: 'OLD-7'"));
    // Dosed, but not at its end: still nothing.
    p.plc("/registers", R"({"address": 6200, "values": [3, 20300, 17453, 14080]})");
    p.plc("/registers", R"({"address": 6228, "values": [0, 1200]})");
    const auto answer = p.bridge("POST", "/api/v1/lines/line1/tasks/auto_sync_mo/run");
    CHECK(answer.status == 200);
    CHECK(p.count("mo_batch") == 0);
    CHECK_THAT(p.sql("select text from alert where kind = 'unknown_in_plc'"), Catch::Contains("READ slot 3: 'OLD-7'"));
    CHECK(occurrences(p.bridge_log(), "nothing is loaded: the PLC holds orders") == 1);
    p.plc("/registers", R"({"address": 6272, "values": [1]})");
    p.wait_archived(2, seconds(40));
    CHECK(open_alerts(p, "unknown_in_plc") == 0);
    check_exact(p, 2);
}
