// Random histories of one PLC slot, and what must be stored of them: the model of issue 3. A history drives a PLC's slot and
// the code under test (a bridge) together, and compares them whenever the slot has stood still for a while.
#pragma once

#include "support/slot_model.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace bb_test {

// What the bridge has stored of an order's newest run.
struct stored_batch {
    std::string state;                       // mo_batch.state, or "archived"
    std::array<int, silo_count> actual{};    // hundredths
    int weight = 0;
    bool manufacturing = false, operation = false;
    int finishes = 0;                        // rows that will finish it in Odoo, ever
    std::array<int, silo_count> finish_actual{};
    int finish_weight = 0;
};

class bridge {
public:
    virtual ~bridge() = default;
    // The slot that is read. Set before anything else is called.
    slot_life* plc = nullptr;

    // A load with this order for the slot, offered to the PLC; its picture from before is what the slot shows now.
    virtual void stage(const std::string& order) = 0;
    virtual void taken() = 0;
    // One read cycle, so much later.
    virtual void cycle(std::chrono::seconds later) = 0;
    // The WRITE slot names the order, as the cycle may have seen; false: the PLC has forgotten its recipes.
    virtual void recipe_stands(bool stands) = 0;
    virtual stored_batch row(const std::string& order) = 0;
    // To history; status as in mo_histories.
    virtual void archive(const std::string& order, const std::string& status) = 0;
    virtual int open_duties() = 0;
    // "kind subject" of the open alerts.
    virtual std::set<std::string> alerts() = 0;
    // The process is killed and started again: what it only remembered is gone.
    virtual void restart() = 0;
};

// Plays the history of `seed`. nullopt: it was as the model says; else what was wrong, the seed and the history as a script.
std::optional<std::string> play_history(std::uint64_t seed, const std::function<std::unique_ptr<bridge>()>& make, history_count& count);

}  // namespace bb_test
