#include "pg/pool.hpp"

namespace batchbridge::pg {

namespace asio = boost::asio;

pool::pool(asio::any_io_executor executor, std::string uri, std::size_t size) : executor_(std::move(executor)), uri_(std::move(uri)), freed_(executor_)
{
    for (std::size_t i = 0; i < size; ++i) free_.push_back(std::make_unique<connection>(executor_, uri_));
}

void pool::give_back(std::unique_ptr<connection> c)
{
    free_.push_back(std::move(c));
    freed_.set();
}

asio::awaitable<pool::lease> pool::acquire(core::duration limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    while (free_.empty()) {
        const bool signalled = co_await freed_.wait_until(until);
        if (!signalled && free_.empty()) throw error(core::error_kind::timeout, "acquire", "connection pool", fmt::format("no free connection within {}", core::to_string(limit)));
    }
    // The newest returned one first: a few warm connections serve most of the time.
    lease out(this, std::move(free_.back()));
    free_.pop_back();
    ++acquired_;
    if (!out->is_open()) co_await out->connect(std::min<core::duration>(limit, std::chrono::seconds(3)));
    co_return out;
}

}  // namespace batchbridge::pg
