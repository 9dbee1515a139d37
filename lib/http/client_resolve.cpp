#include "http/client_resolve.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <netdb.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

namespace batchbridge::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

// Shared by the waiting coroutine and the thread. `waiter` is null once the coroutine has gone: the io_context may then be
// gone as well, so the thread must not post to it.
struct mailbox {
    std::mutex mutex;
    asio::steady_timer* waiter = nullptr;
    std::optional<endpoints> found;
    std::string fault;
};

class waiting {
public:
    waiting(std::shared_ptr<mailbox> box, const asio::any_io_executor& executor)
        : box_(std::move(box)), timer_(executor, std::chrono::steady_clock::time_point::max())
    {
        const std::lock_guard lock(box_->mutex);
        box_->waiter = &timer_;
    }
    ~waiting()
    {
        const std::lock_guard lock(box_->mutex);
        box_->waiter = nullptr;
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    asio::steady_timer& timer() { return timer_; }

private:
    std::shared_ptr<mailbox> box_;
    asio::steady_timer timer_;
};

void look_up(const std::shared_ptr<mailbox>& box, const resolver_function& lookup, const std::string& host, const std::string& port)
{
    std::optional<endpoints> found;
    std::string fault;
    try {
        found = lookup(host, port);
    } catch (const std::exception& e) {
        fault = e.what();
    }
    const std::lock_guard lock(box->mutex);
    if (box->waiter == nullptr) return;
    box->found = std::move(found);
    box->fault = std::move(fault);
    // The timer belongs to the loop's thread; it is looked up again there, as the coroutine may leave meanwhile.
    asio::post(box->waiter->get_executor(), [box] {
        const std::lock_guard inner(box->mutex);
        if (box->waiter != nullptr) box->waiter->cancel();
    });
}

}  // namespace

endpoints system_resolve(const std::string& host, const std::string& port)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_UNSPEC;
    addrinfo* list = nullptr;
    const int rc = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    if (rc != 0) throw std::runtime_error(::gai_strerror(rc));
    endpoints out;
    for (const auto* a = list; a != nullptr; a = a->ai_next) {
        tcp::endpoint e;
        if (a->ai_addrlen > e.capacity()) continue;
        std::memcpy(e.data(), a->ai_addr, a->ai_addrlen);
        e.resize(a->ai_addrlen);
        out.push_back(e);
    }
    ::freeaddrinfo(list);
    return out;
}

asio::awaitable<endpoints> resolve(std::string host, std::string port, resolver_function lookup)
{
    boost::system::error_code ec;
    const auto literal = asio::ip::make_address(host, ec);
    if (!ec) {
        endpoints one;
        one.emplace_back(literal, static_cast<std::uint16_t>(std::stoi(port)));
        co_return one;
    }
    const auto executor = co_await asio::this_coro::executor;
    const auto box = std::make_shared<mailbox>();
    waiting here(box, executor);
    std::thread([box, lookup = std::move(lookup), host, port] { look_up(box, lookup, host, port); }).detach();
    co_await here.timer().async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const std::lock_guard lock(box->mutex);
    if (box->found && !box->found->empty()) co_return std::move(*box->found);
    // Neither an answer nor a fault: it was the parent that cancelled the wait.
    if (!box->found && box->fault.empty()) throw boost::system::system_error(asio::error::operation_aborted);
    throw std::runtime_error(box->fault.empty() ? "no address" : box->fault);
}

}  // namespace batchbridge::http
