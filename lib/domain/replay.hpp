// A recorded snapshot through the decoder of the present map: what each register means now, what is doubtful, and what
// was read differently when it was recorded (a moved field, another word order, another scale). Pure.
#pragma once

#include "domain/snapshot.hpp"

#include <string>
#include <vector>

namespace batchbridge::domain {

struct replayed_value {
    std::string place;                      // in the file
    std::string block;                      // "READ 1"; empty: the present map has no such value
    std::string name;                       // the map's, else the file's
    int plc_address = 0;
    words raw;
    std::string value, unit;
    std::string doubt;                      // as shown_value::doubt, or why the map has no such value
    std::vector<std::string> differences;   // file against map, a sentence each
    bool known() const noexcept { return !block.empty(); }
};

struct replay_report {
    std::vector<replayed_value> values;     // in the order of the file, then what only several records make whole
    int doubts = 0, differences = 0, unknown = 0;   // values that have some
};

// Addresses of the file count as the map file does. A record that is exactly a value of the map is decoded with the map's
// type, scale and order; any other is listed and decoded as the file says, as far as it says.
replay_report replay(const plant_map& map, const std::vector<recorded_value>& recorded);

// The report as a table with a summary; lines without a newline.
std::vector<std::string> replay_table(const replay_report& report);

}  // namespace batchbridge::domain
