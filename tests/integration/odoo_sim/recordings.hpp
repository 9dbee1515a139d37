// What real servers answered: tests/data/odoo18 and tests/data/odoo19.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace batchbridge::tests {

namespace json = boost::json;

// {"method", "path", "headers", "body"} and {"status", "headers", "body"}, brought to one form: a body is JSON, a text, or null.
struct recorded_exchange {
    json::value request, response;
};
// Step `index` of the recording on 18 whose file name starts with `name` ("z01", "h15b").
recorded_exchange recorded(const std::string& name, std::size_t index = 0);
// The same on 19, by the file's whole name without its ending ("h_write_no_ids").
recorded_exchange recorded_19(const std::string& name, std::size_t index = 0);
// File names without their ending, sorted.
std::vector<std::string> recordings_18();
std::vector<std::string> recordings_19();
std::size_t steps_of_18(const std::string& name);

// Differences in keys (and their sequence), types and values, one line each. Times of the day and tracebacks of the server are compared
// by type only, and so is every number where `shape` is set (ids of another database). A list that was cut when it was recorded is compared as far as it goes.
std::vector<std::string> differences(const json::value& recorded, const json::value& ours, bool shape = false);

}  // namespace batchbridge::tests
