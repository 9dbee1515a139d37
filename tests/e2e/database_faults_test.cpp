// PostgreSQL restarts, dies and freezes in mid-flow.
#include "e2e/expect.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace bb_test;

namespace {

// A small file system of memory that goes away with this process and its children. False: not allowed here.
bool mount_small(const std::string& directory, const std::string& size)
{
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    return ::mkdir(directory.c_str(), 0755) == 0 && ::mount("none", directory.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
}

}  // namespace

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

TEST_CASE("a full disk of PostgreSQL is told once and nothing is lost when there is room again")
{
    // Before the server is started, so that it sees it.
    const std::string small = "/tmp/batchbridge-small." + std::to_string(::getpid());
    const auto* server = ::getpwnam("postgres");
    if (::getuid() != 0 || server == nullptr || !mount_small(small, "32m")) {
        WARN("skipped: a small file system cannot be mounted here");
        return;
    }
    REQUIRE(::chown(small.c_str(), server->pw_uid, server->pw_gid) == 0);
    {
        plant_options o;
        o.plc_speed = 100;
        plant p(o);
        // The data on the small disk, the log of PostgreSQL elsewhere: a full disk there ends PostgreSQL.
        sql(p.database().uri(), "create tablespace small location '" + small + "'");
        const auto name = p.sql("select current_database()");
        sql(p.database().uri(), "alter database " + name + " set tablespace small");
        p.generate(4);
        p.start_bridge();
        wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'running'") > 0; });
        // Also what the tables have left of their pages.
        {
            std::ofstream filler(small + "/filler");
            const std::string block(4096, 'x');
            while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
            }
        }
        p.plc("/speed", R"({"speed": 500})");
        wait_until("the notice", seconds(60), [&] { return occurrences(p.bridge_log(), "database is down") >= 1; });
        CHECK_THAT(p.bridge_log(), Catch::Contains("53100"));
        CHECK(p.bridge("GET", "/readyz").status == 503);
        const auto begin = std::chrono::steady_clock::now();
        wait_until("some seconds", seconds(20), [&] { return std::chrono::steady_clock::now() - begin > seconds(5); });
        CHECK(occurrences(p.bridge_log(), "database is down") == 1);
        CHECK(occurrences(p.bridge_log(), "database is back") == 0);
        CHECK(occurrences(p.bridge_log(), " error ") == 0);
        std::filesystem::remove(small + "/filler");
        wait_until("the good news", seconds(30), [&] { return occurrences(p.bridge_log(), "database is back") == 1; });
        p.wait_archived(4, seconds(60));
        check_exact(p, 4);
        CHECK(p.stop_bridge() == 0);
    }
    ::umount2(small.c_str(), MNT_DETACH);
    ::rmdir(small.c_str());
}

TEST_CASE("slow commits delay the orders and change nothing else")
{
    plant_options o;
    o.plc_speed = 500;
    plant p(o);
    p.generate(2);
    p.start_bridge();
    wait_until("the schema", seconds(30), [&] { return !p.sql("select to_regclass('odoo_attempt')").empty(); });
    // At the commit of whatever writes a batch or a delivery.
    p.sql("create function slowly() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return null; end'");
    for (const auto* table : {"mo_batch", "odoo_outbox"})
        p.sql(std::string("create constraint trigger slowly after insert or update or delete on ") + table + " deferrable initially deferred for each row execute function slowly()");
    p.wait_archived(2, seconds(90));
    check_exact(p, 2);
    CHECK(occurrences(p.bridge_log(), "database is down") == 0);
    CHECK(occurrences(p.bridge_log(), "line taken") == 1);
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
