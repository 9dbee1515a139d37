// The simulator's control port: state to read, faults and acts to ask for. JSON in and out; 400 says what was wrong.
//
//   GET  /state                               slots, finished batches with their exact figures, counters, and what a client
//                                             did wrong: most_connections above 1, overlapping_requests above 0
//   GET  /registers?start=6000&count=77       raw words
//   POST /registers   {address, values}
//   POST /fault       {kind, count, delay_ms, slot, code, function, address}   see plc_fault.hpp; count 0: until cleared
//   POST /clear                               ends all faults
//   POST /pause, /resume                      dosing
//   POST /take        {enabled}               taking of loads
//   POST /speed       {speed}
//   POST /fail_batch  {slot}                  status_operation = 1
//   POST /failure     {equipment, info, time}  time: the words of the map's time field ([2026, 11, 24, 10, 46, 9]), or a
//                     text or a number of seconds for a map that declares one; {words: [..]}: the whole block as it stands
//                     in the registers, flag included; {keep: false}: acknowledgements are not kept from now on
//   POST /reboot                              every register 0
#pragma once

#include "http/server.hpp"
#include "sim/plc/modbus_server.hpp"

namespace batchbridge::sim {

boost::asio::awaitable<http::server_response> control_plc(plc_model& model, modbus_server& server, const http::server_request& request);

}  // namespace batchbridge::sim
