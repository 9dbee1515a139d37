#include "domain/schedule.hpp"

#include "core/backoff.hpp"

#include <algorithm>

namespace batchbridge::domain {

using time_point = std::chrono::steady_clock::time_point;

schedule_decision decide_run(const schedule_rule& rule, time_point due, time_point now)
{
    schedule_decision d;
    d.next_due = due;
    if (now < due) return d;
    const auto late = now - due;
    const auto missed = static_cast<std::uint64_t>(late / rule.interval);
    d.run = true;
    // Late by the planned start, also when newer due times are merged into this run: that is what a person would ask for.
    d.misfire = late > rule.grace;
    d.merged = missed;
    d.next_due = due + rule.interval * static_cast<core::duration::rep>(missed + 1);
    return d;
}

time_point decide_repeat(const schedule_rule& rule, unsigned failures, time_point next_due, time_point now)
{
    static_cast<void>(rule);
    const core::backoff_limits pace{std::chrono::seconds(1), std::chrono::minutes(1)};
    // No jitter: one process, one line.
    return std::min(next_due, now + core::backoff_delay(pace, failures, 1.0));
}

}  // namespace batchbridge::domain
