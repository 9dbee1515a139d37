#include "domain/slot_parts.hpp"

#include "domain/plant_map_validate.hpp"

#include <algorithm>
#include <array>

namespace batchbridge::domain {

namespace {

std::array<field, 4> keys_of(const plant_map& map)
{
    const auto& f = map.fields;
    return {f.mo_id, f.status_manufacturing, f.status_operation, f.status_read_data};
}

bool holds(const part& p, const field& f)
{
    return f.at >= p.at && f.at + f.words <= p.at + p.count;
}

// The fewest runs of at most `most` words in which each field stands whole.
std::vector<part> cover(std::vector<field> fields, int most)
{
    std::sort(fields.begin(), fields.end(), [](const field& a, const field& b) { return a.at < b.at; });
    std::vector<part> out;
    for (const auto& f : fields) {
        const int end = f.at + f.words;
        if (!out.empty() && end - out.back().at <= most) out.back().count = std::max(out.back().count, end - out.back().at);
        else out.push_back({f.at, f.words});
    }
    return out;
}

// `inside(i)`: a cut before word i would go through a value.
template <class F>
std::vector<part> cut(int from, int size, int most, F inside)
{
    std::vector<part> out;
    const int last = from + size;
    for (int at = from; at < last;) {
        const int furthest = std::min(at + most, last);
        int end = furthest;
        while (end > at && end < last && inside(end)) --end;
        // Only a value wider than `most` leads back to where we are; the map's validation does not let one in.
        if (end == at) end = furthest;
        out.push_back({at, end - at});
        at = end;
    }
    return out;
}

void mark(std::vector<bool>& inside, int base, const std::vector<std::pair<std::string, field>>& values)
{
    for (const auto& [name, f] : values)
        for (int at = base + f.at + 1; at < base + f.at + f.words; ++at) inside.at(static_cast<std::size_t>(at)) = true;
}

}  // namespace

value_borders::value_borders(const plant_map& map) : inside_(65536, false)
{
    const auto slot = slot_values(map);
    for (int i = 1; i <= map.slots.count; ++i) {
        mark(inside_, map.read_address(i), slot);
        mark(inside_, map.write_address(i), slot);
    }
    mark(inside_, map.failure.start, failure_values(map));
}

std::vector<part> value_borders::split(int address, int count, int most) const
{
    return cut(address, count, most, [this](int i) { return i >= 0 && i < static_cast<int>(inside_.size()) && inside_[static_cast<std::size_t>(i)]; });
}

std::vector<part> split_values(const std::vector<std::pair<std::string, field>>& values, int size, int most)
{
    std::vector<bool> inside(static_cast<std::size_t>(size) + 1, false);
    mark(inside, 0, values);
    return cut(0, size, most, [&](int i) { return inside[static_cast<std::size_t>(i)]; });
}

read_plan plan_slot_read(const plant_map& map)
{
    read_plan plan;
    plan.parts = split_values(slot_values(map), map.slots.words, map.limits.max_read);
    if (!plan.guarded()) return plan;
    const auto keys = keys_of(map);
    const auto count = [&](const part& p) { return std::count_if(keys.begin() + 1, keys.end(), [&](const field& k) { return holds(p, k); }); };
    // The status words first, the order's name last: then most keys have their two samples without a request of their own.
    auto& parts = plan.parts;
    const auto status = std::max_element(parts.begin(), parts.end(), [&](const part& a, const part& b) { return count(a) < count(b); });
    std::rotate(parts.begin(), status, status + 1);
    const auto named = std::find_if(parts.begin() + 1, parts.end(), [&](const part& p) { return holds(p, keys.front()); });
    if (named != parts.end()) std::rotate(named, named + 1, parts.end());
    std::vector<field> before, after;
    for (const auto& k : keys) {
        if (!holds(parts.front(), k)) before.push_back(k);
        if (!holds(parts.back(), k)) after.push_back(k);
    }
    plan.before = cover(std::move(before), map.limits.max_read);
    // The name before any status: else a status could be the last order's, and look like this one's.
    std::stable_partition(plan.before.begin(), plan.before.end(), [&](const part& p) { return holds(p, keys.front()); });
    plan.after = cover(std::move(after), map.limits.max_read);
    return plan;
}

bool same_keys(const plant_map& map, const read_plan& plan, const std::vector<words>& before, const words& slot, const std::vector<words>& after)
{
    const auto same = [&](const std::vector<part>& parts, const std::vector<words>& samples, const field& k) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const auto& p = parts[i];
            if (!holds(p, k)) continue;
            const auto sample = samples[i].begin() + (k.at - p.at);
            if (!std::equal(sample, sample + k.words, slot.begin() + k.at)) return false;
        }
        return true;
    };
    const auto keys = keys_of(map);
    return std::all_of(keys.begin(), keys.end(), [&](const field& k) { return same(plan.before, before, k) && same(plan.after, after, k); });
}

}  // namespace batchbridge::domain
