// A TCP peer that answers byte for byte what a test tells it, to show a Modbus client what no library would send.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace batchbridge::tests {

using bytes = std::vector<std::uint8_t>;

// One accepted connection, in the hands of the peer's script.
class raw_connection {
public:
    explicit raw_connection(int fd) : fd_(fd) {}
    // The next whole request (by its MBAP length); empty when the client has closed.
    bytes receive();
    void send(const bytes& data);
    // Ends with RST instead of FIN.
    void reset();
    // Waits until the client closes.
    void await_close();

private:
    int fd_;
};

// Runs `script` for each connection in turn, on its own thread, and closes the connection when it returns.
class raw_peer {
public:
    using script = std::function<void(raw_connection&, int number)>;   // number: 1 for the first connection
    explicit raw_peer(script s);
    ~raw_peer();
    std::uint16_t port() const noexcept { return port_; }
    int connections() const noexcept { return connections_; }

private:
    void run();
    script script_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> connections_{0};
    std::atomic<bool> stop_{false};
    std::mutex guard_;
    int current_ = -1;
    std::thread thread_;
};

// The right answer to an FC03 request: every register holds `value`.
bytes read_answer(const bytes& request, std::uint16_t value);
// The right answer to an FC06 or FC16 request.
bytes write_answer(const bytes& request);
bytes exception_answer(const bytes& request, std::uint8_t code);

}  // namespace batchbridge::tests
