// The kill matrix: the process dies at each named point of each scenario, is started again or taken over, and what is left in
// the end in Odoo, the history, the PLC and the journal is what an uninterrupted run leaves.
#include "e2e/kill_matrix/matrix.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

using namespace bb_test;
using namespace bb_test::matrix;

namespace {

void check(const std::string& part, const std::vector<cell>& cells)
{
    print(part, cells);
    for (const auto& c : cells) {
        INFO(c.scenario << ", " << c.point << ", " << to_string(c.how) << ", " << c.protocol);
        std::string wrong;
        for (const auto& w : c.wrong) wrong += w + "\n";
        if (!wrong.empty()) UNSCOPED_INFO(c.log);
        CHECK(wrong.empty());
        if (!wrong.empty()) WARN(c.scenario << ", " << c.point << ", " << to_string(c.how) << ": " << wrong);
    }
    REQUIRE(!cells.empty());
}

void add(std::vector<cell>& to, std::vector<cell> more)
{
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

// A scenario and its points one after the other in one plant.
void every_point(const std::string& part, const std::vector<std::string>& names, way how)
{
    std::vector<cell> cells;
    for (const auto& name : names) {
        const auto& s = scenario_named(name);
        const auto points = how == way::restart || long_run() ? s.points : how == way::takeover ? s.taken_over : s.stopped;
        const auto ways = protocols();
        for (const auto& by : ways) add(cells, play(s, points, how, by));
    }
    check(part, cells);
}

struct part {
    std::string name;
    std::vector<std::string> scenarios;
};

// Every scenario is in one of them: three, so that they run beside each other.
const std::vector<part> shutdowns{
    {"shutdown-made", {"load", "run", "refused"}},
    {"shutdown-odoo", {"finish", "live consumption", "cancelled by policy", "cancelled in Odoo while it runs", "parked", "discarded", "request given up"}},
    {"shutdown-acts", {"offer withdrawn", "taken out of a taken load", "held and completed by a person", "changed in Odoo", "paused", "equipment failure", "equipment failure without a time", "started over"}},
};

void shut_down(std::size_t number)
{
    every_point(shutdowns.at(number).name, shutdowns.at(number).scenarios, way::shutdown);
}

void drawn(const std::string& part, const std::string& name)
{
    check(part, {draw(scenario_named(name), long_run() ? 100 : 4, way::restart, protocols().front())});
}

// The names in "a:2 then b".
std::set<std::string> names_in(const std::string& points)
{
    std::set<std::string> out;
    const std::regex name("([a-z_.]+)(:[0-9]+)?");
    for (std::sregex_iterator it(points.begin(), points.end(), name), end; it != end; ++it)
        if ((*it)[1] != "then") out.insert((*it)[1]);
    return out;
}

}  // namespace

TEST_CASE("every crash point in the sources is in the kill matrix")
{
    std::set<std::string> covered;
    for (const auto& s : scenarios())
        for (const auto& p : s.points) covered.merge(names_in(p));
    const std::regex name("BATCHBRIDGE_CRASH_POINT\\(\"([^\"]*)\"\\)");
    std::set<std::string> in_sources;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(BATCHBRIDGE_ROOT "/lib")) {
        if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
        std::ifstream in(entry.path());
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it) in_sources.insert((*it)[1]);
    }
    REQUIRE(in_sources.size() > 20);
    for (const auto& point : in_sources) {
        INFO(point << " is in no scenario of tests/e2e/kill_matrix/scenarios.cpp");
        CHECK(covered.contains(point));
    }
    for (const auto& point : covered) {
        INFO(point << " of tests/e2e/kill_matrix/scenarios.cpp is nowhere in lib/");
        CHECK(in_sources.contains(point));
    }
}

TEST_CASE("kill matrix: a load is written")
{
    every_point("load", {"load"}, way::restart);
}

TEST_CASE("kill matrix: an order is refused")
{
    every_point("refused", {"refused"}, way::restart);
}

TEST_CASE("kill matrix: batches run and end")
{
    every_point("run", {"run"}, way::restart);
}

TEST_CASE("kill matrix: orders are finished and archived")
{
    every_point("finish", {"finish"}, way::restart);
}

TEST_CASE("kill matrix: live consumption")
{
    every_point("live", {"live consumption"}, way::restart);
}

TEST_CASE("kill matrix: an offer is withdrawn")
{
    every_point("withdraw", {"offer withdrawn"}, way::restart);
}

TEST_CASE("kill matrix: orders are taken out of a taken load")
{
    every_point("takeout", {"taken out of a taken load"}, way::restart);
}

TEST_CASE("kill matrix: the PLC gives a batch up")
{
    every_point("givenup", {"held and completed by a person", "cancelled by policy"}, way::restart);
}

TEST_CASE("kill matrix: somebody has acted in Odoo")
{
    every_point("odoo", {"cancelled in Odoo while it runs", "changed in Odoo", "parked", "discarded"}, way::restart);
}

TEST_CASE("kill matrix: equipment failures and start-over")
{
    every_point("failure", {"equipment failure", "equipment failure without a time", "request given up", "started over", "paused"}, way::restart);
}

TEST_CASE("kill matrix: a second process takes over while orders are made")
{
    every_point("takeover-made", {"load", "run", "finish", "live consumption"}, way::takeover);
}

TEST_CASE("kill matrix: a second process takes over while persons act")
{
    every_point("takeover-acts", {"offer withdrawn", "taken out of a taken load", "changed in Odoo", "equipment failure", "started over"}, way::takeover);
}

TEST_CASE("kill matrix: a second process takes over while Odoo says no")
{
    // In the usual run without points of their own: those that are left.
    every_point("takeover-odoo", {"request given up", "refused", "held and completed by a person", "cancelled by policy", "cancelled in Odoo while it runs", "parked", "discarded", "paused", "equipment failure without a time"}, way::takeover);
}

TEST_CASE("kill matrix: every scenario is shut down somewhere and 20 points of them in the usual run")
{
    std::size_t points = 0, several = 0;
    for (const auto& s : scenarios()) {
        INFO(s.name << " is in how many of the shutdown parts");
        CHECK(std::count_if(shutdowns.begin(), shutdowns.end(), [&](const part& p) { return std::find(p.scenarios.begin(), p.scenarios.end(), s.name) != p.scenarios.end(); }) == 1);
        points += s.stopped.size();
        several += s.stopped.empty() ? 0 : 1;
        for (const auto& p : s.stopped) CHECK(std::find(s.points.begin(), s.points.end(), p) != s.points.end());
    }
    CHECK(points >= 20);
    CHECK(several >= 5);
}

TEST_CASE("kill matrix: shutdown while a load is written and batches run")
{
    shut_down(0);
}

TEST_CASE("kill matrix: shutdown while Odoo is told")
{
    shut_down(1);
}

TEST_CASE("kill matrix: shutdown while persons and the PLC act")
{
    shut_down(2);
}

TEST_CASE("kill matrix: kills that are drawn while orders are made")
{
    drawn("drawn-load", "load");
}

TEST_CASE("kill matrix: kills that are drawn while live values are told")
{
    drawn("drawn-live", "live consumption");
}

TEST_CASE("kill matrix: kills that are drawn while an offer is withdrawn")
{
    drawn("drawn-withdraw", "offer withdrawn");
}

TEST_CASE("kill matrix: kills that are drawn while orders are taken out of a taken load")
{
    drawn("drawn-takeout", "taken out of a taken load");
}

TEST_CASE("kill matrix: kills that are drawn while a person completes a batch")
{
    drawn("drawn-person", "held and completed by a person");
}
