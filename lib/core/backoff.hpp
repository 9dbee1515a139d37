// Capped exponential back-off with jitter. Pure: the random number is passed in.
#pragma once

#include "core/time.hpp"

namespace batchbridge::core {

struct backoff_limits {
    duration first;
    duration cap;
};

// Delay before attempt number `failures`+1 (failures >= 1): first * 2^(failures-1), capped, then spread over
// [50 %, 100 %] by `random` in [0, 1).
duration backoff_delay(const backoff_limits& limits, unsigned failures, double random);
// A random number in [0, 1) for the above.
double random_unit();

}  // namespace batchbridge::core
