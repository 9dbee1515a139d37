#include "tasks/lease_keeper.hpp"

#include "core/backoff.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;

asio::awaitable<void> keep_lease(environment& env, std::function<void()> lost, std::function<void()> up)
{
    const auto times = store::lease_times::for_this_build();
    const core::backoff_limits pace{std::chrono::milliseconds(200), std::chrono::seconds(5)};
    asio::steady_timer timer(env.executor);
    unsigned failures = 0;
    bool held = false;
    for (;;) {
        std::exception_ptr failure;
        const bool was_connected = env.locks.connected();
        // Somebody else's statement on the session found it broken.
        if (held && !was_connected) {
            held = false;
            lost();
        }
        try {
            if (!was_connected)
                co_await env.locks.connect();
            else
                co_await env.locks.heartbeat();
        } catch (...) {
            failure = std::current_exception();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        note_database(env, failure);
        if (failure) {
            ++failures;
            if (held) lost();
            held = false;
            timer.expires_after(was_connected ? std::chrono::milliseconds(0)
                                              : core::backoff_delay(pace, failures, core::random_unit()));
        } else {
            failures = 0;
            if (!was_connected) up();
            held = true;
            timer.expires_after(times.heartbeat);
        }
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> watch_writes(environment& env)
{
    constexpr auto interval = std::chrono::seconds(2);
    asio::steady_timer timer(env.executor);
    for (;;) {
        timer.expires_after(interval);
        co_await timer.async_wait(asio::use_awaitable);
        if (!env.writes_refused) continue;
        bool refused = false;
        try {
            co_await env.store.try_to_write();
        } catch (const pg::error& e) {
            refused = pg::refuses_writes(e) || pg::is_away(e);
        }
        if (refused) continue;
        env.writes_refused = false;
        note_database(env, nullptr);
    }
}

}  // namespace batchbridge::tasks
