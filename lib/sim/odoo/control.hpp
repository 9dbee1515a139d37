// odoo-sim's control port.
#pragma once

#include "http/server.hpp"
#include "sim/odoo/jsonrpc_front.hpp"

namespace batchbridge::sim {

boost::asio::awaitable<http::server_response> control_odoo(odoo_model& model, jsonrpc_front& front, const http::server_request& request);

}  // namespace batchbridge::sim
