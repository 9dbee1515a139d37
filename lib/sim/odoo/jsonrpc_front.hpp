// /jsonrpc in front of the model: login, errors as Odoo shapes them, faults on request, a log of every call.
#pragma once

#include "http/server.hpp"
#include "sim/odoo/odoo_model.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <fstream>
#include <list>
#include <map>

namespace batchbridge::sim {

struct odoo_options {
    std::string db = "factory", user = "plcbridge", password = "plc", api_key, version = "18.0+e-20241005";
    std::chrono::milliseconds latency{0};
};

struct odoo_sim_fault {
    std::string kind;              // hang, delay, drop_after, late_commit, http_504, reset, half_open, garbage, http_500, html, operational_error
    std::string method;            // empty: any
    std::int64_t order = 0;        // 0: any
    int count = 0;                 // 0: until cleared
    std::chrono::milliseconds delay{0};
};

class jsonrpc_front {
public:
    jsonrpc_front(boost::asio::any_io_executor executor, odoo_model& model, odoo_options options, const std::string& log);

    boost::asio::awaitable<http::server_response> answer(const http::server_request& request);
    void set_fault(odoo_sim_fault f) { faults_.push_back(std::move(f)); }
    // Hung calls are let go (unanswered, not processed).
    void clear_faults();
    const std::vector<boost::json::object>& calls() const noexcept { return calls_; }

private:
    struct parsed_call {
        boost::json::value id;
        std::string service, method, model;
        boost::json::array args;
        boost::json::object keywords;
        boost::json::array all;
        std::int64_t writes = 0;
    };
    std::optional<odoo_sim_fault> fault_for(const parsed_call& c);
    boost::json::value dispatch(const parsed_call& c);
    http::server_response shape(const parsed_call& c);
    void process_late(parsed_call c, std::chrono::milliseconds delay);
    boost::asio::awaitable<void> wait(std::chrono::milliseconds d);

    boost::asio::any_io_executor executor_;
    odoo_model& model_;
    odoo_options options_;
    std::ofstream log_;
    std::list<odoo_sim_fault> faults_;
    std::map<std::int64_t, int> busy_;      // writes being processed, per order
    std::vector<boost::json::object> calls_;
    core::event cleared_;
    std::uint64_t clears_ = 0;
};

}  // namespace batchbridge::sim
