// A PLC whose slots are all blank, and which cannot be written to.
#pragma once

#include "plc/device.hpp"

#include <memory>

namespace batchbridge::tests {

std::unique_ptr<plc::device> blank_plc();

}  // namespace batchbridge::tests
