// Task 1 as Odoo sees it: what it asks for, what it refuses, and who wakes it. The PLC is blank and takes no load.
#include "blank_plc.hpp"
#include "delivery_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using domain::error_class;

namespace {

std::map<std::string, std::string> only_task_1(std::map<std::string, std::string> more = {})
{
    more.emplace("ENABLE_AUTO_SYNC", "true");
    for (const auto* name : {"ENABLE_TASK_2_PLC_READ", "ENABLE_TASK_3_PROCESS_COMPLETED", "ENABLE_TASK_4_HEALTH_MONITOR", "ENABLE_TASK_5_EQUIPMENT_FAILURE", "ENABLE_TASK_6_CLEANUP"}) more.emplace(name, "false");
    return more;
}

struct sync_bench : delivery_bench {
    explicit sync_bench(const std::map<std::string, std::string>& more = {}) : delivery_bench(only_task_1(more), blank_plc) {}
    void run() { service->find_line("line1")->task(tasks::task_names::auto_sync_mo)->wake(); }
    std::string queue() const { return sql("select coalesce(string_agg(odoo_id::text, ',' order by batch_no), '') from mo_batch"); }
};

}  // namespace

TEST_CASE("what this Odoo cannot be told about is refused with the reason, and the slots go to others")
{
    sync_bench b(settings{{"SYNC_BATCH_LIMIT", "2"}});
    b.erp.refuse = [](const domain::mapped_order& o) { return o.source.id.odoo_id <= 2 ? std::string("two components on silo 101") : std::string(); };
    for (int n = 1; n <= 5; ++n) b.erp.add(n);
    b.run();
    b.await("the queue", [&] { return b.count("mo_batch") == 2; });
    CHECK(b.queue() == "3,4");
    CHECK(b.count("order_refusal where odoo_id in (1, 2) and reason = 'two components on silo 101' and retry_at > now() + interval '9 minutes'") == 2);
    CHECK(b.count("alert where kind = 'order_refused' and state = 'open'") == 2);
    // The first run had none; one more fetch for the answer that held refused ones. The watch's own are of one order.
    CHECK(std::count_if(b.erp.fetched.begin(), b.erp.fetched.end(), [](const auto& f) { return f.limit == 2 && !f.exclude_ids.empty(); }) == 1);
}

TEST_CASE("foreign orders do not hide ours: the fetch is repeated while slots are free")
{
    sync_bench b(settings{{"SYNC_BATCH_LIMIT", "2"}});
    for (int n = 1; n <= 5; ++n) b.erp.add(n, {n <= 4 ? "PAPER" : "SILO-101"});
    b.run();
    b.await("the queue", [&] { return b.count("mo_batch") == 1; });
    CHECK(b.queue() == "5");
    CHECK(b.count("order_refusal") == 0);
    CHECK(b.count("alert where kind = 'order_refused'") == 0);
}

TEST_CASE("an order that was loaded keeps what was planned")
{
    sync_bench b;
    b.erp.add(7);
    b.run();
    b.await("the queue", [&] { return b.count("mo_batch") == 1; });
    CHECK(b.sql("select plan from mo_batch") == R"({"moves": {"71": ["100", "kg"]}, "product": ["100", "kg"]})");
}

TEST_CASE("a horizon leaves out what begins later")
{
    sync_bench b(settings{{"SYNC_HORIZON", "2h"}});
    b.run();
    b.await("a fetch", [&] { return b.erp.count("fetch") > 0; });
    const auto until = b.erp.fetched.front().date_start_until;
    REQUIRE(until);
    CHECK(*until > core::utc_now() + std::chrono::minutes(110));
    CHECK(*until < core::utc_now() + std::chrono::minutes(130));
}

TEST_CASE("a domain that Odoo does not understand is named as a fault of the configuration, once")
{
    sync_bench b(settings{{"ODOO_ORDER_DOMAIN", R"([["no_such_field", "=", 1]])"}});
    b.erp.before = [](const std::string& call) {
        if (call == "fetch") throw refused(error_class::our_bug, "Invalid field mrp.production.no_such_field", "builtins.ValueError");
    };
    b.run();
    b.await("the alert", [&] { return b.count("alert where kind = 'order_domain' and state = 'open'") == 1; });
    b.run_for(1000ms);
    const int fetches = b.erp.count("fetch");
    b.run_for(2500ms);
    CHECK_THAT(b.sql("select text from alert where kind = 'order_domain'"), Catch::Contains("ODOO_ORDER_DOMAIN") && Catch::Contains("no_such_field"));
    // Not at the pace of something that is away.
    CHECK(b.erp.count("fetch") == fetches);
    b.erp.before = nullptr;
    b.run();
    b.await("the end of the alert", [&] { return b.count("alert where kind = 'order_domain' and state = 'resolved'") == 1; });
}

TEST_CASE("while a line is idle the watch finds a new order by one short fetch and wakes task 1")
{
    sync_bench b(settings{{"SYNC_INTERVAL", "1h"}});
    b.await("the first run", [&] { return b.erp.count("fetch") >= 1; });
    b.run_for(500ms);
    REQUIRE(b.count("mo_batch") == 0);
    b.erp.add(9);
    b.service->watch().wake();
    b.await("the queue", [&] { return b.count("mo_batch") == 1; });
    bool shortest = false;
    for (const auto& f : b.erp.fetched) shortest = shortest || f.limit == 1;
    CHECK(shortest);
    // A busy line is not looked at.
    const int fetches = b.erp.count("fetch");
    b.erp.add(10);
    b.service->watch().wake();
    b.run_for(700ms);
    CHECK(b.erp.count("fetch") == fetches);
}

TEST_CASE("a look for new orders that got no answer is repeated with the next look")
{
    sync_bench b(settings{{"SYNC_INTERVAL", "1h"}});
    b.await("the first run", [&] { return b.erp.count("fetch") >= 1; });
    b.run_for(500ms);
    bool failed = false;
    b.erp.before = [&failed](const std::string& call) {
        if (call != "fetch" || failed) return;
        failed = true;
        throw no_answer();
    };
    b.erp.add(9);
    b.await("the lost answer", [&] {
        b.service->watch().wake();
        return failed;
    });
    b.await("the queue", [&] {
        b.service->watch().wake();
        return b.count("mo_batch") == 1;
    });
    CHECK(b.queue() == "9");
}

TEST_CASE("an order that is not ours wakes task 1 once and not with every look")
{
    sync_bench b(settings{{"SYNC_INTERVAL", "1h"}});
    b.await("the first run", [&] { return b.erp.count("fetch") >= 1; });
    b.run_for(500ms);
    b.erp.add(9, {"PAPER"});
    b.erp.fetched.clear();
    for (int i = 0; i < 3; ++i) {
        b.service->watch().wake();
        b.run_for(500ms);
    }
    int full = 0;
    for (const auto& f : b.erp.fetched) full += f.limit > 1 ? 1 : 0;
    CHECK(full == 1);
}

TEST_CASE("an archived order that Odoo still calls confirmed is flagged and told, and another order of its id is made")
{
    sync_bench b;
    b.await("the first run", [&] { return b.erp.count("fetch") >= 1; });
    b.sql("insert into mo_histories (line, batch_id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, status, bom_id, finished_goods, quantity_goods, actual_weight_quantity_finished_goods, "
          "status_manufacturing, status_operation, update_odoo, done_marked, created_at) values ('line1', 99, 'factory', 1, '2026-11-23 10:46:09+00', 'WH/MO/00001', 'WH/MO/00001', 1, 1, 1, 'completed', '', '', 0, 0, true, false, true, "
          "true, now()) returning 1");
    b.erp.add(1);
    b.run();
    b.await("the flag", [&] { return b.count("mo_histories where still_open") == 1; });
    b.await("the alert", [&] { return b.count("alert where kind = 'archived_but_open' and subject = 'WH/MO/00001' and state = 'open'") == 1; });
    CHECK(b.count("mo_batch") == 0);
    // Odoo was restored and gives the id again: a new order.
    b.erp.orders[1].id.create_date += std::chrono::hours(1);
    b.service->watch().wake();
    b.await("the queue", [&] { return b.count("mo_batch") == 1; });
    CHECK(b.count("mo_histories where still_open") == 0);
}
