#include "lateness.hpp"

#include "row.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <string>

namespace batchbridge::bench {

namespace {

constexpr int read_function = 3;

// `t` on a circle of `interval`, from -interval/2 to interval/2.
nanoseconds around(nanoseconds t, nanoseconds interval)
{
    t %= interval;
    if (t >= interval / 2) t -= interval;
    if (t < -interval / 2) t += interval;
    return t;
}

}  // namespace

std::vector<read_request> read_requests(std::istream& log, nanoseconds from, nanoseconds to)
{
    std::vector<read_request> out;
    for (std::string line; std::getline(log, line);) {
        // The last line may be in the making.
        if (log.eof()) break;
        const auto value = boost::json::parse(line);
        const auto& o = value.as_object();
        const nanoseconds at(o.at("ns").to_number<std::int64_t>());
        if (at < from || at >= to || !o.contains("function") || o.at("function").to_number<int>() != read_function) continue;
        out.push_back({at, o.at("address").to_number<int>()});
    }
    return out;
}

std::vector<nanoseconds> cycle_starts(const std::vector<read_request>& requests, int first_address)
{
    std::vector<nanoseconds> out;
    // What came before the first request is not known: it may be the second read of its slot.
    for (std::size_t i = 1; i < requests.size(); ++i)
        if (requests[i].address == first_address && requests[i - 1].address != first_address) out.push_back(requests[i].at);
    return out;
}

std::vector<double> lateness_ms(const std::vector<nanoseconds>& starts, nanoseconds interval)
{
    std::vector<double> out;
    if (starts.size() < 2) return out;
    // The middle of the distances to the first start puts the circle's cut far from where the starts lie.
    std::vector<double> offsets;
    offsets.reserve(starts.size());
    for (const auto t : starts) offsets.push_back(static_cast<double>(around(t - starts.front(), interval).count()));
    const nanoseconds middle = starts.front() + nanoseconds(static_cast<std::int64_t>(median(offsets)));
    offsets.clear();
    for (const auto t : starts) offsets.push_back(static_cast<double>(around(t - middle, interval).count()));
    const nanoseconds grid = middle + nanoseconds(static_cast<std::int64_t>(percentile(offsets, 10)));
    for (std::size_t i = 1; i < starts.size(); ++i) {
        // A quarter of the interval tells a start a little before its time from the one of the time before.
        auto before = (starts[i - 1] - grid + interval / 4) / interval;
        if (starts[i - 1] - grid + interval / 4 < nanoseconds::zero()) --before;
        const auto due = grid + (before + 1) * interval;
        out.push_back(std::max(0.0, std::chrono::duration<double, std::milli>(starts[i] - due).count()));
    }
    return out;
}

}  // namespace batchbridge::bench
