// The commands of the program. Each returns the process's exit code.
#pragma once

#include "core/config.hpp"
#include "domain/plant_map.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::app {

namespace exit_code {
inline constexpr int ok = 0, failure = 1, usage = 64, configuration = 78;
}

// Reads the configuration and every line's map, and asks the modules that will be built of it whether they could be. All
// faults go to stderr, at once; nullopt then.
struct start_up {
    core::config config;
    std::map<std::string, domain::plant_map> maps;  // by line name
};
std::optional<start_up> read_start_up();

// A line's map with what the line itself says about it. nullopt: why not is in `faults`.
std::optional<domain::plant_map> read_map(const core::line_config& line, std::vector<std::string>& faults);

// `args` are the words behind the command's name. A wrong option is a usage_error (options.hpp).
int check_config();
int check_map(const std::optional<std::string>& file);
int probe(const std::vector<std::string>& args);
int snapshot(const std::vector<std::string>& args);
int replay(const std::vector<std::string>& args);
int migrate();
int healthcheck();
int run();

}  // namespace batchbridge::app
