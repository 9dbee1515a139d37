// A set of coroutines that are started, cancelled and awaited together.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <functional>
#include <list>
#include <string>

#include "core/event.hpp"

namespace batchbridge::core {

// Owner's thread only. The group must outlive its coroutines: join() before destroying it.
class task_group {
public:
    // Called when a coroutine ended with an exception that is not our cancellation.
    using on_failure = std::function<void(const std::string& name, std::exception_ptr)>;

    task_group(boost::asio::any_io_executor executor, on_failure failed);

    // Takes a callable, not an awaitable: a lambda coroutine's captures must live as long as its frame.
    void spawn(std::string name, std::function<boost::asio::awaitable<void>()> body);
    // Emits terminal cancellation to every coroutine.
    void cancel();
    // Waits until every coroutine has ended; throws operation_aborted when the waiter itself is cancelled.
    boost::asio::awaitable<void> join();
    std::size_t size() const noexcept { return entries_.size(); }
    // The names of what still runs, for the log line of a shutdown that takes too long.
    std::string names() const;

private:
    struct entry {
        std::string name;
        std::function<boost::asio::awaitable<void>()> body;
        boost::asio::cancellation_signal signal;
    };
    boost::asio::any_io_executor executor_;
    on_failure failed_;
    std::list<entry> entries_;
    event ended_;
};

}  // namespace batchbridge::core
