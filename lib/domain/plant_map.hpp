// The plant map: everything the program knows about a PLC's registers (design section 4), loaded from JSON and
// validated as a whole. Addresses are zero-based PDU addresses of holding registers, address_offset already added.
#pragma once

#include "core/decimal.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

enum class word_order { abcd, cdab, badc, dcba };
enum class ascii_order { high, low };
enum class order_key { name, id };
enum class value_type { u16, i16, u32, i32, boolean, ascii };

// A value inside a block; `at` is the offset from the block's start, in words.
struct field {
    int at = 0;
    value_type type = value_type::u16;
    int words = 1;             // width in registers
    int scale = 1;             // 100: the register holds hundredths
};

struct silo {
    int id = 0;                // 101..113, 114, 115
    std::string letter;        // "a".."m", "lq114", "lq115": the view column's suffix
    std::string name;
    std::string equipment;     // maintenance.equipment serial_no
    int id_at = 0;
    field quantity;
    core::decimal max_kg = 5000;
    std::vector<std::string> products, locations, aliases;  // how a component finds it
};

struct slot_layout {
    int count = 10, stride = 100, words = 77;
    int read_start = 6000, write_start = 7000;
};

struct slot_fields {
    field batch_no, mo_id, bom_id, finished_goods, quantity_goods, status_manufacturing, status_operation,
        weight_finished_good, status_read_data;
};

struct quirks {
    std::chrono::milliseconds pause_after_connect{0}, pause_between_requests{0};
    bool close_after_cycle = false;
    std::optional<std::string> second_host;
};

struct failure_block {
    int start = 8000;
    field equipment_code, info;
    field time;                // first word and width
    std::string time_format = "auto";  // auto, text, epoch
    field flag;
};

struct read_limits {
    core::decimal max_step_kg = 50, max_fall_kg = 1;
    int max_read = 125, max_write = 123;
};


struct plant_map {
    int version = 1;
    int address_offset = 0;    // added to every address of the file already; for showing the file's own numbers
    word_order words = word_order::abcd;
    ascii_order ascii = ascii_order::high;
    order_key key = order_key::name;
    slot_layout slots;
    slot_fields fields;
    std::vector<silo> silos;   // in the order of the file
    int write_ready = 7076;    // handshake.write_ready
    domain::quirks quirk;
    failure_block failure;
    read_limits limits;

    // PDU address of a slot's first register; slot 1..slots.count.
    int read_address(int slot) const { return slots.read_start + (slot - 1) * slots.stride; }
    int write_address(int slot) const { return slots.write_start + (slot - 1) * slots.stride; }
    const silo* find_silo(int id) const;
};

// Every fault with its place ("silos[3].quantity_at: words 27..28 overlap fields.mo_id"), one per line of what().
class map_error : public std::runtime_error {
public:
    explicit map_error(std::vector<std::string> faults);
    const std::vector<std::string>& faults() const noexcept { return faults_; }

private:
    std::vector<std::string> faults_;
};

// `json` is the file's text. Throws map_error.
plant_map parse_plant_map(std::string_view json);

}  // namespace batchbridge::domain
