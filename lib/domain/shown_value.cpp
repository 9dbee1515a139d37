#include "domain/shown_value.hpp"

#include "domain/failure_event.hpp"
#include "domain/interpretations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace batchbridge::domain {

namespace {

// The bytes before the first NUL, which is where the text ends.
bool is_ascii(const plant_map& map, std::span<const std::uint16_t> raw)
{
    for (const auto w : raw) {
        const unsigned high = w >> 8U, low = w & 0xffU;
        const bool high_first = map.ascii == ascii_order::high;
        for (const auto c : {high_first ? high : low, high_first ? low : high}) {
            if (c == 0) return true;
            if (c < 0x20 || c > 0x7e) return false;
        }
    }
    return true;
}

// What the value would be in the word orders in which it is possible: the usual reason for an impossible one.
std::string other_orders(const plant_map& map, const field& f, std::span<const std::uint16_t> raw, const core::decimal& most)
{
    if (f.words != 2) return {};
    std::string out;
    auto other = map;
    for (const auto order : {word_order::abcd, word_order::cdab, word_order::badc, word_order::dcba}) {
        if (order == map.words) continue;
        other.words = order;
        const auto value = decode_value(other, at_start(f), raw);
        if (value < 0 || value > most) continue;
        out += fmt::format("{}{} in order {}", out.empty() ? "; it would be " : " or ", value.to_string(places_of(f.scale)), to_string(order));
    }
    return out;
}

class doubts {
public:
    doubts(const plant_map& map, const register_block& block, std::span<const std::uint16_t> image) : map_(map), block_(block)
    {
        if (block.area != register_area::failure) slot_ = decode_slot(map, image);
    }

    std::string about(const register_row& r, std::span<const std::uint16_t> raw) const
    {
        const auto& f = r.value;
        if (f.type == value_type::ascii && !is_ascii(map_, raw)) return "bytes outside printable ASCII";
        return block_.area == register_area::failure ? about_failure(f, raw) : about_slot(f, raw);
    }

private:
    std::string about_failure(const field& f, std::span<const std::uint16_t> raw) const
    {
        if (f.at == map_.failure.flag.at && raw[0] > 1) return "the flag is 0 (new) or 1 (read)";
        return {};
    }

    std::string about_slot(const field& f, std::span<const std::uint16_t> raw) const
    {
        const auto& m = map_.fields;
        for (const auto* status : {&m.status_manufacturing, &m.status_operation, &m.status_read_data})
            if (f.at == status->at && raw[0] > 1) return "a status word is 0 or 1";
        if (f.at == m.batch_no.at && !slot_.empty() && slot_.batch_no != block_.slot) return fmt::format("the batch number of this slot is {}", block_.slot);
        for (const auto& s : map_.silos) {
            if (f.at == s.id_at) return about_silo_id(s, raw[0]);
            if (f.at == s.quantity.at) return about_mass(f, raw, s.max_kg);
        }
        if (f.at == m.quantity_goods.at || f.at == m.weight_finished_good.at) return about_mass(f, raw, core::decimal(99999999));
        return {};
    }

    std::string about_silo_id(const silo& expected, std::uint16_t id) const
    {
        // What nothing was offered in or dosed into may stay blank.
        if (id == expected.id || (id == 0 && slot_.empty())) return {};
        return fmt::format("{} silo id, the map has silo {} here", map_.find_silo(id) == nullptr ? "unknown" : "another", expected.id);
    }

    std::string about_mass(const field& f, std::span<const std::uint16_t> raw, const core::decimal& most) const
    {
        const auto value = decode_value(map_, at_start(f), raw);
        if (value >= 0 && value <= most) return {};
        return fmt::format("possible is 0 to {} kg{}", most.to_string(), other_orders(map_, f, raw, most));
    }

    const plant_map& map_;
    const register_block& block_;
    slot_reading slot_;
};

std::string show_time(const plant_map& map, std::span<const std::uint16_t> image)
{
    // Only an event has a time: the words are looked at as if this was one.
    words block(image.begin(), image.end());
    encode_text(map, map.failure.equipment_code, "X", block);
    encode_text(map, map.failure.info, "X", block);
    const auto event = decode_failure(map, block, "UTC", core::utc_time{});
    return event ? event->time_text : std::string();
}

std::string doubt_about_time(const plant_map& map, std::span<const std::uint16_t> image)
{
    const auto event = decode_failure(map, image, "UTC", core::utc_time{});
    return event && event->source == time_source::receipt ? "no valid time: the time of receipt would be used" : "";
}

}  // namespace

std::string show_value(const plant_map& map, const field& f, std::span<const std::uint16_t> raw)
{
    if (f.type == value_type::ascii) return decode_text(map, at_start(f), raw);
    return decode_value(map, at_start(f), raw).to_string(places_of(f.scale));
}

std::vector<shown_value> show_block(const plant_map& map, const register_block& block, std::span<const std::uint16_t> image)
{
    std::vector<shown_value> out;
    const doubts doubtful(map, block, image);
    for (auto& row : expand(map, block)) {
        shown_value v;
        const auto part = image.subspan(static_cast<std::size_t>(row.value.at), static_cast<std::size_t>(row.value.words));
        v.raw.assign(part.begin(), part.end());
        const bool time = block.area == register_area::failure && row.value.at == map.failure.time.at;
        v.value = time ? show_time(map, image) : show_value(map, row.value, part);
        v.doubt = time ? doubt_about_time(map, image) : doubtful.about(row, part);
        v.row = std::move(row);
        out.push_back(std::move(v));
    }
    return out;
}

std::string dm_address(int plc_address, int count)
{
    return count == 1 ? fmt::format("D{}", plc_address) : fmt::format("D{}-D{}", plc_address, plc_address + count - 1);
}

}  // namespace batchbridge::domain
