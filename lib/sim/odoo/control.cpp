#include "sim/odoo/control.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

namespace batchbridge::sim {

namespace json = boost::json;
using http::server_response;

namespace {

json::object order_json(const sim_order& o)
{
    json::object out;
    out["id"] = o.id;
    out["name"] = json::value(o.name);
    out["state"] = json::value(o.state);
    out["quantity"] = o.quantity.to_string(2);
    out["qty_producing"] = o.qty_producing.to_string(2);
    out["qty_produced"] = o.qty_produced.to_string(2);
    out["consumption_writes"] = o.consumption_writes;
    out["final_writes"] = o.final_writes;
    out["done_calls"] = o.done_calls;
    out["finished_times"] = o.finished_times;
    json::array moves;
    for (const auto& m : o.moves) {
        json::object one;
        one["id"] = m.id;
        one["product_code"] = json::value(m.product_code);
        one["uom"] = json::value(m.uom);
        one["planned"] = m.planned.to_string(2);
        one["quantity"] = m.quantity.to_string(2);
        one["picked"] = m.picked;
        one["state"] = json::value(m.state);
        moves.push_back(std::move(one));
    }
    out["moves"] = std::move(moves);
    return out;
}

std::int64_t number(const json::object& o, const char* key, std::int64_t fallback)
{
    const auto* v = o.if_contains(key);
    return v != nullptr && v->is_int64() ? v->get_int64() : fallback;
}

std::string text(const json::object& o, const char* key)
{
    const auto* v = o.if_contains(key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

json::value list_orders(odoo_model& model)
{
    json::array out;
    for (const auto& [id, o] : model.orders()) out.push_back(order_json(o));
    return out;
}

server_response change_order(odoo_model& model, std::int64_t id, const json::object& body)
{
    const auto it = model.orders().find(id);
    if (it == model.orders().end()) return server_response::error(404, "no such order");
    auto& o = it->second;
    const auto act = text(body, "act");
    if (act == "cancel") {
        model.cancel(o);
    } else if (act == "delete") {
        model.orders().erase(it);
    } else if (act == "finish") {
        model.finish_as_planned(o);
    } else if (act == "set_quantity") {
        model.change_quantity(o, core::decimal(static_cast<int>(number(body, "quantity", 1))));
    } else {
        return server_response::error(400, "act is cancel, delete, finish or set_quantity");
    }
    json::object ok;
    ok["ok"] = true;
    return server_response::json(200, ok);
}

json::value list_equipment(odoo_model& model)
{
    json::array out;
    for (const auto& e : model.equipment()) {
        json::object one;
        one["id"] = e.id;
        one["name"] = json::value(e.name);
        one["serial_no"] = json::value(e.serial_no);
        out.push_back(std::move(one));
    }
    return out;
}

json::value list_requests(odoo_model& model)
{
    json::array out;
    for (const auto& [id, q] : model.requests()) {
        json::object one;
        one["id"] = id;
        one["name"] = json::value(q.name);
        one["equipment_id"] = q.equipment_id;
        one["equipment"] = nullptr;
        for (const auto& e : model.equipment())
            if (e.id == q.equipment_id) one["equipment"] = json::value(e.serial_no);
        one["description"] = json::value(q.description);
        one["request_date"] = json::value(q.request_date);
        one["schedule_date"] = json::value(q.schedule_date);
        one["maintenance_type"] = json::value(q.maintenance_type);
        one["priority"] = json::value(q.priority);
        one["create_date"] = json::value(core::to_odoo(q.create_date));
        out.push_back(std::move(one));
    }
    return out;
}

json::value list_messages(const odoo_model& model)
{
    json::array out;
    for (const auto& m : model.messages()) {
        json::object one;
        one["id"] = m.id;
        one["model"] = json::value(m.model);
        one["res_id"] = m.record_id;
        one["body"] = json::value(m.body);
        out.push_back(std::move(one));
    }
    return out;
}

json::value texts(const std::vector<std::string>& all)
{
    json::array out;
    for (const auto& t : all) out.push_back(json::value(t));
    return out;
}

std::optional<json::value> page(odoo_model& model, odoo_server& server, const std::string& target)
{
    if (target == "/orders") return list_orders(model);
    if (target == "/equipment") return list_equipment(model);
    if (target == "/requests") return list_requests(model);
    if (target == "/messages") return list_messages(model);
    if (target == "/violations") return texts(model.violations());
    if (target == "/late") return texts(model.late_effects());
    if (target == "/hanging") return texts(server.hanging());
    if (target == "/pending") return texts(server.pending());
    if (target == "/options") return options_json(model.options());
    if (target == "/totals") return server.log().totals();
    if (target == "/calls") {
        json::array out;
        for (const auto& c : server.log().calls()) out.push_back(c);
        return out;
    }
    return std::nullopt;
}

void add_equipment(odoo_model& model, const json::object& what)
{
    auto& all = model.equipment();
    if (text(what, "act") == "clear") return all.clear();
    sim_equipment e;
    for (const auto& other : all) e.id = std::max(e.id, other.id);
    ++e.id;
    e.name = text(what, "name");
    e.serial_no = text(what, "serial_no");
    if (e.name.empty()) e.name = "Machine " + e.serial_no;
    all.push_back(std::move(e));
}

odoo_sim_fault fault(const json::object& o)
{
    odoo_sim_fault f;
    f.kind = text(o, "kind");
    if (!odoo_fault_list::known(f.kind)) throw std::runtime_error("unknown kind of fault");
    f.method = text(o, "method");
    f.protocol = text(o, "protocol");
    f.model = text(o, "model");
    f.order = number(o, "order", 0);
    f.count = static_cast<int>(number(o, "count", 0));
    f.delay = std::chrono::milliseconds(number(o, "delay_ms", 0));
    f.calls = static_cast<int>(number(o, "calls", 0));
    f.after = text(o, "after");
    f.name = text(o, "name");
    f.message = text(o, "message");
    f.status = static_cast<unsigned>(number(o, "status", 0));
    if (f.kind == "exception" && f.name.empty()) throw std::runtime_error("an exception has a name");
    return f;
}

// A new password or an archived user ends the sessions; an upgrade does not.
void set_options(odoo_model& model, odoo_server& server, const json::object& changes)
{
    const auto before = model.options();
    change_options(model.options(), changes);
    if (before.password != model.options().password || (model.options().archived && !before.archived)) server.sessions().expire_all();
}

void sessions(odoo_server& server, const std::string& act)
{
    if (act == "expire") server.sessions().expire_all();
    else if (act == "forgive") server.sessions().forgive();
    else throw std::runtime_error("act is expire or forgive");
}

}  // namespace

boost::asio::awaitable<server_response> control_odoo(odoo_model& model, odoo_server& server, const http::server_request& request)
{
    const std::string target(request.target());
    if (request.method() == boost::beast::http::verb::get) {
        if (const auto shown = page(model, server, target)) co_return server_response::json(200, *shown);
        co_return server_response::error(404, "no such page");
    }
    boost::system::error_code ec;
    const auto body = request.body().empty() ? json::value(json::object{}) : json::parse(request.body(), ec);
    if (ec) co_return server_response::error(400, "the body is not JSON");
    json::object ok;
    ok["ok"] = true;
    try {
        if (target == "/orders") {
            json::array ids;
            if (body.is_array()) for (const auto& o : body.get_array()) ids.push_back(model.create(o.as_object()));
            else ids.push_back(model.create(body.as_object()));
            ok["ids"] = std::move(ids);
        } else if (target == "/generate") {
            json::array ids;
            for (const auto id : model.generate(static_cast<int>(number(body.as_object(), "count", 1)))) ids.push_back(id);
            ok["ids"] = std::move(ids);
        } else if (target == "/equipment") {
            if (body.is_array()) for (const auto& e : body.get_array()) add_equipment(model, e.as_object());
            else add_equipment(model, body.as_object());
        } else if (target == "/fault") {
            server.set_fault(fault(body.as_object()));
        } else if (target == "/clear") {
            server.clear_faults();
        } else if (target == "/land") {
            server.land_pending();
        } else if (target == "/options") {
            set_options(model, server, body.as_object());
        } else if (target == "/sessions") {
            sessions(server, text(body.as_object(), "act"));
        } else if (target == "/calls") {
            if (text(body.as_object(), "act") != "clear") throw std::runtime_error("act is clear");
            server.log().clear();
        } else if (target.starts_with("/orders/")) {
            co_return change_order(model, std::stoll(target.substr(8)), body.as_object());
        } else {
            co_return server_response::error(404, "no such act");
        }
    } catch (const std::exception& e) {
        co_return server_response::error(400, e.what());
    }
    co_return server_response::json(200, ok);
}

}  // namespace batchbridge::sim
