// Records as Odoo puts them on the wire, and searches over them (odoo18.md, section 4).
#pragma once

#include "sim/odoo/odoo_model.hpp"

namespace batchbridge::sim {

// A domain in prefix notation; terms without an operator between them are joined by "and". Throws odoo_fault.
bool matches(const sim_order& o, const boost::json::array& domain);
// "priority desc, date_start asc, id asc": does `a` come before `b`? Throws odoo_fault for an unknown field.
bool comes_before(const sim_order& a, const sim_order& b, std::string_view order);

// As web_read gives it: nested by the specification.
boost::json::object nested_record(const sim_order& o, const boost::json::object& specification);
// As read and search_read give it: many2one as [id, name], lists as ids. `fields` null: all of them.
boost::json::object flat_record(const sim_order& o, const boost::json::array* fields);

}  // namespace batchbridge::sim
