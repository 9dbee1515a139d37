// The rules a parsed map must obey as a whole; used by parse_plant_map.
#pragma once

#include "domain/plant_map.hpp"

namespace batchbridge::domain {

// Parts of the file that could not be read: their own faults are listed already, and rules about them are left out.
struct unread_parts {
    bool slots = false, failure = false, handshake = false;
};
// Appends one sentence per fault, each beginning with its place. Addresses already contain address_offset. A field of
// 0 words and an id_at below 0 could not be read and are left out.
void validate(const plant_map& map, const unread_parts& unread, std::vector<std::string>& faults);
// limits.max_read and max_write against Modbus and the map's widest value; also for limits that a line has of its own.
std::vector<std::string> request_limit_faults(const plant_map& map, const unread_parts& unread = {});
// Every value of a slot with its name, in the order of addresses.
std::vector<std::pair<std::string, field>> slot_values(const plant_map& map);
std::vector<std::pair<std::string, field>> failure_values(const plant_map& map);
// "u16"; without scale and order.
std::string_view type_name(value_type t) noexcept;
std::string describe_type(const plant_map& map, const field& f);

}  // namespace batchbridge::domain
