// PostgreSQL restarts, dies and freezes in mid-flow.
#include "e2e/expect.hpp"

using namespace bb_test;

TEST_CASE("PostgreSQL goes away in mid-flow and every order ends exactly")
{
    plant_options o;
    o.plc_speed = 300;
    plant p(o);
    p.generate(6);
    p.start_bridge();
    const auto wait_archived_some = [&](int n) { wait_until("archived orders", seconds(60), [&] { return !p.sql("select to_regclass('mo_histories')").empty() && p.count("mo_histories") >= n; }); };
    SECTION("a restart that tells its sessions")
    {
        for (int n = 1; n <= 3; ++n) {
            wait_archived_some(n);
            p.database().restart();
        }
    }
    SECTION("a crash that tells nobody")
    {
        for (int n = 1; n <= 3; ++n) {
            wait_archived_some(n);
            p.database().kill();
            p.database().start();
        }
    }
    SECTION("a server that stands still for longer than the lease")
    {
        wait_archived_some(1);
        p.database().freeze();
        const auto begin = std::chrono::steady_clock::now();
        wait_until("the lease to end", seconds(10), [&] { return std::chrono::steady_clock::now() - begin > std::chrono::seconds(2); });
        p.database().thaw();
    }
    p.wait_archived(6, seconds(90));
    check_exact(p, 6);
    CHECK(p.stop_bridge() == 0);
}

TEST_CASE("a stop does not wait for another process's migration")
{
    plant_options o;
    o.start_plc = o.start_odoo = false;
    plant p(o);
    // Another process migrates, and takes its time (the lock of pg/migrations.cpp).
    sql_session other(p.database_url());
    other.run("select pg_advisory_lock(1651663211, 1)");
    p.start_bridge();
    const auto waiting = [&p] { return p.count("pg_locks where locktype = 'advisory' and classid = 1651663211 and not granted"); };
    wait_until("batchbridge to wait for the lock", seconds(10), [&] { return waiting() == 1; });
    CHECK(p.bridge("GET", "/readyz").status == 503);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(p.stop_bridge() == 0);
    CHECK(std::chrono::steady_clock::now() - begin < seconds(2));
    CHECK(occurrences(p.bridge_log(), "error") == 0);

    // Nothing was left half done.
    other.run("select pg_advisory_unlock(1651663211, 1)");
    p.start_bridge();
    wait_until("readiness", seconds(20), [&] {
        try {
            return p.bridge("GET", "/readyz").status == 200;
        } catch (const std::exception&) {
            return false;
        }
    });
    CHECK(p.stop_bridge() == 0);
}
