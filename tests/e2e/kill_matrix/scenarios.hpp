// What is played while the process dies: scenario -> the points that it reaches -> how it is set up. A new crash point in lib/
// belongs into the list of a scenario here; a test fails as long as it is in none.
#pragma once

#include "e2e/kill_matrix/bench.hpp"

#include <functional>
#include <string>
#include <vector>

namespace bb_test::matrix {

struct scenario {
    std::string name;
    std::function<void(bench&)> play;             // one round, from the making of its orders to what the last person does
    std::vector<std::string> points;              // bench::begin
    std::vector<std::string> taken_over, stopped; // of these in the usual run too by a second process, and by SIGTERM
    plant_options options{};
};

const std::vector<scenario>& scenarios();
const scenario& scenario_named(const std::string& name);

}  // namespace bb_test::matrix
