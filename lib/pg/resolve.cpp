#include "pg/resolve.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <arpa/inet.h>
#include <netdb.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace batchbridge::pg {

namespace asio = boost::asio;

namespace {

// Shared by the waiting coroutine and the thread. `waiter` is null once the coroutine has gone: the io_context may then be
// gone as well, so the thread must not post to it.
struct mailbox {
    std::mutex mutex;
    asio::steady_timer* waiter = nullptr;
    bool answered = false;
    std::vector<std::string> found;
    std::string fault;
};

struct waiting {
    waiting(std::shared_ptr<mailbox> b, const asio::any_io_executor& executor) : box(std::move(b)), timer(executor, std::chrono::steady_clock::time_point::max())
    {
        const std::lock_guard lock(box->mutex);
        box->waiter = &timer;
    }
    ~waiting()
    {
        const std::lock_guard lock(box->mutex);
        box->waiter = nullptr;
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    std::shared_ptr<mailbox> box;
    asio::steady_timer timer;
};

std::vector<std::string> look_up(const std::string& host, std::string& fault)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    std::vector<std::string> out;
    if (const int rc = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); rc != 0) {
        fault = "'" + host + "': " + ::gai_strerror(rc);
        return out;
    }
    for (const auto* a = list; a != nullptr; a = a->ai_next) {
        char text[NI_MAXHOST];
        if (::getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) out.emplace_back(text);
    }
    ::freeaddrinfo(list);
    if (out.empty()) fault = "'" + host + "' has no address";
    return out;
}

}  // namespace

asio::awaitable<std::vector<std::string>> addresses_of(std::string host)
{
    boost::system::error_code ec;
    asio::ip::make_address(host, ec);
    if (!ec) {
        std::vector<std::string> one;
        one.push_back(std::move(host));
        co_return one;
    }
    const auto executor = co_await asio::this_coro::executor;
    const auto box = std::make_shared<mailbox>();
    waiting here(box, executor);
    std::thread([box, host] {
        std::string fault;
        auto found = look_up(host, fault);
        const std::lock_guard lock(box->mutex);
        box->answered = true;
        box->found = std::move(found);
        box->fault = std::move(fault);
        if (box->waiter == nullptr) return;
        // The timer belongs to the loop's thread; it is looked up again there, as the coroutine may leave meanwhile.
        asio::post(box->waiter->get_executor(), [box] {
            const std::lock_guard inner(box->mutex);
            if (box->waiter != nullptr) box->waiter->cancel();
        });
    }).detach();
    co_await here.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const std::lock_guard lock(box->mutex);
    if (!box->answered) throw boost::system::system_error(asio::error::operation_aborted);
    if (box->found.empty()) throw std::runtime_error(box->fault);
    co_return box->found;
}

}  // namespace batchbridge::pg
