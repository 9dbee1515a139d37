// What the commands that take options share: parsing, the line they are about, a loop of their own.
#pragma once

#include "core/config.hpp"
#include "domain/plant_map.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace batchbridge::app {

using arguments = std::vector<std::string>;

// Wrong usage: what() says what, help() how it is right. Exit code 64.
class usage_error : public std::runtime_error {
public:
    usage_error(const std::string& what, std::string help) : std::runtime_error(what), help_(std::move(help)) {}
    const std::string& help() const noexcept { return help_; }

private:
    std::string help_;
};

// `positional` is the name of the option that a bare argument is, empty: none. Adds --help. Throws usage_error; --help
// prints `help` followed by the options, and nullopt is returned.
std::optional<boost::program_options::variables_map> parse_options(const arguments& args, const std::string& help, boost::program_options::options_description options,
                                                                   const std::string& positional = {});

// Thrown with everything said already on stderr.
struct command_failed {
    int exit_code;
};

// A configured line with its map. Only what is about PLCs need be configured; faults of that go to stderr and end the
// command with 78. `name` may be left out when there is one line. Throws command_failed, usage_error.
struct plc_line {
    core::line_config line;
    domain::plant_map map;
};
plc_line choose_line(const std::optional<std::string>& name, const std::string& help);
// The map alone, of a file or of a line; the PLC's address need not be configured.
struct chosen_map {
    std::string path;
    domain::plant_map map;
};
chosen_map choose_map(const std::optional<std::string>& file, const std::optional<std::string>& line, const std::string& help);

// Runs one coroutine on a loop of its own; rethrows what it threw.
template <class F>
void run_alone(F body)
{
    boost::asio::io_context ioc(1);
    std::exception_ptr failure;
    boost::asio::co_spawn(ioc, body(ioc.get_executor()), [&](std::exception_ptr e) { failure = e; });
    ioc.run();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace batchbridge::app
