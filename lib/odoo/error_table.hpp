// What an error of Odoo means for a delivery: one table, protocol x HTTP status x exception name. Never the message: Odoo
// translates it into the user's language.
#pragma once

#include "domain/delivery.hpp"

#include <string_view>

namespace batchbridge::odoo {

enum class protocol { jsonrpc, json2, session };
// "jsonrpc", "json2", "scada": as ODOO_API names them.
const char* to_string(protocol p) noexcept;

// `name` is the exception's, empty when the answer was none of Odoo's own (a web server's or a proxy's page).
// Built from odoo18.md, section 10, and odoo19.md, section 2. What the table does not know parks when it has a name, and is
// retried when not.
domain::error_class classify(protocol p, unsigned status, std::string_view name) noexcept;

}  // namespace batchbridge::odoo
