#include "plc/line_map.hpp"

#include "domain/plant_map_validate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace batchbridge::plc {

domain::plant_map map_for_line(domain::plant_map map, const core::line_config& line, std::vector<std::string>& faults)
{
    const auto& q = line.quirks;
    const auto milliseconds = [](core::duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d); };
    if (q.pause_after_connect) map.quirk.pause_after_connect = milliseconds(*q.pause_after_connect);
    if (q.pause_between_requests) map.quirk.pause_between_requests = milliseconds(*q.pause_between_requests);
    if (q.close_after_cycle) map.quirk.close_after_cycle = *q.close_after_cycle;
    if (q.second_host) map.quirk.second_host = q.second_host->empty() ? std::nullopt : q.second_host;
    if (!q.max_read && !q.max_write) return map;
    if (q.max_read) map.limits.max_read = *q.max_read;
    if (q.max_write) map.limits.max_write = *q.max_write;
    for (const auto& fault : domain::request_limit_faults(map)) faults.push_back(fmt::format("LINES_FILE: line '{}': {}", line.name, fault));
    return map;
}

std::string quirks_in_words(const domain::plant_map& map)
{
    const domain::plant_map usual;
    const auto& q = map.quirk;
    std::vector<std::string> out;
    if (q.pause_after_connect.count() > 0) out.push_back(fmt::format("{} ms pause after connecting", q.pause_after_connect.count()));
    if (q.pause_between_requests.count() > 0) out.push_back(fmt::format("{} ms pause between requests", q.pause_between_requests.count()));
    if (map.limits.max_read != usual.limits.max_read) out.push_back(fmt::format("at most {} registers read at once", map.limits.max_read));
    if (map.limits.max_write != usual.limits.max_write) out.push_back(fmt::format("at most {} registers written at once", map.limits.max_write));
    if (q.close_after_cycle) out.push_back("connection closed after each cycle");
    if (q.second_host) out.push_back(fmt::format("second address {}", *q.second_host));
    return fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace batchbridge::plc
