// A batch: one order in one slot of one load, from the queue to history.
#pragma once

#include "core/decimal.hpp"
#include "core/time.hpp"
#include "domain/order.hpp"
#include "domain/slot.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::domain {

// mo_batch.state
enum class batch_state { queued, loading, loaded, running, completed, cancelling, held, lost, parked };
std::string_view to_string(batch_state s) noexcept;
std::optional<batch_state> batch_state_from(std::string_view text) noexcept;
// queued, loading, loaded, running: the slot is occupied and nothing is fetched.
bool is_unfinished(batch_state s) noexcept;
// States whose slot the read cycle still follows: the unfinished ones, held, lost and cancelling.
bool is_followed(batch_state s) noexcept;

// mo_histories.status
enum class history_status { completed, cancelled, failed, discarded, reset };
std::string_view to_string(history_status s) noexcept;

// plc_load.state
enum class load_state { staged, arming, taken, withdrawn };
std::string_view to_string(load_state s) noexcept;
std::optional<load_state> load_state_from(std::string_view text) noexcept;

struct batch {
    std::int64_t id = 0;
    std::string line;
    order_identity order;
    std::string mo_id;          // the order's name
    std::string order_key;      // what the slot shows: the name, or "MO#<id>"
    int run = 1;                // 1, 2.. of the same order
    int slot = 0;               // batch_no
    std::int64_t load = 0;      // plc_load.id
    batch_state state = batch_state::queued;
    std::string reason;         // why it is held, parked, cancelling ..
    std::string bom_id, finished_goods;
    core::decimal planned_kg;   // the order's quantity in kg
    silo_kg planned, actual;
    core::decimal weight;       // actual_weight_quantity_finished_goods
    bool status_manufacturing = false, status_operation = false;
    int version = 0;            // grows with every change of actuals, weight or status
    bool update_odoo = false;   // Odoo has acknowledged exactly this version
    bool done_marked = false;
    bool disarmed = false;      // cancelling: its WRITE slot is blank
    words raw;                  // the last accepted image of the READ slot; empty: none yet
    std::optional<core::utc_time> last_read, last_changed;
};

struct load {
    std::int64_t id = 0;
    std::string line;
    int number = 0;             // 1, 2.. per line
    load_state state = load_state::staged;
    std::map<int, words> images;  // per slot: READ offsets 0.. as they were before the load; stale while unchanged
    bool withdrawing = false;      // an offer whose slot 1 is (about to be) blanked by us
    bool after_withdrawal = false; // replaces a withdrawn offer: armed only while the ready word is still 0
    core::utc_time changed{};      // when the state was entered, by the database's clock
};

}  // namespace batchbridge::domain
