#include "pg/pool.hpp"
#include "pg_proxy.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace pg = batchbridge::pg;
namespace core = batchbridge::core;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

TEST_CASE("the pool never opens more sessions than its size, and serves callers in turn (L-13)")
{
    auto& server = bb_test::shared_postgres();
    const auto uri = server.create_database("pooltest");
    asio::io_context ioc;
    pg::pool pool(ioc.get_executor(), uri, 2);
    std::vector<int> served;
    int most = 0, now = 0, left = 12;
    const auto work = [&](int i) -> asio::awaitable<void> {
        for (int k = 0; k < 3; ++k) {
            auto c = co_await pool.acquire();
            if (k == 0) served.push_back(i);
            most = std::max(most, ++now);
            co_await c->query("select pg_sleep(0.001)");
            --now;
        }
        if (--left == 0) ioc.stop();
    };
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        auto a = co_await pool.acquire();
        auto b = co_await pool.acquire();
    });
    ioc.restart();
    for (int i = 0; i < 12; ++i) asio::co_spawn(ioc, work(i), asio::detached);
    ioc.run_for(20s);
    CHECK(left == 0);
    CHECK(most == 2);
    CHECK(pool.acquired() == 2 + 36);
    CHECK(served.size() == 12);
    CHECK(std::is_sorted(served.begin(), served.end()));
    CHECK(std::stoi(bb_test::sql_value(server.uri(), "select count(*) from pg_stat_activity where datname = 'pooltest'")) == 2);
}

TEST_CASE("waiting for a connection has a limit, and a cancelled waiter takes none")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    pg::pool pool(ioc.get_executor(), uri, 1);
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        {
            auto held = co_await pool.acquire();
            const auto start = clock_type::now();
            std::optional<core::error_kind> kind;
            try {
                co_await pool.acquire(50ms);
            } catch (const pg::error& e) {
                kind = e.kind();
            }
            CHECK(kind == core::error_kind::timeout);
            CHECK(clock_type::now() - start < 1s);

            asio::cancellation_signal signal;
            std::exception_ptr end;
            const auto waiter = [&]() -> asio::awaitable<void> { co_await pool.acquire(); };
            asio::co_spawn(ioc, waiter, asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { end = e; }));
            co_await asio::post(ioc, asio::use_awaitable);
            signal.emit(asio::cancellation_type::terminal);
            while (!end) co_await asio::post(ioc, asio::use_awaitable);
            CHECK(core::is_cancellation(end));
        }
        auto c = co_await pool.acquire(50ms);
        const auto r = co_await c->query("select 1");
        CHECK(r.at(0, 0).as_int() == 1);
    });
}

TEST_CASE("after a restart of PostgreSQL the pool's idle sessions are replaced without an error")
{
    bb_test::postgres server;
    const auto uri = server.create_database();
    asio::io_context ioc;
    pg::pool pool(ioc.get_executor(), uri, 3);
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        {
            auto a = co_await pool.acquire();
            auto b = co_await pool.acquire();
            auto c = co_await pool.acquire();
        }
        server.restart();
        for (int i = 0; i < 3; ++i) {
            auto c = co_await pool.acquire();
            const auto r = co_await c->query("select 1");
            CHECK(r.at(0, 0).as_int() == 1);
        }
        server.stop();
        std::optional<core::error_kind> kind;
        const auto start = clock_type::now();
        try {
            co_await pool.acquire();
        } catch (const pg::error& e) {
            kind = e.kind();
        }
        CHECK(kind == core::error_kind::unavailable);
        CHECK(clock_type::now() - start < 500ms);
        server.start();
        auto c = co_await pool.acquire();
        const auto r = co_await c->query("select 1");
        CHECK(r.at(0, 0).as_int() == 1);
    });
}

TEST_CASE("a server that swallows connections costs one caller the wait, the others fail at once")
{
    auto& server = bb_test::shared_postgres();
    asio::io_context ioc;
    bb_test::pg_proxy proxy(ioc, server.port());
    proxy.fall_silent();
    pg::pool pool(ioc.get_executor(), proxy.uri("postgres"), 1);
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        const auto timed = [&]() -> asio::awaitable<std::pair<core::error_kind, core::duration>> {
            const auto start = clock_type::now();
            auto kind = core::error_kind::internal;
            try {
                co_await pool.acquire(150ms);
            } catch (const pg::error& e) {
                kind = e.kind();
            }
            co_return std::make_pair(kind, clock_type::now() - start);
        };
        const auto first = co_await timed();
        CHECK(first.first == core::error_kind::timeout);
        CHECK(first.second >= 100ms);
        const auto second = co_await timed();
        CHECK(second.first == core::error_kind::timeout);
        CHECK(second.second < 50ms);
    });
}
