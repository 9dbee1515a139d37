// The device on Modbus TCP, with the plant map's `flag` handshake.
#pragma once

#include "core/config.hpp"
#include "plc/device.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace batchbridge::plc {

// Nothing is connected before the first call.
std::unique_ptr<device> make_modbus_device(boost::asio::any_io_executor executor, const core::line_config& line, domain::plant_map map,
                                           device::write_permission may_write);

}  // namespace batchbridge::plc
