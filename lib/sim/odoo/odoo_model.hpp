// The part of Odoo that batchbridge meets: manufacturing orders and their moves, equipment, maintenance requests, notes; and the
// traps measured on real servers (odoo18.md sections 4 to 9 and 12, odoo19.md sections 4 to 7). No sockets; one thread. Every
// protocol works on the same one.
#pragma once

#include "core/decimal.hpp"
#include "core/time.hpp"
#include "sim/odoo/odoo_arguments.hpp"
#include "sim/odoo/odoo_fault.hpp"
#include "sim/odoo/odoo_options.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::sim {

struct sim_move {
    std::int64_t id = 0, product_id = 0;
    std::string product_code, product_name, uom = "kg";
    core::decimal planned, quantity;
    bool picked = false, manual = false;
    std::string state = "assigned";
};

struct sim_order {
    std::int64_t id = 0, product_id = 16, bom_id = 1;
    std::string name, state = "confirmed", priority = "0", product_code = "FG-A", product_name = "Feed mix A", uom = "kg";
    std::string consumption = "warning", origin;
    core::utc_time date_start{}, date_finished{}, create_date{}, write_date{};
    core::decimal quantity, qty_producing, qty_produced;
    bool auto_print = false;          // the operation type prints: done answers with an action that is no wizard (d10)
    std::vector<sim_move> moves;
    boost::json::object raw;          // overrides of what a read returns
    int consumption_writes = 0, final_writes = 0, done_calls = 0, finished_times = 0;
};

struct sim_equipment {
    std::int64_t id = 0;
    std::string name, serial_no;
};

struct sim_request {
    std::int64_t id = 0, equipment_id = 0, stage_id = 1;
    std::string name, description, request_date, schedule_date, maintenance_type = "corrective", priority = "1";
    bool archived = false;
    core::utc_time create_date{};
};

struct sim_message {
    std::int64_t id = 0, record_id = 0;
    std::string model, body;
};

// How a call came, which decides whether what it does is the client's fault.
struct call_facts {
    bool late = false;           // its client was sent away before (late_commit, http_504)
    bool done_before = false;    // the order was done already when the request arrived
};

class odoo_model {
public:
    explicit odoo_model(std::uint64_t seed);

    // `what`: name?, product_code?, quantity, uom?, priority?, date_start?, state?, consumption?, auto_print?,
    // components [{product_code, quantity, uom?}], raw?
    std::int64_t create(const boost::json::object& what);
    // Plausible confirmed orders.
    std::vector<std::int64_t> generate(int count);
    std::map<std::int64_t, sim_order>& orders() noexcept { return orders_; }
    std::vector<sim_equipment>& equipment() noexcept { return equipment_; }
    std::map<std::int64_t, sim_request>& requests() noexcept { return requests_; }
    const std::vector<sim_message>& messages() const noexcept { return messages_; }
    odoo_options& options() noexcept { return options_; }
    const odoo_options& options() const noexcept { return options_; }
    const std::vector<std::string>& violations() const noexcept { return violations_; }
    void violation(std::string text) { violations_.push_back(std::move(text)); }
    // What an abandoned call did long after its client was gone: nobody's fault, but a test may want to see it.
    const std::vector<std::string>& late_effects() const noexcept { return late_effects_; }

    // Any model, any method; throws odoo_fault. A null value means that the method returns nothing.
    boost::json::value execute(const std::string& model, const std::string& method, const odoo_arguments& a, const call_facts& facts = {});
    static bool knows(std::string_view model);
    static bool knows(std::string_view model, std::string_view method, const odoo_options& o);
    // The order a call changes; 0 for reads.
    static std::int64_t written_order(std::string_view model, std::string_view method, const boost::json::array& ids);

    // What the SCADA module does with an order: its endpoints' own rules are in scada_front.
    void write(sim_order& o, const boost::json::object& values, const call_facts& facts);
    void book(sim_order& o);
    std::int64_t add_request(const boost::json::object& values, const call_facts& facts);

    // What people do in Odoo (the control port).
    void cancel(sim_order& o);
    void finish_as_planned(sim_order& o);
    void change_quantity(sim_order& o, const core::decimal& quantity);

    sim_order* order(std::int64_t id);

private:
    std::vector<sim_order*> search(const boost::json::array& domain, std::string_view order);
    boost::json::value production(const std::string& method, const odoo_arguments& a, const call_facts& facts);
    boost::json::value read_many(const std::string& method, const odoo_arguments& a);
    boost::json::value read_ids(const std::string& method, const odoo_arguments& a);
    std::vector<sim_order*> all_of(const boost::json::array& ids);
    void change_move(sim_move& m, const boost::json::object& values) const;
    sim_move new_move(const boost::json::object& values);
    boost::json::value mark_done(sim_order& o, const odoo_arguments& a);
    // The other models: records with every field, searched and read alike.
    std::vector<boost::json::object> rows(std::string_view model) const;
    boost::json::value read_rows(const std::string& model, const std::string& method, const odoo_arguments& a);
    boost::json::value moves(const std::string& method, const odoo_arguments& a, const call_facts& facts);
    boost::json::value create_requests(const boost::json::value& values, const call_facts& facts);
    boost::json::value post_message(const std::string& model, const odoo_arguments& a);
    boost::json::value users(const std::string& method, const odoo_arguments& a);
    bool allowed(std::string_view model, std::string_view operation) const;
    void complain(const call_facts& facts, std::string text);

    std::uint64_t seed_;
    odoo_options options_;
    std::map<std::int64_t, sim_order> orders_;
    std::vector<sim_equipment> equipment_;
    std::map<std::int64_t, sim_request> requests_;
    std::vector<sim_message> messages_;
    std::int64_t next_order_ = 1, next_move_ = 1, next_request_ = 1, next_message_ = 401;
    std::vector<std::string> violations_, late_effects_;
};

// As a float field takes it: empty is 0, a text must be a number (h17). Throws odoo_fault.
core::decimal number_of(const boost::json::value& v);
// Whole seconds, as Odoo stores them.
core::utc_time odoo_now();

}  // namespace batchbridge::sim
