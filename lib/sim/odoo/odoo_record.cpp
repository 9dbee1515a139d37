#include "sim/odoo/odoo_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace batchbridge::sim {

namespace json = boost::json;

json::value odoo_text(const std::string& s)
{
    if (s.empty()) return false;
    return json::value(s);
}

json::object uom_record(const odoo_options& o, const std::string& uom)
{
    static const std::map<std::string, int> ids_18{{"kg", 12}, {"g", 13}, {"t", 14}, {"lb", 15}, {"Units", 1}}, ids_19{{"kg", 16}, {"g", 15}, {"t", 17}, {"lb", 18}, {"Units", 1}};
    const auto& ids = o.is_19() ? ids_19 : ids_18;
    const auto it = ids.find(uom);
    json::object out;
    out["id"] = it == ids.end() ? 99 : it->second;
    out["name"] = json::value(uom);
    out["rounding"] = o.rounding_of(uom).to_double();
    out["display_name"] = json::value(uom);
    return out;
}

namespace {

json::object product_record(std::int64_t id, const std::string& code, const std::string& name)
{
    json::object o;
    o["id"] = id;
    o["default_code"] = odoo_text(code);
    o["name"] = json::value(name);
    o["display_name"] = json::value(code.empty() ? name : fmt::format("[{}] {}", code, name));
    return o;
}

// Falls back to "confirmed" as soon as less than planned is reported (odoo18.md, section 4).
json::value reservation(const sim_order& o)
{
    if (o.state == "done" || o.state == "cancel") return false;
    const bool all = std::all_of(o.moves.begin(), o.moves.end(), [](const sim_move& m) { return m.state == "assigned"; });
    return all ? "assigned" : "confirmed";
}

// Which model a relation leads to, for error messages.
std::string_view model_behind(std::string_view field)
{
    static const std::map<std::string_view, std::string_view> known{
        {"move_raw_ids", "stock.move"}, {"product_id", "product.product"}, {"product_uom", "uom.uom"}, {"product_uom_id", "uom.uom"}, {"bom_id", "mrp.bom"},
        {"location_id", "stock.location"}, {"equipment_id", "maintenance.equipment"}, {"stage_id", "maintenance.stage"}, {"raw_material_production_id", "mrp.production"}};
    const auto it = known.find(field);
    return it == known.end() ? field : it->second;
}

const json::value& field_of(const asked_model& m, const json::object& record, std::string_view field)
{
    const auto* v = record.if_contains(json::string_view(field.data(), field.size()));
    if (v == nullptr) throw bad_read_field(m.options, field, m.name);
    return *v;
}

// `value` as far as the specification asks for it; without sub-fields a relation is its bare id.
json::value project(const asked_model& m, const json::value& value, const json::value& spec)
{
    const auto* s = spec.if_object();
    const auto* fields = s != nullptr ? s->if_contains("fields") : nullptr;
    const auto one = [&](const json::value& v) -> json::value {
        if (!v.is_object()) return v;
        if (fields == nullptr) return v.get_object().at("id");
        json::object out;
        out["id"] = v.get_object().at("id");
        for (const auto& [key, sub] : fields->as_object()) {
            const asked_model behind{m.options, model_behind(key)};
            out[key] = project(behind, field_of(m, v.get_object(), key), sub);
        }
        return out;
    };
    if (!value.is_array()) return one(value);
    json::array out;
    for (const auto& v : value.get_array()) out.push_back(one(v));
    return out;
}

}  // namespace

json::object whole_move(const odoo_options& o, const sim_move& m)
{
    json::object r;
    r["id"] = m.id;
    r["product_id"] = product_record(m.product_id, m.product_code, m.product_name);
    r["product_uom"] = uom_record(o, m.uom);
    r["product_uom_qty"] = m.planned.to_double();
    r["quantity"] = m.quantity.to_double();
    r["picked"] = m.picked;
    r["manual_consumption"] = m.manual;
    r["state"] = json::value(m.state);
    r["scrapped"] = false;
    json::object location;
    location["id"] = 8;
    location["display_name"] = "WH/Stock";
    r["location_id"] = std::move(location);
    return r;
}

json::object whole_order(const odoo_options& options, const sim_order& o)
{
    json::object all;
    all["id"] = o.id;
    all["name"] = json::value(o.name);
    all["display_name"] = json::value(o.name);
    all["state"] = json::value(o.state);
    all["priority"] = json::value(o.priority);
    all["date_start"] = json::value(core::to_odoo(o.date_start));
    all["date_finished"] = json::value(core::to_odoo(o.date_finished));
    all["create_date"] = json::value(core::to_odoo(o.create_date));
    all["write_date"] = json::value(core::to_odoo(o.write_date));
    all["product_id"] = product_record(o.product_id, o.product_code, o.product_name);
    all["product_qty"] = o.quantity.to_double();
    all["product_uom_id"] = uom_record(options, o.uom);
    json::object bom;
    bom["id"] = o.bom_id;
    bom["code"] = json::value("RCP-" + o.product_code);
    bom["display_name"] = json::value("[" + o.product_code + "] " + o.product_name);
    all["bom_id"] = std::move(bom);
    all["consumption"] = json::value(o.consumption);
    all["qty_producing"] = o.qty_producing.to_double();
    all["qty_produced"] = o.qty_produced.to_double();
    all["reservation_state"] = reservation(o);
    all["origin"] = odoo_text(o.origin);
    all["mrp_production_backorder_count"] = 1;
    json::array moves;
    for (const auto& m : o.moves) moves.push_back(whole_move(options, m));
    all["move_raw_ids"] = std::move(moves);
    return all;
}

std::optional<json::value> searchable(const sim_order& o, std::string_view field)
{
    if (field == "id") return json::value(o.id);
    if (field == "state") return json::value(o.state);
    if (field == "name") return json::value(o.name);
    if (field == "priority") return json::value(o.priority);
    if (field == "date_start") return json::value(core::to_odoo(o.date_start));
    if (field == "create_date") return json::value(core::to_odoo(o.create_date));
    if (field == "write_date") return json::value(core::to_odoo(o.write_date));
    if (field == "product_qty") return json::value(o.quantity.to_double());
    if (field == "product_id") return json::value(o.product_id);
    if (field == "product_id.default_code") return json::value(o.product_code);
    if (field == "bom_id") return json::value(o.bom_id);
    if (field == "origin") return odoo_text(o.origin);
    return std::nullopt;
}

void override_with(json::object& out, const json::object& raw)
{
    for (const auto& [key, v] : raw)
        if (out.contains(key)) out[key] = v;
}

json::object nested(const asked_model& m, const json::object& whole, const json::object& specification)
{
    json::object out;
    out["id"] = whole.at("id");
    for (const auto& [key, spec] : specification) {
        const asked_model behind{m.options, model_behind(key)};
        out[key] = project(behind, field_of(m, whole, key), spec);
    }
    return out;
}

json::object flat(const asked_model& m, const json::object& whole, const json::array* fields)
{
    json::object out;
    out["id"] = whole.at("id");
    const auto add = [&](std::string_view key, const json::value& v) {
        auto& place = out[json::string_view(key.data(), key.size())];
        if (v.is_object()) {
            json::array pair;
            pair.push_back(v.get_object().at("id"));
            pair.push_back(v.get_object().at("display_name"));
            place = std::move(pair);
        } else if (v.is_array()) {
            json::array ids;
            for (const auto& one : v.get_array()) ids.push_back(one.as_object().at("id"));
            place = std::move(ids);
        } else {
            place = v;
        }
    };
    if (fields == nullptr || fields->empty())
        for (const auto& [key, v] : whole) add(key, v);
    else
        for (const auto& f : *fields) add(f.as_string(), field_of(m, whole, f.as_string()));
    return out;
}

}  // namespace batchbridge::sim
