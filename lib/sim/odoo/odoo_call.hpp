// One call as the transport-independent part of odoo-sim sees it, and what each protocol's front makes of a request.
#pragma once

#include "http/server.hpp"
#include "sim/odoo/odoo_model.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace batchbridge::sim {

struct odoo_call {
    std::string protocol;                  // jsonrpc, json2, session, scada, web
    std::string model, method;             // of the SCADA module: the last part of the endpoint's path
    std::vector<std::int64_t> orders;      // that it names, changed or not
    std::int64_t order = 0;                // the one that it is about; 0: none, or several
    std::int64_t writes = 0;               // the one that it changes
    bool values = false;                   // it brings consumption or a produced quantity, and not only "done"

    // Login, rights, model. Throws odoo_fault.
    std::function<boost::json::value(const call_facts&)> run;
    std::function<http::server_response(boost::json::value)> answer;
    std::function<http::server_response(const odoo_fault&)> refuse;
    std::function<http::server_response()> database_down;
};

// A page at once, or a call.
using front_result = std::variant<http::server_response, odoo_call>;

// Odoo closes after every answer.
http::server_response odoo_json(unsigned status, const boost::json::value& body);
http::server_response odoo_page(unsigned status, std::string body);
http::server_response not_found_page();
// "18.0+e-20241005": [18, 0, 0, "final", 0, ""] (a00).
boost::json::array version_info(const std::string& version);
boost::json::object version_answer(const std::string& version);
// A JSON-RPC envelope with the given id, and the error member of it; `code` is 200 on 18, 0 on 19 (h_jsonrpc_error_on_19).
boost::json::object envelope(const boost::json::value& id);
boost::json::object error_member(const odoo_options& o, const odoo_fault& f);
// PostgreSQL's own words.
odoo_fault database_missing(const std::string& name);
odoo_fault database_unreachable();

// What execute_kw and call_kw share: `model` and `method` with positional arguments; fills in everything but run's login.
void fill_execute(odoo_call& c, odoo_model& model, const boost::json::array& args, const boost::json::object& keywords);
// The orders that arguments name, for the log and for faults.
void name_orders(odoo_call& c, const boost::json::array& ids, const boost::json::value* domain);

}  // namespace batchbridge::sim
