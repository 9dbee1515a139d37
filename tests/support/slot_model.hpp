// What must be stored of a slot's life: the rules of design section 4 in their simplest form, for slots that have stood still
// long enough. Knows what the PLC held and nothing of the reads. Written apart from lib/domain, and not to be shared with it.
#pragma once

#include "support/slot_life.hpp"

#include <array>
#include <set>
#include <string>
#include <vector>

namespace bb_test {

inline constexpr int history_slot = 3;

// The design's limits, in hundredths of a kilogram.
inline constexpr int max_fall = 100;
inline constexpr int max_kg = 500000;

// What must be stored of one run of an order.
struct expected {
    std::string order, state = "loaded";
    std::array<int, silo_count> actual{};
    int weight = 0;
    bool manufacturing = false, operation = false;
    int finishes = 0;
    bool offered = true;             // the PLC has not taken its load
    bool begun = false;              // it has a picture of its own
    bool archived = false;
    figures stale, seen;             // the picture from before the load; the last one of its own
    bool unfinished() const { return !archived && (state == "loaded" || state == "running"); }
};

struct history_count {
    int cycles = 0, batches = 0, completed = 0, held = 0, lost = 0, refused = 0, storms = 0;
};

class slot_model {
public:
    explicit slot_model(history_count& count) : count_(count) {}

    std::vector<expected> batches;       // all there ever were, oldest first
    bool recipe_stands = false;          // the PLC's WRITE slot still names the newest

    // The slot has shown `f` long enough for every rule.
    void settle(const figures& f);
    // "kind subject" of the alerts that are open then.
    std::set<std::string> alerts(const figures& f);
    // The process was started again.
    void restarted() { unknown_told_ = false; }

    // An order of ours that nobody makes any more.
    bool past(const std::string& order) const;
    // Figures that cannot be, after what is stored.
    static bool impossible(const figures& f, const expected& b);

private:
    void rule(expected& b, const figures& f);
    void strangers(const figures& f, std::set<std::string>& out);

    history_count& count_;
    bool unknown_told_ = false;
    std::string shown_;
};

}  // namespace bb_test
