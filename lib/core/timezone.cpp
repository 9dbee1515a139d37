#include "core/timezone.hpp"

#include <date/date.h>
#include <date/tz.h>

namespace batchbridge::core {

using namespace std::chrono;

namespace {

date::year_month_day day_of(const local_time& t) noexcept
{
    return date::year(t.year) / date::month(static_cast<unsigned>(t.month)) / date::day(static_cast<unsigned>(t.day));
}

utc_time distance_free(date::local_seconds local, seconds offset)
{
    return utc_time(duration_cast<microseconds>(local.time_since_epoch() - offset));
}

}  // namespace

bool is_valid(const local_time& t) noexcept
{
    if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31) return false;
    return day_of(t).ok() && t.hour >= 0 && t.hour < 24 && t.minute >= 0 && t.minute < 60 && t.second >= 0 && t.second < 60;
}

bool known_timezone(const std::string& name)
{
    try {
        date::locate_zone(name);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

std::optional<resolved_time> to_utc(const std::string& zone, const local_time& t, utc_time near)
{
    if (!is_valid(t)) return std::nullopt;
    try {
        const date::local_seconds local = date::local_days(day_of(t)) + hours(t.hour) + minutes(t.minute) + seconds(t.second);
        const auto info = date::locate_zone(zone)->get_info(local);
        const auto first = distance_free(local, info.first.offset);
        resolved_time out;
        out.at = first;
        if (info.result == date::local_info::nonexistent) out.what = resolved_time::kind::skipped;
        if (info.result == date::local_info::ambiguous) {
            out.what = resolved_time::kind::twice;
            const auto second = distance_free(local, info.second.offset);
            if (abs(second - near) < abs(first - near)) out.at = second;
        }
        return out;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

}  // namespace batchbridge::core
