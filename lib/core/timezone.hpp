// Local times of a named zone, as a PLC's clock shows them, turned into UTC (the zone database is tzdata's).
#pragma once

#include "core/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::core {

// A wall-clock reading without a zone, seconds.
struct local_time {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};
// The calendar has that day and the clock that time (no leap seconds).
bool is_valid(const local_time& t) noexcept;

struct resolved_time {
    utc_time at{};
    enum class kind {
        unique,
        twice,     // the hour that the clock repeats in autumn: the reading nearest to `near` was taken
        skipped    // the hour that it leaves out in spring: read as if the clock had not been put forward yet
    } what = kind::unique;
};

bool known_timezone(const std::string& name);
// nullopt: no such zone or no such date. Throws nothing.
std::optional<resolved_time> to_utc(const std::string& zone, const local_time& t, utc_time near);

}  // namespace batchbridge::core
