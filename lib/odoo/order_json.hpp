// Manufacturing orders on the wire: which fields are asked for, and what becomes of an answer. Used by every protocol that
// speaks of mrp.production.
#pragma once

#include "domain/component_mapping.hpp"
#include "domain/order.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <variant>
#include <vector>

namespace batchbridge::odoo {

// Fields beyond the recorded minimum that some server may not know: a field unknown to Odoo fails the whole call
// (builtins.ValueError, h15b), so they are given up one step at a time.
enum class detail { full, without_scrapped, without_location, minimal };
inline constexpr detail last_detail = detail::minimal;

// The nested specification of web_search_read and web_read.
boost::json::object order_specification(detail d);

// One record of such an answer. Scrapped moves are left out. Exact numbers, false = empty (odoo18.md, section 2).
// A record that cannot be understood becomes a malformed_order that names the place and what was there.
std::variant<domain::order, domain::malformed_order> parse_order(const boost::json::value& record, const std::string& odoo_db);

// [[1, move_id, {quantity, picked, manual_consumption}], ..]: absolute values of existing moves.
boost::json::array move_commands(const std::vector<domain::move_value>& moves);

// "null", "false", "text 'abc'", "a list": for messages.
std::string kind_of(const boost::json::value& v);

}  // namespace batchbridge::odoo
