// What a READ slot means that shows an order which no row follows there (design section 4, Read and Duties): one from the
// past, one of another slot, one that was never loaded. Pure: pictures and times in, alerts and an owed acknowledgement
// out. Nothing of such a picture is ever stored as a batch's figures.
#pragma once

#include "domain/plant_map.hpp"
#include "domain/slot.hpp"
#include "domain/slot_follow.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace batchbridge::domain {

// What the queue and history know of the order that a slot shows.
struct known_order {
    enum class kind {
        unknown,         // never loaded on this line
        elsewhere,       // in the queue, but not as this batch of this slot
        ended            // its run is over for us: completed, parked, held, or in history; the rest is what is stored of it
    } what = kind::unknown;
    std::int64_t batch_id = 0;
    std::string mo_id;                   // the order's name
    int slot = 0;                        // where it was loaded: in another slot it is misplaced
    bool ended_by_plc = false;           // the PLC had finished it or given it up
    silo_kg actual;
    core::decimal weight;
    words raw;                           // the last picture that was accepted for it; empty: not kept
};

// What the cycles before saw in one slot.
struct stranger_memory {
    std::string order;                   // the order key; empty: nothing strange
    int cycles = 0;                      // accepted cycles in a row with it
    bool told = false;                   // as unknown or misplaced
    int acknowledged = 0;                // acknowledgements owed since it was first seen
    std::chrono::steady_clock::time_point owed_at{};
};

struct stranger_input {
    int slot = 0;
    bool stale = false;                  // the picture is the one from before the newest load, which was loaded knowing it
    std::chrono::steady_clock::time_point now{};
};

struct stranger_result {
    // All that hold now, subject "slot N ORDER": unknown_order, misplaced_order, changed_after_end, doses_again,
    // acknowledgement_lost. What is no longer among them is over.
    std::vector<alert_note> alerts;
    // An ended order of ours whose read flag is not 1 (L-36). At most once a minute, so that a PLC that cannot keep it is
    // not written to all the time.
    bool owes_acknowledgement = false;
};
stranger_result judge_stranger(const plant_map& map, const words& picture, const known_order& known, const stranger_input& in, stranger_memory& memory);

// "slot 3 WH/MO/00014": the subject of these alerts.
std::string stranger_subject(int slot, const std::string& order);

}  // namespace batchbridge::domain
