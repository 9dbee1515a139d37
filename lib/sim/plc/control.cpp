#include "sim/plc/control.hpp"

#include "domain/failure_event.hpp"

#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace batchbridge::sim {

namespace json = boost::json;
using http::server_response;

namespace {

// A request that cannot be done, with the sentence for the answer.
class bad_request : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

json::object kilograms(const domain::silo_kg& values)
{
    json::object o;
    for (const auto& [silo, kg] : values)
        if (!kg.is_zero()) o[std::to_string(silo)] = kg.to_string(2);
    return o;
}

json::object slot_state(plc_model& model, int slot)
{
    const auto& map = model.map();
    const auto r = domain::decode_slot(map, model.read_slot(slot));
    const auto offered = domain::decode_slot(map, model.write_slot(slot));
    json::object s;
    s["slot"] = slot;
    s["batch_no"] = r.batch_no;
    s["order"] = r.mo_id;
    s["bom"] = r.bom_id;
    s["finished_goods"] = r.finished_goods;
    s["quantity"] = r.quantity.to_string(2);
    s["actual"] = kilograms(r.quantities);
    s["weight"] = r.weight.to_string(2);
    s["status_manufacturing"] = r.status_manufacturing;
    s["status_operation"] = r.status_operation;
    s["status_read_data"] = r.status_read_data;
    s["offered"] = offered.mo_id;
    s["planned"] = kilograms(offered.quantities);
    return s;
}

json::object state_of(plc_model& model, const modbus_server& server)
{
    const auto& map = model.map();
    json::array slots, finished;
    for (int i = 1; i <= map.slots.count; ++i) slots.push_back(slot_state(model, i));
    for (const auto& f : model.finished()) {
        json::object o;
        o["slot"] = f.slot;
        o["order"] = f.order;
        o["planned"] = kilograms(f.planned);
        o["actual"] = kilograms(f.actual);
        o["weight"] = f.weight.to_string(2);
        o["failed"] = f.failed;
        finished.push_back(std::move(o));
    }
    json::object out;
    out["ready"] = model.registers()[static_cast<std::size_t>(map.write_ready)];
    out["running_slot"] = model.running_slot();
    out["idle"] = model.idle();
    out["loads_taken"] = model.loads_taken();
    out["batches_finished"] = std::count_if(model.finished().begin(), model.finished().end(), [](const auto& f) { return !f.failed; });
    json::object failures;
    failures["raised"] = model.failures().raised;
    failures["acknowledged"] = model.failures().acknowledged;
    failures["overwritten"] = model.failures().overwritten;
    out["failures"] = std::move(failures);
    out["requests"] = server.requests();
    out["connections"] = server.connections();
    out["most_connections"] = server.most_connections();
    out["refused_connections"] = server.refused_connections();
    out["overlapping_requests"] = server.overlapping();
    out["slots"] = std::move(slots);
    out["finished"] = std::move(finished);
    return out;
}

std::int64_t number(const json::object& o, std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high)
{
    const auto* v = o.if_contains(key);
    if (v == nullptr) return fallback;
    if (!v->is_int64() || v->get_int64() < low || v->get_int64() > high) throw bad_request(fmt::format("{}: expected a whole number from {} to {}", key, low, high));
    return v->get_int64();
}

std::string text(const json::object& o, std::string_view key)
{
    const auto* v = o.if_contains(key);
    if (v == nullptr) return {};
    if (!v->is_string()) throw bad_request(fmt::format("{}: expected a string", key));
    return std::string(v->get_string());
}

std::vector<std::uint16_t> register_values(const json::object& o, std::string_view key)
{
    std::vector<std::uint16_t> out;
    const auto* v = o.if_contains(key);
    if (v == nullptr) return out;
    if (!v->is_array()) throw bad_request(fmt::format("{}: expected a list of numbers", key));
    for (const auto& w : v->get_array()) {
        if (!w.is_int64() || w.get_int64() < 0 || w.get_int64() > 0xffff) throw bad_request(fmt::format("{}: expected numbers from 0 to 65535", key));
        out.push_back(static_cast<std::uint16_t>(w.get_int64()));
    }
    return out;
}

// "start=6000&count=77" -> the number behind `key`.
std::size_t parameter(std::string_view query, std::string_view key)
{
    while (!query.empty()) {
        const auto part = query.substr(0, query.find('&'));
        if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') {
            const auto digits = part.substr(key.size() + 1);
            std::size_t out = 0;
            if (const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out); ec == std::errc() && end == digits.data() + digits.size()) return out;
        }
        query.remove_prefix(std::min(query.size(), part.size() + 1));
    }
    throw bad_request(fmt::format("{}: expected a number in the query", key));
}

json::object registers_of(plc_model& model, std::string_view query)
{
    const auto start = parameter(query, "start"), count = parameter(query, "count");
    const auto& all = model.registers();
    if (count > all.size() || start > all.size() - count) throw bad_request("start, count: beyond register 65535");
    json::array values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(all[start + i]);
    json::object o;
    o["start"] = start;
    o["values"] = std::move(values);
    return o;
}

plc_fault fault_of(const json::object& body, const domain::plant_map& map)
{
    const auto& kinds = fault_kinds();
    plc_fault f;
    f.kind = text(body, "kind");
    if (std::find(kinds.begin(), kinds.end(), f.kind) == kinds.end()) throw bad_request(fmt::format("kind: expected one of {}", fmt::join(kinds, ", ")));
    f.count = static_cast<int>(number(body, "count", 0, 0, 1000000));
    f.delay = std::chrono::milliseconds(number(body, "delay_ms", 0, 0, 3600000));
    f.slot = static_cast<int>(number(body, "slot", 1, 1, map.slots.count));
    f.code = static_cast<int>(number(body, "code", 4, 1, 255));
    f.function = static_cast<int>(number(body, "function", 0, 0, 127));
    f.address = static_cast<int>(number(body, "address", -1, 0, 65535));
    return f;
}

// What goes into the registers of the map's time field.
std::vector<std::uint16_t> time_words(const domain::plant_map& map, const json::object& body)
{
    const auto* v = body.if_contains("time");
    if (v == nullptr || v->is_array()) return register_values(body, "time");
    auto f = map.failure.time;
    f.at = 0;
    std::vector<std::uint16_t> out(static_cast<std::size_t>(f.words), 0);
    if (v->is_string() && f.type == domain::value_type::ascii) domain::encode_text(map, f, std::string_view(v->get_string()), out);
    else if (v->is_int64() && f.type == domain::value_type::u32) domain::encode_value(map, f, core::decimal::from_scaled(v->get_int64(), 0), out);
    else throw bad_request("time: expected the words of the time field, or what the map's format says: a text, or seconds");
    return out;
}

void raise_failure(plc_model& model, const json::object& body)
{
    const auto& map = model.map();
    if (const auto* keep = body.if_contains("keep")) {
        if (!keep->is_bool()) throw bad_request("keep: expected true or false");
        model.keep_failure_flag(keep->get_bool());
    }
    const auto whole = register_values(body, "words");
    if (whole.empty()) {
        if (body.contains("equipment")) model.raise_failure(text(body, "equipment"), text(body, "info"), time_words(map, body));
        return;
    }
    const auto wanted = static_cast<std::size_t>(domain::failure_words(map));
    if (whole.size() != wanted) throw bad_request(fmt::format("words: expected {}", wanted));
    const auto at = model.registers().begin() + map.failure.start;
    model.raise_failure(domain::decode_text(map, map.failure.equipment_code, whole), domain::decode_text(map, map.failure.info, whole), {});
    std::copy(whole.begin(), whole.end(), at);
}

void act(plc_model& model, modbus_server& server, std::string_view target, const json::object& body)
{
    const auto slot = [&] { return static_cast<int>(number(body, "slot", 1, 1, model.map().slots.count)); };
    if (target == "/fault") server.set_fault(fault_of(body, model.map()));
    else if (target == "/clear") server.clear_faults();
    else if (target == "/pause") model.pause(true);
    else if (target == "/resume") model.pause(false);
    else if (target == "/take") model.take_loads(!body.contains("enabled") || (body.at("enabled").is_bool() && body.at("enabled").get_bool()));
    else if (target == "/fail_batch") model.fail_batch(slot());
    else if (target == "/reboot") model.reboot();
    else if (target == "/speed") {
        const auto* v = body.if_contains("speed");
        boost::system::error_code ec;
        const double speed = v != nullptr ? v->to_number<double>(ec) : 0;
        if (ec || !(speed > 0)) throw bad_request("speed: expected a number above 0");
        model.set_speed(speed);
    } else if (target == "/failure") {
        raise_failure(model, body);
    } else if (target == "/registers") {
        const auto values = register_values(body, "values");
        const auto at = static_cast<std::size_t>(number(body, "address", -1, 0, 65535));
        if (at >= model.registers().size() || values.size() > model.registers().size() - at) throw bad_request("address, values: expected registers within 0 to 65535");
        std::copy(values.begin(), values.end(), model.registers().begin() + static_cast<std::ptrdiff_t>(at));
    } else {
        throw bad_request(fmt::format("there is no {}", target));
    }
}

json::object parse_body(const std::string& body)
{
    if (body.empty()) return {};
    boost::system::error_code ec;
    const auto v = json::parse(body, ec);
    if (ec || !v.is_object()) throw bad_request("expected a JSON object");
    return v.get_object();
}

}  // namespace

boost::asio::awaitable<server_response> control_plc(plc_model& model, modbus_server& server, const http::server_request& request)
{
    const std::string whole(request.target());
    const auto mark = std::min(whole.find('?'), whole.size());
    const auto target = whole.substr(0, mark), query = whole.substr(std::min(mark + 1, whole.size()));
    const std::lock_guard lock(server.guard());
    try {
        if (request.method() == boost::beast::http::verb::get) {
            if (target == "/state") co_return server_response::json(200, state_of(model, server));
            if (target == "/registers") co_return server_response::json(200, registers_of(model, query));
            co_return server_response::error(404, "there is /state and /registers?start=&count=");
        }
        act(model, server, target, parse_body(request.body()));
    } catch (const bad_request& e) {
        co_return server_response::error(400, e.what());
    } catch (const domain::encode_error& e) {
        co_return server_response::error(400, e.what());
    }
    json::object ok;
    ok["ok"] = true;
    co_return server_response::json(200, ok);
}

}  // namespace batchbridge::sim
