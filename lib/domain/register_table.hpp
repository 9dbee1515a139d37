// The plant map spelled out for the person who programs or commissions the PLC: every register with both of its
// addresses, worked examples of every encoding, and the handshake in words. Pure; everything is computed from the map and
// by the codec, so that it cannot be out of date (L-41).
#pragma once

#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

enum class register_area { read, write, failure };
std::string_view to_string(register_area a) noexcept;   // "READ", "WRITE", "FAILURE"

// A run of registers that is read as a whole: a slot, or the failure block (slot 0).
struct register_block {
    register_area area = register_area::read;
    int slot = 0;
    int address = 0;           // PDU address of the first register
    int words = 0;
    std::string name() const;  // "READ 1", "FAILURE"
};
// READ slots, WRITE slots, the failure block.
std::vector<register_block> blocks_of(const plant_map& map);

// One value of one block.
struct register_row {
    register_area area = register_area::read;
    int slot = 0;
    std::string block;         // "READ 1"
    std::string name;          // "silo_101_quantity": the stable name of design section 4, also in snapshots
    int address = 0;           // on the wire: zero-based PDU address of the first register
    int plc_address = 0;       // as the map file, and so the PLC's programmer, counts: without address_offset
    field value;               // `at` counts from the block's start
    std::string type;          // "i32 /100 ABCD"
    std::string base_type;     // "i32", "ascii16", "6 x u16"
    std::string scale_text;    // "/100" or empty
    std::string order;         // "ABCD" for two registers, "high" or "low" (byte first) for text, else empty
    std::string unit;          // "kg" or empty
    std::string writer;        // "PLC", "batchbridge", "both"
};
// In the order of the blocks, and within a block of the addresses.
std::vector<register_row> expand(const plant_map& map);
std::vector<register_row> expand(const plant_map& map, const register_block& block);

// A value and the registers that hold it.
struct encoding_example {
    std::string type;          // as register_row::type
    std::string value;         // "1000.00", "\"WH/MO/00014\""
    std::string unit;
    words registers;
};
// One for each distinct encoding of the map (two for a time that the PLC may give in two ways), made by the codec.
std::vector<encoding_example> encoding_examples(const plant_map& map);

// Sentences with the map's own addresses: how addresses count, how a slot is read, and who does what in which order.
std::vector<std::string> addresses_in_words(const plant_map& map);
std::vector<std::string> handshake_in_words(const plant_map& map);

// "1,34464 (0x0001 0x86A0)"
std::string show_registers(std::span<const std::uint16_t> registers);

// The field alone, as if it stood at the start of a block.
field at_start(field f);

}  // namespace batchbridge::domain
