// One deadline around any awaitable. Not for blocking calls: a deadline cannot cut those (see blocking_thread.hpp).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace batchbridge::core {

// Thrown when a deadline passed. It differs from cancellation, which stays operation_aborted.
class timed_out : public std::runtime_error {
public:
    timed_out() : std::runtime_error("deadline passed") {}
};

namespace detail {
// Decides what a finished race means; throws timed_out, operation_aborted or the operation's own exception.
void judge_deadline(bool timer_first, const boost::system::error_code& timer_error, std::exception_ptr operation_error);
}  // namespace detail

// Awaits `op` for at most `limit`. Throws timed_out when the limit passed first, even if the operation ignored the
// cancel and then succeeded: its outcome is unknown. A cancelled parent passes through as operation_aborted.
// Not `op || timer`: that waits for a success, so a refused connection would be reported as a timeout.
template <class T>
boost::asio::awaitable<T> with_deadline(std::chrono::steady_clock::duration limit, boost::asio::awaitable<T> op)
{
    namespace asio = boost::asio;
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, limit);
    // T need not be default constructible; the result travels in an optional that the group can default construct.
    auto wrapped = [](asio::awaitable<T> inner) -> asio::awaitable<std::optional<T>> {
        co_return std::optional<T>(co_await std::move(inner));
    };
    auto [order, op_error, value, timer_error] =
        co_await asio::experimental::make_parallel_group(
            asio::co_spawn(executor, wrapped(std::move(op)), asio::deferred), timer.async_wait(asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    detail::judge_deadline(order[0] == 1, timer_error, op_error);
    co_return std::move(*value);
}

boost::asio::awaitable<void> with_deadline(std::chrono::steady_clock::duration limit, boost::asio::awaitable<void> op);

}  // namespace batchbridge::core
