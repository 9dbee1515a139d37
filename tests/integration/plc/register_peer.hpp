// A PLC of nothing but registers, which a test changes between any two requests and whose clock tells when each came.
#pragma once

#include "unit/modbus/raw_peer.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace batchbridge::tests {

struct peer_request {
    std::chrono::steady_clock::time_point received, answered;
    int connection = 0;                   // 1 for the first
    int function = 0, address = 0, count = 0;
};

class register_peer {
public:
    using registers = std::vector<std::uint16_t>;
    // Called on the peer's thread before each request is executed.
    using hook = std::function<void(registers&)>;

    explicit register_peer(hook before = {});
    std::uint16_t port() const noexcept { return peer_.port(); }
    std::vector<peer_request> requests() const;
    // Reads of more registers are answered with exception 3.
    void allow(int most) noexcept { most_ = most; }
    registers& memory() noexcept { return memory_; }   // while no request is under way

private:
    void serve(raw_connection& c, int number);
    bytes execute(const bytes& request);

    hook before_;
    std::atomic<int> most_{125};
    registers memory_ = registers(65536, 0);
    mutable std::mutex guard_;
    std::vector<peer_request> requests_;
    raw_peer peer_;                       // last: its thread uses what stands above
};

}  // namespace batchbridge::tests
