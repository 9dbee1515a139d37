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

// The same for any run of registers, by address: for blocks that need no guard, and for writing.
class value_borders {
public:
    explicit value_borders(const plant_map& map);
    // Parts of at most `most` registers, `at` being addresses, cut only between values of the map.
    std::vector<part> split(int address, int count, int most) const;

private:
    std::vector<bool> inside_;   // by address: the value that holds this register begins before it
};

// Reading a slot in parts. Its identity (mo_id) and its status words are the keys: each is sampled no later than the first
// and no earlier than the last word of the picture, and mo_id no later than any status word. Keys that the first part holds
// need no reading before, keys that the last part holds none after: as a rule two requests more than there are parts.
//
// When all samples of each key agree: an order never comes back to a slot that has shown another one, so from its first to
// its last sample the slot showed this order, and every word of the picture is its own. An order does not begin ended, so a
// picture that says ended was so for this order before its first figure was read: it has final figures only. A PLC whose
// fault is cleared and comes again within one read escapes this; two equal pictures in a row (observe) do not.
struct read_plan {
    std::vector<part> before;   // keys only
    std::vector<part> parts;    // the picture, in the order of reading
    std::vector<part> after;    // keys only
    bool guarded() const noexcept { return parts.size() > 1; }
};
read_plan plan_slot_read(const plant_map& map);

// Whether every key reads the same in `before`, the parts and `after`. `slot` is the picture; the others are as read_plan
// has them.
bool same_keys(const plant_map& map, const read_plan& plan, const std::vector<words>& before, const words& slot, const std::vector<words>& after);

}  // namespace batchbridge::domain
