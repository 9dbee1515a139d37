// The simulator's control port: state to read, faults and acts to ask for.
#pragma once

#include "http/server.hpp"
#include "sim/plc/modbus_server.hpp"

namespace batchbridge::sim {

boost::asio::awaitable<http::server_response> control_plc(plc_model& model, modbus_server& server, const http::server_request& request);

}  // namespace batchbridge::sim
