// One record of mrp.production, as web_search_read and web_read give it, as a domain order.
#pragma once

#include "domain/order.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <variant>

namespace batchbridge::odoo {

// The nested specification that asks for what parse_order reads.
boost::json::object order_specification();
// Never throws: what does not fit becomes a malformed_order that says where and why.
std::variant<domain::order, domain::malformed_order> parse_order(const boost::json::value& record, const std::string& odoo_db);

}  // namespace batchbridge::odoo
