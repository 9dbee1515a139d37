// Plays a scenario once undisturbed and once per point, and compares what each round leaves behind.
#pragma once

#include "e2e/kill_matrix/scenarios.hpp"

#include <string>
#include <vector>

namespace bb_test::matrix {

// The ways to Odoo: how batchbridge is told, and what the simulator has to be.
struct protocol {
    std::string name;
    std::map<std::string, std::string> environment;
    std::vector<std::string> odoo_arguments;
};
// Of this run: one, or all with BATCHBRIDGE_LONG, or those that BATCHBRIDGE_MATRIX_PROTOCOLS names ("json2 scada").
std::vector<protocol> protocols();
bool long_run();

struct cell {
    std::string scenario, point, protocol;
    way how = way::restart;
    std::vector<std::string> wrong;      // empty: the end state is exact
    std::string log;
    std::chrono::milliseconds shutdown{0};     // the longest, from SIGTERM to the end
};

// `points` in the order given; after `most_wrong` that are not exact the rest is not played.
std::vector<cell> play(const scenario& s, const std::vector<std::string>& points, way how, const protocol& by);

// Dies `kills` times at points that are drawn, whatever their names. One cell for all: the first that is not exact, or the number
// of different points.
cell draw(const scenario& s, int kills, way how, const protocol& by);

// Prints `cells` as a table, point by protocol, and the longest shutdown below it, into kill-matrix-<part>.txt in $BATCHBRIDGE_FAULT_TABLES, else in the build directory.
void print(const std::string& part, const std::vector<cell>& cells);

}  // namespace bb_test::matrix
