// The simulator's Modbus TCP side: libmodbus as a server, one thread for all of it, every request logged with its time.
#pragma once

#include "sim/plc/plc_model.hpp"

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>

namespace batchbridge::sim {

// A fault that hits the next `count` requests (0 = until cleared).
struct plc_fault {
    std::string kind;             // hang, delay, drop_after, reset, torn_slot, exception, refuse
    int count = 0;
    std::chrono::milliseconds delay{0};
    int slot = 0;                 // torn_slot
    int code = 4;                 // exception
};

class modbus_server {
public:
    // `log` may be empty. Listens at once; throws std::runtime_error.
    modbus_server(plc_model& model, const std::string& host, std::uint16_t port, const std::string& log);
    ~modbus_server();
    std::uint16_t port() const noexcept { return port_; }

    // Guards the model; held for each request and tick.
    std::mutex& guard() noexcept { return guard_; }
    void set_fault(plc_fault f);
    void clear_faults();
    std::uint64_t requests() const noexcept { return requests_; }
    int most_connections() const noexcept { return most_connections_; }
    void log_event(const std::string& text);

private:
    struct client;
    void run();
    void handle(int fd, std::vector<std::uint8_t>& query, int length);
    std::optional<plc_fault> next_fault();
    void log_request(int function, int address, int count, const char* result);

    plc_model& model_;
    std::mutex guard_;
    std::ofstream log_;
    std::mutex log_guard_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::mutex fault_guard_;
    std::vector<plc_fault> faults_;
    std::atomic<std::uint64_t> requests_{0}, cleared_{0};
    std::atomic<int> most_connections_{0};
    std::atomic<bool> stop_{false};
    std::vector<int> clients_;
    std::thread thread_;
};

}  // namespace batchbridge::sim
