#include "core/backoff.hpp"

#include <algorithm>
#include <random>

namespace batchbridge::core {

duration backoff_delay(const backoff_limits& limits, unsigned failures, double random)
{
    auto delay = std::min(limits.first, limits.cap);
    // Compared before it doubles, as a cap may be anything up to duration::max(); a first delay of nothing stays nothing.
    for (unsigned i = 1; i < failures && delay > duration::zero() && delay < limits.cap; ++i)
        delay = delay > limits.cap / 2 ? limits.cap : delay * 2;
    const auto half = delay / 2;
    return delay - half + std::chrono::duration_cast<duration>(half * random);
}

double random_unit()
{
    thread_local std::mt19937_64 engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

}  // namespace batchbridge::core
