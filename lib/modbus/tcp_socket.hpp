// A blocking-style TCP client socket that another thread may cut: connects within a limit, resolves names and IPv6.
// Knows nothing of Modbus. libmodbus's own connect is not used because it cannot be interrupted, gives every address the
// whole limit, and reports a name that does not resolve as a refused connection.
#pragma once

#include "core/time.hpp"
#include "modbus/name_lookup.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace batchbridge::modbus {

enum class connect_result { connected, not_resolved, refused, timed_out, failed, cut };

// Of a connection on which nothing is asked at the moment. Only a quiet one may be used further.
enum class idle_state { quiet, closed, unasked_bytes };

class tcp_socket {
public:
    // An empty resolver is the system's.
    explicit tcp_socket(resolver_function resolver = {});
    ~tcp_socket();
    tcp_socket(const tcp_socket&) = delete;
    tcp_socket& operator=(const tcp_socket&) = delete;

    // Looks `host` up and tries its addresses in turn, all of it within `limit`. `cut` is asked between the steps; once it is
    // true, shutdown() ends the wait.
    // Not `connected`: reason() says why and the socket is closed.
    connect_result connect(const std::string& host, std::uint16_t port, core::duration limit, const std::function<bool()>& cut);
    const std::string& reason() const noexcept { return reason_; }

    // -1 when closed. For the owner's thread.
    int descriptor() const noexcept { return fd_; }
    idle_state idle() const noexcept;
    void close() noexcept;
    // From any thread: ends a look-up, connect, send or receive in progress. The descriptor stays the owner's to close.
    void shutdown() noexcept;

private:
    connect_result give_up(connect_result what, std::string reason);

    name_lookup names_;
    // Held while the descriptor is opened, closed or shut down, lest another thread's shutdown hits a descriptor that was
    // closed and given to somebody else meanwhile.
    std::mutex guard_;
    int fd_ = -1;
    std::string reason_;
};

}  // namespace batchbridge::modbus
