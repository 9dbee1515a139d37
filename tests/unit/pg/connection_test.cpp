#include "core/deadline.hpp"
#include "pg/connection.hpp"
#include "pg_proxy.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

namespace pg = batchbridge::pg;
namespace core = batchbridge::core;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

// The error an awaitable ends with; fails the case when it ends well.
template <class F>
asio::awaitable<pg::error> error_of(F f)
{
    std::optional<pg::error> caught;
    try {
        co_await f();
    } catch (const pg::error& e) {
        caught = e;
    }
    if (!caught) throw std::runtime_error("no error was thrown");
    co_return *caught;
}

}  // namespace

TEST_CASE("a session has time limits, UTC and our name")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        CHECK_FALSE(c.is_open());
        co_await c.connect(5s);
        CHECK(c.is_alive());
        const auto r = co_await c.query("select current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('TimeZone'), current_setting('application_name'), "
                                        "current_setting('idle_in_transaction_session_timeout')");
        CHECK(r.at(0, 0).text() == "5s");
        CHECK(r.at(0, 1).text() == "3s");
        CHECK(r.at(0, 2).text() == "UTC");
        CHECK(r.at(0, 3).text() == "batchbridge");
        CHECK(r.at(0, 4).text() == "10s");
    });
}

TEST_CASE("several hosts are tried in order, names and sockets too")
{
    auto& server = bb_test::shared_postgres();
    server.create_database("many_hosts");
    const auto dead = std::to_string(1);
    const auto uri = GENERATE_REF(values<std::string>({"postgresql://test@127.0.0.1:" + dead + ",localhost:" + std::to_string(server.port()) + "/many_hosts?target_session_attrs=read-write",
                                                       "postgresql://test@no-such-host.invalid:5432,127.0.0.1:" + std::to_string(server.port()) + "/many_hosts", server.socket_uri("many_hosts")}));
    CAPTURE(uri);
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        const auto r = co_await c.query("select current_database()");
        CHECK(r.at(0, 0).text() == "many_hosts");
    });
    bb_test::sql(server.uri(), "drop database many_hosts with (force)");
}

TEST_CASE("an error that PostgreSQL reports leaves the session usable")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        const auto e = co_await error_of([&] { return c.query("select no_such_column"); });
        CHECK(e.kind() == core::error_kind::rejected);
        CHECK(e.peer_code() == "42703");
        CHECK_THAT(e.what(), Catch::Contains("no_such_column") && Catch::Contains("127.0.0.1"));
        CHECK(c.is_open());
        const auto r = co_await c.query("select 1");
        CHECK(r.at(0, 0).as_int() == 1);
    });
}

TEST_CASE("a pipeline is one transaction: an error undoes all of it and names its statement")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        co_await c.script("create table t (id int primary key, word text); create table u (id int primary key references t (id) deferrable initially deferred)");
        std::vector<pg::statement> good;
        good.emplace_back("insert into t values ($1, $2), ($3, null)").bind(1).bind("one").bind(2);
        good.emplace_back("select word from t order by id");
        good.emplace_back("update t set word = 'x' where id = 99");
        const auto results = co_await c.pipeline(good);
        REQUIRE(results.size() == 3);
        CHECK(results[0].affected() == 2);
        REQUIRE(results[1].rows() == 2);
        CHECK(results[1].at(0, 0).text() == "one");
        CHECK(results[1].at(1, 0).is_null());
        CHECK(results[2].affected() == 0);

        std::vector<pg::statement> bad;
        bad.emplace_back("insert into t values (3)");
        bad.emplace_back("insert into t values (1)");
        bad.emplace_back("insert into t values (4)");
        const auto e = co_await error_of([&] { return c.pipeline(bad); });
        CHECK(e.peer_code() == "23505");
        CHECK_THAT(e.what(), Catch::Contains("insert into t values (1)") && Catch::Contains("t_pkey"));

        // A deferred constraint fails at the commit, after every statement went well.
        std::vector<pg::statement> late;
        late.emplace_back("insert into t values (5)");
        late.emplace_back("insert into u values (77)");
        const auto at_commit = co_await error_of([&] { return c.pipeline(late); });
        CHECK(at_commit.peer_code() == "23503");
        CHECK(c.is_open());

        const auto left = co_await c.query("select count(*) from t");
        CHECK(left.at(0, 0).as_int() == 2);
    });
}

TEST_CASE("a pipeline without statements, and one with very many, end")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        const std::vector<pg::statement> none;
        const auto nothing = co_await c.pipeline(none);
        CHECK(nothing.empty());
        // Both sides have more to say than the sockets hold: neither may wait for the other.
        std::vector<pg::statement> many;
        for (int i = 0; i < 60; ++i) many.emplace_back("select $1::text || repeat('y', 200000)").bind(std::string(200000, 'x'));
        const auto results = co_await c.pipeline(many);
        REQUIRE(results.size() == 60);
        CHECK(results.back().at(0, 0).text().size() == 400000);
    });
}

TEST_CASE("a parameter of 20 MB passes")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        std::string big(20'000'000, 'a');
        big.back() = 'z';
        pg::statement s("select length($1), right($1, 1), $1");
        s.bind(big);
        const auto r = co_await c.query(s);
        CHECK(r.at(0, 0).as_int() == 20'000'000);
        CHECK(r.at(0, 1).text() == "z");
        CHECK(r.at(0, 2).text() == big);
    });
}

TEST_CASE("PostgreSQL ends a statement and a lock wait that take too long, and the session goes on")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri), other(ioc.get_executor(), uri);
        co_await c.connect(5s);
        co_await other.connect(5s);
        co_await c.query("set statement_timeout = '60ms'");
        const auto slow = co_await error_of([&] { return c.query("select pg_sleep(5)"); });
        CHECK(slow.kind() == core::error_kind::timeout);
        CHECK(slow.peer_code() == "57014");
        co_await c.query("set statement_timeout = '5s'");
        co_await c.query("set lock_timeout = '60ms'");
        co_await other.query("select pg_advisory_lock(7)");
        const auto locked = co_await error_of([&] { return c.query("select pg_advisory_lock(7)"); });
        CHECK(locked.kind() == core::error_kind::timeout);
        CHECK(locked.peer_code() == "55P03");
        CHECK(c.is_open());
    });
}

TEST_CASE("a deadline closes the session: a late answer cannot meet the next question (L-32)")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        const auto start = clock_type::now();
        const auto e = co_await error_of([&] { return c.query("select 'late', pg_sleep(2)", 80ms); });
        CHECK(clock_type::now() - start < 1s);
        CHECK(e.kind() == core::error_kind::timeout);
        CHECK_THAT(e.what(), Catch::Contains("80ms"));
        CHECK_FALSE(c.is_open());
        const auto closed = co_await error_of([&] { return c.query("select 1"); });
        CHECK(closed.kind() == core::error_kind::unavailable);
        co_await c.connect(5s);
        const auto r = co_await c.query("select 'fresh'");
        CHECK(r.at(0, 0).text() == "fresh");
    });
}

TEST_CASE("a cancelled caller leaves at once and the session is closed")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    pg::connection c(ioc.get_executor(), uri);
    asio::cancellation_signal signal;
    std::exception_ptr end;
    const auto start = clock_type::now();
    const auto body = [&]() -> asio::awaitable<void> {
        co_await c.connect(5s);
        asio::post(ioc, [&] { signal.emit(asio::cancellation_type::terminal); });
        co_await c.query("select pg_sleep(3)");
    };
    asio::co_spawn(ioc, body, asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { end = e; }));
    ioc.run();
    CHECK(core::is_cancellation(end));
    CHECK(clock_type::now() - start < 2s);
    CHECK_FALSE(c.is_open());
}

TEST_CASE("a server that stops answering is a timeout, for connecting too")
{
    auto& server = bb_test::shared_postgres();
    server.create_database("silent");
    asio::io_context ioc;
    bb_test::pg_proxy proxy(ioc, server.port());
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), proxy.uri("silent"));
        co_await c.connect(5s);
        proxy.fall_silent();
        const auto e = co_await error_of([&] { return c.query("select 1", 80ms); });
        CHECK(e.kind() == core::error_kind::timeout);
        const auto again = co_await error_of([&] { return c.connect(80ms); });
        CHECK(again.kind() == core::error_kind::timeout);
        CHECK_FALSE(c.is_open());
    });
}

TEST_CASE("a connection pooler in between is refused by name")
{
    auto& server = bb_test::shared_postgres();
    server.create_database("pooled");
    asio::io_context ioc;
    bb_test::pg_proxy proxy(ioc, server.port());
    proxy.invent_process_numbers();
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), proxy.uri("pooled"));
        const auto e = co_await error_of([&] { return c.connect(5s); });
        CHECK(e.kind() == core::error_kind::rejected);
        CHECK_THAT(e.what(), Catch::Contains("connection pooler"));
        CHECK_FALSE(c.is_open());
    });
}

TEST_CASE("no error text holds the password")
{
    asio::io_context ioc;
    const auto port = std::to_string(bb_test::shared_postgres().port());
    const auto uri = GENERATE_REF(values<std::string>({"postgresql://test:hunter2@127.0.0.1:1/db", "postgresql://nobody_here:hunter2@127.0.0.1:" + port + "/no_such_database",
                                                       "postgresql://test@127.0.0.1:1/db?password=hunter2", "postgresql://test:hunter2@[::1/db", "postgresql://test:hunter2%zz@127.0.0.1/db",
                                                       "postgresql://test:hunter2@127.0.0.1:1/db?no_such_option=hunter2", "postgresql://test:hunter2@no-such-host.invalid/db", "hunter2"}));
    CAPTURE(uri);
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        const auto e = co_await error_of([&] { return c.connect(5s); });
        CAPTURE(e.what());
        CHECK(std::string(e.what()).find("hunter2") == std::string::npos);
        CHECK(e.reason().size() > 10);
    });
}

TEST_CASE("after a restart the session is found dead without asking, and can be opened again")
{
    bb_test::postgres server;
    const bool killed = GENERATE(false, true);
    const auto uri = server.create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri), d(ioc.get_executor(), uri), e(ioc.get_executor(), uri);
        co_await c.connect(5s);
        co_await d.connect(5s);
        co_await e.connect(5s);
        if (killed) server.kill();
        else server.stop();
        const auto refused = co_await error_of([&] { return d.query("select 1"); });
        CHECK(refused.kind() == core::error_kind::unavailable);
        CHECK_FALSE(d.is_open());
        std::vector<pg::statement> two;
        two.emplace_back("select 1");
        two.emplace_back("select 2");
        const auto piped = co_await error_of([&] { return e.pipeline(two); });
        CHECK(piped.kind() == core::error_kind::unavailable);
        CHECK_FALSE(e.is_open());
        const auto down = co_await error_of([&] { return d.connect(5s); });
        CHECK(down.kind() == core::error_kind::unavailable);
        server.start();
        CHECK_FALSE(c.is_alive());
        co_await c.connect(5s);
        const auto r = co_await c.query("select 1");
        CHECK(r.at(0, 0).as_int() == 1);
    });
}
