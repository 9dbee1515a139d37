#include "domain/replay.hpp"

#include "domain/plant_map_validate.hpp"
#include "domain/shown_value.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace batchbridge::domain {

namespace {

// Everything the map has, decoded from what the file has; words that it has not are 0.
class decoded_map {
public:
    decoded_map(const plant_map& map, const std::vector<recorded_value>& recorded)
    {
        for (const auto& r : recorded)
            for (std::size_t i = 0; i < r.raw.size(); ++i) words_[r.plc_address + static_cast<int>(i)] = r.raw[i];
        for (const auto& block : blocks_of(map)) {
            words image(static_cast<std::size_t>(block.words), 0);
            for (int i = 0; i < block.words; ++i)
                if (const auto it = words_.find(block.address - map.address_offset + i); it != words_.end()) image[static_cast<std::size_t>(i)] = it->second;
            for (auto& v : show_block(map, block, image)) {
                const int at = v.row.plc_address;
                names_.insert(v.row.name);
                values_.emplace(at, std::move(v));
            }
        }
    }

    const shown_value* at(int plc_address, std::size_t size) const
    {
        const auto it = values_.find(plc_address);
        return it != values_.end() && it->second.raw.size() == size ? &it->second : nullptr;
    }

    // Names of the values that have one of these registers.
    std::vector<std::string> touching(int first, int last) const
    {
        std::vector<std::string> out;
        for (const auto& [at, v] : values_)
            if (at <= last && at + v.row.value.words - 1 >= first) out.push_back(fmt::format("{} {} ({})", v.row.block, v.row.name, dm_address(at, v.row.value.words)));
        return out;
    }

    bool has_name(const std::string& name) const { return names_.contains(name); }
    const std::map<int, shown_value>& values() const { return values_; }

    bool complete(const shown_value& v) const
    {
        for (int i = 0; i < v.row.value.words; ++i)
            if (!words_.contains(v.row.plc_address + i)) return false;
        return true;
    }

private:
    std::map<int, std::uint16_t> words_;
    std::map<int, shown_value> values_;
    std::set<std::string> names_;
};

bool same_value(const std::string& a, const std::string& b)
{
    const auto x = core::decimal::parse(a), y = core::decimal::parse(b);
    return x && y ? *x == *y : a == b;
}

std::vector<std::string> differences_of(const recorded_value& r, const shown_value& now, const decoded_map& map)
{
    std::vector<std::string> out;
    const auto& f = now.row.value;
    const bool number = f.type != value_type::ascii && f.type != value_type::boolean;
    // A bool is one word like a u16.
    const auto like = [](value_type t) { return t == value_type::boolean ? value_type::u16 : t; };
    if (r.type && like(*r.type) != like(f.type)) out.push_back(fmt::format("the file says {}, the map {}", r.data_type, type_name(f.type)));
    if (r.scale && number && *r.scale != f.scale) out.push_back(fmt::format("the file says scale {}, the map {}", *r.scale, f.scale));
    if (r.field_name != now.row.name && map.has_name(r.field_name)) out.push_back(fmt::format("the file has {} here, the map {}", r.field_name, now.row.name));
    if (r.value && (!r.value->empty() || f.type == value_type::ascii) && !same_value(*r.value, now.value))
        out.push_back(fmt::format("recorded was '{}', the map reads '{}'", *r.value, now.value));
    return out;
}

// As the file says, as far as that makes sense.
std::string value_as_recorded(const plant_map& map, const recorded_value& r)
{
    if (!r.type) return {};
    field f;
    f.type = *r.type;
    f.words = static_cast<int>(r.raw.size());
    f.scale = r.scale.value_or(1);
    const bool wide = f.type == value_type::i32 || f.type == value_type::u32;
    if (f.type == value_type::ascii) f.scale = 1;
    else if (f.words != (wide ? 2 : 1)) return {};
    return show_value(map, f, r.raw);
}

replayed_value replay_one(const plant_map& map, const decoded_map& decoded, const recorded_value& r)
{
    replayed_value out;
    out.place = r.place;
    out.plc_address = r.plc_address;
    out.raw = r.raw;
    if (const auto* now = decoded.at(r.plc_address, r.raw.size())) {
        out.block = now->row.block;
        out.name = now->row.name;
        out.value = now->value;
        out.unit = now->row.unit;
        out.doubt = now->doubt;
        out.differences = differences_of(r, *now, decoded);
        return out;
    }
    out.name = r.field_name;
    out.value = value_as_recorded(map, r);
    const int last = r.plc_address + static_cast<int>(r.raw.size()) - 1;
    const auto others = decoded.touching(r.plc_address, last);
    out.doubt = others.empty() ? "not in the map" : fmt::format("other borders than the map, which has {}", fmt::join(others, ", "));
    return out;
}

}  // namespace

replay_report replay(const plant_map& map, const std::vector<recorded_value>& recorded)
{
    replay_report out;
    const decoded_map decoded(map, recorded);
    std::set<int> shown;
    for (const auto& r : recorded) {
        out.values.push_back(replay_one(map, decoded, r));
        if (out.values.back().known()) shown.insert(r.plc_address);
    }
    // What the file has in pieces: a 32-bit value as two records, a text word by word.
    for (const auto& [at, v] : decoded.values()) {
        if (shown.contains(at) || !decoded.complete(v)) continue;
        replayed_value whole;
        whole.place = "several records";
        whole.block = v.row.block;
        whole.name = v.row.name;
        whole.plc_address = at;
        whole.raw = v.raw;
        whole.value = v.value;
        whole.unit = v.row.unit;
        whole.doubt = v.doubt;
        out.values.push_back(std::move(whole));
    }
    for (const auto& v : out.values) {
        out.unknown += v.known() ? 0 : 1;
        out.doubts += v.known() && !v.doubt.empty() ? 1 : 0;
        out.differences += v.differences.empty() ? 0 : 1;
    }
    return out;
}

std::vector<std::string> replay_table(const replay_report& report)
{
    std::vector<std::string> out;
    out.push_back(fmt::format("{:<22}  {:<9}  {:<22}  {:<13}  {:<20}  {:<24}  {}", "in the file", "block", "value", "registers", "decoded", "raw words", "remarks"));
    for (const auto& v : report.values) {
        std::string remarks = v.doubt;
        for (const auto& d : v.differences) remarks += (remarks.empty() ? "DIFFERS: " : "; DIFFERS: ") + d;
        out.push_back(fmt::format("{:<22}  {:<9}  {:<22}  {:<13}  {:<20}  {:<24}  {}", v.place, v.known() ? v.block : "-", v.name, dm_address(v.plc_address, static_cast<int>(v.raw.size())),
                                  v.value + (v.unit.empty() ? "" : " " + v.unit), fmt::format("{}", fmt::join(v.raw, "|")), remarks));
        auto& line = out.back();
        line.erase(line.find_last_not_of(' ') + 1);
    }
    out.push_back(fmt::format("{} values: {} doubtful, {} read differently than recorded, {} not in the map", report.values.size(), report.doubts, report.differences, report.unknown));
    return out;
}

}  // namespace batchbridge::domain
