// batchbridge-bench: the figures of the design's section "Speed and size", measured here and now.
#include "settings.hpp"

#include "../batchbridge/data_files.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>

namespace fs = std::filesystem;
namespace po = boost::program_options;
using namespace batchbridge::bench;

namespace {

constexpr int failed = 1, wrong_usage = 64;

struct known_row {
    const char* name;
    row (*measure)(const settings&);
    bool needs_database;
    const char* what;
};

constexpr known_row known[] = {
    {"read_cycle", &read_cycle, false, "10 unchanged slots through our device, against libmodbus alone"},
    {"pg_latency", &pg_latency, true, "a statement through our connection, against PQexecParams"},
    {"cycle_jitter", &cycle_jitter, true, "p99 lateness of cycle starts with every Odoo call hung, against no call"},
    {"memory", &memory, true, "VmRSS of batchbridge with one busy line after 10 s"},
    {"start_to_ready", &start_to_ready, true, "from exec to the first 200 of /readyz, database already migrated"},
};

class usage_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

std::vector<known_row> chosen(const std::string& list)
{
    if (list.empty()) return {std::begin(known), std::end(known)};
    std::vector<known_row> out;
    std::istringstream names(list);
    for (std::string name; std::getline(names, name, ',');) {
        const auto* it = std::find_if(std::begin(known), std::end(known), [&](const known_row& k) { return name == k.name; });
        if (it == std::end(known)) throw usage_error("there is no row '" + name + "'");
        out.push_back(*it);
    }
    return out;
}

settings settings_of(const po::variables_map& args)
{
    std::error_code ec;
    const auto here = fs::read_symlink("/proc/self/exe", ec).parent_path();
    const auto program = [&](const char* option, const char* name) { return args.count(option) > 0 ? fs::absolute(args[option].as<std::string>()) : here / name; };
    settings s;
    s.bridge = program("bridge", "batchbridge");
    s.plc_sim = program("plc-sim", "plc-sim");
    s.odoo_sim = program("odoo-sim", "odoo-sim");
    const auto map = batchbridge::app::find_data(args["map"].as<std::string>());
    if (!map) throw usage_error("there is no plant map " + args["map"].as<std::string>());
    s.map = *map;
    const auto* url = std::getenv("DATABASE_URL");
    s.database = args.count("database") > 0 ? args["database"].as<std::string>() : url != nullptr ? url : "";
    s.quick = args.count("quick") > 0;
    return s;
}

int measure(const std::vector<known_row>& rows, const settings& s)
{
    for (const auto& k : rows)
        if (k.needs_database && s.database.empty()) throw usage_error(fmt::format("row {} needs --database or DATABASE_URL", k.name));
    int result = 0;
    for (const auto& k : rows) {
        try {
            fmt::print("{}\n", to_json(k.measure(s)));
            std::fflush(stdout);
        } catch (const std::exception& e) {
            fmt::print(stderr, "batchbridge-bench: {}: {}\n", k.name, e.what());
            result = failed;
        }
    }
    return result;
}

}  // namespace

int main(int argc, char** argv)
{
    po::options_description options("batchbridge-bench: measures what batchbridge costs, one JSON object per row on stdout.\n"
                                    "Simulators and databases (batchbridge_bench_*) are made and removed. Exit code 1: a row\n"
                                    "could not be measured; a missed target is in the row (\"ok\":false)\n\noptions");
    options.add_options()("help,h", "this text")("rows", po::value<std::string>()->default_value(""), "names with commas; all if empty")(
        "quick", "few measurements, to see that it works")("database", po::value<std::string>(), "postgresql://..., a user that may create databases; else DATABASE_URL")(
        "bridge", po::value<std::string>(), "the program batchbridge; else the one beside this program")("plc-sim", po::value<std::string>(), "likewise")(
        "odoo-sim", po::value<std::string>(), "likewise")("map", po::value<std::string>()->default_value("conf/plc-map.json"), "plant map");
    try {
        po::variables_map args;
        po::store(po::parse_command_line(argc, argv, options), args);
        po::notify(args);
        if (args.count("help") > 0) {
            std::cout << options << "\nrows:\n" << std::flush;
            for (const auto& k : known) fmt::print("  {:<16}{}\n", k.name, k.what);
            return 0;
        }
        return measure(chosen(args["rows"].as<std::string>()), settings_of(args));
    } catch (const po::error& e) {
        fmt::print(stderr, "batchbridge-bench: {}\n", e.what());
    } catch (const usage_error& e) {
        fmt::print(stderr, "batchbridge-bench: {}\n", e.what());
    } catch (const std::exception& e) {
        fmt::print(stderr, "batchbridge-bench: {}\n", e.what());
        return failed;
    }
    return wrong_usage;
}
