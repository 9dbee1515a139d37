#include "e2e/kill_matrix/matrix.hpp"

#include "e2e/kill_matrix/end_state.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>
#include <tuple>

namespace bb_test::matrix {

namespace {

// What ends by itself shortly after the last batch: an alert, the last look at a slot.
const std::string not_reached = "not reached: ";
constexpr int most_wrong = 3;
constexpr int most_points = 80;     // about as many as a round of two orders passes
constexpr auto last_words = std::chrono::seconds(5);
constexpr auto between_looks = std::chrono::milliseconds(50);

plant_options with(plant_options o, const protocol& by)
{
    for (const auto& [name, value] : by.environment) o.environment[name] = value;
    o.odoo_arguments.insert(o.odoo_arguments.end(), by.odoo_arguments.begin(), by.odoo_arguments.end());
    return o;
}

std::vector<std::string> wrong_in(const std::set<std::string>& state)
{
    std::vector<std::string> out;
    for (const auto& s : state)
        if (s.starts_with("WRONG")) out.push_back(s);
    return out;
}

class player {
public:
    player(const scenario& s, way how, const protocol& by) : scenario_(s), how_(how), by_(by) {}

    std::vector<cell> all(const std::vector<std::string>& points)
    {
        std::vector<cell> out;
        for (const auto& point : points) {
            auto c = one(point);
            if (std::count_if(out.begin(), out.end(), [](const cell& o) { return !o.wrong.empty(); }) >= most_wrong) c.wrong = {"not played, too many before it"};
            else played(c);
            // On a busy machine another way may lead round a point: a connection that was lost, a read that came late.
            for (int again = 0; again < 2 && only_not_reached(c); ++again) played(c);
            out.push_back(std::move(c));
        }
        return out;
    }

    cell drawn(int kills)
    {
        auto out = one(std::to_string(kills) + " drawn kills");
        std::mt19937 random(std::random_device{}());
        std::uniform_int_distribution<int> nth(1, most_points);
        std::set<std::string> where;
        for (int done = 0, tries = 0; done < kills && tries < 3 * kills && out.wrong.empty(); ++tries) {
            auto c = one("*:" + std::to_string(nth(random)));
            played(c);
            if (!bench_ || c.wrong.empty()) ++done;
            if (bench_ && !bench_->died_at().empty()) where.insert(bench_->died_at());
            if (c.wrong.empty() || only_not_reached(c)) continue;
            out.wrong = c.wrong;
            out.wrong.front() += " (died at " + c.point + ")";
            out.log = c.log;
        }
        out.point += ", at " + std::to_string(where.size()) + " different points";
        return out;
    }

private:
    cell one(const std::string& point) const { return {scenario_.name, point, by_.name, how_, {}, {}, {}}; }

    void played(cell& c)
    {
        try {
            if (!bench_) first_round();
            c.wrong = round(c.point);
            c.log.clear();
        } catch (const std::exception& e) {
            c.wrong.push_back(e.what());
        }
        if (bench_) c.shutdown = std::max(c.shutdown, bench_->longest_shutdown());
        if (bench_ && c.point.starts_with("*") && !bench_->died_at().empty()) c.point = bench_->died_at() + ", " + c.point;
        if (!c.wrong.empty() && bench_) c.log = bench_->logs();
        // What such a round left behind would be found in the next one. A point that was not reached leaves nothing.
        if (!c.wrong.empty() && !only_not_reached(c)) bench_.reset();
    }

    bool only_not_reached(const cell& c) const { return c.wrong.size() == 1 && c.wrong.front().starts_with(not_reached); }

    // The same without a death.
    void first_round()
    {
        bench_ = std::make_unique<bench>(with(scenario_.options, by_), how_);
        bench_->begin({});
        scenario_.play(*bench_);
        bench_->settle();
        const auto end = std::chrono::steady_clock::now() + last_words;
        const auto bad = [&] { return !wrong_in(uninterrupted_ = end_state(*bench_)).empty(); };
        while (bad() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(between_looks);
        const auto wrong = wrong_in(uninterrupted_);
        if (!wrong.empty()) throw std::runtime_error("already without a death: " + wrong.front());
        if (std::getenv("BATCHBRIDGE_KEEP") == nullptr) return;
        for (const auto& s : uninterrupted_) std::cerr << scenario_.name << ": " << s << '\n';
    }

    std::vector<std::string> round(const std::string& point)
    {
        bench_->begin(point);
        scenario_.play(*bench_);
        bench_->settle();
        std::vector<std::string> out;
        const auto end = std::chrono::steady_clock::now() + last_words;
        while (!(out = differences(uninterrupted_, end_state(*bench_))).empty() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(between_looks);
        if (!bench_->not_reached().empty()) out.push_back(not_reached + bench_->not_reached());
        return out;
    }

    const scenario& scenario_;
    way how_;
    const protocol& by_;
    std::unique_ptr<bench> bench_;
    std::set<std::string> uninterrupted_;
};

std::string joined(const std::vector<std::string>& parts)
{
    std::string out;
    for (const auto& p : parts) out += (out.empty() ? "" : "; ") + p.substr(0, 300);
    return out;
}

}  // namespace

bool long_run()
{
    return std::getenv("BATCHBRIDGE_LONG") != nullptr;
}

std::vector<protocol> protocols()
{
    std::vector<protocol> out{{"jsonrpc", {{"ODOO_API", "jsonrpc"}}, {}}};
    out.push_back({"json2", {{"ODOO_API", "json2"}, {"ODOO_API_KEY", "key-of-the-test"}}, {"--version", "19.0", "--api-key", "key-of-the-test"}});
    out.push_back({"scada", {{"ODOO_API", "scada"}}, {}});
    const char* only = std::getenv("BATCHBRIDGE_MATRIX_PROTOCOLS");
    const std::string wanted = only != nullptr ? only : long_run() ? "jsonrpc json2 scada" : "jsonrpc";
    std::erase_if(out, [&wanted](const protocol& p) { return wanted.find(p.name) == std::string::npos; });
    return out;
}

std::vector<cell> play(const scenario& s, const std::vector<std::string>& points, way how, const protocol& by)
{
    if (points.empty()) return {};
    return player(s, how, by).all(points);
}

cell draw(const scenario& s, int kills, way how, const protocol& by)
{
    return player(s, how, by).drawn(kills);
}

void print(const std::string& part, const std::vector<cell>& cells)
{
    // A row per scenario, point and way, a column per protocol.
    std::vector<std::tuple<std::string, std::string, std::string>> rows;
    std::map<std::tuple<std::string, std::string, std::string>, std::map<std::string, std::string>> table;
    std::vector<std::string> columns;
    for (const auto& c : cells) {
        const auto row = std::make_tuple(c.scenario, c.point, std::string(to_string(c.how)));
        if (!table.contains(row)) rows.push_back(row);
        if (std::find(columns.begin(), columns.end(), c.protocol) == columns.end()) columns.push_back(c.protocol);
        table[row][c.protocol] = c.wrong.empty() ? "exact" : "NOT: " + joined(c.wrong);
    }
    std::ostringstream text;
    text << "| scenario | died at | then |";
    for (const auto& name : columns) text << ' ' << name << " |";
    text << "\n|---|---|---|" << [&] { std::string s; for (std::size_t i = 0; i < columns.size(); ++i) s += "---|"; return s; }() << '\n';
    for (const auto& row : rows) {
        text << "| " << std::get<0>(row) << " | " << std::get<1>(row) << " | " << std::get<2>(row) << " |";
        for (const auto& name : columns) text << ' ' << table[row][name] << " |";
        text << '\n';
    }
    const auto slowest = std::max_element(cells.begin(), cells.end(), [](const cell& a, const cell& b) { return a.shutdown < b.shutdown; });
    if (slowest != cells.end() && slowest->shutdown.count() > 0) {
        text << "| " << slowest->scenario << " | " << slowest->point << " | the longest shutdown |";
        for (const auto& name : columns) text << (name == slowest->protocol ? " " + std::to_string(slowest->shutdown.count()) + " ms |" : " |");
        text << '\n';
    }
    const char* directory = std::getenv("BATCHBRIDGE_FAULT_TABLES");
    std::ofstream(std::string(directory != nullptr ? directory : BATCHBRIDGE_BIN "/..") + "/kill-matrix-" + part + ".txt") << text.str();
}

}  // namespace bb_test::matrix
