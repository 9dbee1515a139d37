#include "domain/plant_map_validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace batchbridge::domain {

namespace {

std::string_view name_of(value_type t)
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

void check_overlap(const std::vector<std::pair<std::string, field>>& values, int size, const std::string& block, std::vector<std::string>& faults)
{
    std::vector<std::string> owner(static_cast<std::size_t>(std::max(size, 1)));
    for (const auto& [name, f] : values) {
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
    std::string name;
    int first, last;
};

}  // namespace

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
    std::string out(name_of(f.type));
    if (f.type == value_type::ascii) return fmt::format("ascii{} {} byte first", f.words * 2, map.ascii == ascii_order::high ? "high" : "low");
    if (f.scale > 1) out += fmt::format(" /{}", f.scale);
    static constexpr std::string_view orders[] = {"ABCD", "CDAB", "BADC", "DCBA"};
    if (f.words == 2) out += fmt::format(" {}", orders[static_cast<std::size_t>(map.words)]);
    return out;
}

void validate(const plant_map& m, std::vector<std::string>& faults)
{
    const auto complain = [&](std::string text) { faults.push_back(std::move(text)); };
    if (m.slots.count < 1 || m.slots.count > 200) complain(fmt::format("slots.count: {} is not from 1 to 200", m.slots.count));
    if (m.slots.words < 1) complain("slots.words: must be above 0");
    if (m.slots.stride < m.slots.words) complain(fmt::format("slots.stride: {} is less than slots.words {}", m.slots.stride, m.slots.words));
    if (m.limits.max_read < 1 || m.limits.max_read > 125) complain(fmt::format("limits.max_read: {} is not from 1 to 125 (Modbus)", m.limits.max_read));
    if (m.limits.max_write < 1 || m.limits.max_write > 123) complain(fmt::format("limits.max_write: {} is not from 1 to 123 (Modbus)", m.limits.max_write));
    if (m.limits.max_step_kg <= 0 || m.limits.max_step_kg >= 327) complain("limits.max_step_kg: must be above 0 and below 327 (a torn 32-bit value jumps by 655.36 kg)");
    if (m.limits.max_fall_kg < 0) complain("limits.max_fall_kg: must not be negative");

    std::set<int> ids;
    std::set<std::string> letters;
    std::set<std::string> finds;
    for (const auto& s : m.silos) {
        if (!ids.insert(s.id).second) complain(fmt::format("silos: silo {} is there twice", s.id));
        if (!s.letter.empty() && !letters.insert(s.letter).second) complain(fmt::format("silos: letter '{}' is there twice", s.letter));
        if (s.id < 1 || s.id > 65535) complain(fmt::format("silos: id {} is not from 1 to 65535", s.id));
        if (s.max_kg <= 0) complain(fmt::format("silo {} max_kg: must be above 0", s.id));
        for (const auto& p : s.products)
            if (!finds.insert("product " + p).second) complain(fmt::format("silo {} find.product: '{}' leads to two silos", s.id, p));
    }
    if (m.silos.empty()) complain("silos: there is none");
    if (m.slots.words >= 1) {
        auto values = slot_values(m);
        check_overlap(values, m.slots.words, "slot", faults);
        auto failure = failure_values(m);
        int size = 0;
        for (const auto& [name, f] : failure) size = std::max(size, f.at + f.words);
        check_overlap(failure, size, "failure block", faults);
        std::vector<area> areas;
        const auto add = [&](std::string name, int first, int words) { areas.push_back({std::move(name), first, first + words - 1}); };
        const int used = (m.slots.count - 1) * m.slots.stride + m.slots.words;
        add("READ area", m.slots.read_start, used);
        add("WRITE area", m.slots.write_start, used);
        add("FAILURE block", m.failure.start, size);
        for (std::size_t i = 0; i < areas.size(); ++i) {
            if (areas[i].first < 0 || areas[i].last > 65535)
                complain(fmt::format("{}: addresses {}..{} are outside 0..65535", areas[i].name, areas[i].first, areas[i].last));
            for (std::size_t k = 0; k < i; ++k)
                if (areas[i].first <= areas[k].last && areas[k].first <= areas[i].last)
                    complain(fmt::format("{}: addresses {}..{} overlap the {} {}..{}", areas[i].name, areas[i].first, areas[i].last, areas[k].name, areas[k].first, areas[k].last));
        }
        const int ready = m.slots.write_start + m.fields.status_read_data.at;
        if (m.write_ready != ready)
            complain(fmt::format("handshake.write_ready: {} is not the status_read_data of WRITE slot 1 ({})", m.write_ready, ready));
    }
}

}  // namespace batchbridge::domain
