// odoo-sim's control port.
//
// GET  /orders /equipment /requests /messages   what stands in the model
//      /calls /totals                           every call, and sums per protocol and order (odoo_call_log.hpp)
//      /violations /late                        what a client must never do; what abandoned calls did at last
//      /hanging /pending /options               calls held by a hang, calls that land later, what can be set
// POST /orders /generate /orders/ID             more orders; {"act": "cancel" | "delete" | "finish" | "set_quantity", "quantity"}
//      /equipment                               {"name", "serial_no"}, or a list: more of it; {"act": "clear"}
//      /fault /clear /land                      odoo_sim_fault.hpp; no faults; pending calls land now
//      /options                                 any of what GET shows: version, password, api_key, rights, ..
//      /sessions /calls                         {"act": "expire" | "forgive"}; {"act": "clear"}
#pragma once

#include "http/server.hpp"
#include "sim/odoo/odoo_server.hpp"

namespace batchbridge::sim {

boost::asio::awaitable<http::server_response> control_odoo(odoo_model& model, odoo_server& server, const http::server_request& request);

// control_options.cpp
boost::json::object options_json(const odoo_options& o);
// Throws std::runtime_error for a name or a type that is not known; nothing is changed then.
void change_options(odoo_options& o, const boost::json::object& changes);

}  // namespace batchbridge::sim
