#include "domain/plant_map_validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <set>

namespace batchbridge::domain {

namespace {

void check_overlap(const std::vector<std::pair<std::string, field>>& values, int size, const std::string& block, std::vector<std::string>& faults)
{
    std::vector<std::string> owner(static_cast<std::size_t>(std::max(size, 1)));
    for (const auto& [name, f] : values) {
        if (f.words < 1) continue;
        const int last = f.at + f.words - 1;
        if (f.at < 0 || last >= size) {
            faults.push_back(fmt::format("{}: words {}..{} are outside the {} of {} words", name, f.at, last, block, size));
            continue;
        }
        std::set<std::string> hit;
        for (int i = f.at; i <= last; ++i) {
            auto& o = owner[static_cast<std::size_t>(i)];
            if (!o.empty()) hit.insert(o);
            o = name;
        }
        for (const auto& other : hit) faults.push_back(fmt::format("{}: words {}..{} overlap {}", name, f.at, last, other));
    }
}

struct area {
    std::string_view kind, place;
    std::string name;
    int first, last;
};

std::string lower(std::string_view text)
{
    std::string out(text);
    for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

// One fault per pair of kinds: when READ and WRITE collide, every slot of them does.
void check_areas(const std::vector<area>& areas, std::vector<std::string>& faults)
{
    std::set<std::string> told;
    for (std::size_t i = 0; i < areas.size(); ++i) {
        const auto& a = areas[i];
        if ((a.first < 0 || a.last > 65535) && told.insert(fmt::format("range {}", a.kind)).second)
            faults.push_back(fmt::format("{}: {} has the addresses {}..{}, outside 0..65535", a.place, a.name, a.first, a.last));
        for (std::size_t k = 0; k < i; ++k) {
            const auto& b = areas[k];
            if (a.kind == b.kind || a.first > b.last || b.first > a.last) continue;
            if (told.insert(fmt::format("{} {}", a.kind, b.kind)).second)
                faults.push_back(fmt::format("{}: {} at {}..{} overlaps {} at {}..{}", a.place, a.name, a.first, a.last, b.name, b.first, b.last));
        }
    }
}

}  // namespace

std::string_view type_name(value_type t) noexcept
{
    switch (t) {
    case value_type::u16: return "u16";
    case value_type::i16: return "i16";
    case value_type::u32: return "u32";
    case value_type::i32: return "i32";
    case value_type::boolean: return "bool";
    case value_type::ascii: return "ascii";
    }
    return "?";
}

std::vector<std::pair<std::string, field>> slot_values(const plant_map& m)
{
    std::vector<std::pair<std::string, field>> out{{"fields.batch_no", m.fields.batch_no},
                                                   {"fields.mo_id", m.fields.mo_id},
                                                   {"fields.bom_id", m.fields.bom_id},
                                                   {"fields.finished_goods", m.fields.finished_goods},
                                                   {"fields.quantity_goods", m.fields.quantity_goods}};
    for (const auto& s : m.silos) {
        field id;
        id.at = s.id_at;
        id.words = s.id_at < 0 ? 0 : 1;
        out.emplace_back(fmt::format("silo {} id", s.id), id);
        out.emplace_back(fmt::format("silo {} quantity", s.id), s.quantity);
    }
    out.emplace_back("fields.status_manufacturing", m.fields.status_manufacturing);
    out.emplace_back("fields.status_operation", m.fields.status_operation);
    out.emplace_back("fields.weight_finished_good", m.fields.weight_finished_good);
    out.emplace_back("fields.status_read_data", m.fields.status_read_data);
    return out;
}

std::vector<std::pair<std::string, field>> failure_values(const plant_map& m)
{
    return {{"failure.equipment_code", m.failure.equipment_code}, {"failure.info", m.failure.info}, {"failure.time", m.failure.time}, {"failure.flag", m.failure.flag}};
}

std::string describe_type(const plant_map& map, const field& f)
{
    std::string out(type_name(f.type));
    if (f.type == value_type::ascii) return fmt::format("ascii{} {} byte first", f.words * 2, map.ascii == ascii_order::high ? "high" : "low");
    if (f.words > 1 && f.type == value_type::u16) out = fmt::format("{} x {}", f.words, out);
    if (f.scale > 1) out += fmt::format(" /{}", f.scale);
    static constexpr std::string_view orders[] = {"ABCD", "CDAB", "BADC", "DCBA"};
    if (f.type == value_type::u32 || f.type == value_type::i32) out += fmt::format(" {}", orders[static_cast<std::size_t>(map.words)]);
    return out;
}

std::vector<std::string> request_limit_faults(const plant_map& m, const unread_parts& unread)
{
    std::vector<std::string> faults;
    const auto check = [&](std::string_view name, int limit, int most) {
        if (limit < 1 || limit > most) {
            faults.push_back(fmt::format("{}: {} is not from 1 to {} (Modbus)", name, limit, most));
            return;
        }
        auto values = slot_values(m);
        if (!unread.failure)
            for (auto& v : failure_values(m)) values.push_back(std::move(v));
        const auto widest = std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second.words < b.second.words; });
        if (widest->second.words > limit)
            faults.push_back(fmt::format("{}: {} is less than the {} words of {}; a value is never split over two requests", name, limit, widest->second.words, widest->first));
    };
    check("limits.max_read", m.limits.max_read, 125);
    check("limits.max_write", m.limits.max_write, 123);
    return faults;
}

void validate(const plant_map& m, const unread_parts& unread, std::vector<std::string>& faults)
{
    const auto complain = [&](std::string text) { faults.push_back(std::move(text)); };
    if (!unread.slots && m.slots.stride < m.slots.words) complain(fmt::format("slots.stride: {} is less than slots.words {}", m.slots.stride, m.slots.words));
    auto limits = request_limit_faults(m, unread);
    std::move(limits.begin(), limits.end(), std::back_inserter(faults));
    if (m.limits.max_step_kg <= 0 || m.limits.max_step_kg >= 327) complain("limits.max_step_kg: must be above 0 and below 327 (a torn 32-bit value jumps by 655.36 kg)");
    if (m.limits.max_fall_kg < 0) complain("limits.max_fall_kg: must not be negative");

    std::set<int> ids;
    std::set<std::string> letters;
    std::map<std::string, int> finds;
    for (const auto& s : m.silos) {
        // 0: its id could not be read.
        if (s.id != 0 && !ids.insert(s.id).second) complain(fmt::format("silos: silo {} is there twice", s.id));
        if (!s.letter.empty() && !letters.insert(s.letter).second) complain(fmt::format("silos: letter '{}' is there twice", s.letter));
        if (s.max_kg <= 0) complain(fmt::format("silo {} max_kg: must be above 0", s.id));
        const auto once = [&](std::string_view rule, const std::vector<std::string>& names) {
            for (const auto& name : names) {
                const auto [it, added] = finds.emplace(fmt::format("{} {}", rule, lower(name)), s.id);
                if (!added && it->second != s.id) complain(fmt::format("silo {} find.{}: '{}' leads to silo {} too", s.id, rule, name, it->second));
            }
        };
        once("product", s.products);
        once("location", s.locations);
        once("alias", s.aliases);
    }
    if (m.silos.empty()) complain("silos: there is none");

    if (!unread.slots) check_overlap(slot_values(m), m.slots.words, "slot", faults);
    const auto failure = failure_values(m);
    int failure_words = 0;
    for (const auto& [name, f] : failure) failure_words = std::max(failure_words, f.at + f.words);
    if (!unread.failure) check_overlap(failure, failure_words, "failure block", faults);

    std::vector<area> areas;
    if (!unread.slots) {
        for (int i = 1; i <= m.slots.count; ++i)
            areas.push_back({"READ", "slots.read_start", fmt::format("READ slot {}", i), m.read_address(i), m.read_address(i) + m.slots.words - 1});
        for (int i = 1; i <= m.slots.count; ++i)
            areas.push_back({"WRITE", "slots.write_start", fmt::format("WRITE slot {}", i), m.write_address(i), m.write_address(i) + m.slots.words - 1});
    }
    if (!unread.failure) areas.push_back({"FAILURE", "failure.start", "the failure block", m.failure.start, m.failure.start + failure_words - 1});
    check_areas(areas, faults);

    const auto& flag = m.fields.status_read_data;
    if (!unread.slots && !unread.handshake && flag.words > 0 && m.write_ready != m.slots.write_start + flag.at)
        complain(fmt::format("handshake.write_ready: {} is not the status_read_data of WRITE slot 1 ({})", m.write_ready, m.slots.write_start + flag.at));
}

}  // namespace batchbridge::domain
