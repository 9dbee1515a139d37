// The commands of the program. Each returns the process's exit code.
#pragma once

#include "core/config.hpp"
#include "domain/plant_map.hpp"

#include <optional>
#include <string>

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

int check_config();
int check_map(const std::optional<std::string>& file);
int probe();
int migrate();
int healthcheck();
int run();

}  // namespace batchbridge::app
