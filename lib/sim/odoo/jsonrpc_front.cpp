#include "sim/odoo/jsonrpc_front.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::sim {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

namespace {

// "18.0+e-20241005": series 18.0, info [18, 0, 0, "final", 0, ""] (a00).
json::object version_answer(const std::string& version)
{
    const auto series = version.substr(0, version.find('+'));
    const auto dot = series.find('.');
    json::array info;
    for (const auto& part : {series.substr(0, dot), dot == std::string::npos ? std::string("0") : series.substr(dot + 1)}) {
        const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
        info.push_back(digits ? json::value(std::stoi(part)) : json::value(part));
    }
    info.push_back(0);
    info.push_back("final");
    info.push_back(0);
    info.push_back("");
    json::object o;
    o["server_version"] = json::value(version);
    o["server_version_info"] = std::move(info);
    o["server_serie"] = json::value(series);
    o["protocol_version"] = 1;
    return o;
}

json::object error_member(const std::string& name, const std::string& message)
{
    json::array arguments;
    arguments.push_back(json::value(message));
    json::object data;
    data["name"] = json::value(name);
    data["debug"] = "(server traceback)";
    data["message"] = json::value(message);
    data["arguments"] = std::move(arguments);
    data["context"] = json::object{};
    json::object e;
    e["code"] = 200;
    e["message"] = "Odoo Server Error";
    e["data"] = std::move(data);
    return e;
}

json::object envelope(const json::value& id)
{
    json::object out;
    out["jsonrpc"] = "2.0";
    out["id"] = id;
    return out;
}

server_response odoo_answer(const json::object& body)
{
    auto response = server_response::json(200, body);
    response.content_type = "application/json; charset=utf-8";
    response.keep_alive = false;   // the threaded server closes after every answer
    return response;
}

server_response page(unsigned status, std::string body)
{
    server_response r;
    r.status = status;
    r.content_type = "text/html; charset=utf-8";
    r.body = std::move(body);
    r.keep_alive = false;
    return r;
}

}  // namespace

jsonrpc_front::jsonrpc_front(asio::any_io_executor executor, odoo_model& model, odoo_options options, const std::string& log)
    : executor_(executor), model_(model), options_(std::move(options)), cleared_(executor)
{
    if (!log.empty()) log_.open(log, std::ios::app);
}

void jsonrpc_front::clear_faults()
{
    faults_.clear();
    ++clears_;
    cleared_.set();
}

std::optional<odoo_sim_fault> jsonrpc_front::fault_for(const parsed_call& c)
{
    for (auto it = faults_.begin(); it != faults_.end(); ++it) {
        if (!it->method.empty() && it->method != c.method) continue;
        if (it->order != 0 && it->order != c.writes && !(c.args.size() > 0 && c.args[0].is_array() && !c.args[0].get_array().empty() && c.args[0].get_array()[0].is_int64() && c.args[0].get_array()[0].get_int64() == it->order)) continue;
        auto out = *it;
        if (it->count > 0 && --it->count == 0) faults_.erase(it);
        return out;
    }
    return std::nullopt;
}

asio::awaitable<void> jsonrpc_front::wait(std::chrono::milliseconds d)
{
    asio::steady_timer timer(executor_, d);
    co_await timer.async_wait(asio::use_awaitable);
}

json::value jsonrpc_front::dispatch(const parsed_call& c)
{
    if (c.service == "common" && c.method == "version") {
        return version_answer(options_.version);
    }
    const auto database = [&] {
        const auto name = c.all.at(0).is_string() ? std::string(c.all[0].get_string()) : json::serialize(c.all[0]);
        if (name != options_.db)
            throw odoo_fault("psycopg2.OperationalError", fmt::format("connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  database \"{}\" does not exist\n", name));
    };
    const auto good = [&](const json::value& secret) {
        return secret.is_string() && (secret.get_string() == options_.password || (!options_.api_key.empty() && secret.get_string() == options_.api_key));
    };
    if ((c.service == "common" || c.service == "object") && c.all.empty()) throw odoo_fault("builtins.IndexError", "list index out of range");
    if (c.service == "common" && (c.method == "authenticate" || c.method == "login")) {
        database();
        const bool in = c.all.size() > 2 && c.all[1].is_string() && c.all[1].get_string() == options_.user && good(c.all[2]);
        return in ? json::value(6) : json::value(false);
    }
    if (c.service == "object") {
        database();
        if (c.all.size() < 5 || !c.all[1].is_int64() || c.all[1].get_int64() != 6 || !good(c.all[2])) throw odoo_fault("odoo.exceptions.AccessDenied", "Access Denied");
        return model_.execute(c.model, c.method, c.args, c.keywords);
    }
    if (c.service.empty()) throw odoo_fault("builtins.TypeError", "RPC.jsonrpc() missing 3 required positional arguments: 'service', 'method', and 'args'");
    throw odoo_fault("builtins.KeyError", c.service);
}

server_response jsonrpc_front::shape(const parsed_call& c)
{
    auto out = envelope(c.id);
    std::string outcome = "ok";
    const auto refuse = [&](const std::string& name, const char* message) {
        outcome = name;
        out["error"] = error_member(name, message);
    };
    try {
        auto result = dispatch(c);
        if (!result.is_null()) out["result"] = std::move(result);
    } catch (const odoo_fault& f) {
        refuse(f.name, f.what());
    } catch (const std::exception& e) {
        // An argument of another kind than the method wants: Python would fail somewhere.
        refuse("builtins.TypeError", e.what());
    }
    json::object call;
    call["ns"] = std::chrono::steady_clock::now().time_since_epoch().count();
    call["method"] = json::value(c.method);
    call["order"] = c.writes != 0 ? c.writes : (!c.args.empty() && c.args[0].is_array() && c.args[0].get_array().size() == 1 && c.args[0].get_array()[0].is_int64() ? c.args[0].get_array()[0].get_int64() : 0);
    call["outcome"] = json::value(outcome);
    if (log_.is_open()) log_ << json::serialize(call) << '\n' << std::flush;
    calls_.push_back(std::move(call));
    return odoo_answer(out);
}

// A real server works on a call for a while; a second one for the same order meanwhile is what must not happen.
std::unique_ptr<jsonrpc_front::in_flight> jsonrpc_front::begin(const parsed_call& c)
{
    if (c.writes == 0) return nullptr;
    if ((*busy_)[c.writes] > 0) model_.violation(fmt::format("order {}: two calls in flight ({})", c.writes, c.method));
    return std::make_unique<in_flight>(busy_, c.writes);
}

void jsonrpc_front::process_late(parsed_call c, std::chrono::milliseconds delay)
{
    auto shared = std::make_shared<parsed_call>(std::move(c));
    std::shared_ptr<in_flight> busy = begin(*shared);
    asio::co_spawn(
        executor_,
        [this, shared, busy, delay]() mutable -> asio::awaitable<void> {
            co_await wait(delay);
            busy.reset();
            shape(*shared);
        },
        asio::detached);
}

std::optional<jsonrpc_front::parsed_call> jsonrpc_front::parse(const json::object& root) const
{
    parsed_call c;
    if (const auto* id = root.if_contains("id")) c.id = *id;
    const auto* params = root.if_contains("params");
    if (params == nullptr) return c;   // answered by Odoo, with an error (h22)
    try {
        c.service = std::string(params->at("service").as_string());
        c.method = std::string(params->at("method").as_string());
        c.all = params->at("args").as_array();
        if (c.service == "object" && c.all.size() >= 5) {
            c.model = std::string(c.all[3].as_string());
            c.method = std::string(c.all[4].as_string());
            if (c.all.size() > 5) c.args = c.all[5].as_array();
            if (c.all.size() > 6) c.keywords = c.all[6].as_object();
            c.writes = odoo_model::written_order(c.method, c.args);
        }
    } catch (const std::exception&) {
        return std::nullopt;
    }
    return c;
}

asio::awaitable<server_response> jsonrpc_front::answer(const http::server_request& request)
{
    if (request.target() != "/jsonrpc") co_return page(404, "<!doctype html><title>404 Not Found</title>");
    if (!request[boost::beast::http::field::content_type].starts_with("application/json")) co_return page(400, "<!doctype html><title>400 Bad Request</title>");
    boost::system::error_code ec;
    const auto body = json::parse(request.body(), ec);
    if (request.method() != boost::beast::http::verb::post || ec) co_return page(400, "Invalid JSON data");
    if (!body.is_object()) co_return page(400, "Invalid JSON-RPC data");
    const auto parsed = parse(body.get_object());
    if (!parsed) co_return page(400, "<!doctype html><title>400 Bad Request</title>");
    const auto& c = *parsed;
    auto plain = page(200, "");
    const auto fault = fault_for(c);
    const std::string kind = fault ? fault->kind : "";
    if (kind == "hang") {
        const auto before = clears_;
        hanging_.push_back(c.method);
        while (clears_ == before) co_await cleared_.wait();
        hanging_.erase(std::find(hanging_.begin(), hanging_.end(), c.method));
        plain.end = server_response::ending::close_silently;
        co_return plain;
    }
    if (kind == "reset") {
        plain.end = server_response::ending::reset;
        co_return plain;
    }
    if (kind == "http_500" || kind == "html" || kind == "garbage") {
        plain.status = kind == "http_500" ? 500 : 200;
        plain.body = kind == "garbage" ? "{\"jsonrpc\": \"2.0\", \"resu" : "<!doctype html><title>Internal Server Error</title>";
        co_return plain;
    }
    if (kind == "operational_error") {
        auto out = envelope(c.id);
        out["error"] = error_member("psycopg2.OperationalError", "connection to server at \"127.0.0.1\", port 5432 failed: Connection refused\n"
                                                                 "\tIs the server running on that host and accepting TCP/IP connections?\n");
        co_return odoo_answer(out);
    }
    if (kind == "late_commit" || kind == "http_504") {
        process_late(c, fault->delay);
        if (kind == "http_504") {
            plain.status = 504;
            plain.body = "<html><head><title>504 Gateway Time-out</title></head></html>";
        } else {
            // The client hangs up first; the call commits all the same.
            co_await wait(fault->delay * 2);
            plain.end = server_response::ending::close_silently;
        }
        co_return plain;
    }
    auto busy = begin(c);
    auto time = options_.latency;
    if (kind == "delay") time += fault->delay;
    if (time.count() > 0) co_await wait(time);
    busy.reset();
    auto response = shape(c);
    if (kind == "drop_after") response.end = server_response::ending::close_silently;
    if (kind == "half_open") response.end = server_response::ending::half;
    co_return response;
}

}  // namespace batchbridge::sim
