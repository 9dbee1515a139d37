// Blocking calls on a thread of their own. The loop is always declared first: it must outlive the thread.
#include "core/blocking_thread.hpp"

#include "support/catch.hpp"
#include "support/run.hpp"

#include "core/deadline.hpp"
#include "core/error.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <future>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace batchbridge::core;
using namespace std::chrono_literals;

TEST_CASE("a blocking call runs off the loop's thread and the caller goes on on it (L-14)")
{
    asio::io_context ioc;
    blocking_thread thread;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        const auto loop = std::this_thread::get_id();
        const auto first = co_await thread.run([] { return std::this_thread::get_id(); });
        CHECK(first != loop);
        CHECK(std::this_thread::get_id() == loop);
        const auto second = co_await thread.run([] { return std::this_thread::get_id(); });
        CHECK(first == second);
    });
}

TEST_CASE("the loop turns while a call blocks (L-14)")
{
    asio::io_context ioc;
    blocking_thread thread;
    std::promise<void> release;
    int turns = 0;
    bool done = false;
    auto work = [&]() -> asio::awaitable<void> {
        co_await thread.run([&] { release.get_future().wait(); });
        done = true;
    };
    auto other = [&]() -> asio::awaitable<void> {
        // Many turns of the loop, none of which the blocked call holds up; only then it is let go.
        for (; turns < 100; ++turns) co_await asio::post(ioc, asio::use_awaitable);
        CHECK_FALSE(done);
        release.set_value();
    };
    asio::co_spawn(ioc, work, asio::detached);
    asio::co_spawn(ioc, other, asio::detached);
    ioc.run_for(20s);
    CHECK(turns == 100);
    CHECK(done);
}

TEST_CASE("the value comes back, whatever type it has")
{
    asio::io_context ioc;
    blocking_thread thread;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        struct no_default {
            explicit no_default(int n) : value(n) {}
            int value;
        };
        const auto three = co_await thread.run([] { return no_default(3); });
        CHECK(three.value == 3);
        const auto unique = co_await thread.run([] { return std::make_unique<int>(4); });
        CHECK(*unique == 4);
        auto moved_in = std::make_unique<int>(5);
        auto call = [p = std::move(moved_in)] { return *p + 1; };
        const int six = co_await thread.run(std::move(call));
        CHECK(six == 6);
        bool ran = false;
        co_await thread.run([&ran] { ran = true; });
        CHECK(ran);
    });
}

TEST_CASE("an exception of the call is thrown to its caller, and the thread goes on")
{
    asio::io_context ioc;
    blocking_thread thread;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        std::string text;
        try {
            co_await thread.run([]() -> int { throw error(error_kind::timeout, "FC03 read 6000+77", "plc 10.0.0.5:502 unit 1", "no answer"); });
        } catch (const error& e) {
            text = e.what();
            CHECK(e.kind() == error_kind::timeout);
        }
        CHECK(text == "FC03 read 6000+77 on plc 10.0.0.5:502 unit 1 failed: no answer");
        std::exception_ptr odd;
        try {
            co_await thread.run([] { throw 17; });
        } catch (...) {
            odd = std::current_exception();
        }
        CHECK(odd);
        const int next = co_await thread.run([] { return 1; });
        CHECK(next == 1);
    });
}

TEST_CASE("the call's captures are gone when its caller goes on")
{
    asio::io_context ioc;
    blocking_thread thread;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 500; ++i) {
            auto kept = std::make_shared<int>(i);
            const std::weak_ptr<int> seen = kept;
            auto call = [kept = std::move(kept)] { return *kept; };
            const int value = co_await thread.run(std::move(call));
            REQUIRE(value == i);
            REQUIRE(seen.expired());
        }
    });
}

TEST_CASE("calls run one at a time in the order they were asked for")
{
    asio::io_context ioc;
    blocking_thread thread;
    std::vector<int> order;
    std::atomic<int> inside{0};
    bool overlapped = false;
    const std::function<asio::awaitable<void>(int)> call = [&](int i) -> asio::awaitable<void> {
        co_await thread.run([&, i] {
            overlapped = overlapped || ++inside > 1;
            order.push_back(i);
            --inside;
        });
    };
    for (int i = 0; i < 200; ++i) asio::co_spawn(ioc, call(i), asio::detached);
    ioc.run_for(20s);
    REQUIRE(order.size() == 200);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK_FALSE(overlapped);
}

TEST_CASE("shutdown waits for the call in progress, not for ever and not for less")
{
    asio::io_context ioc;
    auto thread = std::make_unique<blocking_thread>();
    std::promise<void> entered, release;
    std::atomic<bool> left{false};
    bool resumed = false;
    auto work = [&]() -> asio::awaitable<void> {
        co_await thread->run([&] {
            entered.set_value();
            release.get_future().wait();
            left = true;
        });
        resumed = true;
    };
    asio::co_spawn(ioc, work, asio::detached);
    ioc.poll();
    entered.get_future().wait();
    std::thread unblock([&] { release.set_value(); });
    thread.reset();
    CHECK(left);
    unblock.join();
    ioc.run_for(5s);
    CHECK(resumed);
}

TEST_CASE("a deadline cannot cut a blocking call: it waits and then says that it was late")
{
    asio::io_context ioc;
    blocking_thread thread;
    std::promise<void> release;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        bool ended = false, late = false;
        auto hold = [&release, &ended] {
            release.get_future().wait_for(80ms);
            ended = true;
        };
        try {
            co_await with_deadline(5ms, thread.run(std::move(hold)));
        } catch (const timed_out&) {
            late = true;
        }
        CHECK(late);
        CHECK(ended);
    });
}
