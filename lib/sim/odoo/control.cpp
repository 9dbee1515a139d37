#include "sim/odoo/control.hpp"

#include <boost/json/parse.hpp>

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

}  // namespace

boost::asio::awaitable<server_response> control_odoo(odoo_model& model, jsonrpc_front& front, const http::server_request& request)
{
    const std::string target(request.target());
    if (request.method() == boost::beast::http::verb::get) {
        if (target == "/orders") co_return server_response::json(200, list_orders(model));
        if (target == "/violations") {
            json::array out;
            for (const auto& v : model.violations()) out.push_back(json::value(v));
            co_return server_response::json(200, out);
        }
        if (target == "/calls") {
            json::array out;
            for (const auto& c : front.calls()) out.push_back(c);
            co_return server_response::json(200, out);
        }
        if (target == "/hanging") {
            json::array out;
            for (const auto& m : front.hanging()) out.push_back(json::value(m));
            co_return server_response::json(200, out);
        }
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
        } else if (target == "/fault") {
            const auto& o = body.as_object();
            odoo_sim_fault f;
            f.kind = text(o, "kind");
            static const std::vector<std::string> kinds{"hang", "delay", "drop_after", "late_commit", "http_504", "reset", "half_open", "garbage", "http_500", "html", "operational_error"};
            if (std::find(kinds.begin(), kinds.end(), f.kind) == kinds.end()) co_return server_response::error(400, "unknown kind of fault");
            f.method = text(o, "method");
            f.order = number(o, "order", 0);
            f.count = static_cast<int>(number(o, "count", 0));
            f.delay = std::chrono::milliseconds(number(o, "delay_ms", 0));
            front.set_fault(f);
        } else if (target == "/clear") {
            front.clear_faults();
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
