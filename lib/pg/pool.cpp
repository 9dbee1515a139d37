#include "pg/pool.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::pg {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

namespace {
constexpr auto connect_limit = std::chrono::seconds(3);
constexpr auto unreachable_for = std::chrono::seconds(1);
}  // namespace

pool::pool(asio::any_io_executor executor, std::string uri, std::size_t size) : executor_(std::move(executor)), uri_(std::move(uri))
{
    for (std::size_t i = 0; i < size; ++i) free_.push_back(std::make_unique<connection>(executor_, uri_));
}

void pool::give_back(std::unique_ptr<connection> c)
{
    if (waiters_.empty()) {
        free_.push_back(std::move(c));
        return;
    }
    // Straight into the hands of the one who waits longest, so that nobody who comes by takes it.
    auto* next = waiters_.front();
    waiters_.pop_front();
    next->given = std::move(c);
    next->timer.cancel();
}

asio::awaitable<std::unique_ptr<connection>> pool::wait_for_one(clock::time_point until, core::duration limit)
{
    waiter me{asio::steady_timer(executor_, until), nullptr};
    const auto where = waiters_.insert(waiters_.end(), &me);
    boost::system::error_code ec;
    co_await me.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (me.given) co_return std::move(me.given);
    waiters_.erase(where);
    if (ec) throw boost::system::system_error(asio::error::operation_aborted);
    throw error(core::error_kind::timeout, "acquire", "connection pool", fmt::format("no free connection within {}", core::to_string(limit)));
}

asio::awaitable<pool::lease> pool::acquire(core::duration limit)
{
    const auto start = clock::now();
    std::unique_ptr<connection> c;
    if (free_.empty()) {
        c = co_await wait_for_one(start + limit, limit);
    } else {
        // The newest returned one first: a few warm connections serve most of the time.
        c = std::move(free_.back());
        free_.pop_back();
    }
    lease out(this, std::move(c));
    if (!out->is_alive()) {
        if (unreachable_ && clock::now() < unreachable_until_) std::rethrow_exception(unreachable_);
        unreachable_ = nullptr;
        const auto left = std::max<core::duration>(std::chrono::milliseconds(100), limit - (clock::now() - start));
        try {
            co_await out->connect(std::min<core::duration>(left, connect_limit));
        } catch (const error& e) {
            if (e.kind() == core::error_kind::timeout) {
                unreachable_ = std::current_exception();
                unreachable_until_ = clock::now() + unreachable_for;
            }
            throw;
        }
    }
    ++acquired_;
    co_return out;
}

}  // namespace batchbridge::pg
