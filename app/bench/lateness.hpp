// How late read cycles start, seen from the PLC.
#pragma once

#include <chrono>
#include <cstdint>
#include <istream>
#include <vector>

namespace batchbridge::bench {

using nanoseconds = std::chrono::nanoseconds;

// One read request in plc-sim's log.
struct read_request {
    nanoseconds at{};          // of the steady clock, which all processes share
    int address = 0;
};

// The read requests of plc-sim's --log within [from, to). Throws std::runtime_error for a line that is not the simulator's.
std::vector<read_request> read_requests(std::istream& log, nanoseconds from, nanoseconds to);

// A cycle begins where the first slot is read after another one: a changed slot is read again at once, so its second read
// begins none.
std::vector<nanoseconds> cycle_starts(const std::vector<read_request>& requests, int first_address);

// Each start's lateness in milliseconds after the moment it was due. Starts are due on a grid of `interval` whose place is
// found in the starts themselves (the tenth part that is earliest), so what delays all of them alike does not show. A
// start that was left out counts: the next one is late by what it was due then.
std::vector<double> lateness_ms(const std::vector<nanoseconds>& starts, nanoseconds interval);

}  // namespace batchbridge::bench
