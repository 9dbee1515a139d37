#include "commands.hpp"

#include "data_files.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace batchbridge::app {

std::optional<domain::plant_map> read_map(const std::string& path)
{
    const auto found = find_data(path);
    if (!found) {
        fmt::print(stderr, "configuration: PLC_MAP: '{}' is neither in the working directory nor in the installed data directory\n", path);
        return std::nullopt;
    }
    std::ifstream file(*found);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
        fmt::print(stderr, "configuration: PLC_MAP: '{}' cannot be read\n", found->string());
        return std::nullopt;
    }
    try {
        return domain::parse_plant_map(text.str());
    } catch (const domain::map_error& e) {
        for (const auto& fault : e.faults()) fmt::print(stderr, "{}: {}\n", path, fault);
        return std::nullopt;
    }
}

std::optional<start_up> read_start_up()
{
    start_up out;
    bool good = true;
    try {
        out.config = core::load_config(core::process_environment(), core::real_files());
    } catch (const core::config_error& e) {
        for (const auto& fault : e.faults()) fmt::print(stderr, "configuration: {}\n", fault);
        good = false;
    }
    // A broken map is named together with the other faults, not after them.
    if (good) {
        for (const auto& line : out.config.lines) {
            if (auto map = read_map(line.map)) out.maps.emplace(line.name, std::move(*map));
            else good = false;
        }
    } else if (const auto map = core::process_environment()("PLC_MAP"); !core::process_environment()("LINES_FILE")) {
        read_map(map.value_or("conf/plc-map.json"));
    }
    if (!good) return std::nullopt;
    return out;
}

int check_config()
{
    const auto start = read_start_up();
    if (!start) return exit_code::configuration;
    for (const auto& line : core::describe_config(start->config, core::process_environment()))
        fmt::print("{}={}  # {}\n", line.name, line.value, line.source);
    for (const auto& warning : start->config.warnings) fmt::print("warning: {}\n", warning);
    for (const auto& line : start->config.lines)
        fmt::print("line {}: {}:{} unit {}, map {} with {} slots and {} silos\n", line.name, line.host, line.port, line.unit_id, line.map,
                   start->maps.at(line.name).slots.count, start->maps.at(line.name).silos.size());
    return exit_code::ok;
}

int check_map(const std::optional<std::string>& file)
{
    const auto path = file ? *file : core::process_environment()("PLC_MAP").value_or("conf/plc-map.json");
    const auto map = read_map(path);
    if (!map) return exit_code::configuration;
    fmt::print("{:>7}  {:>5}  {:<9}  {:<28}  {}\n", "address", "words", "area", "value", "type");
    for (const auto& row : domain::expand(*map)) fmt::print("{:>7}  {:>5}  {:<9}  {:<28}  {}\n", row.address, row.words, row.area, row.name, row.type);
    fmt::print("{}: {} slots, {} silos, no fault\n", path, map->slots.count, map->silos.size());
    return exit_code::ok;
}

}  // namespace batchbridge::app
