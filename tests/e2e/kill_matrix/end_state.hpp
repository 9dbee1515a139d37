// What a round has left behind, as sentences in which nothing depends on chance: orders by their place in the round, figures by
// whose they are. Two rounds of one scenario have to leave the same.
#pragma once

#include "e2e/kill_matrix/bench.hpp"

#include <set>
#include <string>
#include <vector>

namespace bb_test::matrix {

// Sentences that begin with "WRONG" must be in no end state at all.
std::set<std::string> end_state(bench& b);

// In words; empty: the same. An effect on Odoo or the PLC may have been journaled more often than without the crash, so
// sentences that begin with "effect" are missing at most.
std::vector<std::string> differences(const std::set<std::string>& uninterrupted, const std::set<std::string>& seen);

}  // namespace bb_test::matrix
