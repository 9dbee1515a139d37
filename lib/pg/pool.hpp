// A small fixed set of connections (L-13). A connection that broke is opened again when it is next needed.
#pragma once

#include "pg/connection.hpp"

#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <list>
#include <memory>
#include <vector>

namespace batchbridge::pg {

// Not thread-safe: the loop's thread only. It outlives its leases.
//     auto c = co_await pool.acquire();
//     const auto r = co_await c->query("select 1");
class pool {
public:
    // Returned to the pool on destruction.
    class lease {
    public:
        lease(pool* owner, std::unique_ptr<connection> c) : owner_(owner), connection_(std::move(c)) {}
        lease(lease&&) noexcept = default;
        lease& operator=(lease&&) = delete;
        ~lease()
        {
            if (connection_) owner_->give_back(std::move(connection_));
        }
        connection& operator*() const noexcept { return *connection_; }
        connection* operator->() const noexcept { return connection_.get(); }

    private:
        pool* owner_;
        std::unique_ptr<connection> connection_;
    };

    pool(boost::asio::any_io_executor executor, std::string uri, std::size_t size);

    // Waits for a free connection, first come, first served; opens it if it is closed or PostgreSQL has ended it meanwhile.
    // At most `limit` (kind timeout), connecting at most 3 s of it. After a connect that ran into its deadline every
    // acquire fails at once, with that same error, for one second: who asks then must not wait in turn.
    // Cancellation throws operation_aborted and takes no connection.
    boost::asio::awaitable<lease> acquire(core::duration limit = std::chrono::seconds(6));
    const std::string& uri() const noexcept { return uri_; }
    // Leases since the start. Every function of the store takes one for each of its round trips: tests of what a cycle
    // costs count them.
    std::uint64_t acquired() const noexcept { return acquired_; }

private:
    struct waiter {
        boost::asio::steady_timer timer;
        std::unique_ptr<connection> given;
    };
    void give_back(std::unique_ptr<connection> c);
    boost::asio::awaitable<std::unique_ptr<connection>> wait_for_one(std::chrono::steady_clock::time_point until, core::duration limit);

    boost::asio::any_io_executor executor_;
    std::string uri_;
    std::vector<std::unique_ptr<connection>> free_;
    std::list<waiter*> waiters_;
    std::uint64_t acquired_ = 0;
    std::exception_ptr unreachable_;                           // the last connect that timed out ..
    std::chrono::steady_clock::time_point unreachable_until_;  // .. is everybody's answer until then
};

}  // namespace batchbridge::pg
