// Domains and sequences of search methods, over anything that has fields (odoo18.md, section 4).
#pragma once

#include "sim/odoo/odoo_fault.hpp"

#include <boost/json/array.hpp>

#include <functional>
#include <optional>
#include <string_view>

namespace batchbridge::sim {

// A field of a record by name or path ("stage_id.done"); nullopt: there is no such field.
using field_reader = std::function<std::optional<boost::json::value>(std::string_view)>;

// The model that is asked, for messages.
struct asked_model {
    const odoo_options& options;
    std::string_view name;
};

// A domain in prefix notation; terms without an operator between them are joined by "and". Throws odoo_fault.
bool matches(const asked_model& m, const field_reader& record, const boost::json::array& domain);
// "priority desc, date_start asc, id asc": does `a` come before `b`? Throws odoo_fault for an unknown field.
bool comes_before(const asked_model& m, const field_reader& a, const field_reader& b, std::string_view order);
// Walks a nested record; a many2one at the end is its id.
std::optional<boost::json::value> field_at(const boost::json::object& record, std::string_view path);
// The ids that a domain names in [["id", "=" or "in", ..]].
boost::json::array ids_named(const boost::json::array& domain);

}  // namespace batchbridge::sim
