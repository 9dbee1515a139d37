// What is missing at the start is waited for, with one log line per change of state and not one per attempt.
#include "e2e/expect.hpp"

#include <thread>

using namespace bb_test;

namespace {

int lines_with(const std::string& log, const std::string& a, const std::string& b)
{
    int n = 0;
    std::size_t at = 0;
    while (at < log.size()) {
        const auto end = std::min(log.find('\n', at), log.size());
        const auto line = log.substr(at, end - at);
        if (line.find(a) != std::string::npos && line.find(b) != std::string::npos) ++n;
        at = end + 1;
    }
    return n;
}

}  // namespace

TEST_CASE("a PLC, a database and an Odoo that are absent at the start are waited for (L-47)")
{
    plant_options o;
    o.plc_speed = 1000;
    o.start_plc = o.start_odoo = o.start_database = false;
    plant p(o);
    p.start_bridge();
    wait_until("readiness to say no", seconds(10), [&] {
        try {
            return p.bridge("GET", "/readyz").status == 503;
        } catch (const std::exception&) {
            return false;
        }
    });
    CHECK(p.bridge("GET", "/healthz").status == 200);
    // Long enough for several attempts at each.
    const auto begin = std::chrono::steady_clock::now();
    wait_until("attempts", seconds(10), [&] { return std::chrono::steady_clock::now() - begin > std::chrono::seconds(3); });
    CHECK(lines_with(p.bridge_log(), "database", "error") + lines_with(p.bridge_log(), "database", "warning") == 1);

    p.database().start();
    wait_until("readiness", seconds(20), [&] { return p.bridge("GET", "/readyz").status == 200; });
    const auto later = std::chrono::steady_clock::now();
    wait_until("more attempts", seconds(10), [&] { return std::chrono::steady_clock::now() - later > std::chrono::seconds(3); });
    auto log = p.bridge_log();
    CHECK(lines_with(log, " odoo ", "is down") <= 1);
    CHECK(lines_with(log, "plc line1", "is down") == 1);

    p.start_plc();
    wait_until("the PLC's answer", seconds(20), [&] { return lines_with(p.bridge_log(), "plc line1", "is back") == 1; });
    p.start_odoo();
    p.generate(2);
    p.wait_archived(2, seconds(60));
    check_exact(p, 2);
    log = p.bridge_log();
    CHECK(lines_with(log, "info", "database is back") == 1);
    CHECK(lines_with(log, "info", "odoo is back") == 1);
    CHECK(lines_with(log, "run failed", "") == 0);
    CHECK(p.stop_bridge() == 0);
}

TEST_CASE("a PLC that goes away in the middle of a batch is waited for and the batch ends exactly (L-14)")
{
    plant_options o;
    o.plc_speed = 300;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'running'") > 0; });
    const auto kind = GENERATE(as<std::string>{}, "hang", "reset", "refuse");
    INFO(kind);
    p.plc("/fault", R"({"kind": ")" + kind + R"(", "delay_ms": 3000})");
    wait_until("the log to say so", seconds(10), [&] { return lines_with(p.bridge_log(), "plc line1", "is down") == 1; });
    CHECK(p.bridge("GET", "/readyz").status == 200);
    const auto begin = std::chrono::steady_clock::now();
    wait_until("attempts", seconds(10), [&] { return std::chrono::steady_clock::now() - begin > std::chrono::seconds(2); });
    CHECK(lines_with(p.bridge_log(), "plc line1", "is down") == 1);
    p.plc("/clear", "{}");
    p.plc("/speed", R"({"speed": 1000})");
    p.wait_archived(3, seconds(60));
    check_exact(p, 3);
    CHECK(lines_with(p.bridge_log(), "plc line1", "is down") == 1);
}

TEST_CASE("a PLC that answers with exceptions is no link failure: the failing run is told once, and when it runs again")
{
    plant_options o;
    o.plc_speed = 300;
    plant p(o);
    const auto told = [&p](const std::string& a, const std::string& b) { return lines_with(p.bridge_log(), a, b); };
    const auto pass = [](int s) {
        const auto begin = std::chrono::steady_clock::now();
        wait_until("attempts", seconds(s + 5), [&] { return std::chrono::steady_clock::now() - begin > seconds(s); });
    };
    std::string task;
    SECTION("to every request, in the middle of a batch")
    {
        task = "plc_read_sync";
        p.generate(3);
        p.start_bridge();
        wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'running'") > 0; });
        p.plc("/fault", R"({"kind": "exception"})");
    }
    SECTION("to writes, while reads are answered")
    {
        task = "auto_sync_mo";
        p.start_bridge();
        wait_until("the PLC's first answer", seconds(30), [&] { return told("plc line1", "answers") == 1; });
        p.plc("/fault", R"({"kind": "exception", "function": 16, "code": 6})");
        p.generate(3);
    }
    wait_until("the log to say so", seconds(10), [&] { return told("task=" + task, "run failed") == 1; });
    pass(3);
    CHECK(told("task=" + task, "run failed") == 1);
    CHECK(told("plc line1", "is down") == 0);
    p.plc("/clear", "{}");
    p.plc("/speed", R"({"speed": 1000})");
    p.wait_archived(3, seconds(60));
    check_exact(p, 3);
    CHECK(told("task=" + task, "run failed") == 1);
    CHECK(told("task=" + task, "runs again") == 1);
    CHECK(told("plc line1", "is down") == 0);
    CHECK(told("plc line1", "answers") == 1);
}
