#include "domain/register_table.hpp"

#include "domain/failure_event.hpp"
#include "domain/interpretations.hpp"
#include "domain/plant_map_validate.hpp"
#include "domain/slot_parts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace batchbridge::domain {

namespace {

// "fields.mo_id" and "silo 101 quantity" name the place in the file; a tag is "mo_id" and "silo_101_quantity".
std::string tag_of(const std::string& place)
{
    const auto dot = place.find('.');
    auto out = dot == std::string::npos ? place : place.substr(dot + 1);
    std::replace(out.begin(), out.end(), ' ', '_');
    return out;
}

std::string writer_of(register_area area, const plant_map& map, const field& f)
{
    if (area == register_area::failure) return f.at == map.failure.flag.at ? "both" : "PLC";
    if (area == register_area::read) return f.at == map.fields.status_read_data.at ? "both" : "PLC";
    const auto& m = map.fields;
    // The flags and the weight are zeroed by a load and belong to the PLC afterwards.
    for (const auto* shared : {&m.status_manufacturing, &m.status_operation, &m.weight_finished_good, &m.status_read_data})
        if (f.at == shared->at) return "both";
    return "batchbridge";
}

bool is_mass(const plant_map& map, const field& f)
{
    if (f.at == map.fields.quantity_goods.at || f.at == map.fields.weight_finished_good.at) return true;
    return std::any_of(map.silos.begin(), map.silos.end(), [&](const silo& s) { return s.quantity.at == f.at; });
}

std::string order_of(const plant_map& map, const field& f)
{
    if (f.type == value_type::ascii) return std::string(to_string(map.ascii));
    if (f.type == value_type::i32 || f.type == value_type::u32) return std::string(to_string(map.words));
    return {};
}

std::string base_type_of(const field& f)
{
    if (f.type == value_type::ascii) return fmt::format("ascii{}", f.words * 2);
    if (f.type == value_type::u16 && f.words > 1) return fmt::format("{} x u16", f.words);
    return std::string(type_name(f.type));
}

words encoded(const plant_map& map, const field& f, const core::decimal& value)
{
    words out(static_cast<std::size_t>(f.words), 0);
    encode_value(map, at_start(f), value, out);
    return out;
}

encoding_example number_example(const plant_map& map, const field& f, const std::string& type, const std::string& unit)
{
    // The largest that fits: 1000 kg is the one that shows the order of two registers.
    for (const int value : {1000, 100, 10, 1}) {
        const core::decimal number(f.type == value_type::boolean ? 1 : value);
        try {
            return {type, number.to_string(places_of(f.scale)), unit, encoded(map, f, number)};
        } catch (const encode_error&) {
        }
    }
    return {type, "0", unit, words(static_cast<std::size_t>(f.words), 0)};
}

encoding_example text_example(const plant_map& map, const field& f, std::string type, std::string_view whole)
{
    const auto text = whole.substr(0, static_cast<std::size_t>(f.words) * 2);
    words out(static_cast<std::size_t>(f.words), 0);
    encode_text(map, at_start(f), text, out);
    return {std::move(type), fmt::format("\"{}\"", text), {}, std::move(out)};
}

std::vector<encoding_example> time_examples(const plant_map& map, const std::string& type)
{
    const auto& f = map.failure.time;
    constexpr const char* when = "2026-11-24 10:46:09";
    if (map.failure.time_format == "text") return {text_example(map, f, type, when)};
    if (map.failure.time_format == "epoch")
        return {{type, fmt::format("{} UTC, seconds since 1970", when), {}, encoded(map, f, core::decimal(1795517169))}};
    return {{type, fmt::format("{} as whole numbers", when), {}, {2026, 11, 24, 10, 46, 9}},
            {type, fmt::format("{} as BCD", when), {}, {0x2026, 0x11, 0x24, 0x10, 0x46, 0x09}}};
}

}  // namespace

field at_start(field f)
{
    f.at = 0;
    return f;
}

std::string_view to_string(register_area a) noexcept
{
    switch (a) {
    case register_area::read: return "READ";
    case register_area::write: return "WRITE";
    case register_area::failure: return "FAILURE";
    }
    return "?";
}

std::string register_block::name() const
{
    return slot == 0 ? std::string(to_string(area)) : fmt::format("{} {}", to_string(area), slot);
}

std::vector<register_block> blocks_of(const plant_map& map)
{
    std::vector<register_block> out;
    for (int i = 1; i <= map.slots.count; ++i) out.push_back({register_area::read, i, map.read_address(i), map.slots.words});
    for (int i = 1; i <= map.slots.count; ++i) out.push_back({register_area::write, i, map.write_address(i), map.slots.words});
    out.push_back({register_area::failure, 0, map.failure.start, failure_words(map)});
    return out;
}

std::vector<register_row> expand(const plant_map& map, const register_block& block)
{
    const bool failure = block.area == register_area::failure;
    auto values = failure ? failure_values(map) : slot_values(map);
    std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
    std::vector<register_row> out;
    for (const auto& [place, f] : values) {
        register_row r;
        r.area = block.area;
        r.slot = block.slot;
        r.block = block.name();
        r.name = tag_of(place);
        r.address = block.address + f.at;
        r.plc_address = r.address - map.address_offset;
        r.value = f;
        r.type = describe_type(map, f);
        r.base_type = base_type_of(f);
        r.scale_text = f.scale > 1 ? fmt::format("/{}", f.scale) : "";
        r.order = order_of(map, f);
        r.unit = !failure && is_mass(map, f) ? "kg" : "";
        r.writer = writer_of(block.area, map, f);
        out.push_back(std::move(r));
    }
    return out;
}

std::vector<register_row> expand(const plant_map& map)
{
    std::vector<register_row> out;
    for (const auto& block : blocks_of(map)) {
        auto rows = expand(map, block);
        std::move(rows.begin(), rows.end(), std::back_inserter(out));
    }
    return out;
}

std::vector<encoding_example> encoding_examples(const plant_map& map)
{
    std::vector<encoding_example> out;
    std::set<std::string> seen;
    const auto slot = expand(map, {register_area::read, 1, map.read_address(1), map.slots.words});
    const auto failure = expand(map, {register_area::failure, 0, map.failure.start, failure_words(map)});
    for (const auto* rows : {&slot, &failure}) {
        for (const auto& r : *rows) {
            const bool time = rows == &failure && r.value.at == map.failure.time.at;
            if (!seen.insert(time ? "time" : r.type).second) continue;
            if (time) {
                auto both = time_examples(map, r.type);
                std::move(both.begin(), both.end(), std::back_inserter(out));
            } else if (r.value.type == value_type::ascii) {
                out.push_back(text_example(map, r.value, r.type, rows == &failure ? "SILO-101" : "WH/MO/00014"));
            } else {
                out.push_back(number_example(map, r.value, r.type, r.unit));
            }
        }
    }
    return out;
}

std::vector<std::string> addresses_in_words(const plant_map& map)
{
    const int offset = map.address_offset, wire = map.read_address(1);
    std::vector<std::string> out;
    out.push_back(fmt::format("Addresses. PLC: as this map counts, so word Dn of the PLC is address n{}.",
                              offset == 0 ? "" : " before address_offset"));
    out.push_back(fmt::format("           wire: zero-based, as it stands in the Modbus request (holding registers, function codes 3, 6 "
                              "and 16); wire = PLC {} {} (address_offset).",
                              offset < 0 ? '-' : '+', std::abs(offset)));
    out.push_back(fmt::format("           READ slot 1 begins at PLC {}, wire {}; tools that count from 1 call it {}, Modicon notation {}.",
                              wire - offset, wire, wire + 1, 400001 + wire));
    out.push_back("           A value that looks right one register off means that the base is wrong: change address_offset by 1.");
    const auto plan = plan_slot_read(map);
    if (!plan.guarded())
        out.push_back(fmt::format("Reading.   A slot is read in one request of {} registers (limits.max_read {}).", map.slots.words, map.limits.max_read));
    else
        out.push_back(fmt::format("Reading.   A slot is read in {} requests of at most {} registers (limits.max_read); no value is split, and its order and "
                                  "status are read before and after the rest.",
                                  plan.before.size() + plan.parts.size() + plan.after.size(), map.limits.max_read));
    return out;
}

std::vector<std::string> handshake_in_words(const plant_map& map)
{
    const auto& f = map.fields;
    const auto read = [&](const field& v) { return map.read_address(1) + v.at - map.address_offset; };
    const auto write = [&](const field& v) { return map.write_address(1) + v.at - map.address_offset; };
    const auto range = [](int from, const field& v) { return fmt::format("{}..{}", from, from + v.words - 1); };
    const int ready = map.write_ready - map.address_offset, failure = map.failure.start - map.address_offset;
    const bool at_once = map.slots.words <= map.limits.max_write;
    const auto name = range(write(f.mo_id), f.mo_id);
    std::vector<std::string> out;
    out.push_back(fmt::format("Handshake 'flag' (PLC addresses, of slot 1 where a slot is meant; the next slot is {} further):", map.slots.stride));
    out.push_back(fmt::format(" 1 batchbridge loads when {} is 1 or {} is empty: it blanks {}, writes the slots {} to 1 (slot 1 still without its "
                              "mo_id), reads all back and compares.",
                              ready, name, name, map.slots.count));
    if (at_once)
        out.push_back(fmt::format(" 2 batchbridge offers the load with one request: slot 1 with its mo_id and {} = 0.", ready));
    else
        out.push_back(fmt::format(" 2 batchbridge offers the load: {} = 0, then the mo_id of slot 1 in one request.", ready));
    out.push_back(fmt::format(" 3 The PLC takes the load when {} is 0 and {} is not empty: it copies every slot, then sets {} to 1. A slot with an "
                              "empty mo_id is not used.",
                              ready, name, ready));
    out.push_back(fmt::format(" 4 Before the PLC starts a batch it looks at its WRITE slot again and skips it when the mo_id is empty: that is how "
                              "batchbridge takes an order out."));
    out.push_back(fmt::format(" 5 The PLC echoes batch_no and mo_id in the READ slot ({}) and keeps the quantities up to date. Its last figures "
                              "stand there before it sets {} (made) or {} (given up) to 1.",
                              range(read(f.mo_id), f.mo_id), read(f.status_manufacturing), read(f.status_operation)));
    out.push_back(fmt::format(" 6 batchbridge sets {} to 1 when the ended batch is stored; the PLC sets it to 0 when the slot gets a new one.",
                              read(f.status_read_data)));
    out.push_back(fmt::format(" 7 A failure: the PLC fills the block from {} on, then sets {} to 0; batchbridge stores it, then sets {} to 1.", failure,
                              failure + map.failure.flag.at, failure + map.failure.flag.at));
    return out;
}

std::string show_registers(std::span<const std::uint16_t> registers)
{
    std::string hex;
    for (const auto w : registers) hex += fmt::format("{}0x{:04X}", hex.empty() ? "" : " ", w);
    return fmt::format("{} ({})", fmt::join(registers, ","), hex);
}

}  // namespace batchbridge::domain
