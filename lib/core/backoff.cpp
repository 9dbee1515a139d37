#include "core/backoff.hpp"

#include <algorithm>
#include <random>

namespace batchbridge::core {

duration backoff_delay(const backoff_limits& limits, unsigned failures, double random)
{
    auto delay = limits.first;
    for (unsigned i = 1; i < failures && delay < limits.cap; ++i) delay *= 2;
    delay = std::min(delay, limits.cap);
    return std::chrono::duration_cast<duration>(delay * (0.5 + 0.5 * random));
}

double random_unit()
{
    thread_local std::mt19937_64 engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

}  // namespace batchbridge::core
