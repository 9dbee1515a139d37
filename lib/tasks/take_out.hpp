// Takes orders out of the PLC: the one way an order leaves a load before the PLC has made it (design section 4, Disarm).
#pragma once

#include "tasks/line.hpp"

#include <chrono>
#include <optional>

namespace batchbridge::tasks {

// When this process blanked slot 1 of an offer, so that the PLC has the whole second to finish a taking it had begun.
struct withdrawal_clock {
    std::int64_t load = 0;
    std::chrono::steady_clock::time_point blanked{};
};

// One step, called once a read cycle; never waits, and does nothing while a load is being written. Blanks the WRITE slot
// of every batch in state cancelling that is not blanked yet. If that is slot 1 of an offered load, the withdrawal is
// committed first; one second after the blanking the ready word decides: still 0 = the rest is staged again from slot 1,
// 1 = the PLC has taken the load (and skips the blank slot). All of it follows from the stored rows, so a crash or a failed
// request at any point is continued by the next step. Returns whether anything was done. Throws plc::error, pg::error.
boost::asio::awaitable<bool> take_out_step(line& l, withdrawal_clock& withdrawal);

}  // namespace batchbridge::tasks
