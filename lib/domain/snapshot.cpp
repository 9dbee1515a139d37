#include "domain/snapshot.hpp"

#include "core/csv.hpp"
#include "domain/interpretations.hpp"
#include "domain/shown_value.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace batchbridge::domain {

namespace json = boost::json;

namespace {

constexpr const char* changing = "the PLC changed this block while it was read";

// The long names, which the predecessor and spreadsheets know.
std::string data_type_of(const field& f)
{
    switch (f.type) {
    case value_type::u16: return "uint16";
    case value_type::i16: return "int16";
    case value_type::u32: return "uint32";
    case value_type::i32: return "int32";
    case value_type::boolean: return "bool";
    case value_type::ascii: return "ascii";
    }
    return {};
}

std::string note_of(const block_image& b, const shown_value& v)
{
    if (b.consistent) return v.doubt;
    return v.doubt.empty() ? changing : fmt::format("{}; {}", v.doubt, changing);
}

json::array numbers(const words& w)
{
    json::array out;
    for (const auto n : w) out.push_back(n);
    return out;
}

json::object map_facts(const plant_map& map, const std::string& file)
{
    json::object slots;
    slots["count"] = map.slots.count;
    slots["stride"] = map.slots.stride;
    slots["words"] = map.slots.words;
    slots["read_start"] = map.slots.read_start - map.address_offset;
    slots["write_start"] = map.slots.write_start - map.address_offset;
    json::object out;
    out["file"] = file;
    out["version"] = map.version;
    out["address_offset"] = map.address_offset;
    out["word_order"] = std::string(to_string(map.words));
    out["ascii_order"] = std::string(to_string(map.ascii));
    out["order_key"] = map.key == order_key::name ? "name" : "id";
    out["slots"] = std::move(slots);
    out["silos"] = map.silos.size();
    out["failure_start"] = map.failure.start - map.address_offset;
    out["write_ready"] = map.write_ready - map.address_offset;
    return out;
}

json::object value_json(const block_image& b, const shown_value& v)
{
    json::object out;
    out["field_name"] = v.row.name;
    out["dm_address"] = dm_address(v.row.plc_address, v.row.value.words);
    out["data_type"] = data_type_of(v.row.value);
    out["scale"] = v.row.value.scale;
    out["raw_words"] = numbers(v.raw);
    out["value"] = v.value;
    if (!v.row.unit.empty()) out["unit"] = v.row.unit;
    if (const auto note = note_of(b, v); !note.empty()) out["note"] = note;
    return out;
}

}  // namespace

std::string snapshot_csv(const plant_map& map, const snapshot& s)
{
    auto out = core::csv_line({"field_name", "dm_address", "data_type", "scale", "raw_words", "value", "unit", "note", "area", "slot", "wire_address", "word_order", "line", "taken_at"});
    const auto taken = core::to_iso(s.taken);
    for (const auto& b : s.blocks)
        for (const auto& v : show_block(map, b.block, b.image))
            out += core::csv_line({v.row.name, dm_address(v.row.plc_address, v.row.value.words), data_type_of(v.row.value), std::to_string(v.row.value.scale),
                                   fmt::format("{}", fmt::join(v.raw, "|")), v.value, v.row.unit, note_of(b, v), std::string(to_string(b.block.area)),
                                   b.block.slot > 0 ? std::to_string(b.block.slot) : "", std::to_string(v.row.address), v.row.order, s.line, taken});
    return out;
}

std::string snapshot_json(const plant_map& map, const snapshot& s)
{
    json::array blocks;
    for (const auto& b : s.blocks) {
        json::array values;
        for (const auto& v : show_block(map, b.block, b.image)) values.push_back(value_json(b, v));
        json::object o;
        o["area"] = std::string(to_string(b.block.area));
        if (b.block.slot > 0) o["slot"] = b.block.slot;
        o["dm_address"] = dm_address(b.block.address - map.address_offset, b.block.words);
        o["address"] = b.block.address;
        o["consistent"] = b.consistent;
        o["words"] = numbers(b.image);
        o["values"] = std::move(values);
        blocks.push_back(std::move(o));
    }
    json::object out;
    out["format"] = "batchbridge-snapshot";
    out["version"] = 1;
    out["line"] = s.line;
    out["plc"] = s.plc;
    out["taken_at"] = core::to_iso(s.taken);
    out["map"] = map_facts(map, s.map_file);
    out["blocks"] = std::move(blocks);
    return json::serialize(out) + "\n";
}

}  // namespace batchbridge::domain
