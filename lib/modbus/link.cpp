#include "modbus/link.hpp"

#include "core/backoff.hpp"
#include "core/blocking_thread.hpp"
#include "modbus/frame.hpp"
#include "modbus/tcp_socket.hpp"

#include <modbus/modbus.h>

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <span>
#include <utility>

#include <sys/socket.h>

namespace batchbridge::modbus {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using core::error_kind;

namespace {

constexpr int max_read = 125, max_write = 123;   // what fits a PDU of 253 bytes

struct free_context {
    void operator()(modbus_t* c) const noexcept
    {
        modbus_set_socket(c, -1);   // the descriptor is tcp_socket's
        modbus_free(c);
    }
};

std::string exception_name(int code)
{
    if (code < MODBUS_EXCEPTION_ILLEGAL_FUNCTION || code >= MODBUS_EXCEPTION_MAX) return "not of the standard";
    return modbus_strerror(MODBUS_ENOBASE + code);
}

std::string_view hint(int exception_code)
{
    switch (exception_code) {
    case MODBUS_EXCEPTION_ILLEGAL_FUNCTION: return " (does the PLC allow this function?)";
    case MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS: return " (does the PLC have these registers? see check-map and address_offset)";
    case MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE: return " (does the PLC allow this many registers in one request? see limits.max_read and max_write)";
    case MODBUS_EXCEPTION_GATEWAY_PATH:
    case MODBUS_EXCEPTION_GATEWAY_TARGET: return " (wrong unit id?)";
    default: return "";
    }
}

}  // namespace

struct link::impl {
    explicit impl(link_options o) : options(std::move(o)), name(fmt::format("plc {}:{} unit {}", options.host, options.port, options.unit_id)), socket(options.resolver) {}

    const link_options options;
    const std::string name;

    // What interrupt() changes: calls posted before the last one must not go on.
    std::mutex interrupt_guard;
    std::condition_variable interrupted;
    std::atomic<unsigned> interrupts{0};
    std::atomic<bool> open{false};
    std::atomic<unsigned> connections{0}, losses{0};
    std::atomic<std::uint64_t> wrong_answers{0};

    // Only the link's thread touches what follows (the socket's shutdown excepted).
    tcp_socket socket;
    std::unique_ptr<modbus_t, free_context> context;
    unsigned call_epoch = 0;             // `interrupts` when the present call was made
    unsigned failures = 0;
    // Goes on over connections, so that no two requests of a link in a row have the same number.
    std::uint16_t transaction = 0;
    bool use_second = false;
    bool closed_by_us = false;           // in good order, and no try to connect has failed since
    clock::time_point retry_from{}, last_answer{};
    std::string last_error;

    // Last: its destructor waits for the call in progress, before anything that call uses goes.
    core::blocking_thread thread;

    bool cut() const noexcept { return interrupts != call_epoch; }

    void close() noexcept
    {
        context.reset();
        socket.close();
        open = false;
    }

    [[noreturn]] void fail(error_kind kind, const std::string& operation, const std::string& reason)
    {
        // An address that takes connections and never answers is no better than one that takes none.
        const bool never_answered = open && last_answer == clock::time_point{};
        close();
        closed_by_us = false;
        if (cut()) throw error(error_kind::cancelled, operation, name, "interrupted: this process stops or no longer holds the line");
        if (never_answered && !options.second_host.empty()) use_second = !use_second;
        ++failures;
        last_error = reason;
        const core::backoff_limits pace{options.backoff_first, options.backoff_cap};
        retry_from = clock::now() + core::backoff_delay(pace, failures, core::random_unit());
        throw error(kind, operation, name, reason);
    }

    void pause_until(clock::time_point when)
    {
        std::unique_lock lock(interrupt_guard);
        interrupted.wait_until(lock, when, [this] { return cut(); });
    }

    void ensure_open()
    {
        if (open) {
            const auto idle = socket.idle();
            if (idle == idle_state::quiet) return;
            if (idle == idle_state::unasked_bytes) ++wrong_answers;
            close();
        }
        if (clock::now() < retry_from)
            throw error(error_kind::unavailable, "connect", name, "waiting before the next try; last error: " + last_error);
        const auto& host = use_second ? options.second_host : options.host;
        const auto result = socket.connect(host, options.port, options.timeout, [this] { return cut(); });
        if (result != connect_result::connected) {
            if (!options.second_host.empty()) use_second = !use_second;
            fail(result == connect_result::timed_out ? error_kind::timeout : error_kind::unavailable, "connect",
                 host == options.host ? socket.reason() : host + ": " + socket.reason());
        }
        prepare_context();
        open = true;
        ++connections;
        if (!std::exchange(closed_by_us, false)) ++losses;
        last_answer = {};
        if (options.pause_after_connect > core::duration::zero()) pause_until(clock::now() + options.pause_after_connect);
    }

    void prepare_context()
    {
        // The address is not used: the socket is connected already. One context per connection, so that libmodbus's
        // state starts afresh.
        context.reset(modbus_new_tcp("127.0.0.1", 502));
        if (!context) fail(error_kind::internal, "connect", "libmodbus: " + std::string(modbus_strerror(errno)));
        if (modbus_set_slave(context.get(), options.unit_id) != 0) fail(error_kind::internal, "connect", "unit id not allowed, expected 0 to 247 or 255");
        modbus_set_error_recovery(context.get(), MODBUS_ERROR_RECOVERY_NONE);
        modbus_set_socket(context.get(), socket.descriptor());
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(options.timeout).count();
        modbus_set_response_timeout(context.get(), static_cast<std::uint32_t>(us / 1000000), static_cast<std::uint32_t>(us % 1000000));
        // 0 turns the timeout between bytes off: the response timeout then covers the whole answer, so that a device that
        // drips bytes cannot stretch it.
        modbus_set_byte_timeout(context.get(), 0, 0);
    }

    // What a failed send or receive means for the connection. `e` is its errno.
    [[noreturn]] void judge(const std::string& operation, int e)
    {
        if (e == ETIMEDOUT)
            fail(error_kind::timeout, operation,
                 "no answer within " + core::to_string(options.timeout) + " (PLC stopped, or wrong unit id?)");
        if (e > MODBUS_ENOBASE || e == EINVAL) misfit(operation, modbus_strerror(e));
        fail(error_kind::unavailable, operation,
             fmt::format("connection lost: {}", e == 0 ? "closed by the device" : modbus_strerror(e)));
    }

    // Whatever else comes on this connection may belong to another request too.
    [[noreturn]] void misfit(const std::string& operation, std::string_view what)
    {
        ++wrong_answers;
        fail(error_kind::protocol, operation, fmt::format("the answer does not fit the request: {}", what));
    }

    // Sends one request and returns its answer, which fits it. `make` gets the transaction number.
    template <class Make>
    frame request(unsigned epoch, const std::string& operation, const permission& may, Make make)
    {
        call_epoch = epoch;
        if (cut()) throw error(error_kind::cancelled, operation, name, "interrupted: this process stops or no longer holds the line");
        ensure_open();
        if (options.pause_between_requests > core::duration::zero() && last_answer != clock::time_point{})
            pause_until(last_answer + options.pause_between_requests);
        if (cut()) fail(error_kind::cancelled, operation, "interrupted");
        const frame asked = make(++transaction);
        if (may && !may())
            throw error(error_kind::cancelled, operation, name,
                        "this process may not write: it does not (any more, or not yet) hold the line");
        // Nothing else is on its way on this connection, so a socket that does not take a frame whole is not in order.
        const auto sent = ::send(socket.descriptor(), asked.data(), asked.size(), MSG_NOSIGNAL);
        if (sent < 0) judge(operation, errno);
        if (static_cast<std::size_t>(sent) != asked.size())
            fail(error_kind::unavailable, operation, "the connection does not take a whole request");
        std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> buffer;
        errno = 0;
        const int n = modbus_receive_confirmation(context.get(), buffer.data());
        if (n < 0) judge(operation, errno);
        const std::span<const std::uint8_t> answer(buffer.data(), static_cast<std::size_t>(n));
        const auto verdict = judge_answer(asked, answer);
        if (verdict.what == judgement::kind::wrong) misfit(operation, verdict.fault);
        failures = 0;
        last_answer = clock::now();
        if (verdict.what == judgement::kind::exception)
            throw error(
                error_kind::rejected, operation, name,
                fmt::format("exception code {}: {}{}", verdict.code, exception_name(verdict.code), hint(verdict.code)),
                std::to_string(verdict.code));
        return {answer.begin(), answer.end()};
    }

    void check(const std::string& operation, int address, std::size_t count, int most) const
    {
        if (count < 1 || count > static_cast<std::size_t>(most) || address < 0 || address + static_cast<int>(count) > 65536)
            throw error(error_kind::internal, operation, name, fmt::format("1 to {} registers within 0..65535 are possible in one request", most));
    }
};

link::link(asio::any_io_executor, link_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

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
    return impl_->open;
}

unsigned link::connections() const noexcept
{
    return impl_->connections;
}

unsigned link::losses() const noexcept
{
    return impl_->losses;
}

std::uint64_t link::wrong_answers() const noexcept
{
    return impl_->wrong_answers;
}

void link::interrupt() noexcept
{
    {
        const std::lock_guard lock(impl_->interrupt_guard);
        ++impl_->interrupts;
    }
    impl_->interrupted.notify_all();
    impl_->socket.shutdown();
}

asio::awaitable<void> link::connect()
{
    auto* p = impl_.get();
    auto call = [p, epoch = p->interrupts.load()] {
        p->call_epoch = epoch;
        if (p->cut()) throw error(error_kind::cancelled, "connect", p->name, "interrupted");
        p->ensure_open();
    };
    co_await p->thread.run(std::move(call));
}

asio::awaitable<void> link::disconnect()
{
    auto* p = impl_.get();
    auto call = [p] {
        if (p->open) p->closed_by_us = p->socket.idle() == idle_state::quiet;
        p->close();
    };
    co_await p->thread.run(std::move(call));
}

asio::awaitable<std::vector<std::uint16_t>> link::read(int address, int count)
{
    auto* p = impl_.get();
    auto call = [p, address, count, epoch = p->interrupts.load()] {
        const auto operation = fmt::format("FC03 read {}+{}", address, count);
        p->check(operation, address, count < 0 ? 0U : static_cast<std::size_t>(count), max_read);
        return registers_in(p->request(epoch, operation, {}, [&](std::uint16_t t) {
            return read_request(t, p->options.unit_id, address, count);
        }));
    };
    co_return co_await p->thread.run(std::move(call));
}

asio::awaitable<void> link::write(int address, std::vector<std::uint16_t> values, permission may)
{
    auto* p = impl_.get();
    auto call = [p, address, v = std::move(values), m = std::move(may), epoch = p->interrupts.load()] {
        const auto operation = fmt::format("FC16 write {}+{}", address, v.size());
        p->check(operation, address, v.size(), max_write);
        p->request(epoch, operation, m,
                   [&](std::uint16_t t) { return write_request(t, p->options.unit_id, address, v); });
    };
    co_await p->thread.run(std::move(call));
}

asio::awaitable<void> link::write_single(int address, std::uint16_t value, permission may)
{
    auto* p = impl_.get();
    auto call = [p, address, value, m = std::move(may), epoch = p->interrupts.load()] {
        const auto operation = fmt::format("FC06 write {}", address);
        p->check(operation, address, 1, 1);
        p->request(epoch, operation, m,
                   [&](std::uint16_t t) { return write_single_request(t, p->options.unit_id, address, value); });
    };
    co_await p->thread.run(std::move(call));
}

}  // namespace batchbridge::modbus
