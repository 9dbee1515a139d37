// A picture of everything the map knows in a PLC, decoded beside raw words, as CSV or JSON. Pure: the reading is done by
// the command. The first five columns of the CSV are those of the predecessor's snapshots.
#pragma once

#include "core/time.hpp"
#include "domain/register_table.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

struct block_image {
    register_block block;
    words image;
    bool consistent = true;    // false: the PLC changed it between all tries; still what was read last
};

struct snapshot {
    std::string line, plc, map_file;
    core::utc_time taken{};
    std::vector<block_image> blocks;
};

// field_name, dm_address, data_type, scale, raw_words (decimal, separated by '|'); behind them value, unit, note, area,
// slot, wire_address, word_order, line, taken_at. One record for each value. dm_address counts as the map file does.
std::string snapshot_csv(const plant_map& map, const snapshot& s);
// One document: {"format": "batchbridge-snapshot", "version": 1, line, plc, taken_at, map, blocks: [{area, slot,
// dm_address, address, consistent, words, values: [{field_name, dm_address, ..}]}]}.
std::string snapshot_json(const plant_map& map, const snapshot& s);

// One value of a snapshot file, ours or the predecessor's.
struct recorded_value {
    std::string place;                  // "line 7", "blocks[0].values[3]"
    std::string field_name;
    int plc_address = 0;
    words raw;
    std::string data_type;              // as written; empty: not given
    std::optional<value_type> type;     // nullopt: not given, or a spelling that says no width ("REAL")
    std::optional<int> scale;           // 100: the registers hold hundredths
    std::optional<std::string> value;   // what was decoded when the snapshot was taken
};

// Every fault with its place, what is wrong and what is expected, one per line of what().
class snapshot_error : public std::runtime_error {
public:
    explicit snapshot_error(std::vector<std::string> faults);
    const std::vector<std::string>& faults() const noexcept { return faults_; }

private:
    std::vector<std::string> faults_;
};

// A JSON document of ours, or CSV with a header that names at least field_name, dm_address and raw_words, in any order
// and case, beside others; separated by ',' or ';'. Throws snapshot_error.
std::vector<recorded_value> read_snapshot(std::string_view text);

// "D6001", "6001", "DM6001-6008", "D6001-D6008", "6001..6008", "6001:6008": the first word and how many.
struct dm_range {
    int first = 0, words = 1;
};
std::optional<dm_range> parse_dm_address(std::string_view text);

}  // namespace batchbridge::domain
