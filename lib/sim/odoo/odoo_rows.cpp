// Every other model: who may what, equipment, maintenance requests, notes, users, units, moves by themselves.
#include "sim/odoo/odoo_model.hpp"
#include "sim/odoo/odoo_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

json::object named_record(std::int64_t id, const std::string& name)
{
    json::object out;
    out["id"] = id;
    out["display_name"] = json::value(name);
    return out;
}

// The units that were listed (k90 of both): 19 lists t and lb only where somebody has activated them.
std::vector<std::string> units(const odoo_options& o, const std::map<std::int64_t, sim_order>& orders)
{
    if (!o.is_19()) return {"g", "lb", "Units", "kg", "t"};
    std::vector<std::string> out{"Units", "g", "kg"};
    for (const char* more : {"t", "lb"}) {
        const auto used = std::any_of(orders.begin(), orders.end(), [&](const auto& entry) {
            const auto& order = entry.second;
            return order.uom == more || std::any_of(order.moves.begin(), order.moves.end(), [&](const sim_move& m) { return m.uom == more; });
        });
        if (used) out.emplace_back(more);
    }
    return out;
}

json::object unit_row(const odoo_options& o, const std::string& unit)
{
    auto r = uom_record(o, unit);
    if (o.is_19()) {
        const double factor = unit == "kg" ? 1000.0 : unit == "t" ? 1000000.0 : unit == "lb" ? 453.592 : 1.0;
        r["factor"] = factor;
        r["relative_factor"] = factor;
    } else {
        r["factor"] = unit == "g" ? 1000.0 : unit == "lb" ? 2.20462 : unit == "t" ? 0.001 : 1.0;
        r["category_id"] = unit == "Units" ? named_record(1, "Unit") : named_record(2, "Weight");
        r["uom_type"] = unit == "g" || unit == "lb" ? "smaller" : unit == "t" ? "bigger" : "reference";
    }
    return r;
}

json::object stage_row(int id, const char* name)
{
    auto r = named_record(id, name);
    r["name"] = json::value(name);
    r["sequence"] = id;
    r["fold"] = id > 2;
    r["done"] = id > 2;
    r["create_uid"] = named_record(1, "OdooBot");
    r["create_date"] = "2026-11-23 10:42:49";
    r["write_uid"] = named_record(1, "OdooBot");
    r["write_date"] = "2026-11-23 10:42:49";
    return r;
}

json::object stage_of(std::int64_t id)
{
    static const std::vector<const char*> names{"New Request", "In Progress", "Repaired", "Scrap"};
    const auto at = std::clamp<std::int64_t>(id, 1, 4);
    return stage_row(static_cast<int>(at), names[static_cast<std::size_t>(at - 1)]);
}

json::object equipment_row(const sim_equipment& e, const std::map<std::int64_t, sim_request>& requests)
{
    auto r = named_record(e.id, e.serial_no.empty() ? e.name : e.name + "/" + e.serial_no);
    r["name"] = json::value(e.name);
    r["serial_no"] = odoo_text(e.serial_no);
    r["category_id"] = named_record(1, "Dosing plant");
    r["maintenance_team_id"] = false;
    r["maintenance_open_count"] =
        std::count_if(requests.begin(), requests.end(), [&](const auto& entry) { return entry.second.equipment_id == e.id && entry.second.stage_id < 3 && !entry.second.archived; });
    r["active"] = true;
    return r;
}

json::object request_row(const odoo_options& o, const sim_request& q, const std::vector<sim_equipment>& equipment)
{
    auto r = named_record(q.id, q.name);
    r["name"] = json::value(q.name);
    r["equipment_id"] = false;
    for (const auto& e : equipment)
        if (e.id == q.equipment_id) r["equipment_id"] = equipment_row(e, {});
    r["stage_id"] = stage_of(q.stage_id);
    r["maintenance_team_id"] = named_record(1, "Internal Maintenance");
    r["request_date"] = odoo_text(q.request_date);
    r["schedule_date"] = odoo_text(q.schedule_date);
    r["description"] = odoo_text(q.description);
    r["maintenance_type"] = json::value(q.maintenance_type);
    r["priority"] = json::value(q.priority);
    r["kanban_state"] = "normal";
    r["archive"] = q.archived;
    r["done"] = q.stage_id > 2;
    r["owner_user_id"] = named_record(o.uid, o.user);
    r["user_id"] = named_record(2, "Administrator");
    r["create_date"] = json::value(core::to_odoo(q.create_date));
    return r;
}

json::object user_row(const odoo_options& o)
{
    auto r = named_record(o.uid, o.user);
    r["name"] = json::value(o.user);
    r["login"] = json::value(o.user);
    r["email"] = odoo_text(o.email ? o.user + "@example.com" : std::string());
    r["tz"] = false;
    r["lang"] = "en_US";
    r["active"] = !o.archived;
    r["company_id"] = named_record(1, "My Company");
    return r;
}

}  // namespace

bool odoo_model::knows(std::string_view model)
{
    static const std::set<std::string_view> models{"mrp.production", "stock.move", "maintenance.equipment", "maintenance.request", "maintenance.stage", "res.users", "uom.uom", "decimal.precision", "mail.message"};
    return models.contains(model);
}

bool odoo_model::knows(std::string_view model, std::string_view method, const odoo_options& o)
{
    static const std::set<std::string_view> all{"search_read", "web_search_read", "search_count", "search", "read", "web_read", "has_access"};
    static const std::map<std::string_view, std::set<std::string_view>> more{
        {"mrp.production", {"write", "web_save", "button_mark_done", "action_cancel", "action_start", "unlink", "set_qty_producing", "message_post"}},
        {"stock.move", {"write"}},
        {"maintenance.request", {"create", "message_post"}},
        {"res.users", {"context_get", "has_group"}}};
    if (all.contains(method)) return true;
    if (method == "check_access_rights") return !o.is_19();
    const auto it = more.find(model);
    return it != more.end() && it->second.contains(method);
}

bool odoo_model::allowed(std::string_view model, std::string_view operation) const
{
    return !options_.denied.contains(fmt::format("{}.{}", model, operation));
}

std::vector<json::object> odoo_model::rows(std::string_view model) const
{
    std::vector<json::object> out;
    if (model == "maintenance.equipment" && options_.equipment_visible) {
        for (const auto& e : equipment_) out.push_back(equipment_row(e, requests_));
    } else if (model == "maintenance.request") {
        for (const auto& [id, q] : requests_) out.push_back(request_row(options_, q, equipment_));
    } else if (model == "maintenance.stage") {
        for (int id = 1; id <= 4; ++id) out.push_back(stage_of(id));
    } else if (model == "res.users") {
        out.push_back(user_row(options_));
    } else if (model == "uom.uom") {
        for (const auto& unit : units(options_, orders_)) out.push_back(unit_row(options_, unit));
    } else if (model == "mail.message") {
        for (const auto& m : messages_) {
            auto r = named_record(m.id, m.body);
            r["model"] = json::value(m.model);
            r["res_id"] = m.record_id;
            r["body"] = json::value("<p>" + m.body + "</p>");
            out.push_back(std::move(r));
        }
    } else if (model == "stock.move") {
        for (const auto& [id, o] : orders_)
            for (const auto& m : o.moves) {
                auto r = whole_move(options_, m);
                r["raw_material_production_id"] = named_record(o.id, o.name);
                // In the product's own unit, which is kg (k_uom_per_move).
                r["product_qty"] = m.uom == "g" ? m.planned.to_double() / 1000 : m.planned.to_double();
                out.push_back(std::move(r));
            }
    }
    return out;
}

json::value odoo_model::read_rows(const std::string& model, const std::string& method, const odoo_arguments& a)
{
    const asked_model asked{options_, model};
    auto all = rows(model);
    // Unknown fields are noticed when there is a row to look at; that the recorded servers always do is known for orders only.
    const auto one = [&](const json::object& whole) {
        return method == "web_read" || method == "web_search_read" ? nested(asked, whole, a.find("specification")->as_object()) : flat(asked, whole, a.list("fields"));
    };
    json::array out;
    if (method == "read" || method == "web_read") {
        for (const auto& id : a.ids)
            for (const auto& r : all)
                if (r.at("id") == id) out.push_back(one(r));
        return out;
    }
    const auto* domain = a.list("domain");
    std::vector<const json::object*> found;
    const auto reader = [](const json::object& r) -> field_reader { return [&r](std::string_view path) { return field_at(r, path); }; };
    for (const auto& r : all)
        if (domain == nullptr || matches(asked, reader(r), *domain)) found.push_back(&r);
    if (method == "search_count") return found.size();
    const auto order = a.text("order");
    std::stable_sort(found.begin(), found.end(), [&](const auto* x, const auto* y) { return comes_before(asked, reader(*x), reader(*y), order); });
    const auto number = [&](const char* key, std::size_t otherwise) {
        const auto* v = a.find(key);
        return v != nullptr && v->is_int64() && v->get_int64() > 0 ? static_cast<std::size_t>(v->get_int64()) : otherwise;
    };
    const auto first = number("offset", 0), last = std::min(found.size(), first + number("limit", found.size()));
    for (auto i = first; i < last; ++i) {
        if (method == "search") out.push_back(found[i]->at("id"));
        else out.push_back(one(*found[i]));
    }
    if (method != "web_search_read") return out;
    json::object answer;
    answer["length"] = found.size();
    answer["records"] = std::move(out);
    return answer;
}

// The same values to all of them, without a word about their orders.
json::value odoo_model::moves(const std::string& method, const odoo_arguments& a, const call_facts& facts)
{
    if (method != "write") return read_rows("stock.move", method, a);
    for (const auto& id : a.ids) {
        sim_order* owner = nullptr;
        for (auto& [order_id, o] : orders_)
            if (std::any_of(o.moves.begin(), o.moves.end(), [&](const sim_move& m) { return id == m.id; })) owner = &o;
        if (owner == nullptr) throw missing(options_, "stock.move", id);
        json::array command{1, id, *a.find("vals")};
        json::array commands;
        commands.emplace_back(std::move(command));
        json::object values;
        values["move_raw_ids"] = std::move(commands);
        write(*owner, values, facts);
    }
    return true;
}

json::value odoo_model::users(const std::string& method, const odoo_arguments& a)
{
    if (method == "has_group") return true;
    if (method != "context_get") return read_rows("res.users", method, a);
    json::object out;
    out["lang"] = "en_US";
    out["tz"] = false;
    out["uid"] = options_.uid;
    return out;
}

json::value odoo_model::post_message(const std::string& model, const odoo_arguments& a)
{
    json::array out;
    for (const auto& id : a.ids) {
        const auto number = id.is_int64() ? id.get_int64() : 0;
        if (model == "mrp.production" ? order(number) == nullptr : !requests_.contains(number)) throw missing(options_, model, id);
        if (!options_.email) throw user_error("Unable to send message, please configure the sender's email address.");
        sim_message m;
        m.id = next_message_++;
        m.record_id = number;
        m.model = model;
        m.body = a.text("body");
        out.push_back(m.id);
        messages_.push_back(std::move(m));
    }
    return out;
}

json::value odoo_model::execute(const std::string& model, const std::string& method, const odoo_arguments& a, const call_facts& facts)
{
    if (method.starts_with('_')) throw private_method(options_, model, method);
    if (!knows(model)) throw user_error(fmt::format("Object {} doesn't exist", model));
    if (!knows(model, method, options_)) throw odoo_fault("builtins.AttributeError", fmt::format("The method '{}' does not exist on the model '{}'", method, model));
    if (method == "has_access" || method == "check_access_rights") {
        const auto operation = a.text("operation");
        const bool may = allowed(model, operation) && model != "decimal.precision";
        if (!may && method == "check_access_rights" && a.find("raise_exception") == nullptr) throw denied(options_, model, operation);
        return may;
    }
    if (method == "context_get") return users(method, a);
    static const std::set<std::string> changes{"write", "web_save", "button_mark_done", "action_cancel", "action_start", "set_qty_producing", "message_post"};
    const char* operation = method == "create" ? "create" : method == "unlink" ? "unlink" : changes.contains(method) ? "write" : "read";
    // Who may not read is told so first (h_access_error_write).
    if (model == "decimal.precision" || !allowed(model, "read")) throw denied(options_, model, "read");
    if (!allowed(model, operation)) throw denied(options_, model, operation);
    if (method == "message_post") return post_message(model, a);
    if (model == "mrp.production") return production(method, a, facts);
    if (model == "stock.move") return moves(method, a, facts);
    if (model == "maintenance.request" && method == "create") return create_requests(*a.find("vals_list"), facts);
    if (model == "res.users") return users(method, a);
    return read_rows(model, method, a);
}

}  // namespace batchbridge::sim
