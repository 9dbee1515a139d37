// Two real processes on one line, each behind proxies of its own that note what it sends: what the loser of a line does after
// its lease has run out (nothing), how soon the other one takes over, and that every order ends exactly.
#include "e2e/cycle_gap.hpp"
#include "e2e/expect.hpp"
#include "support/tcp_proxy.hpp"

#include <csignal>
#include <random>

using namespace bb_test;

namespace {

constexpr std::int64_t ms_ns = 1000000;

int port_of(const std::string& url)
{
    // http://127.0.0.1:PORT, postgresql://test@127.0.0.1:PORT/..
    return std::stoi(url.substr(url.find("127.0.0.1:") + 10));
}

std::string through(const std::string& url, int port)
{
    const auto at = url.find("127.0.0.1:") + 10;
    const auto end = url.find('/', at);
    return url.substr(0, at) + std::to_string(port) + (end == std::string::npos ? "" : url.substr(end));
}

// One batchbridge that reaches PLC, Odoo and PostgreSQL through proxies.
struct side {
    side(plant& p, const std::map<std::string, std::string>& more)
        : plc(p.plc_port()), odoo(port_of(p.environment().at("ODOO_URL"))), database(port_of(p.database_url()))
    {
        environment = more;
        environment["PLC_PORT"] = std::to_string(plc.port());
        environment["ODOO_URL"] = through(p.environment().at("ODOO_URL"), odoo.port());
        environment["DATABASE_URL"] = through(p.database_url(), database.port());
        // The two have different addresses for the one PLC.
        environment["LINE_MOVED"] = "true";
        process = p.another_bridge(environment);
    }

    int taken() const { return occurrences(process.output(), "line taken"); }
    // Writes to PLC and Odoo between two points of CLOCK_MONOTONIC.
    int writes(std::int64_t from, std::int64_t to) const
    {
        int n = 0;
        for (const auto& times : {modbus_writes(plc.sent()), odoo_writes(odoo.sent())})
            for (const auto t : times) n += t > from && t < to ? 1 : 0;
        return n;
    }
    std::int64_t first_write(std::int64_t from) const
    {
        std::int64_t first = 0;
        for (const auto& times : {modbus_writes(plc.sent()), odoo_writes(odoo.sent())})
            for (const auto t : times)
                if (t > from && (first == 0 || t < first)) first = t;
        return first;
    }

    tcp_proxy plc, odoo, database;
    std::map<std::string, std::string> environment;
    program process;
};

std::string ends_of(const side& a, const side& b)
{
    const auto tail = [](const std::string& t) { return t.substr(t.size() > 3000 ? t.size() - 3000 : 0); };
    return "the first:\n" + tail(a.process.output()) + "\nthe second:\n" + tail(b.process.output());
}

struct two_processes {
    two_processes(int percent_of_lease, double speed, int orders) : lease_ns(3000 * ms_ns * percent_of_lease / 100)
    {
        plant_options o;
        o.plc_speed = speed;
        o.environment = {{"BATCHBRIDGE_LEASE_SCALE", std::to_string(percent_of_lease)}, {"SYNC_BATCH_LIMIT", "2"}, {"PLC_READ_INTERVAL", "50ms"}, {"SYNC_INTERVAL", "300ms"}};
        p.emplace(o);
        p->generate(orders);
        a = std::make_unique<side>(*p, std::map<std::string, std::string>{});
        wait_until("the first to hold the line", seconds(30), [&] { return a->taken() == 1; });
        b = std::make_unique<side>(*p, std::map<std::string, std::string>{});
        wait_until("the second to stand by", seconds(30), [&] { return occurrences(b->process.output(), "another process holds this line") == 1; });
    }

    std::int64_t archived() { return p->sql("select to_regclass('mo_histories')").empty() ? 0 : p->count("mo_histories where status = 'completed'"); }
    void wait_archived(std::int64_t n)
    {
        try {
            wait_until(std::to_string(n) + " archived orders", seconds(60), [&] { return archived() >= n; });
            wait_until("the last acknowledgements", seconds(15), [&] { return p->count("plc_duty where done_at is null") == 0; });
        } catch (const std::exception& e) {
            throw std::runtime_error(std::string(e.what()) + "\n" + ends_of(*a, *b));
        }
    }
    // Returns the time from `from` to the taking by `winner`, in ms.
    std::int64_t wait_taken(const side& winner, int times, std::int64_t from)
    {
        wait_until("the takeover", seconds(40), [&] { return winner.taken() >= times; });
        return (now_ns() - from) / ms_ns;
    }

    std::int64_t lease_ns;
    std::optional<plant> p;
    std::unique_ptr<side> a, b;
};

}  // namespace

TEST_CASE("with the lease of the real program the other process takes over after kill -9 and after a stop")
{
    two_processes t(100, 500, 4);
    t.wait_archived(1);
    auto& p = *t.p;
    auto from = now_ns();
    t.a->process.signal(SIGKILL);
    t.a->process.wait();
    const auto after_kill = t.wait_taken(*t.b, 1, from);
    t.wait_archived(2);

    // A third process stands by, and the second stands still in the middle of its work.
    side c(p, {});
    wait_until("the third to stand by", seconds(30), [&] { return occurrences(c.process.output(), "another process holds this line") == 1; });
    // Work for the new holder, however long the third took to start.
    p.generate(2);
    from = now_ns();
    t.b->process.signal(SIGSTOP);
    const auto after_stop = t.wait_taken(c, 1, from);
    wait_until("the first write of the new holder", seconds(30), [&] { return c.first_write(from) != 0; });
    t.b->process.signal(SIGCONT);
    t.wait_archived(6);
    const auto loser = t.b->writes(from + t.lease_ns, now_ns());
    CHECK(loser == 0);
    CHECK(c.first_write(from) - from >= t.lease_ns - 1500 * ms_ns);
    CHECK(occurrences(c.process.output(), "line taken") == 1);
    check_exact(p, 6);
    WARN("takeover after kill -9: " << after_kill << " ms, after SIGSTOP: " << after_stop << " ms, its first write " << (c.first_write(from) - from) / ms_ns
                                    << " ms after the stop; writes by the loser after its lease ran out: " << loser);
}

TEST_CASE("a process that stands still for longer than its lease does nothing when it is woken")
{
    two_processes t(25, 300, 10);
    auto* holder = t.a.get();
    auto* other = t.b.get();
    std::mt19937 random(std::random_device{}());
    std::uniform_int_distribution<int> pause(0, 400);
    int loser = 0;
    std::int64_t longest = 0;
    constexpr int rounds = 4;
    for (int round = 0; round < rounds; ++round) {
        // Into whatever it is doing then.
        const auto begun = now_ns();
        const auto after = pause(random) * ms_ns;
        wait_until("the moment", seconds(10), [&] { return now_ns() - begun > after; });
        const auto taken = other->taken();
        const auto stopped = now_ns();
        holder->process.signal(SIGSTOP);
        longest = std::max(longest, t.wait_taken(*other, taken + 1, stopped));
        wait_until("more than the lease", seconds(10), [&] { return now_ns() - stopped > 3 * t.lease_ns; });
        const auto woken = now_ns();
        holder->process.signal(SIGCONT);
        wait_until("a while", seconds(10), [&] { return now_ns() - woken > 1200 * ms_ns; });
        const auto wrong = holder->writes(stopped + t.lease_ns, now_ns());
        CHECK(wrong == 0);
        loser += wrong;
        // It knows, and stands by.
        CHECK(holder->process.running());
        std::swap(holder, other);
    }
    t.wait_archived(10);
    check_exact(*t.p, 10);
    WARN(rounds << " stops: writes by the loser after its lease ran out: " << loser << ", longest takeover " << longest << " ms (lease at 25 %)");
}

TEST_CASE("a holder that is cut from the database writes nothing after its lease and the other one goes on")
{
    two_processes t(25, 300, 8);
    t.wait_archived(1);
    std::string how;
    SECTION("by a black hole")
    {
        how = "black hole";
        t.a->database.black_hole();
    }
    SECTION("by a reset")
    {
        how = "reset";
        t.a->database.cut();
    }
    const auto from = now_ns();
    const auto takeover = t.wait_taken(*t.b, 1, from);
    wait_until("more than the lease", seconds(10), [&] { return now_ns() - from > 3 * t.lease_ns; });
    wait_until("progress of the new holder", seconds(60), [&] { return t.archived() >= 3; });
    const auto in_between = t.a->writes(from + t.lease_ns, now_ns());
    CHECK(in_between == 0);
    // One state, told once.
    CHECK(occurrences(t.a->process.output(), "database is down") == 1);
    // What was under way in the cable arrives now.
    t.a->database.restore();
    wait_until("the first to stand by again", seconds(30), [&] { return occurrences(t.a->process.output(), "another process holds this line") >= 1; });
    t.wait_archived(8);
    const auto loser = t.a->writes(from + t.lease_ns, now_ns());
    CHECK(loser == 0);
    CHECK(t.a->taken() == 1);
    check_exact(*t.p, 8);
    WARN("cut by a " << how << ": takeover after " << takeover << " ms, writes by the loser after its lease ran out: " << loser << " (lease at 25 %)");
}

TEST_CASE("when PostgreSQL restarts under two processes one of them goes on and no order is made twice")
{
    two_processes t(25, 300, 8);
    for (int n = 1; n <= 3; ++n) {
        t.wait_archived(n);
        t.p->database().restart();
    }
    t.wait_archived(8);
    check_exact(*t.p, 8);
    CHECK(t.a->taken() + t.b->taken() >= 4);
}

TEST_CASE("a line whose PLC has another address is not taken until LINE_MOVED says so")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    tcp_proxy moved(p.plc_port());
    p.generate(1);
    p.start_bridge();
    wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'running'") > 0; });
    p.kill_bridge();
    auto other = p.another_bridge({{"PLC_PORT", std::to_string(moved.port())}});
    wait_until("the refusal", seconds(20), [&] { return occurrences(other.output(), "start once with LINE_MOVED=true") == 1; });
    CHECK(moved.sent().empty());
    CHECK(p.count("line where epoch = 1") == 1);
    other.signal(SIGTERM);
    CHECK(other.wait() == 0);
    CHECK(occurrences(other.output(), "LINE_MOVED") == 1);
    p.plc("/speed", R"({"speed": 500})");
    p.start_bridge({{"PLC_PORT", std::to_string(moved.port())}, {"LINE_MOVED", "true"}});
    p.wait_archived(1, seconds(60));
    check_exact(p, 1);
}

TEST_CASE("a process that is older than the schema takes no line, also one that was there before")
{
    plant p;
    p.start_bridge();
    wait_until("the line to be held", seconds(30), [&] { return occurrences(p.bridge_log(), "line taken") == 1; });
    auto standby = p.another_bridge();
    wait_until("the second to stand by", seconds(30), [&] { return occurrences(standby.output(), "another process holds this line") == 1; });
    // A newer version has migrated meanwhile.
    p.sql("insert into schema_migration (number, name, checksum) values (9999, '9999_newer.sql', '')");
    auto late = p.another_bridge();
    p.kill_bridge();
    wait_until("the standby to say so", seconds(20), [&] { return occurrences(standby.output(), "newer than this version knows") == 1; });
    wait_until("the late one to say so", seconds(20), [&] { return occurrences(late.output(), "newer than this version knows") == 1; });
    CHECK(occurrences(standby.output(), "line taken") == 0);
    CHECK(p.count("line where epoch = 1") == 1);
    p.sql("delete from schema_migration where number = 9999");
    wait_until("the taking", seconds(20), [&] { return occurrences(standby.output(), "line taken") == 1; });
    CHECK(occurrences(late.output(), "line taken") == 0);
    for (auto* one : {&standby, &late}) {
        one->signal(SIGTERM);
        CHECK(one->wait() == 0);
    }
}

TEST_CASE("a connection pooler between us and PostgreSQL is refused in words")
{
    plant_options o;
    o.start_plc = o.start_odoo = false;
    plant p(o);
    tcp_proxy pooler(port_of(p.database_url()));
    pooler.invent_process_numbers();
    p.start_bridge({{"DATABASE_URL", through(p.database_url(), pooler.port())}});
    wait_until("the refusal", seconds(20), [&] { return occurrences(p.bridge_log(), "connection pooler") >= 1; });
    const auto begin = now_ns();
    wait_until("a few more tries", seconds(10), [&] { return now_ns() - begin > 2000 * ms_ns; });
    CHECK(occurrences(p.bridge_log(), "connection pooler") == 1);
    CHECK(p.bridge("GET", "/readyz").status == 503);
    CHECK(p.stop_bridge() == 0);
}
