// When a periodic task runs. Pure; instants are steady-clock values passed in.
#pragma once

#include "core/time.hpp"

#include <cstdint>

namespace batchbridge::domain {

struct schedule_rule {
    core::duration interval;
    core::duration grace = std::chrono::seconds(30);  // later than that is a misfire (reported; the run still happens)
};
struct schedule_decision {
    bool run = false;
    bool misfire = false;
    std::chrono::steady_clock::time_point next_due;  // stays on the grid of `due`
    std::uint64_t merged = 0;   // due times that fell into this run beyond the first
};
// `due` is the planned start, `now` the present. Not yet due: run = false and next_due = due.
schedule_decision decide_run(const schedule_rule& rule, std::chrono::steady_clock::time_point due,
                             std::chrono::steady_clock::time_point now);
// Start of the repetition of a run that failed: 1 s, doubling to 1 min, never later than the next regular start.
std::chrono::steady_clock::time_point decide_repeat(const schedule_rule& rule, unsigned failures,
                                                    std::chrono::steady_clock::time_point next_due,
                                                    std::chrono::steady_clock::time_point now);

}  // namespace batchbridge::domain
