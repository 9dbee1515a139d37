// How a block of registers is read or written when it does not fit one request of a PLC with a small limit (design
// section 4, quirks; field.md, rows 8 and 9). Pure: only the cutting and the judging; the requests are lib/plc's.
#pragma once

#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <string>
#include <utility>
#include <vector>

namespace batchbridge::domain {

// A run of words of a block, `at` from its start.
struct part {
    int at = 0, count = 0;
    friend bool operator==(const part&, const part&) = default;
};

// The fewest parts of at most `most` words that together are the words 0..size-1, cut only between `values`: a value is
// never read or written in two requests. Every value has at most `most` words (the map's validation says so).
std::vector<part> split_values(const std::vector<std::pair<std::string, field>>& values, int size, int most);

// Reading a slot in parts. Its identity (mo_id) and its status words are the keys: each is sampled before the first and
// after the last word of the picture was read. Keys that the first part holds need no reading before, keys that the last
// part holds none after.
struct read_plan {
    std::vector<part> before;   // keys only
    std::vector<part> parts;    // the picture, in the order of reading
    std::vector<part> after;    // keys only
    bool guarded() const noexcept { return parts.size() > 1; }
};
read_plan plan_slot_read(const plant_map& map);

// Whether every key reads the same in `before`, the parts and `after`: then the whole picture is of one order in one
// state, unless the PLC went to another and back meanwhile. `slot` is the picture; the others are as read_plan has them.
bool same_keys(const plant_map& map, const read_plan& plan, const std::vector<words>& before, const words& slot, const std::vector<words>& after);

}  // namespace batchbridge::domain
