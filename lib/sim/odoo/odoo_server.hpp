// Odoo 18, Odoo 19 and the plant's SCADA module at once, on one port, over one model. A front per protocol reads a request; what
// follows is the same for all: a fault on request, the model, the front's answer, the log.
#pragma once

#include "core/event.hpp"
#include "sim/odoo/json2_front.hpp"
#include "sim/odoo/jsonrpc_front.hpp"
#include "sim/odoo/odoo_call_log.hpp"
#include "sim/odoo/odoo_sim_fault.hpp"
#include "sim/odoo/scada_front.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <list>
#include <map>
#include <memory>

namespace batchbridge::sim {

class odoo_server {
public:
    odoo_server(boost::asio::any_io_executor executor, odoo_model& model, odoo_options options, const std::string& log);

    boost::asio::awaitable<http::server_response> answer(const http::server_request& request);
    void set_fault(odoo_sim_fault f) { faults_.add(std::move(f)); }
    // Hung calls are let go (unanswered, not processed).
    void clear_faults();
    std::size_t faults() const noexcept { return faults_.size(); }
    // Methods of the requests that a hang holds now.
    const std::vector<std::string>& hanging() const noexcept { return hanging_; }
    // Methods of abandoned calls that wait for later ones.
    std::vector<std::string> pending() const;
    // Lets them all land now.
    void land_pending();
    odoo_call_log& log() noexcept { return log_; }
    const odoo_call_log& log() const noexcept { return log_; }
    odoo_sessions& sessions() noexcept { return sessions_; }

private:
    using counters = std::map<std::int64_t, int>;
    // A write being processed. Holds the counters by itself: a coroutine may be destroyed after the server.
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
    // A call, with what the log will say of it.
    struct job {
        odoo_call call;
        call_record record;
        call_facts facts;
    };
    struct waiting {
        std::shared_ptr<job> what;
        int calls = 0;
        std::string after;
        std::shared_ptr<core::event> landed;
    };

    front_result route(const http::server_request& request, call_record& record);
    boost::asio::awaitable<http::server_response> call(std::shared_ptr<job> j);
    boost::asio::awaitable<http::server_response> hang(const std::string& method);
    boost::asio::awaitable<http::server_response> abandon(std::shared_ptr<job> j, const odoo_sim_fault& fault);
    void land_later(const std::shared_ptr<job>& j, std::chrono::milliseconds delay);
    std::optional<http::server_response> instead(job& j, const odoo_sim_fault& fault);
    http::server_response process(job& j);
    void land(job& j);
    // Calls that waited for this one.
    void land_after(const odoo_call& c);
    std::unique_ptr<in_flight> begin(const odoo_call& c);
    http::server_response finished(call_record& record, http::server_response r);
    boost::asio::awaitable<void> wait(std::chrono::milliseconds d);

    boost::asio::any_io_executor executor_;
    odoo_model& model_;
    odoo_sessions sessions_;
    jsonrpc_front jsonrpc_;
    json2_front json2_;
    session_front session_;
    scada_front scada_;
    odoo_call_log log_;
    odoo_fault_list faults_;
    std::list<waiting> pending_;
    std::shared_ptr<counters> busy_ = std::make_shared<counters>();   // per order
    std::vector<std::string> hanging_;
    core::event cleared_;
    std::uint64_t clears_ = 0;
};

}  // namespace batchbridge::sim
