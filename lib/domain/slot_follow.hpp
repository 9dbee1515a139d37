// What one accepted picture of a READ slot means for one batch, over the cycles: the counting rules of design section 4
// (three equal reads, lost, held) on top of judge_slot. Pure: pictures and times in, a decision out. Not for reading
// slots or storing rows.
#pragma once

#include "domain/batch.hpp"
#include "domain/plant_map.hpp"
#include "domain/slot_read.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::domain {

// What the cycles before have seen of one batch. Kept per batch: two rows may share a slot (a held one and the next load's).
struct batch_memory {
    verdict last = verdict::unchanged;
    int same = 0;                       // accepted cycles in a row with this verdict (fail, refuse: with an unchanged picture)
    std::chrono::steady_clock::time_point since{};   // of the first of them
    int quiet = 0;                      // cancelling: cycles without an actual since its slot is blank and its load has nothing left to make
    bool gone = false;                  // cancelling: its slot has moved on for good
    bool implausible = false;           // cancelling: the PLC ended it with figures that cannot be
};

struct alert_note {
    std::string kind, subject, text;
    bool serious = false;               // logged as an error, else as a warning
};

// The new content of the row.
struct row_change {
    batch_state state = batch_state::running;
    std::string reason;
    bool values_changed = false;        // actuals, weight and status become the picture's; else they stay
    bool keep_picture = false;          // the stored raw image stays too
    enum class delivery { none, consumption, finish } owe = delivery::none;
    bool acknowledge = false;           // the PLC is owed status_read_data = 1
};

struct follow_result {
    std::optional<row_change> change;
    std::vector<alert_note> alerts;
    std::vector<std::string> resolved;  // kinds of alerts about this order that no longer hold
    slot_reading reading;
};

struct follow_input {
    bool fresh = false;                 // the picture was newly accepted in this cycle
    bool load_taken = false;            // the PLC has taken the batch's load
    bool load_open = false;             // the PLC has not: staged, arming or offered; its slot still tells of the past
    bool live = true;                   // live consumption is owed (TASK2_ODOO_SYNC)
    bool recipe_stands = false;         // its WRITE slot was seen to name it: a PLC that shows nothing has not lost its memory
    bool slot_taken = false;            // another batch, unfinished, has the slot by now: a held or lost row stays that
    bool shows_past = false;            // the order that the slot shows is an earlier one of ours: a batch that has not begun waits behind it
    bool told_implausible = false;      // the alert about this batch is open, perhaps of the process before
    std::chrono::steady_clock::time_point now{};
};

// `image`: the slot's accepted picture; `stale`: the picture from before the batch's load (may be empty).
// Rows that are not followed (completed, parked) never change (L-35).
follow_result follow_slot(const plant_map& map, const batch& b, const words& image, const words& stale, const follow_input& in, batch_memory& memory);

// How a batch that is being taken out ends, or nullopt: not yet. Counts `memory.quiet`; once for each cycle that read its
// slot well. `load_busy`: its load still has unfinished batches. Two such cycles that began after its WRITE slot was blanked
// (b.disarmed, as it was at the cycle's start) show that the PLC had not begun it.
struct taken_out {
    history_status status;
    std::string notes;
    bool material_used = false;         // alert dosed_after_cancel
};
std::optional<taken_out> end_of_cancelling(const batch& b, bool load_busy, batch_memory& memory);

}  // namespace batchbridge::domain
