// The part of Odoo 18 that batchbridge meets: manufacturing orders, their moves, and the traps measured on real servers
// (odoo18.md, sections 4 to 8 and 12). No sockets; one thread.
#pragma once

#include "core/decimal.hpp"
#include "core/time.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::sim {

// Becomes Odoo's error answer: HTTP 200 with error.data.name.
struct odoo_fault : std::runtime_error {
    odoo_fault(std::string exception_name, const std::string& message) : std::runtime_error(message), name(std::move(exception_name)) {}
    std::string name;
};

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

class odoo_model {
public:
    explicit odoo_model(std::uint64_t seed);

    // `what`: name?, product_code?, quantity, uom?, priority?, date_start?, state?, consumption?, auto_print?,
    // components [{product_code, quantity, uom?}], raw?
    std::int64_t create(const boost::json::object& what);
    // Plausible confirmed orders.
    std::vector<std::int64_t> generate(int count);
    std::map<std::int64_t, sim_order>& orders() noexcept { return orders_; }
    const std::vector<std::string>& violations() const noexcept { return violations_; }
    void violation(std::string text) { violations_.push_back(std::move(text)); }

    // execute_kw; throws odoo_fault. A null value means "no result member".
    boost::json::value execute(const std::string& model, const std::string& method, const boost::json::array& args, const boost::json::object& keywords);
    // The order a call changes; 0 for reads.
    static std::int64_t written_order(const std::string& method, const boost::json::array& args);

    // What people do in Odoo (the control port).
    void cancel(sim_order& o);
    void finish_as_planned(sim_order& o);
    void change_quantity(sim_order& o, const core::decimal& quantity);

private:
    std::vector<sim_order*> search(const boost::json::array& domain, std::string_view order);
    boost::json::value read_many(const std::string& method, const boost::json::array& args, const boost::json::object& keywords);
    boost::json::value read_ids(const std::string& method, const boost::json::array& args, const boost::json::object& keywords);
    void write(sim_order& o, const boost::json::object& values);
    boost::json::value mark_done(sim_order& o, const boost::json::object& context);
    sim_order* order(std::int64_t id);
    void book(sim_order& o);

    std::uint64_t seed_;
    std::map<std::int64_t, sim_order> orders_;
    std::int64_t next_order_ = 1, next_move_ = 1;
    std::vector<std::string> violations_;
};

}  // namespace batchbridge::sim
