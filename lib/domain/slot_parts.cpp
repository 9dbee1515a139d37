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

}  // namespace

std::vector<part> split_values(const std::vector<std::pair<std::string, field>>& values, int size, int most)
{
    std::vector<part> out;
    for (int at = 0; at < size;) {
        int end = std::min(at + most, size);
        for (const auto& [name, f] : values)
            if (end > f.at && end < f.at + f.words) end = f.at;
        // Only a value wider than `most` could bring us back to where we are.
        if (end <= at) end = std::min(at + most, size);
        out.push_back({at, end - at});
        at = end;
    }
    return out;
}

read_plan plan_slot_read(const plant_map& map)
{
    read_plan plan;
    plan.parts = split_values(slot_values(map), map.slots.words, map.limits.max_read);
    if (!plan.guarded()) return plan;
    const auto keys = keys_of(map);
    const auto count = [&](const part& p) { return std::count_if(keys.begin() + 1, keys.end(), [&](const field& k) { return holds(p, k); }); };
    // The order's name first, the status words last: then most keys have their two samples without a request of their own.
    auto& parts = plan.parts;
    const auto named = std::find_if(parts.begin(), parts.end(), [&](const part& p) { return holds(p, keys.front()); });
    std::rotate(parts.begin(), named, named + 1);
    const auto status = std::max_element(parts.begin() + 1, parts.end(), [&](const part& a, const part& b) { return count(a) < count(b); });
    std::rotate(status, status + 1, parts.end());
    std::vector<field> before, after;
    for (const auto& k : keys) {
        if (!holds(parts.front(), k)) before.push_back(k);
        if (!holds(parts.back(), k)) after.push_back(k);
    }
    plan.before = cover(std::move(before), map.limits.max_read);
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
