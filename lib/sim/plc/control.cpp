#include "sim/plc/control.hpp"

#include <boost/json/parse.hpp>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

json::object kilograms(const domain::silo_kg& values)
{
    json::object o;
    for (const auto& [silo, kg] : values)
        if (!kg.is_zero()) o[std::to_string(silo)] = kg.to_string(2);
    return o;
}

json::value state_of(plc_model& model, const modbus_server& server)
{
    json::object out;
    const auto& map = model.map();
    json::array slots;
    for (int i = 1; i <= map.slots.count; ++i) {
        const auto words = std::span<const std::uint16_t>(model.registers()).subspan(static_cast<std::size_t>(map.read_address(i)), static_cast<std::size_t>(map.slots.words));
        const auto offered = std::span<const std::uint16_t>(model.registers()).subspan(static_cast<std::size_t>(map.write_address(i)), static_cast<std::size_t>(map.slots.words));
        const auto r = domain::decode_slot(map, words);
        json::object s;
        s["slot"] = i;
        s["order"] = r.mo_id;
        s["offered"] = domain::decode_slot(map, offered).mo_id;
        s["actual"] = kilograms(r.quantities);
        s["weight"] = r.weight.to_string(2);
        s["status_manufacturing"] = r.status_manufacturing;
        s["status_operation"] = r.status_operation;
        s["status_read_data"] = r.status_read_data;
        slots.push_back(std::move(s));
    }
    json::array finished;
    for (const auto& f : model.finished()) {
        json::object o;
        o["slot"] = f.slot;
        o["order"] = f.order;
        o["planned"] = kilograms(f.planned);
        o["actual"] = kilograms(f.actual);
        o["weight"] = f.weight.to_string(2);
        finished.push_back(std::move(o));
    }
    out["ready"] = model.registers()[static_cast<std::size_t>(map.write_ready)];
    out["running_slot"] = model.running_slot();
    out["loads_taken"] = model.loads_taken();
    out["requests"] = server.requests();
    out["most_connections"] = server.most_connections();
    out["slots"] = std::move(slots);
    out["finished"] = std::move(finished);
    return out;
}

std::int64_t number(const json::object& o, const char* key, std::int64_t fallback)
{
    const auto* v = o.if_contains(key);
    return v != nullptr && v->is_int64() ? v->get_int64() : fallback;
}

}  // namespace

boost::asio::awaitable<http::server_response> control_plc(plc_model& model, modbus_server& server, const http::server_request& request)
{
    using http::server_response;
    const std::string target(request.target());
    const std::lock_guard lock(server.guard());
    if (request.method() == boost::beast::http::verb::get) {
        if (target == "/state") co_return server_response::json(200, state_of(model, server));
        co_return server_response::error(404, "no such page");
    }
    json::object body;
    if (!request.body().empty()) {
        boost::system::error_code ec;
        const auto v = json::parse(request.body(), ec);
        if (ec || !v.is_object()) co_return server_response::error(400, "expected a JSON object");
        body = v.get_object();
    }
    json::object ok;
    ok["ok"] = true;
    if (target == "/fault") {
        plc_fault f;
        f.kind = body.contains("kind") && body["kind"].is_string() ? std::string(body["kind"].get_string()) : "";
        static const std::vector<std::string> kinds{"hang", "delay", "drop_after", "reset", "torn_slot", "exception", "refuse"};
        if (std::find(kinds.begin(), kinds.end(), f.kind) == kinds.end()) co_return server_response::error(400, "unknown kind of fault");
        f.count = static_cast<int>(number(body, "count", 0));
        f.delay = std::chrono::milliseconds(number(body, "delay_ms", 0));
        f.slot = static_cast<int>(number(body, "slot", 1));
        f.code = static_cast<int>(number(body, "code", 4));
        server.set_fault(f);
    } else if (target == "/clear") {
        server.clear_faults();
    } else if (target == "/pause") {
        model.pause(true);
    } else if (target == "/resume") {
        model.pause(false);
    } else if (target == "/take") {
        model.take_loads(!body.contains("enabled") || !body["enabled"].is_bool() || body["enabled"].get_bool());
    } else if (target == "/speed") {
        model.set_speed(static_cast<double>(number(body, "speed", 1)));
    } else if (target == "/fail_batch") {
        model.fail_batch(static_cast<int>(number(body, "slot", 1)));
    } else if (target == "/reboot") {
        model.reboot();
    } else if (target == "/registers") {
        auto at = static_cast<std::size_t>(number(body, "address", 0));
        if (const auto* values = body.if_contains("values"); values != nullptr && values->is_array())
            for (const auto& v : values->get_array())
                if (at < model.registers().size() && v.is_int64()) model.registers()[at++] = static_cast<std::uint16_t>(v.get_int64());
    } else {
        co_return server_response::error(404, "no such act");
    }
    co_return server_response::json(200, ok);
}

}  // namespace batchbridge::sim
