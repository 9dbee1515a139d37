#include "core/line_quirks.hpp"

#include <fmt/format.h>

namespace batchbridge::core {

namespace json = boost::json;

namespace {

std::optional<duration> pause(const json::value& v)
{
    if (!v.is_string()) return std::nullopt;
    const auto d = parse_duration(std::string(v.get_string()));
    return d && *d <= std::chrono::minutes(1) ? d : std::nullopt;
}

}  // namespace

void read_quirks(const json::value& quirks, const std::string& place, const complain_function& complain, line_quirks& out)
{
    if (!quirks.is_object()) return complain(place, "expected an object like {\"pause_between_requests\": \"20ms\"}");
    for (const auto& member : quirks.get_object()) {
        const std::string key(member.key());
        const auto& value = member.value();
        const auto here = fmt::format("{}.{}", place, key);
        if (key == "pause_after_connect" || key == "pause_between_requests") {
            const auto d = pause(value);
            if (!d) complain(here, "expected a duration with its unit up to 1m, like 20ms");
            else (key == "pause_after_connect" ? out.pause_after_connect : out.pause_between_requests) = d;
        } else if (key == "close_after_cycle") {
            if (value.is_bool()) out.close_after_cycle = value.get_bool();
            else complain(here, "expected true or false");
        } else if (key == "second_host") {
            if (value.is_null()) out.second_host = "";
            else if (value.is_string() && !value.get_string().empty()) out.second_host = std::string(value.get_string());
            else complain(here, "expected a text, or null for none");
        } else {
            complain(here, "unknown key");
        }
    }
}

void read_limits(const json::value& limits, const std::string& place, const complain_function& complain, line_quirks& out)
{
    if (!limits.is_object()) return complain(place, "expected an object like {\"max_read\": 60}");
    for (const auto& member : limits.get_object()) {
        const std::string key(member.key());
        const auto& value = member.value();
        const int most = key == "max_read" ? 125 : key == "max_write" ? 123 : 0;
        const auto here = fmt::format("{}.{}", place, key);
        if (most == 0) complain(here, "unknown key; a line may have max_read and max_write, the rest is the map's");
        else if (!value.is_int64() || value.get_int64() < 1 || value.get_int64() > most) complain(here, fmt::format("expected a whole number from 1 to {}", most));
        else (key == "max_read" ? out.max_read : out.max_write) = static_cast<int>(value.get_int64());
    }
}

}  // namespace batchbridge::core
