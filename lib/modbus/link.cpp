#include "modbus/link.hpp"

#include "core/backoff.hpp"
#include "core/blocking_thread.hpp"

#include <modbus/modbus.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

namespace batchbridge::modbus {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

struct link::impl {
    explicit impl(link_options o) : options(std::move(o)), name(fmt::format("plc {}:{} unit {}", options.host, options.port, options.unit_id)) {}

    link_options options;
    std::string name;
    // Only the link's thread touches what follows, except where a comment says otherwise.
    modbus_t* context = nullptr;
    bool open = false;
    unsigned failures = 0;
    clock::time_point retry_from{}, last_request{};
    std::string last_error;

    std::mutex socket_guard;             // guards `socket` between close and interrupt
    int socket = -1;
    std::atomic<bool> is_open{false};
    std::atomic<unsigned> connections{0};

    core::blocking_thread thread;        // last: its destructor waits for the call in progress

    ~impl()
    {
        close();
    }

    void close()
    {
        {
            const std::lock_guard lock(socket_guard);
            socket = -1;
        }
        if (context != nullptr) {
            if (open) modbus_close(context);
            modbus_free(context);
            context = nullptr;
        }
        open = false;
        is_open = false;
    }

    [[noreturn]] void fail(core::error_kind kind, const std::string& operation, const std::string& reason)
    {
        close();
        ++failures;
        last_error = reason;
        const core::backoff_limits pace{options.backoff_first, options.backoff_cap};
        retry_from = clock::now() + core::backoff_delay(pace, failures, core::random_unit());
        throw error(kind, operation, name, reason);
    }

    void set_timeouts()
    {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(options.timeout).count();
        const auto seconds = static_cast<std::uint32_t>(us / 1000000), rest = static_cast<std::uint32_t>(us % 1000000);
        modbus_set_response_timeout(context, seconds, rest);
        // 0 turns the byte timeout off: the response timeout then covers the whole answer.
        modbus_set_byte_timeout(context, 0, 0);
    }

    void ensure_open()
    {
        if (open) return;
        if (clock::now() < retry_from) throw error(core::error_kind::unavailable, "connect", name, "waiting before the next try; last error: " + last_error);
        context = modbus_new_tcp_pi(options.host.c_str(), std::to_string(options.port).c_str());
        if (context == nullptr) fail(core::error_kind::unavailable, "connect", "cannot prepare the connection: " + std::string(modbus_strerror(errno)));
        modbus_set_slave(context, options.unit_id);
        modbus_set_error_recovery(context, MODBUS_ERROR_RECOVERY_NONE);
        set_timeouts();
        errno = 0;
        if (modbus_connect(context) != 0) {
            const int e = errno;
            if (e == EINPROGRESS || e == ETIMEDOUT) fail(core::error_kind::timeout, "connect", "no answer within " + core::to_string(options.timeout) + " (cable, address, firewall?)");
            if (e == ECONNREFUSED) fail(core::error_kind::unavailable, "connect", "connection refused (wrong port, or Modbus server off?)");
            fail(core::error_kind::unavailable, "connect", e == 0 ? "name not found or host unreachable" : modbus_strerror(e));
        }
        const int fd = modbus_get_socket(context);
        const int on = 1, idle = 5, interval = 2, count = 3;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
        {
            const std::lock_guard lock(socket_guard);
            socket = fd;
        }
        open = true;
        is_open = true;
        ++connections;
        if (options.pause_after_connect > core::duration::zero()) std::this_thread::sleep_for(options.pause_after_connect);
    }

    void pace()
    {
        if (options.pause_between_requests > core::duration::zero()) std::this_thread::sleep_until(last_request + options.pause_between_requests);
        last_request = clock::now();
    }

    // What a failed libmodbus call means for the connection.
    [[noreturn]] void judge(const std::string& operation)
    {
        const int e = errno;
        if (e > MODBUS_ENOBASE && e <= EMBXGTAR) {
            failures = 0;
            throw error(core::error_kind::rejected, operation, name, fmt::format("exception code {}: {}", e - MODBUS_ENOBASE, modbus_strerror(e)), std::to_string(e - MODBUS_ENOBASE));
        }
        if (e == ETIMEDOUT) fail(core::error_kind::timeout, operation, "no answer within " + core::to_string(options.timeout));
        if (e == EMBBADCRC || e == EMBBADDATA || e == EMBBADEXC || e == EMBUNKEXC || e == EMBMDATA || e == EMBBADSLAVE || e == EINVAL)
            fail(core::error_kind::protocol, operation, fmt::format("the answer does not fit the request: {}", modbus_strerror(e)));
        fail(core::error_kind::unavailable, operation, fmt::format("connection lost: {}", e == 0 ? "closed by the device" : modbus_strerror(e)));
    }
};

link::link(asio::any_io_executor, link_options options) : impl_(std::make_shared<impl>(std::move(options))) {}

link::~link()
{
    interrupt();
}

const std::string& link::name() const noexcept
{
    return impl_->name;
}

bool link::connected() const noexcept
{
    return impl_->is_open;
}

unsigned link::connections() const noexcept
{
    return impl_->connections;
}

void link::interrupt() noexcept
{
    const std::lock_guard lock(impl_->socket_guard);
    if (impl_->socket >= 0) ::shutdown(impl_->socket, SHUT_RDWR);
}

asio::awaitable<void> link::connect()
{
    auto* p = impl_.get();
    co_await p->thread.run([p] { p->ensure_open(); });
}

asio::awaitable<void> link::disconnect()
{
    auto* p = impl_.get();
    co_await p->thread.run([p] { p->close(); });
}

asio::awaitable<std::vector<std::uint16_t>> link::read(int address, int count)
{
    auto* p = impl_.get();
    auto call = [p, address, count] {
        p->ensure_open();
        p->pace();
        std::vector<std::uint16_t> out(static_cast<std::size_t>(count));
        errno = 0;
        const int n = modbus_read_registers(p->context, address, count, out.data());
        if (n < 0) p->judge(fmt::format("FC03 read {}+{}", address, count));
        if (n != count) p->fail(core::error_kind::protocol, fmt::format("FC03 read {}+{}", address, count), fmt::format("{} registers came back", n));
        p->failures = 0;
        return out;
    };
    co_return co_await p->thread.run(std::move(call));
}

asio::awaitable<void> link::write(int address, std::vector<std::uint16_t> values, permission may)
{
    auto* p = impl_.get();
    auto shared = std::make_shared<std::vector<std::uint16_t>>(std::move(values));
    auto allowed = std::make_shared<permission>(std::move(may));
    auto call = [p, address, shared, allowed] {
        const auto operation = fmt::format("FC16 write {}+{}", address, shared->size());
        p->ensure_open();
        p->pace();
        if (*allowed && !(*allowed)()) throw error(core::error_kind::cancelled, operation, p->name, "this process may not write: it does not (any more, or not yet) hold the line");
        errno = 0;
        const int n = modbus_write_registers(p->context, address, static_cast<int>(shared->size()), shared->data());
        if (n < 0) p->judge(operation);
        if (n != static_cast<int>(shared->size())) p->fail(core::error_kind::protocol, operation, fmt::format("{} registers were acknowledged", n));
        p->failures = 0;
    };
    co_await p->thread.run(std::move(call));
}

}  // namespace batchbridge::modbus
