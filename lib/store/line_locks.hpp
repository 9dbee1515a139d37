// The one session of a process that carries the advisory locks of all its lines (design section 2, Lines).
#pragma once

#include "core/time.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace batchbridge::store {

// Every constant of the lease in one place; test builds scale them.
struct lease_times {
    core::duration heartbeat = std::chrono::seconds(1);
    core::duration valid_for = std::chrono::seconds(3);        // after the send time of the last answered heartbeat
    core::duration idle_session_timeout = std::chrono::seconds(4);
    core::duration write_delay = std::chrono::seconds(3);      // a new holder writes this long after it got the lock
    core::duration statement_timeout = std::chrono::seconds(2);
    // From BATCHBRIDGE_LEASE_SCALE (percent) in builds with crash points; as they are otherwise.
    static lease_times for_this_build();
};

// Not thread-safe, except lease(): loop thread only. After an error the session is closed: every lock is gone; connect() again.
class line_locks {
public:
    line_locks(boost::asio::any_io_executor executor, std::string database_url, lease_times times);
    ~line_locks();
    boost::asio::awaitable<void> connect();
    bool connected() const noexcept;
    // Grows with every session: a lock belongs to the session it was taken in.
    std::uint64_t session() const noexcept;
    // Non-blocking: false when another session holds it. Throws pg::error.
    boost::asio::awaitable<bool> try_lock(const std::string& line);
    boost::asio::awaitable<void> unlock(const std::string& line);
    // One round trip; its send time extends the lease. Throws pg::error and closes.
    boost::asio::awaitable<void> heartbeat();
    void close() noexcept;

    // May be asked from any thread: CLOCK_BOOTTIME now < last answered heartbeat's send time + valid_for.
    bool valid() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace batchbridge::store
