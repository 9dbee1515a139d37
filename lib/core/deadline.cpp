#include "core/deadline.hpp"

#include <boost/system/system_error.hpp>

namespace batchbridge::core {

namespace asio = boost::asio;

void detail::judge_deadline(bool timer_first, const boost::system::error_code& timer_error,
                            std::exception_ptr operation_error)
{
    if (timer_first && !timer_error) throw timed_out();
    // A timer that came first with an error was cancelled from outside, and so was the operation.
    if (timer_first && !operation_error) throw boost::system::system_error(asio::error::operation_aborted);
    if (operation_error) std::rethrow_exception(operation_error);
}

asio::awaitable<void> with_deadline(std::chrono::steady_clock::duration limit, asio::awaitable<void> op)
{
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, limit);
    auto [order, op_error, timer_error] =
        co_await asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(op), asio::deferred),
                                                         timer.async_wait(asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    detail::judge_deadline(order[0] == 1, timer_error, op_error);
}

}  // namespace batchbridge::core
