// Events and locks between coroutines of one loop. Steps are driven with poll(): nothing here waits for time.
#include "core/event.hpp"

#include "support/catch.hpp"
#include "support/run.hpp"

#include "core/error.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using batchbridge::core::async_mutex;
using batchbridge::core::event;
using batchbridge::core::is_cancellation;

namespace {

using body = std::function<asio::awaitable<void>()>;

// Coroutines that can be cancelled one by one, and a note of what happened in which order.
struct bench {
    asio::io_context ioc;
    std::vector<std::string> notes;
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;

    std::size_t start(std::string name, body b)
    {
        signals.push_back(std::make_unique<asio::cancellation_signal>());
        asio::co_spawn(ioc, std::move(b), asio::bind_cancellation_slot(signals.back()->slot(), [this, name](std::exception_ptr e) {
                           if (e) notes.push_back(name + (is_cancellation(e) ? " cancelled" : " failed"));
                       }));
        poll();
        return signals.size() - 1;
    }
    void cancel(std::size_t i) { signals[i]->emit(asio::cancellation_type::terminal); }
    void poll()
    {
        ioc.restart();
        ioc.poll();
    }
    std::string told() const
    {
        std::string out;
        for (const auto& n : notes) out += (out.empty() ? "" : ", ") + n;
        return out;
    }
};

}  // namespace

TEST_CASE("an event that is set before the wait is remembered, once")
{
    bench b;
    event e(b.ioc.get_executor());
    e.set();
    e.set();
    b.start("a", [&]() -> asio::awaitable<void> {
        co_await e.wait();
        b.notes.push_back("first");
        co_await e.wait();
        b.notes.push_back("second");
    });
    CHECK(b.told() == "first");
    e.set();
    b.poll();
    CHECK(b.told() == "first, second");
}

TEST_CASE("one set wakes every waiter, each of them once")
{
    bench b;
    event e(b.ioc.get_executor());
    int woken = 0;
    // Each waits again at once, as every loop does: it must not see the same set twice (and spin for ever).
    const body loop = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 100; ++i) {
            co_await e.wait();
            ++woken;
        }
    };
    for (int i = 0; i < 3; ++i) b.start("w", loop);
    e.set();
    b.poll();
    CHECK(woken == 3);
    e.set();
    e.set();
    b.poll();
    CHECK(woken == 6);
    b.start("late", loop);
    CHECK(woken == 6);
}

TEST_CASE("a wait with a limit says whether it was woken")
{
    bb_test::run([]() -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        event e(executor);
        const auto begin = std::chrono::steady_clock::now();
        const bool nothing = co_await e.wait_until(begin + 20ms);
        CHECK_FALSE(nothing);
        CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
        e.set();
        const bool remembered = co_await e.wait_until(begin);
        CHECK(remembered);
        const bool again = co_await e.wait_until(begin);
        CHECK_FALSE(again);
    });
}

TEST_CASE("a waiter that is cancelled ends alone and takes no wake from the others")
{
    bench b;
    event e(b.ioc.get_executor());
    const auto wait = [&](std::string name) {
        return b.start(name, [&b, &e, name]() -> asio::awaitable<void> {
            co_await e.wait();
            b.notes.push_back(name);
        });
    };
    wait("a");
    const auto second = wait("b");
    wait("c");
    b.cancel(second);
    b.poll();
    CHECK(b.told() == "b cancelled");
    e.set();
    b.poll();
    CHECK(b.told() == "b cancelled, a, c");

    // With nobody left to hear it, the next set is remembered.
    const auto alone = wait("d");
    b.cancel(alone);
    b.poll();
    e.set();
    wait("e");
    CHECK(b.told() == "b cancelled, a, c, d cancelled, e");
}

TEST_CASE("a waiter that is cancelled and woken in the same turn has its wake")
{
    bench b;
    event e(b.ioc.get_executor());
    const auto i = b.start("a", [&]() -> asio::awaitable<void> {
        co_await e.wait();
        b.notes.push_back("woken");
    });
    e.set();
    b.cancel(i);
    b.poll();
    CHECK(b.told() == "woken");
}

TEST_CASE("the lock is given in the order it was asked for")
{
    bench b;
    async_mutex m(b.ioc.get_executor());
    event gate(b.ioc.get_executor());
    for (const char* name : {"a", "b", "c", "d"}) {
        b.start(name, [&b, &m, &gate, name]() -> asio::awaitable<void> {
            auto lock = co_await m.lock();
            b.notes.push_back(std::string(name) + " in");
            co_await gate.wait();
            b.notes.push_back(std::string(name) + " out");
        });
    }
    CHECK(b.told() == "a in");
    CHECK(m.locked());
    for (int i = 0; i < 4; ++i) {
        gate.set();
        b.poll();
    }
    CHECK(b.told() == "a in, a out, b in, b out, c in, c out, d in, d out");
    CHECK_FALSE(m.locked());
}

TEST_CASE("a guard releases once, when it is dropped, moved over or released")
{
    bench b;
    async_mutex m(b.ioc.get_executor()), other(b.ioc.get_executor());
    b.start("a", [&]() -> asio::awaitable<void> {
        auto first = co_await m.lock();
        auto second = std::move(first);
        CHECK(m.locked());
        first.release();
        CHECK(m.locked());
        auto third = co_await other.lock();
        third = std::move(second);
        CHECK_FALSE(other.locked());
        CHECK(m.locked());
        auto& same = third;
        third = std::move(same);
        CHECK(m.locked());
        third.release();
        CHECK_FALSE(m.locked());
        third.release();
        auto again = co_await m.lock();
        CHECK(m.locked());
    });
    CHECK(b.told().empty());
    CHECK_FALSE(m.locked());
}

TEST_CASE("cancelling a waiter releases nothing and loses no wake")
{
    bench b;
    async_mutex m(b.ioc.get_executor());
    event gate(b.ioc.get_executor());
    const auto take = [&](std::string name) {
        return b.start(name, [&b, &m, &gate, name]() -> asio::awaitable<void> {
            auto lock = co_await m.lock();
            b.notes.push_back(name);
            co_await gate.wait();
        });
    };
    take("a");
    const auto second = take("b");
    take("c");
    b.cancel(second);
    b.poll();
    CHECK(b.told() == "a, b cancelled");
    CHECK(m.locked());
    gate.set();
    b.poll();
    CHECK(b.told() == "a, b cancelled, c");

    // The holder leaves and the next in line is cancelled in the same turn: the one behind it still comes in.
    const auto fourth = take("d");
    take("e");
    gate.set();
    b.ioc.restart();
    b.ioc.poll_one();
    b.cancel(fourth);
    b.poll();
    gate.set();
    b.poll();
    CHECK(b.notes.back() == "e");
    gate.set();
    b.poll();
    CHECK_FALSE(m.locked());
}

TEST_CASE("a holder that throws gives the lock back")
{
    bench b;
    async_mutex m(b.ioc.get_executor());
    b.start("a", [&]() -> asio::awaitable<void> {
        auto lock = co_await m.lock();
        throw std::runtime_error("oops");
    });
    CHECK(b.told() == "a failed");
    CHECK_FALSE(m.locked());
}

// Waiters that are still suspended when their loop is destroyed: their frames are destroyed in any order, before or after
// the event and the lock themselves. Run under the sanitizers this proves that nothing dangles.
TEST_CASE("destroying the loop with waiters pending is safe whichever dies first")
{
    const bool loop_first = GENERATE(true, false);
    const bool touch = GENERATE(true, false);
    auto b = std::make_unique<bench>();
    std::optional<event> e(b->ioc.get_executor());
    std::optional<async_mutex> m(b->ioc.get_executor());
    for (int i = 0; i < 4; ++i) {
        b->start("e", [&]() -> asio::awaitable<void> { co_await e->wait(); });
        b->start("m", [&]() -> asio::awaitable<void> {
            auto lock = co_await m->lock();
            co_await e->wait();
        });
    }
    CHECK(m->locked());
    if (touch) e->set();  // woken, but not resumed any more
    if (loop_first) {
        b.reset();
        e->set();
        CHECK_FALSE(m->locked());
        m.reset();
        e.reset();
    } else {
        m.reset();
        e.reset();
        b.reset();
    }
}

TEST_CASE("a lock that was granted to a waiter that never ran again is free")
{
    auto b = std::make_unique<bench>();
    async_mutex m(b->ioc.get_executor());
    async_mutex::guard held;
    b->start("holder", [&]() -> asio::awaitable<void> { held = co_await m.lock(); });
    b->start("waiter", [&]() -> asio::awaitable<void> { auto lock = co_await m.lock(); });
    held.release();
    CHECK(m.locked());  // the waiter's, which is not resumed any more
    b.reset();
    CHECK_FALSE(m.locked());
}
