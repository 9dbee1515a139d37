// The simulator's Modbus TCP side: libmodbus as a server, every request logged with its time, faults on request. One
// thread serves all connections, another runs the PLC's scan, so that a slow answer does not stop the dosing.
#pragma once

#include "sim/plc/plc_fault.hpp"
#include "sim/plc/plc_model.hpp"

#include <atomic>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

namespace batchbridge::sim {

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
    // Open at the same time. One whose client has closed it is not open, though it may still have to be read.
    int most_connections() const noexcept { return most_connections_; }
    // Requests that came before the one before on the same connection was answered: a violation, however many answers are owed.
    std::uint64_t overlapping() const noexcept { return overlapping_; }
    int refused_connections() const noexcept { return refused_; }         // by one_connection

private:
    struct client {
        int fd;
        bool owed = false;       // a request of it has no answer
        bool left = false;       // half_open: not served any more
    };

    void listen();
    void serve();
    void scan();
    void accept();
    bool may_accept();
    void close_client(int fd);
    void reset_client(int fd);
    void close_ended();
    void follow_connection_faults();
    void handle(client& c, std::vector<std::uint8_t>& query, int length);
    const char* answer(client& c, const std::vector<std::uint8_t>& query, int length);
    const char* answer_spoiled(client& c, const std::vector<std::uint8_t>& query, int length, const plc_fault& fault);
    void note_written();
    wire_bytes make_answer(const std::vector<std::uint8_t>& query, int length);
    void note_answering(client& c);
    // False when the wait is over early: faults cleared, simulator ending, client gone.
    bool pause(std::chrono::milliseconds time, int fd);
    std::optional<plc_fault> next_fault(int function, int address, int count);
    bool can_tear(int slot);
    void tear(int slot);
    void change_quantities(const std::vector<std::uint8_t>& query);
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
    bool one_connection_ = false, leave_all_ = false;
    std::optional<std::chrono::milliseconds> reboot_;
    std::chrono::milliseconds accept_delay_{0};
    std::optional<std::chrono::steady_clock::time_point> accept_from_;
    std::atomic<std::uint64_t> requests_{0}, cleared_{0}, overlapping_{0};
    std::atomic<int> connections_{0}, most_connections_{0}, refused_{0};
    std::atomic<bool> stop_{false};
    std::vector<client> clients_;
    std::thread server_, scanner_;
};

}  // namespace batchbridge::sim
