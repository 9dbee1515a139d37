// When the dispatcher stops sending, and how it begins again.
#include "delivery_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using std::chrono::steady_clock;

namespace {

odoo::error not_reached()
{
    return {core::error_kind::unavailable, domain::call_outcome::not_sent, domain::error_class::retry, "connect", "odoo test", "refused"};
}

}  // namespace

TEST_CASE("nothing is sent while the probe fails, and the backlog goes out at five calls a second")
{
    delivery_bench b;
    bool down = true;
    b.erp.before = [&down](const std::string&) {
        if (down) throw not_reached();
    };
    for (int n = 1; n <= 4; ++n) {
        b.erp.add(n);
        b.completed(n);
    }
    b.await("a second probe", [&] { return b.erp.count("probe") >= 2; });
    const auto before = b.erp.calls.size() - static_cast<std::size_t>(b.erp.count("probe"));
    CHECK(before <= 4);
    CHECK_FALSE(b.env->board.is_up("odoo"));
    b.sql("update odoo_outbox set next_at = now() returning 1");
    std::optional<steady_clock::time_point> first;
    steady_clock::time_point last;
    b.erp.before = [&](const std::string& call) {
        if (call == "probe") return;
        last = steady_clock::now();
        if (!first) first = last;
    };
    b.await("the backlog", [&] { return b.count("odoo_outbox where state = 'sent'") == 4; }, 20s);
    // Four finishes of four calls: the last begins twelve calls after the first.
    CHECK(last - *first >= 2300ms);
    CHECK(b.env->board.is_up("odoo"));
}

TEST_CASE("while a backlog is sent an attempt without an end still holds its order back")
{
    delivery_bench b;
    bool down = true;
    b.erp.before = [&down](const std::string&) {
        if (down) throw not_reached();
    };
    for (int n = 1; n <= 4; ++n) b.erp.add(n);
    const auto live = [&b](int n) { b.owe(b.batch(n, "running", {{101, "5"}}), "consumption"); };
    live(1);
    b.await("the open breaker", [&] { return b.service->deliveries().breaker_open(); });
    for (int n = 2; n <= 4; ++n) live(n);
    b.sql("update odoo_outbox set next_at = now() - make_interval(secs => 100 - odoo_id) returning 1");
    // One of the last order's, whose end could not be stored, say: begun while the first deliveries go out.
    bool begun = false;
    b.erp.before = [&b, &begun](const std::string& call) {
        if (begun || call != "read 1") return;
        begun = true;
        b.sql("insert into odoo_attempt (line, outbox_id, odoo_db, odoo_id, batch_id, version, call, \"values\", epoch) select line, id, odoo_db, odoo_id, batch_id, version, 'write_consumption', '[]', 1 from odoo_outbox where odoo_id = 4 "
              "returning 1");
    };
    b.await("the backlog", [&] { return b.count("odoo_outbox where state = 'sent'") == 3; }, 20s);
    b.run_for(1500ms);
    CHECK(b.erp.count("read 4") == 0);
    CHECK(b.erp.count("write_consumption 4") == 0);
    // It goes when the wait is over.
    b.sql("update odoo_attempt set started_at = now() - interval '3 minutes' where outcome is null returning 1");
    b.wake();
    b.await("the last", [&] { return b.count("odoo_outbox where state = 'sent'") == 4; });
}

TEST_CASE("a probe that Odoo itself refuses closes the breaker: deliveries then wait with an alert that says why")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.before = [](const std::string&) { throw not_reached(); };
    b.completed(1);
    b.await("the open breaker", [&] { return b.erp.count("probe") >= 1; });
    b.erp.before = [](const std::string&) { throw refused(domain::error_class::new_key, "the login was refused", "odoo.exceptions.AccessDenied"); };
    b.await("the alert", [&] { return b.count("alert where kind = 'odoo_configuration' and state = 'open'") == 1; });
}

TEST_CASE("an Odoo whose database is down opens the breaker, too")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.before = [](const std::string&) { throw refused(domain::error_class::retry, "the database is down", "psycopg2.OperationalError"); };
    b.completed(1);
    b.await("a second probe", [&] { return b.erp.count("probe") >= 2; });
    CHECK(b.erp.count("read 1") == 1);
    CHECK_FALSE(b.env->board.is_up("odoo"));
}

TEST_CASE("a finish that hangs holds up the other finishes and nothing else")
{
    delivery_bench b;
    b.erp.hangs = "read 1";
    for (int n = 1; n <= 3; ++n) b.erp.add(n);
    b.completed(1);
    b.await("the finish that hangs", [&] { return b.erp.count("read 1") == 1; });
    b.completed(2);
    b.run_for(300ms);
    const auto live = b.owe(b.batch(3, "running", {{101, "5"}}), "consumption");
    b.sql("update odoo_outbox set next_at = now() + interval '1500 milliseconds' where kind = 'consumption' and state = 'due' returning 1");
    b.await("the live value", [&] { return b.state_of(live) == "sent"; }, 6s);
    CHECK(b.erp.count("read 2") == 0);
    b.erp.hangs.clear();
    b.await("both finishes", [&] { return b.count("odoo_outbox where kind = 'finish' and state = 'sent'") == 2; });
}

TEST_CASE("one connection is kept free from live values, and an order has one call at a time")
{
    delivery_bench b(settings{{"ODOO_MAX_CONNECTIONS", "3"}});
    std::map<std::string, int> now;
    int live = 0, most_live = 0, most_of_one = 0;
    for (int n = 1; n <= 6; ++n) b.erp.add(n);
    b.erp.hang_all = true;
    for (int n = 1; n <= 5; ++n) b.owe(b.batch(n, "running", {{101, "5"}}), "consumption");
    b.await("two live values", [&] { return b.erp.calls.size() == 2; });
    b.run_for(1500ms);
    CHECK(b.erp.calls.size() == 2);
    // A finish still finds its way.
    const auto id = b.completed(6);
    b.await("the finish", [&] { return b.erp.count("read 6") == 1; });
    // The watch does not add a fourth.
    b.service->watch().wake();
    b.run_for(800ms);
    CHECK(b.erp.count("read_orders") == 0);
    b.erp.before = [&](const std::string& call) {
        if (call.starts_with("write_consumption")) most_live = std::max(most_live, ++live);
        most_of_one = std::max(most_of_one, ++now[call.substr(call.find(' ') + 1)]);
    };
    b.erp.after = [&](const std::string& call) {
        if (call.starts_with("write_consumption")) --live;
        --now[call.substr(call.find(' ') + 1)];
    };
    b.erp.hang_all = false;
    b.await("all of them", [&] { return b.count("odoo_outbox where state = 'sent'") == 6; });
    CHECK(most_live <= 2);
    CHECK(b.finish_state(id) == "sent");
}

TEST_CASE("live values of one order keep their distance, and the last one always goes")
{
    delivery_bench b(settings{{"ODOO_LIVE_INTERVAL", "2s"}});
    b.erp.add(1);
    const auto id = b.batch(1, "running", {{101, "5"}});
    const auto row = b.owe(id, "consumption");
    std::vector<steady_clock::time_point> sent;
    b.erp.before = [&](const std::string& call) {
        if (call != "write_consumption 1") return;
        sent.push_back(steady_clock::now());
        if (sent.size() > 1) return;
        // Newer totals while the first ones are on their way.
        b.sql(fmt::format("with m as (update mo_batch set version = version + 1 where id = {0} returning version) update odoo_outbox set payload = '{{\"actual\": {{\"101\": \"7.5\"}}}}', version = m.version from m where "
                          "odoo_outbox.id = {1} returning 1",
                          id, row));
    };
    b.await("both values", [&] { return sent.size() == 2 && b.state_of(row) == "sent"; });
    CHECK(sent[1] - sent[0] >= 1900ms);
    CHECK(b.erp.orders[1].components[0].quantity == *core::decimal::parse("7.5"));
    CHECK(b.sql("select update_odoo from mo_batch") == "t");
}

TEST_CASE("a configuration wait neither opens nor closes the breaker")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.add(2);
    b.erp.before = [](const std::string& call) {
        if (call == "write_final 1") throw refused(domain::error_class::configuration, "no right to write", "odoo.exceptions.AccessError");
        if (call == "read 2" || call == "probe") throw not_reached();
    };
    b.completed(1);
    b.await("the wait", [&] { return b.count("alert where kind = 'odoo_configuration' and state = 'open'") == 1; });
    CHECK(b.erp.count("probe") == 0);
    CHECK_FALSE(b.service->deliveries().breaker_open());
    // While it is open, a row that is refused does not close it: only the probe does.
    b.completed(2);
    b.await("the open breaker", [&] { return b.service->deliveries().breaker_open(); });
    b.sql("update odoo_outbox set next_at = now() where odoo_id = 1 returning 1");
    b.wake();
    b.run_for(700ms);
    CHECK(b.service->deliveries().breaker_open());
    CHECK(b.erp.count("write_final 1") == 1);
}

TEST_CASE("rows for another database are never sent")
{
    delivery_bench b;
    b.erp.add(1);
    const auto id = b.batch(1, "completed", {{101, "99.5"}});
    b.sql("update mo_batch set odoo_db = 'before the restore' returning 1");
    b.owe(id, "finish");
    b.run_for(1500ms);
    CHECK(b.erp.calls.empty());
    CHECK(b.finish_state(id) == "due");
}
