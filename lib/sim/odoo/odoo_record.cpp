#include "sim/odoo/odoo_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

json::value odoo_text(const std::string& s)
{
    if (s.empty()) return false;
    return json::value(s);
}

json::object uom_record(const std::string& uom)
{
    static const std::map<std::string, int> ids{{"kg", 12}, {"g", 13}, {"t", 14}, {"lb", 15}};
    json::object o;
    const auto it = ids.find(uom);
    o["id"] = it == ids.end() ? 99 : it->second;
    o["name"] = uom;
    o["rounding"] = 0.01;
    o["display_name"] = uom;
    return o;
}

json::object product_record(std::int64_t id, const std::string& code, const std::string& name)
{
    json::object o;
    o["id"] = id;
    o["default_code"] = odoo_text(code);
    o["name"] = json::value(name);
    o["display_name"] = json::value(code.empty() ? name : fmt::format("[{}] {}", code, name));
    return o;
}

json::object move_record(const sim_move& m)
{
    json::object r;
    r["id"] = m.id;
    r["product_id"] = product_record(m.product_id, m.product_code, m.product_name);
    r["product_uom"] = uom_record(m.uom);
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

// Falls back to "confirmed" as soon as less than planned is reported (odoo18.md, section 4).
json::value reservation(const sim_order& o)
{
    if (o.state == "done" || o.state == "cancel") return false;
    const bool all = std::all_of(o.moves.begin(), o.moves.end(), [](const sim_move& m) { return m.state == "assigned"; });
    return all ? "assigned" : "confirmed";
}

json::object whole_record(const sim_order& o)
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
    all["product_uom_id"] = uom_record(o.uom);
    json::object bom;
    bom["id"] = o.bom_id;
    bom["display_name"] = json::value("[" + o.product_code + "] " + o.product_name);
    all["bom_id"] = std::move(bom);
    all["consumption"] = json::value(o.consumption);
    all["qty_producing"] = o.qty_producing.to_double();
    all["qty_produced"] = o.qty_produced.to_double();
    all["reservation_state"] = reservation(o);
    all["origin"] = odoo_text(o.origin);
    json::array moves;
    for (const auto& m : o.moves) moves.push_back(move_record(m));
    all["move_raw_ids"] = std::move(moves);
    return all;
}

// Which model a relation leads to, for error messages.
std::string model_behind(std::string_view field)
{
    static const std::map<std::string_view, std::string> known{{"move_raw_ids", "stock.move"}, {"product_id", "product.product"}, {"product_uom", "uom.uom"},
                                                               {"product_uom_id", "uom.uom"}, {"bom_id", "mrp.bom"}, {"location_id", "stock.location"}};
    const auto it = known.find(field);
    return it == known.end() ? std::string(field) : it->second;
}

const json::value& field_of(const json::object& record, std::string_view field, const std::string& model)
{
    const auto* v = record.if_contains(json::string_view(field.data(), field.size()));
    if (v == nullptr) throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model '{}'", field, model));
    return *v;
}

// `value` as far as the specification asks for it; without sub-fields a relation is its bare id.
json::value project(const json::value& value, const json::value& spec, const std::string& model)
{
    const auto* s = spec.if_object();
    const auto* fields = s != nullptr ? s->if_contains("fields") : nullptr;
    const auto one = [&](const json::value& v) -> json::value {
        if (!v.is_object()) return v;
        if (fields == nullptr) return v.get_object().at("id");
        json::object out;
        out["id"] = v.get_object().at("id");
        for (const auto& [key, sub] : fields->as_object()) out[key] = project(field_of(v.get_object(), key, model), sub, model_behind(key));
        return out;
    };
    if (!value.is_array()) return one(value);
    json::array out;
    for (const auto& v : value.get_array()) out.push_back(one(v));
    return out;
}

void override_with(json::object& out, const json::object& raw)
{
    for (const auto& [key, v] : raw)
        if (out.contains(key)) out[key] = v;
}

// What a domain and an order can ask about.
std::optional<json::value> searchable(const sim_order& o, std::string_view field)
{
    if (field == "id") return json::value(o.id);
    if (field == "state") return json::value(o.state);
    if (field == "name") return json::value(o.name);
    if (field == "priority") return json::value(o.priority);
    if (field == "date_start") return json::value(core::to_odoo(o.date_start));
    if (field == "create_date") return json::value(core::to_odoo(o.create_date));
    if (field == "write_date") return json::value(core::to_odoo(o.write_date));
    if (field == "product_id.default_code") return json::value(o.product_code);
    return std::nullopt;
}

// As Python prints it in the message: ('nosuch', '=', 1).
std::string python(const json::value& v)
{
    if (const auto* s = v.if_string()) return fmt::format("'{}'", std::string_view(*s));
    if (v.is_bool()) return v.get_bool() ? "True" : "False";
    if (v.is_null()) return "None";
    if (v.is_int64()) return std::to_string(v.get_int64());
    return "..";
}

bool less(const json::value& a, const json::value& b)
{
    return a.is_string() ? a.as_string() < b.as_string() : a.as_int64() < b.as_int64();
}

bool matches_term(const sim_order& o, const json::array& term)
{
    const std::string field(term.at(0).as_string()), op(term.at(1).as_string());
    const auto& value = term.at(2);
    const auto found = searchable(o, field);
    if (!found)
        throw odoo_fault("builtins.ValueError", fmt::format("Invalid field mrp.production.{} in leaf ({}, {}, {})", field, python(term[0]), python(term[1]), python(value)));
    const auto& mine = *found;
    const auto in = [&] { return std::any_of(value.as_array().begin(), value.as_array().end(), [&](const json::value& v) { return v == mine; }); };
    if (op == "=") return mine == value;
    if (op == "!=") return mine != value;
    if (op == "in") return in();
    if (op == "not in") return !in();
    if (op == "<=") return !less(value, mine);
    if (op == ">=") return !less(mine, value);
    if (op == "<") return less(mine, value);
    if (op == ">") return less(value, mine);
    if (op == "like" || op == "ilike") return mine.as_string().find(std::string_view(value.as_string())) != json::string::npos;
    throw odoo_fault("builtins.ValueError", "Invalid operator " + op);
}

}  // namespace

bool matches(const sim_order& o, const json::array& domain)
{
    std::size_t at = 0;
    const std::function<bool()> next = [&]() -> bool {
        const auto& v = domain.at(at++);
        if (v.is_array()) return matches_term(o, v.get_array());
        const auto& op = v.as_string();
        if (op == "!") return !next();
        const bool a = next(), b = next();
        return op == "|" ? a || b : a && b;
    };
    bool all = true;
    while (at < domain.size()) all = next() && all;
    return all;
}

bool comes_before(const sim_order& a, const sim_order& b, std::string_view order)
{
    while (!order.empty()) {
        const auto comma = order.find(',');
        auto part = order.substr(0, comma);
        order = comma == std::string_view::npos ? std::string_view{} : order.substr(comma + 1);
        while (part.starts_with(' ')) part.remove_prefix(1);
        const auto field = part.substr(0, part.find(' '));
        const bool down = part.find(" desc") != std::string_view::npos;
        const auto x = searchable(a, field), y = searchable(b, field);
        if (!x) throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'mrp.production'", field));
        if (*x == *y) continue;
        return less(*x, *y) != down;
    }
    return false;
}

json::object nested_record(const sim_order& o, const json::object& specification)
{
    const auto all = whole_record(o);
    json::object out;
    out["id"] = o.id;
    for (const auto& [key, spec] : specification) out[key] = project(field_of(all, key, "mrp.production"), spec, model_behind(key));
    override_with(out, o.raw);
    return out;
}

json::object flat_record(const sim_order& o, const json::array* fields)
{
    const auto all = whole_record(o);
    json::object out;
    out["id"] = o.id;
    const auto add = [&](std::string_view key, const json::value& v) {
        auto& place = out[json::string_view(key.data(), key.size())];
        if (v.is_object()) {
            json::array pair;
            pair.push_back(v.get_object().at("id"));
            pair.push_back(v.get_object().at("display_name"));
            place = std::move(pair);
        } else if (v.is_array()) {
            json::array ids;
            for (const auto& m : v.get_array()) ids.push_back(m.as_object().at("id"));
            place = std::move(ids);
        } else {
            place = v;
        }
    };
    if (fields == nullptr || fields->empty())
        for (const auto& [key, v] : all) add(key, v);
    else
        for (const auto& f : *fields) add(f.as_string(), field_of(all, f.as_string(), "mrp.production"));
    override_with(out, o.raw);
    return out;
}

}  // namespace batchbridge::sim
