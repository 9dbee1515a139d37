// Two lines in one process, each with a simulated PLC in the middle of its batches: "mill" gets the faults, "press" must not
// notice. Kilograms are counted in hundredths.
#pragma once

#include "e2e/cycle_gap.hpp"
#include "support/plant.hpp"

#include <memory>

namespace bb_test {

// Order -> silo -> 0.01 kg.
using figures = std::map<std::string, std::map<int, std::int64_t>>;

// One row of the fault table.
struct fault_row {
    std::string fault;
    std::vector<std::string> broken;         // what did not hold; empty = all of it
    std::int64_t recovery_ms = 0, other_gap_ms = 0;
    int log_lines = 0;
};

struct link_fault {
    std::string name;
    std::vector<std::string> requests;       // bodies of POST /fault, all at once
    bool down = true;                        // the board must say so, once
    std::chrono::milliseconds time{2000};
    std::string alert{};                     // this kind must have been raised for the line; empty: none is expected
};

class two_lines {
public:
    static constexpr int interval_ms = 250, timeout_ms = 400, backoff_cap_ms = 5000, orders_per_line = 4;

    two_lines();

    // The fault for its time, then cleared; waits until what the PLC held at the clearing is stored, stops the dosing, compares
    // what is stored with what the PLC holds, and goes on.
    fault_row suffer(const link_fault& f);
    // Makes the rest fast and compares the final figures of both lines with what their PLCs made.
    std::vector<std::string> finish();
    // Prints `rows` and writes them to link-faults-<part>.txt in $BATCHBRIDGE_FAULT_TABLES, else in the build directory.
    static void print(const std::string& part, const std::vector<fault_row>& rows);

    plant& the_plant() { return *plant_; }
    boost::json::value press(const std::string& target, const std::string& body = {});
    std::string press_log() const;

private:
    figures held_by_plc();
    figures stored();
    // Looks once: nothing may be stored that the PLC does not hold or that is less than before.
    void look(std::vector<std::string>& broken);
    void compare_at_rest(std::vector<std::string>& broken);
    void look_at_log(const std::string& part, const link_fault& f, fault_row& row) const;
    void look_at_simulator(std::vector<std::string>& broken);
    std::vector<std::string> compare_made(const boost::json::value& state, const std::string& line);

    std::unique_ptr<plant> plant_;
    program press_;
    int press_control_ = 0;
    std::string press_log_path_;
    figures last_;
    machine_lateness machine_;
};

}  // namespace bb_test
