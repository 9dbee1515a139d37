#include "commands.hpp"

#include "data_files.hpp"
#include "domain/register_table.hpp"
#include "odoo/factory.hpp"
#include "pg/uri.hpp"
#include "plc/line_map.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace batchbridge::app {

namespace {

// One map file. nullopt: why not is in `faults`.
std::optional<domain::plant_map> read_map_file(const std::string& path, std::vector<std::string>& faults)
{
    const auto found = find_data(path);
    if (!found) {
        faults.push_back(fmt::format("plant map: '{}' is neither in the working directory nor in the installed data directory", path));
        return std::nullopt;
    }
    try {
        return domain::parse_plant_map(core::real_files()(found->string()));
    } catch (const domain::map_error& e) {
        for (const auto& fault : e.faults()) faults.push_back(fmt::format("{}: {}", path, fault));
    } catch (const std::runtime_error& e) {
        faults.push_back(fmt::format("plant map: '{}' cannot be read: {}", found->string(), e.what()));
    }
    return std::nullopt;
}

void tell(const std::vector<std::string>& faults)
{
    for (const auto& fault : faults) fmt::print(stderr, "{}\n", fault);
}

// Addresses as the PLC's programmer counts and as they go over the wire, examples, the handshake: what an engineer holds
// against the PLC program before anything is connected.
void print_registers(const std::string& path, const domain::plant_map& map)
{
    fmt::print("{}\n\n", path);
    for (const auto& line : domain::addresses_in_words(map)) fmt::print("{}\n", line);
    fmt::print("\n{:>7}  {:>7}  {:>5}  {:<9}  {:<20}  {:<8}  {:>6}  {:<5}  {:<4}  {}\n", "PLC", "wire", "words", "block", "value", "type", "scale", "order", "unit", "written by");
    for (const auto& r : domain::expand(map))
        fmt::print("{:>7}  {:>7}  {:>5}  {:<9}  {:<20}  {:<8}  {:>6}  {:<5}  {:<4}  {}\n", r.plc_address, r.address, r.value.words, r.block, r.name, r.base_type, r.scale_text,
                   r.order, r.unit, r.writer);
    fmt::print("\nExamples, made by the program's own codec (registers in the order of the wire):\n");
    for (const auto& e : domain::encoding_examples(map))
        fmt::print("  {:<26}  {:<44}  {}\n", e.type, e.value + (e.unit.empty() ? "" : " " + e.unit), domain::show_registers(e.registers));
    fmt::print("\n");
    for (const auto& line : domain::handshake_in_words(map)) fmt::print("{}\n", line);
    fmt::print("\n");
}

// What lines that use this map say differently.
void check_lines(const std::string& path, const domain::plant_map& map, const std::vector<core::line_config>& lines, std::vector<std::string>& faults)
{
    for (const auto& line : lines) {
        if (line.map != path) continue;
        const auto quirks = plc::quirks_in_words(plc::map_for_line(map, line, faults));
        if (!quirks.empty()) fmt::print("line {}: {}\n", line.name, quirks);
    }
}

}  // namespace

std::optional<domain::plant_map> read_map(const core::line_config& line, std::vector<std::string>& faults)
{
    const auto map = read_map_file(line.map, faults);
    if (!map) return std::nullopt;
    return plc::map_for_line(*map, line, faults);
}

std::optional<start_up> read_start_up()
{
    auto reading = core::read_config(core::process_environment(), core::real_files());
    // core knows no libpq, so the URI's inside is judged here.
    if (const auto& url = reading.value.database_url; !url.empty()) {
        if (const auto fault = pg::uri_fault(url.value))
            reading.faults.push_back(fmt::format("DATABASE_URL is not valid: {}; expected postgresql://user:password@host:5432/database[?parameter=value&..] "
                                                 "with special characters percent-encoded",
                                                 *fault));
    }
    for (auto& fault : odoo::config_faults(reading.value)) reading.faults.push_back(std::move(fault));
    std::vector<std::string> faults;
    for (const auto& fault : reading.faults) faults.push_back("configuration: " + fault);

    start_up out;
    out.config = std::move(reading.value);
    // A map that several lines share is read once, and has its faults once.
    std::map<std::string, std::optional<domain::plant_map>> by_path;
    for (const auto& line : out.config.lines) {
        if (line.map.empty()) continue;   // of the wrong type, and said so
        const auto [it, is_new] = by_path.try_emplace(line.map);
        if (is_new) it->second = read_map_file(line.map, faults);
        if (it->second) out.maps.emplace(line.name, plc::map_for_line(*it->second, line, faults));
    }
    tell(faults);
    if (!faults.empty()) return std::nullopt;
    return out;
}

int check_config()
{
    const auto start = read_start_up();
    if (!start) return exit_code::configuration;
    for (const auto& line : core::describe_config(start->config, core::process_environment()))
        fmt::print("{}={}  # {}\n", line.name, line.value, line.source);
    for (const auto& warning : start->config.warnings) fmt::print("warning: {}\n", warning);
    for (const auto& line : start->config.lines) {
        const auto& map = start->maps.at(line.name);
        const auto quirks = plc::quirks_in_words(map);
        fmt::print("line {}: {}:{} unit {}, map {} with {} slots and {} silos{}{}\n", line.name, line.host, line.port, line.unit_id, line.map, map.slots.count, map.silos.size(),
                   quirks.empty() ? "" : "; ", quirks);
    }
    return exit_code::ok;
}

int check_map(const std::optional<std::string>& file)
{
    std::set<std::string> paths;
    std::vector<core::line_config> lines;
    if (file) {
        paths.insert(*file);
    } else {
        // The maps in use. The rest of the configuration need not be there yet; only without its lines there are no maps.
        auto reading = core::read_config(core::process_environment(), core::real_files());
        for (const auto& line : reading.value.lines)
            if (!line.map.empty()) paths.insert(line.map);
        lines = std::move(reading.value.lines);
        if (paths.empty()) {
            for (const auto& fault : reading.faults)
                if (fault.starts_with("LINES_FILE")) fmt::print(stderr, "configuration: {}\n", fault);
            return exit_code::configuration;
        }
    }
    std::vector<std::string> faults;
    for (const auto& path : paths) {
        const auto map = read_map_file(path, faults);
        if (!map) continue;
        check_lines(path, *map, lines, faults);
        print_registers(path, *map);
        fmt::print("{}: {} slots, {} silos, no fault\n", path, map->slots.count, map->silos.size());
    }
    tell(faults);
    return faults.empty() ? exit_code::ok : exit_code::configuration;
}

}  // namespace batchbridge::app
