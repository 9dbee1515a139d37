// A small fixed set of connections (L-13). A connection that broke is opened again when it is next needed.
#pragma once

#include "core/event.hpp"
#include "pg/connection.hpp"

#include <memory>
#include <vector>

namespace batchbridge::pg {

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

    // Waits for a free connection, opens it if it is closed. At most `limit` (timeout), connecting at most 3 s of it.
    boost::asio::awaitable<lease> acquire(core::duration limit = std::chrono::seconds(6));
    const std::string& uri() const noexcept { return uri_; }
    // Round trips since the start: statements and pipelines. For tests of what a cycle costs.
    std::uint64_t acquired() const noexcept { return acquired_; }

private:
    void give_back(std::unique_ptr<connection> c);

    boost::asio::any_io_executor executor_;
    std::string uri_;
    std::vector<std::unique_ptr<connection>> free_;
    core::event freed_;
    std::uint64_t acquired_ = 0;
};

}  // namespace batchbridge::pg
