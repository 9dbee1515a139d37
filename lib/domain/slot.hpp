// What one slot's registers mean: the codec between register words and values, driven by the plant map.
#pragma once

#include "core/decimal.hpp"
#include "domain/plant_map.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace batchbridge::domain {

using words = std::vector<std::uint16_t>;

// kg per silo id.
using silo_kg = std::map<int, core::decimal>;

// What is offered to the PLC in one WRITE slot.
struct recipe {
    int batch_no = 0;          // the slot number
    std::string mo_id, bom_id, finished_goods;
    core::decimal quantity;    // kg
    silo_kg planned;
};

// What a slot shows. Text is as read (NUL and blank padding removed, bytes outside printable ASCII as '?').
struct slot_reading {
    int batch_no = 0;
    std::string mo_id, bom_id, finished_goods;
    core::decimal quantity;
    silo_kg quantities;        // actual in READ, planned in WRITE
    std::uint16_t status_manufacturing = 0, status_operation = 0, status_read_data = 0;
    core::decimal weight;      // weight_finished_good, kg
    bool empty() const noexcept { return mo_id.empty(); }
    // The PLC has finished or given up this batch.
    bool ended() const noexcept { return status_manufacturing == 1 || status_operation == 1; }
    bool any_actual() const;
};

// A value that does not fit its registers, named ("silo 103: 21474836.48 kg does not fit i32 /100").
class encode_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Exactly map.slots.words words; status words, weight and status_read_data are 0. Throws encode_error: text that
// does not fit is never cut for mo_id; bom_id and finished_goods are cleaned by rule (strip a leading "[code] ",
// transliterate to ASCII) and then cut.
words encode_recipe(const plant_map& map, const recipe& r);
// An unused slot: all zero.
words empty_slot(const plant_map& map);
// `slot` has map.slots.words words. Never throws for odd values: refusing is a decision of slot_read.hpp.
slot_reading decode_slot(const plant_map& map, std::span<const std::uint16_t> slot);

// The parts, for the failure block and the simulator.
void encode_value(const plant_map& map, const field& f, const core::decimal& value, std::span<std::uint16_t> block);
core::decimal decode_value(const plant_map& map, const field& f, std::span<const std::uint16_t> block);
void encode_text(const plant_map& map, const field& f, std::string_view text, std::span<std::uint16_t> block);
std::string decode_text(const plant_map& map, const field& f, std::span<const std::uint16_t> block);
std::string clean_text(std::string_view text);

// Decimal places of a scale: 2 for 100.
int places_of(int scale);

// True when two slot images are equal in offsets 0 up to (not including) status_read_data's.
bool same_content(const plant_map& map, std::span<const std::uint16_t> a, std::span<const std::uint16_t> b);

}  // namespace batchbridge::domain
