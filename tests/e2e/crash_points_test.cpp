// A crash at each of the named steps that touch database, PLC or Odoo, one after the other, and not by luck.
#include "e2e/expect.hpp"

using namespace bb_test;

TEST_CASE("a crash at every named step leaves every order exact (L-05, L-07, L-18, L-36, L-39)")
{
    const std::vector<std::string> points{"sync.fetched", "sync.staged", "load.loading", "load.written", "load.verified", "load.arming", "load.armed", "read.before_commit", "read.committed",
                                          "duty.before", "duty.after", "odoo.attempt_committed", "odoo.answered", "finish.guarded", "finish.values", "finish.written", "finish.marked", "finish.recorded",
                                          "archive.before", "archive.after"};
    plant_options o;
    o.plc_speed = 2000;
    o.environment = {{"SYNC_BATCH_LIMIT", "2"}, {"PLC_READ_INTERVAL", "50ms"}, {"PROCESS_COMPLETED_INTERVAL", "300ms"}, {"SYNC_INTERVAL", "500ms"}};
    plant p(o);
    int orders = 0;
    for (const auto& point : points) {
        INFO(point);
        p.generate(2);
        orders += 2;
        p.start_bridge({{"BATCHBRIDGE_CRASH_AT", point}});
        wait_until("the crash at " + point, seconds(40), [&] { return !p.bridge_runs(); });
    }
    p.start_bridge();
    p.wait_archived(orders, seconds(90));
    check_exact(p, orders);
}
