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
        withdrawn       // nothing of it is left
    } what;
    std::string detail;
};

// The caller holds line.plc_writes(). Uses the stored rows only, never Odoo. Throws plc::error, pg::error, fenced.
boost::asio::awaitable<load_outcome> continue_load(line& l, domain::load load);

}  // namespace batchbridge::tasks
