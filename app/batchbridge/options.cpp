#include "options.hpp"

#include "commands.hpp"

#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <sstream>

namespace batchbridge::app {

namespace po = boost::program_options;

namespace {

void tell(const std::vector<std::string>& faults)
{
    for (const auto& fault : faults) fmt::print(stderr, "{}\n", fault);
}

// The line called `name`, or the only one.
core::line_config pick(const core::config& config, const std::optional<std::string>& name, const std::string& help)
{
    std::string names;
    for (const auto& line : config.lines) {
        if (name ? line.name == *name : config.lines.size() == 1) return line;
        names += (names.empty() ? "" : ", ") + line.name;
    }
    throw usage_error(name ? fmt::format("there is no line '{}', the configured lines are {}", *name, names) : fmt::format("there are several lines, say --line with one of {}", names),
                      help);
}

domain::plant_map map_of(const core::line_config& line)
{
    std::vector<std::string> faults;
    auto map = read_map(line, faults);
    if (map && faults.empty()) return *std::move(map);
    tell(faults);
    throw command_failed{exit_code::configuration};
}

// The configured lines; faults for which `matters` holds end the command.
template <class F>
core::config lines_of(F matters)
{
    auto reading = core::read_config(core::process_environment(), core::real_files());
    std::vector<std::string> faults;
    for (const auto& fault : reading.faults)
        if (matters(fault)) faults.push_back("configuration: " + fault);
    tell(faults);
    if (!faults.empty()) throw command_failed{exit_code::configuration};
    return std::move(reading.value);
}

}  // namespace

std::optional<po::variables_map> parse_options(const arguments& args, const std::string& help, po::options_description options, const std::string& positional)
{
    options.add_options()("help,h", "this text");
    std::ostringstream whole;
    whole << help << "\n" << options;
    po::positional_options_description bare;
    if (!positional.empty()) bare.add(positional.c_str(), 1);
    po::variables_map out;
    try {
        // No abbreviations: an option that comes later must not change what a script says today.
        const auto style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
        po::store(po::command_line_parser(args).options(options).positional(bare).style(style).run(), out);
        po::notify(out);
    } catch (const po::too_many_positional_options_error&) {
        throw usage_error(fmt::format("too many arguments, the last is '{}'", args.back()), whole.str());
    } catch (const po::error& e) {
        throw usage_error(e.what(), whole.str());
    }
    if (out.count("help") > 0) {
        fmt::print("{}", whole.str());
        return std::nullopt;
    }
    return out;
}

plc_line choose_line(const std::optional<std::string>& name, const std::string& help)
{
    const auto config = lines_of([](const std::string& fault) { return fault.starts_with("PLC_") || fault.starts_with("LINES_FILE") || fault.starts_with("LINE_NAME"); });
    auto line = pick(config, name, help);
    auto map = map_of(line);
    return {std::move(line), std::move(map)};
}

chosen_map choose_map(const std::optional<std::string>& file, const std::optional<std::string>& name, const std::string& help)
{
    core::line_config line;
    if (file) line.map = *file;
    else line = pick(lines_of([](const std::string& fault) { return fault.starts_with("LINES_FILE"); }), name, help);
    return {line.map, map_of(line)};
}

}  // namespace batchbridge::app
