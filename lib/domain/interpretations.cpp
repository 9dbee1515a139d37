#include "domain/interpretations.hpp"

#include "domain/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace batchbridge::domain {

namespace {

constexpr std::array orders{word_order::abcd, word_order::cdab, word_order::badc, word_order::dcba};

char shown(unsigned byte)
{
    return byte >= 0x20 && byte <= 0x7e ? static_cast<char>(byte) : '.';
}

// Each hexadecimal digit is a decimal one: 0x1234 is 1234.
std::optional<std::uint32_t> from_bcd(std::uint32_t value)
{
    std::uint32_t out = 0;
    for (int shift = 28; shift >= 0; shift -= 4) {
        const std::uint32_t digit = (value >> shift) & 0xfU;
        if (digit > 9) return std::nullopt;
        out = out * 10 + digit;
    }
    return out;
}

std::string text_of(float f)
{
    if (std::isnan(f)) return "NaN";
    if (std::isinf(f)) return f > 0 ? "infinity" : "-infinity";
    return fmt::format("{:.7g}", f);
}

std::string text_of(const std::optional<std::uint32_t>& v)
{
    return v ? std::to_string(*v) : "-";
}

}  // namespace

std::string_view to_string(word_order order) noexcept
{
    static constexpr std::array<std::string_view, 4> names{"ABCD", "CDAB", "BADC", "DCBA"};
    return names.at(static_cast<std::size_t>(order));
}

std::string_view to_string(ascii_order order) noexcept
{
    return order == ascii_order::high ? "high" : "low";
}

std::array<pair_reading, 4> read_pair(std::uint16_t first, std::uint16_t second)
{
    const std::array<std::uint16_t, 2> wire{first, second};
    std::array<pair_reading, 4> out;
    // The codec itself, lest this page shows something else than the program would read.
    plant_map map;
    field f;
    f.type = value_type::u32;
    f.words = 2;
    for (std::size_t i = 0; i < orders.size(); ++i) {
        map.words = orders.at(i);
        auto& r = out.at(i);
        r.order = orders.at(i);
        r.u32 = static_cast<std::uint32_t>(decode_value(map, f, wire).to_scaled(0).value_or(0));
        r.i32 = static_cast<std::int32_t>(r.u32);
        r.hundredths = core::decimal::from_scaled(r.i32, 2);
        r.float32 = std::bit_cast<float>(r.u32);
        r.bcd = from_bcd(r.u32);
    }
    return out;
}

word_reading read_word(std::uint16_t word)
{
    word_reading out;
    out.u16 = word;
    out.i16 = static_cast<std::int16_t>(word);
    out.bcd = from_bcd(word);
    const char high = shown(word >> 8U), low = shown(word & 0xffU);
    out.high_first = {high, low};
    out.low_first = {low, high};
    return out;
}

std::vector<std::string> interpretation_table(std::uint16_t first, std::uint16_t second,
                                              std::optional<word_order> current)
{
    std::vector<std::string> out;
    out.push_back(fmt::format("registers {} {} (0x{:04X} 0x{:04X})", first, second, first, second));
    out.push_back(fmt::format("{:<9}  {:<10}  {:>11}  {:>10}  {:>12}  {:>14}  {:>8}", "order", "hex", "i32", "u32",
                              "i32 /100", "float32", "BCD"));
    for (const auto& r : read_pair(first, second)) {
        const bool marked = current && *current == r.order;
        out.push_back(fmt::format("{:<9}  0x{:08X}  {:>11}  {:>10}  {:>12}  {:>14}  {:>8}{}", to_string(r.order), r.u32,
                                  r.i32, r.u32, r.hundredths.to_string(2), text_of(r.float32), text_of(r.bcd),
                                  marked ? "  <- word_order of the map" : ""));
    }
    std::string high, low;
    for (const auto& [name, word] : {std::pair("first", first), std::pair("second", second)}) {
        const auto r = read_word(word);
        out.push_back(fmt::format("{:<9}  0x{:04X}      {:>11}  {:>10}  {:>12}  {:>14}  {:>8}", name, r.u16, r.i16,
                                  r.u16, core::decimal::from_scaled(r.i16, 2).to_string(2), "", text_of(r.bcd)));
        high += r.high_first;
        low += r.low_first;
    }
    out.push_back(fmt::format("ASCII      high byte first \"{}\", low byte first \"{}\"", high, low));
    return out;
}

std::optional<std::array<std::uint16_t, 2>> parse_pair(std::string_view text, std::string& why)
{
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find_first_of(",| ", at), text.size());
        if (end > at) parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    if (parts.size() != 2) {
        why = fmt::format("'{}' has {} registers, expected two, like 1,34464", text, parts.size());
        return std::nullopt;
    }
    std::array<std::uint16_t, 2> out{};
    for (std::size_t i = 0; i < 2; ++i) {
        auto part = parts[i];
        const bool hex = part.starts_with("0x") || part.starts_with("0X");
        if (hex) part.remove_prefix(2);
        int value = 0;
        const auto [end, ec] = std::from_chars(part.data(), part.data() + part.size(), value, hex ? 16 : 10);
        const bool whole = ec == std::errc() && end == part.data() + part.size() && (!hex || part.front() != '-');
        if (!whole || value < -32768 || value > 65535) {
            why = fmt::format("'{}' is no register, expected a whole number from 0 to 65535 (or -32768 to -1, or 0x..)",
                              parts[i]);
            return std::nullopt;
        }
        out.at(i) = static_cast<std::uint16_t>(value);
    }
    return out;
}

}  // namespace batchbridge::domain
