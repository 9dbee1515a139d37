#include "core/time.hpp"

#include <date/date.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <sstream>

namespace batchbridge::core {

using namespace std::chrono;

utc_time utc_now()
{
    return time_point_cast<microseconds>(system_clock::now());
}

std::string to_iso(utc_time t)
{
    return date::format("%FT%TZ", floor<seconds>(t));
}

std::string to_odoo(utc_time t)
{
    return date::format("%F %T", floor<seconds>(t));
}

std::optional<utc_time> from_odoo(std::string_view text)
{
    std::istringstream in{std::string(text)};
    date::sys_time<microseconds> t;
    in >> date::parse("%F %T", t);
    if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) return std::nullopt;
    return t;
}

namespace {

struct unit {
    std::string_view name;
    milliseconds length;
};
constexpr std::array<unit, 4> units{{{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}}};

}  // namespace

std::optional<duration> parse_duration(std::string_view text)
{
    std::int64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc() || number < 0 || text.empty() || text[0] == '-') return std::nullopt;
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& u : units) {
        if (u.name != name) continue;
        // Ten years is more than anybody means, and far from overflow.
        if (number > 10LL * 366 * 24 * 3600 * 1000 / u.length.count()) return std::nullopt;
        return number * u.length;
    }
    return std::nullopt;
}

std::string to_string(duration d)
{
    const auto ms = duration_cast<milliseconds>(d);
    for (auto it = units.rbegin(); it != units.rend(); ++it)
        if (ms.count() != 0 && ms.count() % it->length.count() == 0) return fmt::format("{}{}", ms.count() / it->length.count(), it->name);
    return fmt::format("{}ms", ms.count());
}

}  // namespace batchbridge::core
