// What a line of LINES_FILE says about its own PLC that its map does not: many PLCs may share one map, and one of them
// be slow or small.
#pragma once

#include "core/time.hpp"

#include <boost/json/value.hpp>

#include <functional>
#include <optional>
#include <string>

namespace batchbridge::core {

// nullopt: as the map says.
struct line_quirks {
    std::optional<duration> pause_after_connect, pause_between_requests;   // up to 1 min
    std::optional<bool> close_after_cycle;
    std::optional<std::string> second_host;                                // empty: none, whatever the map says
    std::optional<int> max_read, max_write;                                // registers in one request
};

// Told with the place of the fault ("[0].quirks.pause_after_connect") and a sentence.
using complain_function = std::function<void(const std::string& place, const std::string& what)>;

// The objects `quirks` {pause_after_connect, pause_between_requests, close_after_cycle, second_host} and `limits`
// {max_read, max_write} of a line, found at `place`. Every fault is told; what has a fault stays unset.
void read_quirks(const boost::json::value& quirks, const std::string& place, const complain_function& complain, line_quirks& out);
void read_limits(const boost::json::value& limits, const std::string& place, const complain_function& complain, line_quirks& out);

}  // namespace batchbridge::core
