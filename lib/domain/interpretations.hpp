// What two neighbouring registers could mean, all readings beside each other, so that an engineer can pick the word
// order of a PLC by looking at a value that is known (field.md, row 6). Pure; the codec that the program runs with is
// slot.hpp.
#pragma once

#include "domain/plant_map.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

std::string_view to_string(word_order order) noexcept;   // "ABCD"
std::string_view to_string(ascii_order order) noexcept;  // "high"

// The pair as one 32-bit value; A is the highest byte of the value, and the letters stand in the order of the wire.
struct pair_reading
{
    word_order order = word_order::abcd;
    std::uint32_t u32 = 0;
    std::int32_t i32 = 0;
    core::decimal hundredths;          // i32 / 100
    float float32 = 0;                 // IEEE 754; NaN and infinities are possible
    std::optional<std::uint32_t> bcd;  // eight decimal digits; nullopt: a nibble is above 9
};
// Always all four, in the order ABCD, CDAB, BADC, DCBA.
std::array<pair_reading, 4> read_pair(std::uint16_t first, std::uint16_t second);

// One register by itself.
struct word_reading
{
    std::uint16_t u16 = 0;
    std::int16_t i16 = 0;
    std::optional<std::uint32_t> bcd;   // four decimal digits
    std::string high_first, low_first;  // two characters; what is not printable ASCII is a dot
};
word_reading read_word(std::uint16_t word);

// The table that `probe` prints: the pair in four orders, each register by itself, and the four characters. `current`
// is the map's order, which is marked. Lines without a newline.
std::vector<std::string> interpretation_table(std::uint16_t first, std::uint16_t second,
                                              std::optional<word_order> current);

// Two registers as a person types them: "1,34464", "0x0001 0x86A0", "1|34464"; -32768 to 65535 each, since some tools
// show a register with a sign. nullopt and a sentence in `why`: anything else.
std::optional<std::array<std::uint16_t, 2>> parse_pair(std::string_view text, std::string& why);

}  // namespace batchbridge::domain
