// An awaitable Modbus TCP link on libmodbus: one thread, one connection, one request at a time. Knows holding registers,
// not batches. Source of the protocol facts: MODBUS Application Protocol V1.1b3, sections 6.3, 6.6 and 6.12.
#pragma once

#include "core/error.hpp"
#include "core/time.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace batchbridge::modbus {

// peer_code(): the exception code as text ("2") when the device answered with one (kind rejected).
class error : public core::error {
    using core::error::error;
};

struct link_options {
    link_options(std::string host_name, std::uint16_t tcp_port, int unit) : host(std::move(host_name)), port(tcp_port), unit_id(unit) {}
    std::string host;                  // a name, IPv4 or IPv6
    std::uint16_t port;
    int unit_id;
    core::duration timeout = std::chrono::seconds(2);   // of connecting, and of each request
    core::duration pause_after_connect{}, pause_between_requests{};
    core::duration backoff_first = std::chrono::milliseconds(500), backoff_cap = std::chrono::seconds(5);
};

// Connects on demand. After a transport error, a timeout or an answer that does not fit, the connection is closed and the
// next one is tried after a back-off; a call before that fails at once (unavailable). Exception codes keep the connection.
// Calls are serialised on the link's thread. They cannot be cancelled, only interrupted; each is bounded by the timeout.
class link {
public:
    using permission = std::function<bool()>;

    link(boost::asio::any_io_executor executor, link_options options);
    ~link();
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    boost::asio::awaitable<void> connect();
    // FC03. `count` 1..125.
    boost::asio::awaitable<std::vector<std::uint16_t>> read(int address, int count);
    // FC16. 1..123 values. `may` is asked on the link's thread right before the request is sent; false: kind cancelled.
    boost::asio::awaitable<void> write(int address, std::vector<std::uint16_t> values, permission may);
    // Closes after the present cycle (quirk close_after_cycle) or on shutdown; without back-off.
    boost::asio::awaitable<void> disconnect();
    // From any thread: ends a call in progress at once.
    void interrupt() noexcept;

    const std::string& name() const noexcept;       // "plc 10.0.0.5:502 unit 1"
    bool connected() const noexcept;
    unsigned connections() const noexcept;          // made so far

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace batchbridge::modbus
