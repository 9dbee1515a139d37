// Positional arguments (/jsonrpc, /web/dataset/call_kw) and named ones (/json/2) of the methods we know, brought to one form.
#pragma once

#include "sim/odoo/odoo_options.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace batchbridge::sim {

struct odoo_arguments {
    boost::json::array ids;       // as they came; may hold what is no number
    boost::json::object named;
    boost::json::object context;

    const boost::json::value* find(std::string_view name) const { return named.if_contains({name.data(), name.size()}); }
    const boost::json::array* list(std::string_view name) const;
    std::string text(std::string_view name) const;
    bool flag(std::string_view name) const;
    // Of the context.
    bool skip(std::string_view key) const;
};

// Throws odoo_fault as Python does, for `model`. An unknown method passes: the model names it.
odoo_arguments positional(std::string_view model, std::string_view method, const boost::json::array& args, const boost::json::object& keywords);
// As /json/2: werkzeug's UnprocessableEntity for what is missing or too much.
odoo_arguments named(std::string_view model, std::string_view method, const boost::json::object& body);

}  // namespace batchbridge::sim
