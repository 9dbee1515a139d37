// The map of one line: what the file says, with what the line says about its own PLC put over it.
#pragma once

#include "core/config.hpp"
#include "domain/plant_map.hpp"

#include <string>
#include <vector>

namespace batchbridge::plc {

// Faults (a limit below the map's widest value) are appended to `faults`, each with its place.
domain::plant_map map_for_line(domain::plant_map map, const core::line_config& line, std::vector<std::string>& faults);

// What of the quirks and limits is not the default, for people: "20ms between requests, closes after each cycle"; empty: nothing.
std::string quirks_in_words(const domain::plant_map& map);

}  // namespace batchbridge::plc
