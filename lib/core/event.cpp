#include "core/event.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <list>

namespace batchbridge::core {

namespace asio = boost::asio;

struct event::state {
    std::list<waiter*> waiters;
    bool set = false;
};

// Leaves the list with its frame, also when the frame is destroyed while it is suspended.
struct event::waiter {
    waiter(std::shared_ptr<state> s, const asio::any_io_executor& executor, std::chrono::steady_clock::time_point limit)
        : owner(std::move(s)), timer(executor, limit)
    {
        owner->waiters.push_back(this);
    }
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
    ~waiter() { owner->waiters.remove(this); }

    std::shared_ptr<state> owner;
    asio::steady_timer timer;
    bool woken = false;
};

event::event(asio::any_io_executor executor) : executor_(std::move(executor)), state_(std::make_shared<state>()) {}

void event::set()
{
    if (state_->waiters.empty()) state_->set = true;
    // The wake belongs to those who wait now: one that waits again before the others have run must not see it twice.
    for (auto* w : state_->waiters) {
        w->woken = true;
        w->timer.cancel();
    }
}

asio::awaitable<bool> event::wait_until(std::chrono::steady_clock::time_point limit)
{
    if (std::exchange(state_->set, false)) co_return true;
    waiter me(state_, executor_, limit);
    boost::system::error_code ec;
    co_await me.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (me.woken) co_return true;
    // Cancelled by somebody other than set(): pass it on.
    if (ec) throw boost::system::system_error(asio::error::operation_aborted);
    co_return false;
}

asio::awaitable<void> event::wait()
{
    co_await wait_until(std::chrono::steady_clock::time_point::max());
}

struct async_mutex::state {
    std::list<waiter*> queue;
    bool locked = false;

    void unlock();
};

// Leaves the queue with its frame; a lock that was granted to a frame that never ran again goes to the next.
struct async_mutex::waiter {
    waiter(std::shared_ptr<state> s, const asio::any_io_executor& executor)
        : owner(std::move(s)), timer(executor, std::chrono::steady_clock::time_point::max())
    {
        owner->queue.push_back(this);
    }
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
    ~waiter()
    {
        if (granted) owner->unlock();
        else owner->queue.remove(this);
    }

    std::shared_ptr<state> owner;
    asio::steady_timer timer;
    bool granted = false;
};

void async_mutex::state::unlock()
{
    if (queue.empty()) {
        locked = false;
        return;
    }
    auto* next = queue.front();
    queue.pop_front();
    next->granted = true;  // ownership moves on; locked stays true
    next->timer.cancel();
}

async_mutex::async_mutex(asio::any_io_executor executor) : executor_(std::move(executor)), state_(std::make_shared<state>()) {}

asio::awaitable<async_mutex::guard> async_mutex::lock()
{
    if (!std::exchange(state_->locked, true)) co_return guard(state_);
    waiter me(state_, executor_);
    boost::system::error_code ec;
    co_await me.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!std::exchange(me.granted, false)) throw boost::system::system_error(asio::error::operation_aborted);
    co_return guard(me.owner);
}

std::optional<async_mutex::guard> async_mutex::try_lock()
{
    if (std::exchange(state_->locked, true)) return std::nullopt;
    return guard(state_);
}

bool async_mutex::locked() const noexcept
{
    return state_->locked;
}

void async_mutex::guard::release()
{
    if (const auto s = std::exchange(state_, nullptr)) s->unlock();
}

}  // namespace batchbridge::core
