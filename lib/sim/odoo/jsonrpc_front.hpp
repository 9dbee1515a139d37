// /jsonrpc in front of the model: login, errors as Odoo shapes them, faults on request, a log of every call.
#pragma once

#include "http/server.hpp"
#include "sim/odoo/odoo_model.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <optional>

namespace batchbridge::sim {

struct odoo_options {
    std::string db = "factory", user = "plcbridge", password = "plc", api_key, version = "18.0+e-20241005";
    std::chrono::milliseconds latency{0};
};

// kind          the client sees                                  Odoo processes the call
// hang          nothing until the faults are cleared, then EOF   never
// delay         the answer, `delay` later                        after the delay
// drop_after    EOF                                              yes
// late_commit   EOF after twice `delay`                          after the delay, also when the client hung up before
// http_504      a proxy's page at once                           after the delay
// reset         RST                                              never
// half_open     the head and half of the answer, then EOF        yes
// garbage       HTTP 200 with broken JSON                        never
// html          HTTP 200 with a page                             never
// http_500      HTTP 500 with a page                             never
// operational_error  Odoo's psycopg2.OperationalError            never
struct odoo_sim_fault {
    std::string kind;
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
    std::size_t faults() const noexcept { return faults_.size(); }
    const std::vector<boost::json::object>& calls() const noexcept { return calls_; }
    std::vector<std::string> hanging_;
    // Methods of the requests that a hang holds now.
    const std::vector<std::string>& hanging() const noexcept { return hanging_; }

private:
    using counters = std::map<std::int64_t, int>;
    // A write being processed. Holds the counters by itself: a coroutine may be destroyed after the front.
    class in_flight {
    public:
        in_flight(std::shared_ptr<counters> all, std::int64_t order) : all_(std::move(all)), order_(order) { ++(*all_)[order_]; }
        in_flight(const in_flight&) = delete;
        in_flight& operator=(const in_flight&) = delete;
        ~in_flight() { --(*all_)[order_]; }

    private:
        std::shared_ptr<counters> all_;
        std::int64_t order_;
    };
    struct parsed_call {
        boost::json::value id;
        std::string service, method, model;
        boost::json::array args;
        boost::json::object keywords;
        boost::json::array all;
        std::int64_t writes = 0;
    };
    std::optional<parsed_call> parse(const boost::json::object& body) const;
    std::optional<odoo_sim_fault> fault_for(const parsed_call& c);
    std::unique_ptr<in_flight> begin(const parsed_call& c);
    boost::json::value dispatch(const parsed_call& c);
    http::server_response shape(const parsed_call& c);
    void process_late(parsed_call c, std::chrono::milliseconds delay);
    boost::asio::awaitable<void> wait(std::chrono::milliseconds d);

    boost::asio::any_io_executor executor_;
    odoo_model& model_;
    odoo_options options_;
    std::ofstream log_;
    std::list<odoo_sim_fault> faults_;
    std::shared_ptr<counters> busy_ = std::make_shared<counters>();   // per order
    std::vector<boost::json::object> calls_;
    core::event cleared_;
    std::uint64_t clears_ = 0;
};

}  // namespace batchbridge::sim
