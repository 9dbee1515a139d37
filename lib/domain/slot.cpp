#include "domain/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace batchbridge::domain {

namespace {

std::uint16_t swap_bytes(std::uint16_t w)
{
    return static_cast<std::uint16_t>((w << 8) | (w >> 8));
}

// The four word orders of a 32-bit value whose bytes are A (highest) B C D.
void put32(word_order order, std::uint32_t v, std::span<std::uint16_t> at)
{
    auto high = static_cast<std::uint16_t>(v >> 16), low = static_cast<std::uint16_t>(v);
    if (order == word_order::badc || order == word_order::dcba) {
        high = swap_bytes(high);
        low = swap_bytes(low);
    }
    const bool swapped = order == word_order::cdab || order == word_order::dcba;
    at[0] = swapped ? low : high;
    at[1] = swapped ? high : low;
}

std::uint32_t get32(word_order order, std::span<const std::uint16_t> at)
{
    const bool swapped = order == word_order::cdab || order == word_order::dcba;
    auto high = swapped ? at[1] : at[0], low = swapped ? at[0] : at[1];
    if (order == word_order::badc || order == word_order::dcba) {
        high = swap_bytes(high);
        low = swap_bytes(low);
    }
    return (std::uint32_t(high) << 16) | low;
}

struct range {
    std::int64_t low, high;
    std::string_view name;
};

range range_of(value_type t)
{
    switch (t) {
    case value_type::u16: return {0, 0xffff, "u16"};
    case value_type::i16: return {-0x8000, 0x7fff, "i16"};
    case value_type::u32: return {0, 0xffffffffLL, "u32"};
    case value_type::i32: return {-0x80000000LL, 0x7fffffffLL, "i32"};
    case value_type::boolean: return {0, 1, "bool"};
    case value_type::ascii: break;
    }
    return {0, 0, "ascii"};
}

std::span<std::uint16_t> part(const field& f, std::span<std::uint16_t> block)
{
    return block.subspan(static_cast<std::size_t>(f.at), static_cast<std::size_t>(f.words));
}

std::span<const std::uint16_t> part(const field& f, std::span<const std::uint16_t> block)
{
    return block.subspan(static_cast<std::size_t>(f.at), static_cast<std::size_t>(f.words));
}

}  // namespace

int places_of(int scale)
{
    int places = 0;
    for (; scale > 1; scale /= 10) ++places;
    return places;
}

bool slot_reading::any_actual() const
{
    return std::any_of(quantities.begin(), quantities.end(), [](const auto& q) { return q.second > 0; });
}

void encode_value(const plant_map& map, const field& f, const core::decimal& value, std::span<std::uint16_t> block)
{
    const auto raw = value.to_scaled(places_of(f.scale));
    const auto limits = range_of(f.type);
    if (!raw || *raw < limits.low || *raw > limits.high)
        throw encode_error(fmt::format("{} does not fit {}{}", value.to_string(), limits.name, f.scale > 1 ? fmt::format(" /{}", f.scale) : ""));
    auto at = part(f, block);
    if (f.words == 2) put32(map.words, static_cast<std::uint32_t>(*raw), at);
    else at[0] = static_cast<std::uint16_t>(*raw);
}

core::decimal decode_value(const plant_map& map, const field& f, std::span<const std::uint16_t> block)
{
    const auto at = part(f, block);
    std::int64_t raw = 0;
    switch (f.type) {
    case value_type::u16:
    case value_type::boolean: raw = at[0]; break;
    case value_type::i16: raw = static_cast<std::int16_t>(at[0]); break;
    case value_type::u32: raw = get32(map.words, at); break;
    case value_type::i32: raw = static_cast<std::int32_t>(get32(map.words, at)); break;
    case value_type::ascii: break;
    }
    return core::decimal::from_scaled(raw, places_of(f.scale));
}

void encode_text(const plant_map& map, const field& f, std::string_view text, std::span<std::uint16_t> block)
{
    auto at = part(f, block);
    if (text.size() > at.size() * 2) throw encode_error(fmt::format("'{}' has {} characters, {} fit", text, text.size(), at.size() * 2));
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) throw encode_error(fmt::format("'{}' holds a character outside ASCII", text));
    for (std::size_t i = 0; i < at.size(); ++i) {
        const auto first = 2 * i < text.size() ? static_cast<unsigned char>(text[2 * i]) : 0U;
        const auto second = 2 * i + 1 < text.size() ? static_cast<unsigned char>(text[2 * i + 1]) : 0U;
        at[i] = static_cast<std::uint16_t>(map.ascii == ascii_order::high ? (first << 8) | second : (second << 8) | first);
    }
}

std::string decode_text(const plant_map& map, const field& f, std::span<const std::uint16_t> block)
{
    std::string out;
    for (const auto w : part(f, block)) {
        const auto high = static_cast<unsigned char>(w >> 8), low = static_cast<unsigned char>(w & 0xff);
        const bool high_first = map.ascii == ascii_order::high;
        for (const auto c : {high_first ? high : low, high_first ? low : high}) out += static_cast<char>(c);
    }
    if (const auto end = out.find('\0'); end != std::string::npos) out.erase(end);
    for (auto& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

words empty_slot(const plant_map& map)
{
    return words(static_cast<std::size_t>(map.slots.words), 0);
}

words encode_recipe(const plant_map& map, const recipe& r)
{
    auto out = empty_slot(map);
    const std::span<std::uint16_t> block(out);
    const auto named = [](const std::string& what, const std::function<void()>& f) {
        try {
            f();
        } catch (const encode_error& e) {
            throw encode_error(what + ": " + e.what());
        }
    };
    named("batch_no", [&] { encode_value(map, map.fields.batch_no, core::decimal(r.batch_no), block); });
    named("order name", [&] {
        encode_text(map, map.fields.mo_id, r.mo_id, block);
        // Padding is not read back: such a slot would never match its order.
        if (r.mo_id.empty() || decode_text(map, map.fields.mo_id, block) != r.mo_id) throw encode_error(fmt::format("'{}' is empty or ends in a blank", r.mo_id));
    });
    // Only the order's name identifies the batch; the other texts are for people and may be cut.
    encode_text(map, map.fields.bom_id, clean_text(r.bom_id).substr(0, static_cast<std::size_t>(map.fields.bom_id.words) * 2), block);
    encode_text(map, map.fields.finished_goods, clean_text(r.finished_goods).substr(0, static_cast<std::size_t>(map.fields.finished_goods.words) * 2), block);
    named("quantity", [&] { encode_value(map, map.fields.quantity_goods, r.quantity, block); });
    for (const auto& [id, kg] : r.planned)
        if (map.find_silo(id) == nullptr && !kg.is_zero()) throw encode_error(fmt::format("silo {}: is not in the plant map", id));
    for (const auto& s : map.silos) {
        out[static_cast<std::size_t>(s.id_at)] = static_cast<std::uint16_t>(s.id);
        const auto it = r.planned.find(s.id);
        if (it == r.planned.end()) continue;
        named(fmt::format("silo {}", s.id), [&] { encode_value(map, s.quantity, it->second, block); });
    }
    return out;
}

slot_reading decode_slot(const plant_map& map, std::span<const std::uint16_t> slot)
{
    slot_reading r;
    r.batch_no = static_cast<int>(*decode_value(map, map.fields.batch_no, slot).to_scaled(0));
    r.mo_id = decode_text(map, map.fields.mo_id, slot);
    r.bom_id = decode_text(map, map.fields.bom_id, slot);
    r.finished_goods = decode_text(map, map.fields.finished_goods, slot);
    r.quantity = decode_value(map, map.fields.quantity_goods, slot);
    for (const auto& s : map.silos) r.quantities[s.id] = decode_value(map, s.quantity, slot);
    r.status_manufacturing = slot[static_cast<std::size_t>(map.fields.status_manufacturing.at)];
    r.status_operation = slot[static_cast<std::size_t>(map.fields.status_operation.at)];
    r.weight = decode_value(map, map.fields.weight_finished_good, slot);
    r.status_read_data = slot[static_cast<std::size_t>(map.fields.status_read_data.at)];
    return r;
}

bool same_content(const plant_map& map, std::span<const std::uint16_t> a, std::span<const std::uint16_t> b)
{
    if (a.size() != b.size()) return false;
    const auto flag = static_cast<std::size_t>(map.fields.status_read_data.at);
    for (std::size_t i = 0; i < a.size(); ++i)
        if (i != flag && a[i] != b[i]) return false;
    return true;
}

}  // namespace batchbridge::domain
