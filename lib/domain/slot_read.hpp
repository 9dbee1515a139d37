// Decisions about what a READ slot shows (design section 4, Read): which reads may be believed, and what they mean for
// the batch the slot belongs to. Pure: images in, decisions out.
#pragma once

#include "domain/batch.hpp"
#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

// Whether two reads of one slot, `first` then `second`, make a consistent picture.
enum class consistency { equal, advancing, inconsistent };
// advancing: they differ only in quantities, none falling and none by more than max_step_kg; the second counts.
// A slot whose second read is ended (status 72 or 73) must be equal.
consistency compare_reads(const plant_map& map, const words& first, const words& second);

enum class verdict {
    unchanged,     // same as the stored picture, or stale (the image from before the load, until a picture of its own is stored)
    update,        // store `reading`
    complete,      // the completing read: store and owe Odoo a finish
    fail,          // status_operation alone: the PLC gave the batch up (counts only after three equal reads)
    foreign,       // the slot shows another order (or nothing); the row does not change
    refuse         // implausible: nothing of this read is stored; `why` says it
};
struct judgement {
    verdict what = verdict::unchanged;
    slot_reading reading;
    std::string why;            // refuse, foreign: a sentence with the values
    bool both_status = false;   // completed with both status words set: alert
    bool started = false;       // the batch becomes running with this read
    bool changed_values = false;  // actuals, weight or status differ from the stored ones
};
// `image` is an accepted picture of the slot; `stale` the image from before the load (may be empty).
// Rules: a row in state completed or later is never changed (L-35); strict match on (slot, order) (L-34); a fall of
// more than max_fall_kg, a value above the silo's maximum or below 0, a status word other than 0 or 1 refuses.
judgement judge_slot(const plant_map& map, const batch& b, const words& image, const words& stale);

// What to do about an owed acknowledgement, from what the slot shows now.
enum class duty_step { fulfilled, write, dropped };
duty_step decide_duty(const slot_reading& shown, std::string_view order_key);

// May a load be written? From all READ and WRITE slots (index 0 = slot 1).
struct unknown_order {
    int slot;
    std::string order;
    bool in_write_area;
};
struct load_readiness {
    bool ready = false;                     // the PLC has taken the last offer, or nothing is offered
    std::vector<unknown_order> unknown;     // not empty: load nothing (alert unknown_in_plc)
};
// `known(order)`: the order is in our queue or in history.
load_readiness judge_load(const plant_map& map, const std::vector<slot_reading>& read, const std::vector<slot_reading>& write,
                          const std::function<bool(const std::string&)>& known);

// Where a load in state arming stands, from slot 1 of the WRITE area and the order that the load has there.
enum class offer {
    not_armed,     // slot 1 does not name it: the arming never reached the PLC
    offered,       // the ready word is 0: the PLC has not taken it yet
    taken
};
offer judge_offer(const slot_reading& write_slot1, std::string_view slot1_key);

// Differences between what was written and what is read back, status words (72..76) left out; empty = verified.
std::vector<std::string> compare_written(const plant_map& map, int slot, const words& wanted, const words& found,
                                         bool mo_id_blank);

}  // namespace batchbridge::domain
