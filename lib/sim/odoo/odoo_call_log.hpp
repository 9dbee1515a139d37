// What came in and what went out: one entry per answered or processed call, and sums per protocol and per order, so that a test can
// state what an order's life costs. Bytes are whole HTTP messages, head and body, without TLS.
#pragma once

#include "sim/odoo/odoo_call.hpp"

#include <chrono>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace batchbridge::sim {

std::size_t bytes_of(const http::server_request& r);
// As lib/http's server writes it.
std::size_t bytes_of(const http::server_response& r);

struct call_record {
    std::string protocol, model, method, outcome = "ok";   // outcome: else the exception's name, or "http 404"
    std::int64_t order = 0;
    std::vector<std::int64_t> orders;
    unsigned status = 0;                                   // 0: no answer went out
    std::size_t bytes_in = 0, bytes_out = 0;
    bool late = false;                                     // processed after its client had been sent away
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

class odoo_call_log {
public:
    explicit odoo_call_log(const std::string& file);

    void add(const call_record& r);
    void clear();
    const std::vector<boost::json::object>& calls() const noexcept { return calls_; }
    // {"protocols": {"jsonrpc": {"calls", "refused", "bytes_in", "bytes_out", "methods": {..}}}, "orders": {"7": {..}}}. A call that
    // names several orders counts as `shared_calls` for each of them, and its bytes for none.
    boost::json::object totals() const;

private:
    struct sums {
        int calls = 0, refused = 0, shared = 0;
        std::size_t bytes_in = 0, bytes_out = 0;
        std::map<std::string, int> methods;
    };
    static boost::json::object shown(const sums& s);

    std::ofstream file_;
    std::vector<boost::json::object> calls_;
    std::map<std::string, sums> protocols_;
    std::map<std::int64_t, sums> orders_;
};

}  // namespace batchbridge::sim
