// batchbridge: the command line. What each command does is in commands.cpp, probe.cpp and run.cpp.
#include "commands.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view help_text = R"(batchbridge: links Odoo manufacturing orders to the PLCs that make them

usage: batchbridge [run]          serve the configured lines (the default)
       batchbridge check-config   print the effective configuration, secrets masked
       batchbridge check-map [FILE]
                                  validate a plant map and print every register
       batchbridge probe          try database, PLC and Odoo; exit 0 only if all answer
       batchbridge migrate        bring the database schema up to date and exit
       batchbridge healthcheck    ask the running process whether it is alive (for the container)
       batchbridge --help | --version

Configuration comes from environment variables; see README.md and 'batchbridge check-config'.
Exit codes: 0 success, 1 failure, 64 wrong usage, 78 wrong configuration.
)";

int usage(const std::string& fault)
{
    fmt::print(stderr, "batchbridge: {}\n\n{}", fault, help_text);
    return batchbridge::app::exit_code::usage;
}

int dispatch(const std::vector<std::string>& args)
{
    using namespace batchbridge::app;
    const std::string command = args.empty() ? "run" : args.front();
    if (command == "check-map" && args.size() > 2) return usage(fmt::format("check-map takes at most one file, got '{}' too", args[2]));
    if (command != "check-map" && args.size() > 1) return usage(fmt::format("'{}' takes no argument, got '{}'", command, args[1]));
    if (command == "--help" || command == "-h" || command == "help") {
        fmt::print("{}", help_text);
        return exit_code::ok;
    }
    if (command == "--version") {
        fmt::print("batchbridge {}\n", BATCHBRIDGE_VERSION);
        return exit_code::ok;
    }
    if (command == "check-map") return check_map(args.size() == 2 ? std::optional(args[1]) : std::nullopt);
    if (command == "run") return run();
    if (command == "check-config") return check_config();
    if (command == "probe") return probe();
    if (command == "migrate") return migrate();
    if (command == "healthcheck") return healthcheck();
    if (command == "snapshot") return usage("'snapshot' is not in this version");
    return usage(fmt::format("unknown command '{}'", command));
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        return dispatch(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const batchbridge::core::config_error& e) {
        fmt::print(stderr, "configuration: {}\n", e.what());
        return batchbridge::app::exit_code::configuration;
    } catch (const std::exception& e) {
        fmt::print(stderr, "batchbridge: {}\n", e.what());
        return batchbridge::app::exit_code::failure;
    }
}
