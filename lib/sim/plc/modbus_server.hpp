// The simulator's Modbus TCP side: libmodbus as a server, every request logged with its time, faults on request. One
// thread serves all connections, another runs the PLC's scan, so that a slow answer does not stop the dosing.
#pragma once

#include "sim/plc/plc_model.hpp"

#include <atomic>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

namespace batchbridge::sim {

// A fault that hits the next `count` requests it fits (0 = until cleared).
struct plc_fault {
    // hang        the request is executed by nobody and never answered; `silence` is another word for it
    // delay       answered `delay` late
    // drop_after  executed, then the connection is closed instead of an answer
    // reset       not executed, the connection ends with RST
    // exception   answered with exception `code`
    // torn_slot   a read of READ slot `slot` has one word of a quantity that is not 0 old and one new (65536 counts off)
    // refuse      no connection stays or is accepted for `delay` (0: until cleared); takes no count
    std::string kind;
    int count = 0;
    std::chrono::milliseconds delay{0};
    int slot = 1;
    int code = 4;
    int function = 0;             // only requests with this function code; 0: any
};

class modbus_server {
public:
    // `log` may be empty. Listens at once; throws std::runtime_error. Port 0: any free one.
    modbus_server(plc_model& model, const std::string& host, std::uint16_t port, const std::string& log);
    ~modbus_server();
    modbus_server(const modbus_server&) = delete;
    modbus_server& operator=(const modbus_server&) = delete;
    std::uint16_t port() const noexcept { return port_; }

    // Guards the model; held for each request and scan.
    std::mutex& guard() noexcept { return guard_; }
    void set_fault(plc_fault f);
    void clear_faults();
    std::uint64_t requests() const noexcept { return requests_; }
    int connections() const noexcept { return connections_; }             // accepted so far
    int most_connections() const noexcept { return most_connections_; }   // open at the same time

private:
    void listen();
    void serve();
    void scan();
    void accept();
    void close_client(int fd);
    void refuse_or_listen();
    void handle(int fd, std::vector<std::uint8_t>& query, int length);
    const char* answer(int fd, const std::vector<std::uint8_t>& query, int length, bool drop, int torn_slot);
    std::optional<plc_fault> next_fault(int function, int address, int count);
    bool can_tear(int slot);
    void tear(int slot);
    void log_event(const plc_event& e);
    void log_request(int unit, int function, int address, int count, const char* result);

    plc_model& model_;
    std::mutex guard_;
    std::ofstream log_;
    std::mutex log_guard_;
    std::string host_;
    int listener_ = -1;
    bool listening_ = false;
    std::uint16_t port_ = 0;
    std::mutex fault_guard_;
    std::vector<plc_fault> faults_;
    std::optional<std::chrono::steady_clock::time_point> refuse_until_;
    std::atomic<std::uint64_t> requests_{0}, cleared_{0};
    std::atomic<int> connections_{0}, most_connections_{0};
    std::atomic<bool> stop_{false};
    std::vector<int> clients_;
    std::thread server_, scanner_;
};

}  // namespace batchbridge::sim
