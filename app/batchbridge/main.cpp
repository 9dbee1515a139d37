// batchbridge: the command line. What each command does is in commands.cpp, probe.cpp, engineer.cpp and run.cpp.
#include "commands.hpp"
#include "options.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view help_text = R"(batchbridge: links Odoo manufacturing orders to the PLCs that make them

usage: batchbridge [run]          serve the configured lines (the default)
       batchbridge check-config   print the effective configuration, secrets masked
       batchbridge check-map [FILE]
                                  validate a plant map; print every register, examples and the handshake
       batchbridge probe          try database, PLC and Odoo; exit 0 only if all answer
       batchbridge probe --address N | --words A,B
                                  two registers in every type and word order
       batchbridge snapshot       read a PLC and print each value beside its raw words
       batchbridge replay FILE    decode a snapshot with the plant map of today
       batchbridge migrate        bring the database schema up to date and exit
       batchbridge healthcheck    ask the running process whether it is alive (for the container)
       batchbridge --help | --version

'batchbridge COMMAND --help' says more. Configuration comes from environment variables; see README.md and
'batchbridge check-config'. Exit codes: 0 success, 1 failure, 64 wrong usage, 78 wrong configuration.
)";

// The commands without options. Those with options say their help themselves.
const std::map<std::string, std::string, std::less<>>& simple_help()
{
    static const std::map<std::string, std::string, std::less<>> texts{
        {"run", "usage: batchbridge [run]\n\nServes the configured lines until SIGTERM or SIGINT, which end it within 7 s with nothing lost.\n"
                "Until PLC_WRITES=true nothing is written to a PLC and no order is taken.\n"},
        {"check-config", "usage: batchbridge check-config\n\nPrints every variable with its effective value and where it comes from, secrets masked, and each line.\n"
                         "Connects to nothing. Exit code 78 with every fault at once when something is wrong.\n"},
        {"check-map", "usage: batchbridge check-map [FILE]\n\nValidates a plant map, or the maps of the configured lines, and prints for the PLC's programmer: every register with the\n"
                      "PLC's address and the one on the wire, its type, scale and order, who writes it; worked examples; the handshake in\n"
                      "words. Connects to nothing. Exit code 78 with every fault at once.\n"},
        {"migrate", "usage: batchbridge migrate\n\nBrings the database schema up to date and ends; 'run' does it too.\n"},
        {"healthcheck", "usage: batchbridge healthcheck\n\nAsks the process that listens on HTTP_LISTEN whether it is alive: exit code 0, else 1.\n"}};
    return texts;
}

int usage(const std::string& fault, std::string_view help = help_text)
{
    fmt::print(stderr, "batchbridge: {}\n\n{}", fault, help);
    return batchbridge::app::exit_code::usage;
}

int dispatch(std::vector<std::string> args)
{
    using namespace batchbridge::app;
    const std::string command = args.empty() ? "run" : args.front();
    if (!args.empty()) args.erase(args.begin());
    if (command == "probe") return probe(args);
    if (command == "snapshot") return snapshot(args);
    if (command == "replay") return replay(args);
    if (const auto help = simple_help().find(command); help != simple_help().end() && args.size() == 1 && (args[0] == "--help" || args[0] == "-h")) {
        fmt::print("{}", help->second);
        return exit_code::ok;
    }
    if (command == "check-map" && args.size() > 1) return usage(fmt::format("check-map takes at most one file, got '{}' too", args[1]));
    if (command != "check-map" && !args.empty()) return usage(fmt::format("'{}' takes no argument, got '{}'", command, args[0]));
    if (command == "--help" || command == "-h" || command == "help") {
        fmt::print("{}", help_text);
        return exit_code::ok;
    }
    if (command == "--version") {
        fmt::print("batchbridge {}\n", BATCHBRIDGE_VERSION);
        return exit_code::ok;
    }
    if (command == "check-map") return check_map(args.size() == 1 ? std::optional(args[0]) : std::nullopt);
    if (command == "run") return run();
    if (command == "check-config") return check_config();
    if (command == "migrate") return migrate();
    if (command == "healthcheck") return healthcheck();
    return usage(fmt::format("unknown command '{}'", command));
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        return dispatch(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const batchbridge::app::usage_error& e) {
        return usage(e.what(), e.help());
    } catch (const batchbridge::app::command_failed& e) {
        return e.exit_code;
    } catch (const batchbridge::core::config_error& e) {
        fmt::print(stderr, "configuration: {}\n", e.what());
        return batchbridge::app::exit_code::configuration;
    } catch (const std::exception& e) {
        fmt::print(stderr, "batchbridge: {}\n", e.what());
        return batchbridge::app::exit_code::failure;
    }
}
