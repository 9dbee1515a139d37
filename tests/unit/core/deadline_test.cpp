// One deadline around any awaitable.
#include "core/deadline.hpp"

#include "support/catch.hpp"
#include "support/run.hpp"

#include "core/error.hpp"
#include "core/event.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace asio = boost::asio;
using namespace batchbridge::core;
using namespace std::chrono_literals;

namespace {

// No default constructor, move only: like a connection.
struct precious {
    explicit precious(int n) : value(std::make_unique<int>(n)) {}
    std::unique_ptr<int> value;
};

asio::awaitable<precious> make_precious()
{
    co_return precious(42);
}

asio::awaitable<void> hang(bool& ended)
{
    struct note {
        bool& flag;
        ~note() { flag = true; }
    } n{ended};
    asio::steady_timer t(co_await asio::this_coro::executor, 1h);
    co_await t.async_wait(asio::use_awaitable);
}

// Ignores the cancel and succeeds all the same.
asio::awaitable<int> stubborn(bool& finished)
{
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    asio::steady_timer t(co_await asio::this_coro::executor, 60ms);
    co_await t.async_wait(asio::use_awaitable);
    finished = true;
    co_return 7;
}

asio::awaitable<int> fail()
{
    throw error(error_kind::rejected, "write", "somewhere", "no");
    co_return 0;
}

// What with_deadline did with `op`: "timed out", "cancelled", or the message.
asio::awaitable<std::string> outcome(std::chrono::steady_clock::duration limit, asio::awaitable<void> op)
{
    std::exception_ptr e;
    try {
        co_await with_deadline(limit, std::move(op));
    } catch (...) {
        e = std::current_exception();
    }
    if (!e) co_return "done";
    if (is_cancellation(e)) co_return "cancelled";
    try {
        std::rethrow_exception(e);
    } catch (const timed_out&) {
        co_return "timed out";
    } catch (const std::exception& ex) {
        co_return ex.what();
    }
}

asio::awaitable<void> nested(bool& ended, std::string& inner)
{
    inner = co_await outcome(1h, hang(ended));
    if (inner == "cancelled") throw boost::system::system_error(asio::error::operation_aborted);
}

}  // namespace

TEST_CASE("a result passes through the deadline, one that cannot be default constructed too")
{
    bb_test::run([]() -> asio::awaitable<void> {
        const auto p = co_await with_deadline(10s, make_precious());
        CHECK(*p.value == 42);
    });
}

TEST_CASE("hung work ends at its deadline, and has ended when the caller goes on (L-15)")
{
    bb_test::run([]() -> asio::awaitable<void> {
        bool ended = false;
        const auto begin = std::chrono::steady_clock::now();
        const auto what = co_await outcome(40ms, hang(ended));
        const auto took = std::chrono::steady_clock::now() - begin;
        CHECK(what == "timed out");
        CHECK(ended);
        CHECK(took >= 40ms);
        CHECK(took < 5s);
    });
}

TEST_CASE("the operation's own error passes at once, it is not reported as a timeout")
{
    bb_test::run([]() -> asio::awaitable<void> {
        const auto begin = std::chrono::steady_clock::now();
        std::string what;
        try {
            co_await with_deadline(20s, fail());
        } catch (const error& e) {
            what = e.what();
        }
        CHECK(what == "write on somewhere failed: no");
        CHECK(std::chrono::steady_clock::now() - begin < 5s);
    });
}

TEST_CASE("a refused connection is an error of the connection and not a timeout")
{
    bb_test::run([]() -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::ip::tcp::endpoint closed;
        {
            asio::ip::tcp::acceptor a(executor, {asio::ip::address_v4::loopback(), 0});
            closed = a.local_endpoint();
        }
        asio::ip::tcp::socket s(executor);
        const auto what = co_await outcome(20s, s.async_connect(closed, asio::use_awaitable));
        CHECK(what.find("refused") != std::string::npos);
    });
}

TEST_CASE("work that ignores its cancel and then succeeds is still late: its outcome is unknown")
{
    bb_test::run([]() -> asio::awaitable<void> {
        bool finished = false, late = false;
        try {
            co_await with_deadline(5ms, stubborn(finished));
        } catch (const timed_out&) {
            late = true;
        }
        CHECK(late);
        CHECK(finished);
    });
}

TEST_CASE("a cancelled caller sees cancellation, not a timeout, and its work has ended")
{
    asio::io_context ioc;
    asio::cancellation_signal signal;
    bool ended = false;
    std::exception_ptr got;
    asio::co_spawn(ioc, with_deadline(1h, hang(ended)), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { got = e; }));
    ioc.poll();
    CHECK_FALSE(ended);
    signal.emit(asio::cancellation_type::terminal);
    ioc.restart();
    ioc.run_for(5s);
    CHECK(ended);
    REQUIRE(got);
    CHECK(is_cancellation(got));
}

TEST_CASE("deadlines nest, the outer one wins")
{
    bb_test::run([]() -> asio::awaitable<void> {
        bool ended = false;
        std::string inner;
        const auto what = co_await outcome(30ms, nested(ended, inner));
        CHECK(what == "timed out");
        CHECK(inner == "cancelled");
        CHECK(ended);
    });
}

TEST_CASE("a deadline that has already passed ends the work, whatever it is")
{
    bb_test::run([]() -> asio::awaitable<void> {
        bool ended = false;
        const auto what = co_await outcome(-1s, hang(ended));
        CHECK(what == "timed out");
        CHECK(ended);
    });
}
