#include "core/event.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace batchbridge::core {

namespace asio = boost::asio;

event::event(asio::any_io_executor executor) : executor_(std::move(executor)) {}

void event::set()
{
    set_ = true;
    for (auto* timer : waiters_) timer->cancel();
}

asio::awaitable<bool> event::wait_until(std::chrono::steady_clock::time_point limit)
{
    if (!set_) {
        asio::steady_timer timer(executor_, limit);
        const auto where = waiters_.insert(waiters_.end(), &timer);
        boost::system::error_code ec;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        waiters_.erase(where);
        // Cancelled by somebody other than set(): pass it on.
        if (ec && !set_) throw boost::system::system_error(asio::error::operation_aborted);
    }
    // Every waiter that was woken sees it; the last one to leave resets it.
    const bool was_set = set_;
    if (waiters_.empty()) set_ = false;
    co_return was_set;
}

asio::awaitable<void> event::wait()
{
    co_await wait_until(std::chrono::steady_clock::time_point::max());
}

async_mutex::async_mutex(asio::any_io_executor executor) : executor_(std::move(executor)) {}

asio::awaitable<async_mutex::guard> async_mutex::lock()
{
    if (!locked_) {
        locked_ = true;
        co_return guard(this);
    }
    waiter me{asio::steady_timer(executor_, std::chrono::steady_clock::time_point::max())};
    const auto where = queue_.insert(queue_.end(), &me);
    boost::system::error_code ec;
    co_await me.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (me.granted) co_return guard(this);
    queue_.erase(where);
    throw boost::system::system_error(asio::error::operation_aborted);
}

void async_mutex::unlock()
{
    if (queue_.empty()) {
        locked_ = false;
        return;
    }
    auto* next = queue_.front();
    queue_.pop_front();
    next->granted = true;  // ownership moves on; locked_ stays true
    next->timer.cancel();
}

void async_mutex::guard::release()
{
    if (auto* m = std::exchange(mutex_, nullptr)) m->unlock();
}

}  // namespace batchbridge::core
