// In-process wake-ups and mutual exclusion for coroutines of one io_context. Not thread-safe: the loop's thread only.
// A suspended waiter may outlive the event or lock, and the other way round: both hold on to the list they share.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace batchbridge::core {

// Auto-reset event: set() wakes every waiter once, or is remembered for the next wait. Repeated set() merges.
class event {
public:
    explicit event(boost::asio::any_io_executor executor);
    void set();
    // Waits until set() or until `limit` passed; true = it was set. Throws operation_aborted on cancellation.
    boost::asio::awaitable<bool> wait_until(std::chrono::steady_clock::time_point limit);
    boost::asio::awaitable<void> wait();

private:
    struct waiter;
    struct state;
    boost::asio::any_io_executor executor_;
    std::shared_ptr<state> state_;
};

// First come, first served lock. The guard releases on destruction.
class async_mutex {
    struct waiter;
    struct state;

public:
    class guard {
    public:
        guard() = default;
        explicit guard(std::shared_ptr<state> s) : state_(std::move(s)) {}
        guard(guard&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
        guard& operator=(guard&& other) noexcept
        {
            if (this != &other) {
                release();
                state_ = std::exchange(other.state_, nullptr);
            }
            return *this;
        }
        ~guard() { release(); }
        void release();

    private:
        std::shared_ptr<state> state_;
    };

    explicit async_mutex(boost::asio::any_io_executor executor);
    // Throws operation_aborted on cancellation, without the lock.
    boost::asio::awaitable<guard> lock();
    // At once, without waiting; nullopt when somebody has it.
    std::optional<guard> try_lock();
    bool locked() const noexcept;

private:
    boost::asio::any_io_executor executor_;
    std::shared_ptr<state> state_;
};

}  // namespace batchbridge::core
