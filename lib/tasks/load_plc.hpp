// Brings a staged load into the PLC, from wherever a crash or a failed request left it (design section 4, Load).
#pragma once

#include "domain/batch.hpp"
#include "tasks/line.hpp"

namespace batchbridge::tasks {

struct load_outcome {
    enum class kind {
        offered,        // armed; the PLC has not taken it yet
        taken,          // the PLC has taken it
        not_verified,   // read-back differed three times: alert load_verify, the load stays staged
        withdrawing,    // slot 1 of the offer is being taken out: the read cycle goes on with it
        stopped,        // the PLC took the offer that this load replaces: nothing is armed until a person has looked
        lost_by_plc,    // it was offered, and the PLC has forgotten it: alert plc_reset, nothing is written
        waiting,        // an acknowledgement is owed first, or a person has paused the line
        withdrawn       // nothing of it is left
    } what;
    std::string detail;
    bool changed = true;     // false: it stands as it stood before
};

// The caller holds line.plc_writes(). Uses the stored rows only, never Odoo, and reads them again right before arming: an
// order that is taken out meanwhile is never armed. Throws plc::error, pg::error, fenced.
boost::asio::awaitable<load_outcome> continue_load(line& l, domain::load load);

// The batches of `load` that wait to be loaded or taken, whether one of them is in slot 1 (slot 1 is always used), whether
// all of them were told to be offered, and whether the PLC has begun one.
struct load_rows {
    std::vector<domain::batch> waiting;
    bool has_first = false, all_loaded = true, begun = false;
};
load_rows rows_of_load(const std::vector<domain::batch>& rows, std::int64_t load_id);

}  // namespace batchbridge::tasks
