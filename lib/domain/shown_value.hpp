// Registers as an engineer wants to see them: each value of a block beside its raw words, and what is doubtful about it.
// Pure; for snapshots and their replay. What the program does about a doubtful slot is decided in slot_read.hpp.
#pragma once

#include "domain/register_table.hpp"
#include "domain/slot.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace batchbridge::domain {

struct shown_value {
    register_row row;
    words raw;
    std::string value;   // "1000.00", "WH/MO/00014", "2026-11-24 10:46:09" or what is wrong with that time
    std::string doubt;   // empty, or why this can hardly be right: out of range, unknown silo id, no ASCII, ..
};

// `image` has block.words words. Never throws for odd values.
std::vector<shown_value> show_block(const plant_map& map, const register_block& block, std::span<const std::uint16_t> image);

// A number or text of `raw` alone, as show_block writes it; `f.at` is not used, `raw` has f.words words.
std::string show_value(const plant_map& map, const field& f, std::span<const std::uint16_t> raw);

// "D6000", "D6001-D6008": how the predecessor's snapshots name registers; its word Dn is the map's address n.
std::string dm_address(int plc_address, int count);

}  // namespace batchbridge::domain
