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
