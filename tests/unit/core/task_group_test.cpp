// Coroutines that are started, cancelled and awaited together.
#include "core/task_group.hpp"

#include "support/catch.hpp"
#include "support/run.hpp"

#include "core/error.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <vector>

namespace asio = boost::asio;
using namespace batchbridge::core;
using namespace std::chrono_literals;

namespace {

struct bench {
    asio::io_context ioc;
    std::vector<std::string> reported;
    task_group group{ioc.get_executor(), [this](const std::string& name, std::exception_ptr e) { reported.push_back(name + ": " + describe(e)); }};
    event gate{ioc.get_executor()};

    asio::awaitable<void> wait_at_gate() { co_await gate.wait(); }
    void poll()
    {
        ioc.restart();
        ioc.poll();
    }
    // Starts a join and tells whether it has returned.
    std::shared_ptr<bool> join()
    {
        auto joined = std::make_shared<bool>(false);
        asio::co_spawn(ioc, group.join(), [joined](std::exception_ptr e) { *joined = !e; });
        return joined;
    }
};

}  // namespace

TEST_CASE("a task that throws is reported with its name and ends no other")
{
    bench b;
    bool went_on = false;
    b.group.spawn("bad", []() -> asio::awaitable<void> {
        throw std::runtime_error("broken");
        co_return;
    });
    b.group.spawn("odd", []() -> asio::awaitable<void> {
        throw 17;
        co_return;
    });
    b.group.spawn("good", [&]() -> asio::awaitable<void> {
        co_await b.gate.wait();
        went_on = true;
    });
    b.poll();
    REQUIRE(b.reported.size() == 2);
    CHECK(b.reported[0] == "bad: broken");
    CHECK(b.reported[1] == "odd: unknown exception");
    CHECK(b.group.size() == 1);
    CHECK(b.group.names() == "good");
    b.gate.set();
    b.poll();
    CHECK(went_on);
    CHECK(b.group.size() == 0);
    CHECK(b.reported.size() == 2);
}

TEST_CASE("cancel ends every task, and its cancellation is not a failure")
{
    bench b;
    int cleaned = 0;
    for (const char* name : {"a", "b", "c"}) {
        b.group.spawn(name, [&]() -> asio::awaitable<void> {
            struct cleanup {
                int& n;
                ~cleanup() { ++n; }
            } c{cleaned};
            asio::steady_timer t(b.ioc, 1h);
            co_await t.async_wait(asio::use_awaitable);
        });
    }
    b.poll();
    CHECK(b.group.names() == "a, b, c");
    const auto joined = b.join();
    b.poll();
    CHECK_FALSE(*joined);
    b.group.cancel();
    b.poll();
    CHECK(*joined);
    CHECK(cleaned == 3);
    CHECK(b.reported.empty());
}

TEST_CASE("join waits for all, for a task that cleans up after the cancel too")
{
    bench b;
    std::vector<std::string> notes;
    b.group.spawn("slow", [&]() -> asio::awaitable<void> {
        bool cancelled = false;
        try {
            co_await b.gate.wait();
        } catch (const boost::system::system_error&) {
            cancelled = true;
        }
        if (!cancelled) co_return;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        notes.push_back("cleaning");
        co_await b.gate.wait();
        notes.push_back("clean");
    });
    b.poll();
    b.group.cancel();
    const auto joined = b.join();
    b.poll();
    CHECK_FALSE(*joined);
    CHECK(b.group.names() == "slow");
    b.gate.set();
    b.poll();
    CHECK(*joined);
    CHECK(notes == std::vector<std::string>{"cleaning", "clean"});
}

TEST_CASE("join of an empty group returns at once, and a group can be used again")
{
    bench b;
    auto joined = b.join();
    b.poll();
    CHECK(*joined);
    b.group.spawn("later", [&]() { return b.wait_at_gate(); });
    joined = b.join();
    b.poll();
    CHECK_FALSE(*joined);
    b.gate.set();
    b.poll();
    CHECK(*joined);
}

TEST_CASE("two may join the same group")
{
    bench b;
    event second_gate(b.ioc.get_executor());
    b.group.spawn("first", [&]() { return b.wait_at_gate(); });
    b.group.spawn("second", [&]() -> asio::awaitable<void> { co_await second_gate.wait(); });
    const auto one = b.join(), two = b.join();
    b.poll();
    b.gate.set();
    b.poll();
    CHECK_FALSE(*one);
    CHECK_FALSE(*two);
    second_gate.set();
    b.poll();
    CHECK(*one);
    CHECK(*two);
}

TEST_CASE("a join that is itself cancelled leaves the tasks alone")
{
    bench b;
    b.group.spawn("task", [&]() { return b.wait_at_gate(); });
    asio::cancellation_signal signal;
    std::exception_ptr got;
    asio::co_spawn(b.ioc, b.group.join(), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { got = e; }));
    b.poll();
    signal.emit(asio::cancellation_type::terminal);
    b.poll();
    REQUIRE(got);
    CHECK(is_cancellation(got));
    CHECK(b.group.size() == 1);
    b.gate.set();
    b.poll();
    CHECK(b.group.size() == 0);
}

TEST_CASE("the captures of a task live as long as it does")
{
    bench b;
    std::weak_ptr<int> seen;
    int value = 0;
    {
        auto kept = std::make_shared<int>(5);
        seen = kept;
        b.group.spawn("task", [kept, &b, &value]() -> asio::awaitable<void> {
            co_await b.gate.wait();
            value = *kept;
        });
    }
    b.poll();
    CHECK_FALSE(seen.expired());
    b.gate.set();
    b.poll();
    CHECK(value == 5);
    CHECK(seen.expired());
}

TEST_CASE("a task may start another one and both are joined")
{
    bench b;
    int ran = 0;
    b.group.spawn("parent", [&]() -> asio::awaitable<void> {
        b.group.spawn("child", [&]() -> asio::awaitable<void> {
            co_await b.gate.wait();
            ++ran;
        });
        ++ran;
        co_return;
    });
    const auto joined = b.join();
    b.poll();
    CHECK_FALSE(*joined);
    CHECK(b.group.names() == "child");
    b.gate.set();
    b.poll();
    CHECK(*joined);
    CHECK(ran == 2);
}
