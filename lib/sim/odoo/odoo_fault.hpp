// Odoo's exceptions, worded as the recorded 18 and 19 did.
#pragma once

#include "sim/odoo/odoo_options.hpp"

#include <boost/json/value.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace batchbridge::sim {

// Becomes the error answer of whichever protocol the call came by.
struct odoo_fault : std::runtime_error {
    odoo_fault(std::string exception_name, const std::string& message, unsigned http_status = 0)
        : std::runtime_error(message), name(std::move(exception_name)), status(http_status)
    {
    }
    std::string name;
    unsigned status;   // 0: as the protocol does for this name
};

// As Python prints it in messages: ('nosuch', '=', 1).
std::string python(const boost::json::value& v);

odoo_fault user_error(const std::string& message);
odoo_fault missing(const odoo_options& o, std::string_view model, const boost::json::value& id);
odoo_fault bad_read_field(const odoo_options& o, std::string_view field, std::string_view model);
odoo_fault bad_write_field(const odoo_options& o, std::string_view field, std::string_view model);
odoo_fault bad_domain_field(const odoo_options& o, std::string_view model, std::string_view field, const boost::json::value& op, const boost::json::value& value);
// `operation`: read, write, create, unlink.
odoo_fault denied(const odoo_options& o, std::string_view model, std::string_view operation);
odoo_fault private_method(const odoo_options& o, std::string_view model, std::string_view method);
// A mandatory field of maintenance.request, an id that nothing has.
odoo_fault mandatory_name(const odoo_options& o);
odoo_fault no_such_equipment(const odoo_options& o);

}  // namespace batchbridge::sim
