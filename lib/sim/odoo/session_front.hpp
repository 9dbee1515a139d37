// /web/session/* and /web/dataset/call_kw: JSON-RPC with a session cookie (odoo18.md, section 3).
#pragma once

#include "sim/odoo/odoo_call.hpp"
#include "sim/odoo/odoo_sessions.hpp"

#include <optional>

namespace batchbridge::sim {

// The parts that every JSON-RPC endpoint behind a session has: parameters, answer, refusal. nullopt: it is not JSON-RPC.
struct session_request {
    boost::json::value id;
    boost::json::object params;
};
std::optional<session_request> session_body(const http::server_request& request);
// Fills in answer, refuse and database_down; `bare`: without the envelope.
void session_shapes(odoo_call& c, const odoo_model& model, const boost::json::value& id, bool bare = false);

class session_front {
public:
    session_front(odoo_model& model, odoo_sessions& sessions) : model_(model), sessions_(sessions) {}
    // `path` without the query.
    front_result read(const http::server_request& request, const std::string& path);

private:
    odoo_model& model_;
    odoo_sessions& sessions_;
};

}  // namespace batchbridge::sim
