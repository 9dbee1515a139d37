// In-process wake-ups and mutual exclusion for coroutines of one io_context. Not thread-safe: the loop's thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>

namespace batchbridge::core {

// Auto-reset event: set() wakes every waiter, or is remembered for the next wait. Repeated set() merges.
class event {
public:
    explicit event(boost::asio::any_io_executor executor);
    void set();
    // Waits until set() or until `limit` passed; true = it was set. Throws operation_aborted on cancellation.
    boost::asio::awaitable<bool> wait_until(std::chrono::steady_clock::time_point limit);
    boost::asio::awaitable<void> wait();

private:
    boost::asio::any_io_executor executor_;
    std::list<boost::asio::steady_timer*> waiters_;
    bool set_ = false;
};

// First come, first served lock. The guard releases on destruction.
class async_mutex {
public:
    class guard {
    public:
        guard() = default;
        explicit guard(async_mutex* m) : mutex_(m) {}
        guard(guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
        guard& operator=(guard&& other) noexcept
        {
            if (this != &other) {
                release();
                mutex_ = std::exchange(other.mutex_, nullptr);
            }
            return *this;
        }
        ~guard() { release(); }
        void release();

    private:
        async_mutex* mutex_ = nullptr;
    };

    explicit async_mutex(boost::asio::any_io_executor executor);
    // Throws operation_aborted on cancellation, without the lock.
    boost::asio::awaitable<guard> lock();
    bool locked() const noexcept { return locked_; }

private:
    void unlock();
    boost::asio::any_io_executor executor_;
    struct waiter {
        boost::asio::steady_timer timer;
        bool granted = false;
    };
    std::list<waiter*> queue_;
    bool locked_ = false;
};

}  // namespace batchbridge::core
