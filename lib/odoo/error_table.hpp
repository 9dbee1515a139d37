// The one table that says what an error of Odoo means: protocol x status x exception name, never the message (it is
// translated). Built from odoo18.md, section 10.
#pragma once

#include "domain/delivery.hpp"

#include <string_view>

namespace batchbridge::odoo {

enum class protocol { jsonrpc };

// `name` is error.data.name; `code` is error.code (100 = session expired).
domain::error_class classify(protocol p, unsigned http_status, std::string_view name, int code) noexcept;

}  // namespace batchbridge::odoo
