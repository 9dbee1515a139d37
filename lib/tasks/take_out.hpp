// Takes orders out of the PLC: the one way an order leaves a load before the PLC has made it (design section 4, Disarm).
#pragma once

#include "tasks/line.hpp"

namespace batchbridge::tasks {

// Blanks the WRITE slot of every batch in state cancelling that is not blanked yet. Takes line.plc_writes().
// If that was slot 1 of a load the PLC has still not taken one second later, the offer is withdrawn and the rest of the
// load is staged again from slot 1. Returns whether anything was done. Throws plc::error, pg::error.
boost::asio::awaitable<bool> take_out_cancelling(line& l);

}  // namespace batchbridge::tasks
