// The session that carries the lines' locks, against a real PostgreSQL: who holds a line, and until when it may act.
#include "store/line_locks.hpp"

#include "store_bench.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <thread>

using namespace bb_test;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

// Far enough apart for a busy machine, and in the order that the design asks for: the lease ends before the session does.
store::lease_times quick()
{
    store::lease_times t;
    t.heartbeat = 50ms;
    t.valid_for = 600ms;
    t.idle_session_timeout = 1200ms;
    t.statement_timeout = 500ms;
    return t;
}

struct locks_bench : store_bench {
    store::line_locks one{ioc.get_executor(), uri, quick()}, two{ioc.get_executor(), uri, quick()};

    int sessions_with_lock() const { return count("pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"); }
    // The loop goes on; what it has to do may be nothing.
    void pass(core::duration time)
    {
        const auto until = clock_type::now() + time;
        while (clock_type::now() < until) {
            ioc.restart();
            ioc.poll();
            std::this_thread::sleep_for(5ms);
        }
    }
    void end_lock_session()
    {
        change("select pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())");
    }
};

// Stands still while this lives, whatever the test does.
struct frozen {
    frozen() { shared_postgres().freeze(); }
    ~frozen() { shared_postgres().thaw(); }
    frozen(const frozen&) = delete;
    frozen& operator=(const frozen&) = delete;
};

}  // namespace

TEST_CASE("a line's lock is had once, by one session")
{
    locks_bench b;
    CHECK_FALSE(b.one.connected());
    CHECK_FALSE(b.one.valid());
    b.await(b.one.connect());
    b.await(b.two.connect());
    CHECK(b.one.connected());
    CHECK(b.one.valid());
    CHECK(b.await(b.one.try_lock("line1")));
    CHECK_FALSE(b.await(b.two.try_lock("line1")));
    // Each line has a lock of its own.
    CHECK(b.await(b.two.try_lock("line2")));
    CHECK_FALSE(b.await(b.one.try_lock("line2")));
    CHECK(b.sessions_with_lock() == 2);
    b.await(b.one.unlock("line1"));
    CHECK(b.await(b.two.try_lock("line1")));
}

TEST_CASE("a lock is free again when its session is closed")
{
    locks_bench b;
    b.await(b.one.connect());
    b.await(b.two.connect());
    REQUIRE(b.await(b.one.try_lock("line1")));
    b.one.close();
    CHECK_FALSE(b.one.connected());
    CHECK_FALSE(b.one.valid());
    // PostgreSQL notices within a moment.
    b.finish([&] { return b.await(b.two.try_lock("line1")); });
    CHECK(b.sessions_with_lock() == 1);
}

TEST_CASE("PostgreSQL ends a session that falls silent, and its lease has ended before")
{
    locks_bench b;
    b.await(b.one.connect());
    b.await(b.two.connect());
    REQUIRE(b.await(b.one.try_lock("line1")));
    const auto last_word = clock_type::now();
    bool valid_when_taken = true;
    b.finish([&] {
        // A new lease on every turn, or the second session would be ended like the first.
        b.await(b.two.heartbeat());
        const bool taken = b.await(b.two.try_lock("line1"));
        if (taken) valid_when_taken = b.one.valid();
        return taken;
    });
    CHECK(clock_type::now() - last_word >= quick().idle_session_timeout - 50ms);
    CHECK_FALSE(valid_when_taken);
    // The first one learns of it by its next word.
    CHECK_THROWS_AS(b.await(b.one.heartbeat()), pg::error);
    CHECK_FALSE(b.one.connected());
    CHECK_FALSE(b.one.valid());
}

TEST_CASE("a lease holds while heartbeats are answered and ends valid_for after the last one")
{
    locks_bench b;
    b.await(b.one.connect());
    const auto begin = clock_type::now();
    while (clock_type::now() - begin < 3 * quick().valid_for) {
        b.await(b.one.heartbeat());
        CHECK(b.one.valid());
        b.pass(quick().heartbeat);
    }
    b.pass(quick().valid_for);
    CHECK_FALSE(b.one.valid());
    // It had only nothing to say: the session is there, and one heartbeat renews the lease.
    CHECK(b.one.connected());
    b.await(b.one.heartbeat());
    CHECK(b.one.valid());
}

TEST_CASE("a lease counts from when the heartbeat was sent, not from its answer")
{
    locks_bench b;
    outcome<void> answer;
    clock_type::time_point sent;
    const auto slowly = [&](asio::awaitable<void> call) {
        {
            const frozen server;
            b.start(std::move(call), answer);
            b.pass(20ms);
            sent = clock_type::now();   // at the latest
            b.pass(380ms);
            CHECK_FALSE(answer.ended());
        }
        b.finish([&] { return answer.ended(); });
    };
    SECTION("a heartbeat")
    {
        b.await(b.one.connect());
        slowly(b.one.heartbeat());
    }
    SECTION("the first one of all is the connect")
    {
        slowly(b.one.connect());
    }
    REQUIRE(answer.value);
    const auto answered = clock_type::now();
    b.pass(sent + quick().valid_for - clock_type::now());
    CHECK_FALSE(b.one.valid());
    // Else this test shows nothing.
    CHECK(clock_type::now() < answered + quick().valid_for);
}

TEST_CASE("any error ends the session, its locks and its lease at once")
{
    locks_bench b;
    b.await(b.one.connect());
    b.await(b.two.connect());
    REQUIRE(b.await(b.one.try_lock("line1")));
    b.await(b.one.heartbeat());
    REQUIRE(b.one.valid());
    SECTION("a session that PostgreSQL ended")
    {
        b.end_lock_session();
        CHECK_THROWS_AS(b.await(b.one.heartbeat()), pg::error);
    }
    SECTION("an error that PostgreSQL reports, after which the session would be usable")
    {
        // Found before PostgreSQL's own by a session that was made since.
        b.change("create function public.hashtext(text) returns int language plpgsql as 'begin raise exception ''no''; end'");
        b.change("do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$");
        b.one.close();
        b.await(b.one.connect());
        REQUIRE(b.one.valid());
        CHECK_THROWS_AS(b.await(b.one.try_lock("line1")), pg::error);
        b.change("drop function public.hashtext(text)");
    }
    SECTION("no answer in time")
    {
        const frozen server;
        CHECK_THROWS_AS(b.await(b.one.heartbeat()), pg::error);
    }
    CHECK_FALSE(b.one.connected());
    CHECK_FALSE(b.one.valid());
    CHECK_THROWS_AS(b.await(b.one.heartbeat()), pg::error);
    CHECK_THROWS_AS(b.await(b.one.try_lock("line1")), pg::error);

    // A new session starts anew: a lease, and no lock.
    b.await(b.one.connect());
    CHECK(b.one.connected());
    CHECK(b.one.valid());
    b.finish([&] { return b.await(b.one.try_lock("line1")); });
    CHECK_FALSE(b.await(b.two.try_lock("line1")));
}

TEST_CASE("a session that cannot be made holds nothing")
{
    locks_bench b;
    store::line_locks nowhere(b.ioc.get_executor(), "postgresql://test@127.0.0.1:1/none", quick());
    CHECK_THROWS_AS(b.await(nowhere.connect()), pg::error);
    CHECK_FALSE(nowhere.connected());
    CHECK_FALSE(nowhere.valid());
    CHECK_THROWS_AS(b.await(nowhere.heartbeat()), pg::error);
}

TEST_CASE("heartbeats and locks that are asked for at once take turns on the session")
{
    locks_bench b;
    b.await(b.one.connect());
    outcome<void> beats[3];
    outcome<bool> lock;
    const std::string line = "line1";
    b.start(b.one.heartbeat(), beats[0]);
    b.start(b.one.try_lock(line), lock);
    b.start(b.one.heartbeat(), beats[1]);
    b.start(b.one.heartbeat(), beats[2]);
    b.finish([&] { return lock.ended() && beats[0].ended() && beats[1].ended() && beats[2].ended(); });
    CHECK(lock.value == true);
    for (const auto& o : beats) CHECK(o.value);
    CHECK(b.one.valid());
}

TEST_CASE("test builds scale every constant of the lease by the same factor")
{
    const char* before = std::getenv("BATCHBRIDGE_LEASE_SCALE");
    const std::string kept = before == nullptr ? "" : before;
    ::setenv("BATCHBRIDGE_LEASE_SCALE", "25", 1);
    const auto scaled = store::lease_times::for_this_build();
    ::unsetenv("BATCHBRIDGE_LEASE_SCALE");
    const auto whole = store::lease_times::for_this_build();
    if (before != nullptr) ::setenv("BATCHBRIDGE_LEASE_SCALE", kept.c_str(), 1);
    CHECK(whole.heartbeat == 1s);
    CHECK(whole.valid_for == 3s);
    CHECK(whole.idle_session_timeout == 4s);
    CHECK(whole.write_delay == 3s);
    CHECK(whole.statement_timeout == 2s);
    CHECK(scaled.heartbeat * 4 == whole.heartbeat);
    CHECK(scaled.valid_for * 4 == whole.valid_for);
    CHECK(scaled.idle_session_timeout * 4 == whole.idle_session_timeout);
    CHECK(scaled.write_delay * 4 == whole.write_delay);
    CHECK(scaled.statement_timeout * 4 == whole.statement_timeout);
}
