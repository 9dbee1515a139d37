// Stands between a program and a server on 127.0.0.1, on a thread of its own: passes bytes on and remembers what the clients
// sent, and can be the network that fails.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bb_test {

class tcp_proxy {
public:
    // Listens on a free port of 127.0.0.1.
    explicit tcp_proxy(int server_port);
    ~tcp_proxy();
    tcp_proxy(const tcp_proxy&) = delete;
    tcp_proxy& operator=(const tcp_proxy&) = delete;
    int port() const noexcept;

    // A cut cable: connections stay open and nothing passes; new ones are accepted and never served. What was sent meanwhile
    // arrives after restore(), as TCP sends it again.
    void black_hole();
    // Every connection is reset, and each new one at once.
    void cut();
    void restore();
    // New PostgreSQL sessions are told an invented process number, as a connection pooler does.
    void invent_process_numbers();

    // What clients sent, as it came in.
    struct piece {
        std::int64_t ns;         // CLOCK_MONOTONIC
        std::string bytes;
    };
    std::vector<piece> sent() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// Modbus TCP requests that write (function codes 5, 6, 15, 16), with their times.
std::vector<std::int64_t> modbus_writes(const std::vector<tcp_proxy::piece>& sent);
// JSON-RPC calls that change an order (write, button_mark_done, action_cancel), with their times.
std::vector<std::int64_t> odoo_writes(const std::vector<tcp_proxy::piece>& sent);

}  // namespace bb_test
