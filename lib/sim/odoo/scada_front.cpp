#include "sim/odoo/scada_front.hpp"

#include "sim/odoo/odoo_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

// A business refusal: the endpoint's own answer, no JSON-RPC error.
struct scada_refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string text(const json::object& p, const char* key)
{
    const auto* v = p.if_contains(key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

json::object success(const std::string& message)
{
    json::object out;
    out["status"] = "success";
    if (!message.empty()) out["message"] = json::value(message);
    return out;
}

// "silo101" stands for SILO-101, "lq114" for LQ114; empty for any other key.
std::string code_of(std::string_view key)
{
    const auto digits = [](std::string_view s) { return s.size() == 3 && std::all_of(s.begin(), s.end(), [](unsigned char c) { return std::isdigit(c) != 0; }); };
    if (key.starts_with("silo") && digits(key.substr(4))) return "SILO-" + std::string(key.substr(4));
    if (key.starts_with("lq") && digits(key.substr(2))) return "LQ" + std::string(key.substr(2));
    return {};
}

}  // namespace

json::value scada_front::nothing() const
{
    if (model_.options().scada_false) return false;
    return nullptr;
}

sim_order& scada_front::order(const params& p)
{
    const auto* id = p.if_contains("mo_id");
    auto* o = id != nullptr && id->is_int64() ? model_.order(id->get_int64()) : nullptr;
    if (o == nullptr) throw scada_refusal(fmt::format("Manufacturing order {} not found", id != nullptr ? python(*id) : "None"));
    return *o;
}

json::object scada_front::listed(const sim_order& o) const
{
    json::array components;
    for (const auto& m : o.moves) {
        json::object one;
        one["product_id"] = m.product_id;
        one["product_name"] = json::value(m.product_code.empty() ? m.product_name : fmt::format("[{}] {}", m.product_code, m.product_name));
        one["to_consume"] = m.planned.to_double();
        one["reserved"] = m.picked ? 0.0 : m.quantity.to_double();
        one["consumed"] = m.picked ? m.quantity.to_double() : 0.0;
        one["uom"] = json::value(m.uom);
        one["equipment"] = nothing();
        for (const auto& e : model_.equipment()) {
            if (e.serial_no != m.product_code) continue;
            json::object equipment;
            equipment["code"] = json::value(e.serial_no);
            equipment["name"] = json::value(e.name);
            one["equipment"] = std::move(equipment);
        }
        components.push_back(std::move(one));
    }
    json::object out;
    out["mo_id"] = o.id;
    out["reference"] = json::value(o.name);
    out["state"] = json::value(o.state);
    out["product_id"] = o.product_id;
    out["product_name"] = json::value(fmt::format("[{}] {}", o.product_code, o.product_name));
    out["quantity"] = o.quantity.to_double();
    out["produced_qty"] = o.qty_produced.to_double();
    out["uom"] = json::value(o.uom);
    out["bom_id"] = o.bom_id;
    out["components_consumption"] = std::move(components);
    override_with(out, o.raw);
    return out;
}

json::value scada_front::list(const params& p)
{
    std::vector<const sim_order*> found;
    const auto* states = p.if_contains("states");
    for (const auto& [id, o] : model_.orders()) {
        const auto* wanted = states != nullptr ? states->if_array() : nullptr;
        if (wanted == nullptr || std::any_of(wanted->begin(), wanted->end(), [&o = o](const json::value& s) { return s == json::value(o.state); })) found.push_back(&o);
    }
    std::stable_sort(found.begin(), found.end(), [](const sim_order* a, const sim_order* b) {
        if (a->priority != b->priority) return a->priority > b->priority;
        return a->date_start < b->date_start;
    });
    const auto number = [&](const char* key, std::size_t otherwise) {
        const auto* v = p.if_contains(key);
        return v != nullptr && v->is_int64() && v->get_int64() >= 0 ? static_cast<std::size_t>(v->get_int64()) : otherwise;
    };
    json::array data;
    const auto first = number("offset", 0), last = std::min(found.size(), first + number("limit", found.size()));
    for (auto i = first; i < last; ++i) data.push_back(listed(*found[i]));
    auto out = success("");
    out["count"] = data.size();
    out["data"] = std::move(data);
    return out;
}

json::value scada_front::update(const params& p, const call_facts& facts)
{
    auto& o = order(p);
    if (o.state == "done" || o.state == "cancel") {
        // Refused, but it should not have been sent.
        if (o.state == "done" && facts.done_before && !facts.late) model_.violation(o.name + ": a write to an order that is done (refused)");
        throw scada_refusal(fmt::format("Cannot update a manufacturing order in state {}", o.state));
    }
    json::array commands, consumed, errors;
    for (const auto& [key, v] : p) {
        const auto code = code_of(key);
        if (code.empty()) continue;
        const auto quantity = number_of(v);
        if (quantity.is_zero()) continue;   // not sent by a client that keeps to the rules, and without effect
        const auto it = std::find_if(o.moves.begin(), o.moves.end(), [&](const sim_move& m) { return m.product_code == code; });
        if (quantity < 0 || it == o.moves.end()) {
            errors.push_back(json::value(fmt::format("{}: {}", code, quantity < 0 ? "a quantity must be positive" : "no component of this order")));
            continue;
        }
        json::object values;
        values["quantity"] = quantity.to_double();
        values["picked"] = true;
        values["manual_consumption"] = true;
        commands.push_back(json::array{1, it->id, std::move(values)});
        json::object item;
        item["equipment_code"] = json::value(code);
        item["product_id"] = it->product_id;
        item["quantity"] = quantity.to_double();
        consumed.push_back(std::move(item));
    }
    json::object values;
    if (const auto* q = p.if_contains("quantity")) values["qty_producing"] = *q;
    values["move_raw_ids"] = std::move(commands);
    model_.write(o, values, facts);
    const auto& complaint = model_.options().scada_complaint;
    if (!complaint.empty()) errors.push_back(json::value(complaint));
    auto out = success("Consumption updated");
    out["mo_id"] = o.id;
    out["mo_state"] = json::value(o.state);
    out["updated_finished_qty"] = o.qty_producing.to_double();
    out["consumed_items"] = std::move(consumed);
    out["errors"] = std::move(errors);
    return out;
}

json::value scada_front::mark_done(const params& p)
{
    auto& o = order(p);
    ++o.done_calls;
    if (o.state == "done" || o.state == "cancel") throw scada_refusal(fmt::format("Cannot finish a manufacturing order in state {}", o.state));
    const auto* given = p.if_contains("finished_qty");
    const auto quantity = given != nullptr ? number_of(*given) : core::decimal{};
    if (quantity <= 0) throw scada_refusal("finished_qty must be above 0");
    const auto end = core::from_odoo(text(p, "date_end_actual"));
    if (!end) throw scada_refusal("date_end_actual must be YYYY-MM-DD HH:MM:SS");
    o.qty_producing = quantity.rounded(model_.options().digits);
    model_.book(o);
    o.date_finished = *end;
    auto out = success("Manufacturing order done");
    out["mo_id"] = o.id;
    return out;
}

json::value scada_front::cancel(const params& p)
{
    auto& o = order(p);
    if (o.state == "done") throw scada_refusal("Cannot cancel a manufacturing order in state done");
    if (o.state != "cancel") model_.cancel(o);
    json::object out;
    out["status"] = "success";
    out["mo_state"] = json::value(o.state);
    return out;
}

json::value scada_front::equipment_failure(const params& p, const call_facts& facts)
{
    const auto code = text(p, "equipment_code"), description = text(p, "description"), date = text(p, "date");
    const auto& all = model_.equipment();
    const auto it = std::find_if(all.begin(), all.end(), [&](const sim_equipment& e) { return e.serial_no == code; });
    if (it == all.end()) throw scada_refusal(fmt::format("Equipment {} not found", code));
    if (!core::from_odoo(date)) throw scada_refusal("date must be YYYY-MM-DD HH:MM:SS");
    json::object values;
    values["name"] = json::value(fmt::format("{} [scada:{}:{}:{}]", description, code, date, description));
    values["equipment_id"] = it->id;
    values["description"] = json::value(description);
    values["request_date"] = json::value(date.substr(0, 10));
    const auto id = model_.add_request(values, facts);
    json::object data;
    data["id"] = id;
    data["equipment_code"] = json::value(code);
    data["description"] = json::value(description);
    data["date"] = json::value(date);
    auto out = success("Equipment failure recorded");
    out["data"] = std::move(data);
    return out;
}

json::value scada_front::call(const std::string& endpoint, const params& p, const call_facts& facts)
{
    try {
        if (endpoint == "mo-list-detailed") return list(p);
        if (endpoint == "mo/update-with-consumptions") return update(p, facts);
        if (endpoint == "mo/mark-done") return mark_done(p);
        if (endpoint == "mo/cancel") return cancel(p);
        return equipment_failure(p, facts);
    } catch (const scada_refusal& e) {
        json::object out;
        out["status"] = "error";
        out["message"] = json::value(e.what());
        return out;
    }
}

front_result scada_front::read(const http::server_request& request, const std::string& path)
{
    const auto& options = model_.options();
    const auto endpoint = path.substr(std::string_view("/api/scada/").size());
    static const std::set<std::string> known{"authenticate", "mo-list-detailed", "mo/update-with-consumptions", "mo/mark-done", "mo/cancel", "equipment-failure"};
    if (!options.scada || !known.contains(endpoint) || (endpoint == "authenticate" && !options.scada_login)) return not_found_page();
    const auto body = session_body(request);
    if (!body) return odoo_page(400, "<!doctype html><title>400 Bad Request</title>");
    odoo_call c;
    c.protocol = "scada";
    c.method = endpoint.substr(endpoint.find('/') == std::string::npos ? 0 : endpoint.find('/') + 1);
    session_shapes(c, model_, body->id, options.scada_bare);
    if (endpoint == "authenticate") {
        auto opened = std::make_shared<std::string>();
        c.run = [this, opened, p = body->params](const call_facts&) -> json::value {
            *opened = sessions_.open(model_.options(), p);
            auto out = success("");
            out["uid"] = model_.options().uid;
            out["session_id"] = json::value(*opened);
            return out;
        };
        c.answer = [opened, inner = c.answer](json::value result) {
            auto r = inner(std::move(result));
            r.headers.emplace_back("Set-Cookie", odoo_sessions::set_cookie(*opened));
            return r;
        };
        return c;
    }
    if (const auto* id = body->params.if_contains("mo_id"); id != nullptr && id->is_int64()) {
        c.order = c.writes = id->get_int64();
        c.orders.push_back(c.order);
        c.values = endpoint == "mo/update-with-consumptions";
    }
    c.run = [this, endpoint, cookie = odoo_sessions::cookie_of(request), p = body->params](const call_facts& facts) {
        sessions_.check(model_.options(), cookie);
        return call(endpoint, p, facts);
    };
    return c;
}

}  // namespace batchbridge::sim
