// An awaitable Modbus TCP link: one thread, one connection, one request at a time. libmodbus receives the answers,
// frame.hpp compares them with the requests. Knows holding registers, not batches. Source of the protocol facts: MODBUS
// Application Protocol V1.1b3, sections 6.3, 6.6 and 6.12.
#pragma once

#include "core/error.hpp"
#include "core/time.hpp"
#include "modbus/name_lookup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace batchbridge::modbus {

// unavailable: no connection, or it broke; timeout: no (whole) answer in time, so a write's outcome is unknown; protocol:
// the answer does not fit the request; rejected: an exception code, peer_code() is its number ("2"); cancelled: not
// permitted (nothing was sent) or interrupted (a write's outcome is unknown); internal: a call we should not have made.
class error : public core::error {
    using core::error::error;
};

struct link_options {
    link_options(std::string host_name, std::uint16_t tcp_port, int unit) : host(std::move(host_name)), port(tcp_port), unit_id(unit) {}
    std::string host;                  // a name, IPv4 or IPv6
    std::string second_host;           // tried in turn with `host` when a connection fails; empty: none
    std::uint16_t port;
    int unit_id;                       // 0..247 or 255, as libmodbus allows
    core::duration timeout = std::chrono::seconds(2);   // of connecting (name look-up included), and of each whole answer
    core::duration pause_after_connect{}, pause_between_requests{};
    core::duration backoff_first = std::chrono::milliseconds(500), backoff_cap = std::chrono::seconds(5);
    resolver_function resolver;        // for tests; empty: the system's
};

// Connects on demand. After a transport error, a timeout or an answer that does not fit, the connection is closed and
// the next one is tried after a back-off; a call before that fails at once (unavailable). Exception codes keep the
// connection. A connection that the device closed while nothing was asked, or on which it sent bytes unasked, is
// replaced before the request. Calls are serialised on the link's thread. They cannot be cancelled, only interrupted;
// each is bounded by two timeouts (one to connect, one for the answer) and the pauses. An answer counts only if its
// transaction, protocol, length, unit, function and what it repeats of the request fit.
class link {
public:
    // Asked on the link's thread right before a write request is sent. Must be thread-safe; empty: always.
    using permission = std::function<bool()>;

    link(boost::asio::any_io_executor executor, link_options options);
    // Interrupts, and waits for the thread. The caller has awaited its calls before.
    ~link();
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    boost::asio::awaitable<void> connect();
    // FC03. `count` 1..125.
    boost::asio::awaitable<std::vector<std::uint16_t>> read(int address, int count);
    // FC16. 1..123 values.
    boost::asio::awaitable<void> write(int address, std::vector<std::uint16_t> values, permission may);
    // FC06, for a one-word flag.
    boost::asio::awaitable<void> write_single(int address, std::uint16_t value, permission may);
    // Closes, without back-off.
    boost::asio::awaitable<void> disconnect();
    // From any thread: ends the call in progress and those that wait at once (cancelled) and closes. Later calls connect anew.
    void interrupt() noexcept;

    const std::string& name() const noexcept;       // "plc 10.0.0.5:502 unit 1"
    bool connected() const noexcept;
    unsigned connections() const noexcept;          // made so far
    // Those of them that did not take over from one that disconnect() had closed in good order: the device may have been
    // gone meanwhile. The first counts, and one that took more than one try.
    unsigned losses() const noexcept;
    // Answers so far that did not fit their request, and bytes that nobody had asked for. Each ended its connection.
    std::uint64_t wrong_answers() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace batchbridge::modbus
