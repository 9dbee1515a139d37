// Wall-clock instants and durations as the rest of the program exchanges them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::core {

// UTC, microseconds: what PostgreSQL's timestamptz holds.
using utc_time = std::chrono::sys_time<std::chrono::microseconds>;
using duration = std::chrono::steady_clock::duration;

utc_time utc_now();
// "2026-11-23T10:46:09Z" (whole seconds) for logs and HTTP.
std::string to_iso(utc_time t);
// Odoo's "2026-11-23 10:46:09", UTC, whole seconds.
std::string to_odoo(utc_time t);
std::optional<utc_time> from_odoo(std::string_view text);

// "500ms", "5s", "3m", "1h"; a whole number and a unit, above or equal 0. nullopt for anything else.
std::optional<duration> parse_duration(std::string_view text);
// The largest unit that is exact: "500ms", "90s", "3m", "1h".
std::string to_string(duration d);

}  // namespace batchbridge::core
