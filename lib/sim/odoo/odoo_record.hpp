// Records as Odoo puts them on the wire (odoo18.md and odoo19.md, section 4). A "whole" record has every field we know, many2one
// as objects; a read takes out of it what was asked for.
#pragma once

#include "sim/odoo/odoo_domain.hpp"
#include "sim/odoo/odoo_model.hpp"

namespace batchbridge::sim {

// An empty text is false.
boost::json::value odoo_text(const std::string& s);

boost::json::object uom_record(const odoo_options& o, const std::string& uom);
boost::json::object whole_order(const odoo_options& o, const sim_order& order);
boost::json::object whole_move(const odoo_options& o, const sim_move& move);
// What a domain and an order can ask about a manufacturing order; cheaper than the whole record.
std::optional<boost::json::value> searchable(const sim_order& o, std::string_view field);

// As web_read gives it: nested by the specification.
boost::json::object nested(const asked_model& m, const boost::json::object& whole, const boost::json::object& specification);
// As read and search_read give it: many2one as [id, name], lists as ids. `fields` null or empty: all of them.
boost::json::object flat(const asked_model& m, const boost::json::object& whole, const boost::json::array* fields);
// Values in `out` replaced by those of `raw`, where `out` has them.
void override_with(boost::json::object& out, const boost::json::object& raw);

}  // namespace batchbridge::sim
