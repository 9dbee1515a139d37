// The rules a parsed map must obey as a whole; used by parse_plant_map.
#pragma once

#include "domain/plant_map.hpp"

namespace batchbridge::domain {

// Appends one sentence per fault, each beginning with its place.
void validate(const plant_map& map, std::vector<std::string>& faults);
// Every value of a slot with its name, in the order of addresses.
std::vector<std::pair<std::string, field>> slot_values(const plant_map& map);
std::vector<std::pair<std::string, field>> failure_values(const plant_map& map);
std::string describe_type(const plant_map& map, const field& f);

}  // namespace batchbridge::domain
