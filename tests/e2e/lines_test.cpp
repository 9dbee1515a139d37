// Several processes on one line, several lines in one process, and the end of a process whose peers hang.
#include "e2e/expect.hpp"

#include <csignal>
#include <fstream>
#include <regex>

using namespace bb_test;

TEST_CASE("of two processes on one line one acts, and when it is killed the other takes over: every order is made once (L-12)")
{
    plant_options o;
    o.plc_speed = 300;
    plant p(o);
    p.generate(4);
    p.start_bridge();
    wait_until("the line to be held", seconds(20), [&] { return occurrences(p.bridge_log(), "line taken") == 1; });
    auto second = p.another_bridge();
    wait_until("the second to stand by", seconds(20), [&] { return occurrences(second.output(), "another process holds this line") == 1; });
    wait_until("a running batch", seconds(30), [&] { return p.count("mo_batch where state = 'running'") > 0; });
    CHECK(occurrences(second.output(), "line taken") == 0);
    p.kill_bridge();
    wait_until("the takeover", seconds(20), [&] { return occurrences(second.output(), "line taken, epoch 2") == 1; });
    wait_until("all orders", seconds(60), [&] { return p.count("mo_histories where status = 'completed'") == 4; });
    wait_until("the acknowledgements", seconds(10), [&] { return p.count("plc_duty where done_at is null") == 0; });
    check_exact(p, 4);
    second.signal(SIGTERM);
    CHECK(second.wait() == 0);
}

TEST_CASE("a process from which the line was taken stops acting at once and stands by")
{
    plant_options o;
    o.plc_speed = 300;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'running'") > 0; });
    // As another process would have left it: a newer epoch, which every writing transaction compares.
    p.sql("update line set epoch = epoch + 10, holder = 'elsewhere'");
    wait_until("the notice", seconds(10), [&] { return occurrences(p.bridge_log(), "another process has taken this line") == 1; });
    // Nobody else is there after all: it takes the line again, under an epoch of its own.
    wait_until("the next taking", seconds(20), [&] { return occurrences(p.bridge_log(), "line taken, epoch 12") == 1; });
    p.wait_archived(3, seconds(60));
    check_exact(p, 3);
}

TEST_CASE("two lines in one process: a dead PLC degrades its own line and no other (L-14)")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    const auto path = p.directory() + "/lines.json";
    std::ofstream(path) << R"([{"name": "mill", "host": "127.0.0.1", "port": )" << p.plc_port() << R"(, "order_domain": [["id", "<=", 3]]},)"
                        << R"({"name": "press", "host": "127.0.0.1", "port": 1, "order_domain": [["id", ">", 3]]}])";
    p.generate(5);
    p.start_bridge({{"LINES_FILE", path}, {"PLC_HOST", ""}, {"PLC_PORT", ""}});
    wait_until("the mill's orders", seconds(60), [&] { return !p.sql("select to_regclass('mo_histories')").empty() && p.count("mo_histories where line = 'mill' and status = 'completed'") == 3; });
    const auto log = p.bridge_log();
    CHECK(occurrences(log, "plc press is down") == 1);
    CHECK(occurrences(log, "plc mill is down") == 0);
    CHECK(p.count("mo_histories where line <> 'mill'") == 0);
    CHECK(p.sql("select string_agg(odoo_id::text, ',' order by odoo_id) from mo_histories") == "1,2,3");
    // Its readiness tells which.
    const auto ready = p.bridge("GET", "/readyz");
    CHECK(ready.status == 200);
    CHECK_THAT(ready.text, Catch::Contains("plc press"));
    CHECK(p.stop_bridge() == 0);
}

TEST_CASE("SIGTERM ends a process whose Odoo and PLC hang within 8 s, with exit code 0 and nothing lost")
{
    plant_options o;
    o.plc_speed = 300;
    o.environment = {{"ODOO_TIMEOUT", "30s"}, {"ODOO_WRITE_TIMEOUT", "60s"}, {"ODOO_UNCLEAR_WAIT", "60s"}, {"PLC_TIMEOUT", "30s"}};
    plant p(o);
    p.generate(2);
    p.start_bridge();
    wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'running'") > 0; });
    p.odoo("/fault", R"({"kind": "hang"})");
    wait_until("a hanging call", seconds(10), [&] { return !p.odoo("/hanging").as_array().empty(); });
    const auto requests = p.plc("/state").at("requests").as_int64();
    p.plc("/fault", R"({"kind": "hang"})");
    wait_until("a hanging read", seconds(10), [&] { return p.plc("/state").at("requests").as_int64() > requests; });
    const auto begin = std::chrono::steady_clock::now();
    CHECK(p.stop_bridge() == 0);
    CHECK(std::chrono::steady_clock::now() - begin < seconds(8));
    p.odoo("/clear", "{}");
    p.plc("/clear", "{}");
    // What was in flight is unclear until its wait is over: shortened, as an operator would not.
    p.sql("update odoo_attempt set started_at = started_at - interval '1 hour' where outcome is null");
    p.start_bridge();
    p.wait_archived(2, seconds(60));
    check_exact(p, 2);
}
