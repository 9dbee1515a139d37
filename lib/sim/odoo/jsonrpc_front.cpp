#include "sim/odoo/jsonrpc_front.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace batchbridge::sim {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

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
        json::object o;
        o["server_version"] = json::value(options_.version);
        o["protocol_version"] = 1;
        return o;
    }
    const auto database = [&] {
        if (c.all.empty() || !c.all[0].is_string() || c.all[0].get_string() != options_.db)
            throw odoo_fault("psycopg2.OperationalError", fmt::format("connection to server failed: FATAL:  database \"{}\" does not exist", c.all.empty() ? "" : json::serialize(c.all[0])));
    };
    const auto good = [&](const json::value& secret) {
        return secret.is_string() && (secret.get_string() == options_.password || (!options_.api_key.empty() && secret.get_string() == options_.api_key));
    };
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
    throw odoo_fault("builtins.KeyError", c.service);
}

server_response jsonrpc_front::shape(const parsed_call& c)
{
    json::object out;
    out["jsonrpc"] = "2.0";
    out["id"] = c.id;
    std::string outcome = "ok";
    try {
        auto result = dispatch(c);
        if (!result.is_null()) out["result"] = std::move(result);
    } catch (const odoo_fault& f) {
        outcome = f.name;
        json::object data;
        data["name"] = json::value(f.name);
        data["debug"] = "(server traceback)";
        data["message"] = json::value(f.what());
        data["arguments"] = json::array{};
        data["context"] = json::object{};
        json::object e;
        e["code"] = 200;
        e["message"] = "Odoo Server Error";
        e["data"] = std::move(data);
        out["error"] = std::move(e);
    }
    json::object call;
    call["ns"] = std::chrono::steady_clock::now().time_since_epoch().count();
    call["method"] = json::value(c.method);
    call["order"] = c.writes != 0 ? c.writes : (!c.args.empty() && c.args[0].is_array() && c.args[0].get_array().size() == 1 && c.args[0].get_array()[0].is_int64() ? c.args[0].get_array()[0].get_int64() : 0);
    call["outcome"] = json::value(outcome);
    if (log_.is_open()) log_ << json::serialize(call) << '\n' << std::flush;
    calls_.push_back(std::move(call));
    auto response = server_response::json(200, out);
    response.keep_alive = false;   // the threaded server closes after every answer
    return response;
}

void jsonrpc_front::process_late(parsed_call c, std::chrono::milliseconds delay)
{
    auto shared = std::make_shared<parsed_call>(std::move(c));
    if (shared->writes != 0) ++busy_[shared->writes];
    asio::co_spawn(
        executor_,
        [this, shared, delay]() -> asio::awaitable<void> {
            co_await wait(delay);
            if (shared->writes != 0) --busy_[shared->writes];
            shape(*shared);
        },
        asio::detached);
}

asio::awaitable<server_response> jsonrpc_front::answer(const http::server_request& request)
{
    server_response plain;
    plain.content_type = "text/html; charset=utf-8";
    plain.keep_alive = false;
    if (request.target() != "/jsonrpc") {
        plain.status = 404;
        plain.body = "<!doctype html><title>404 Not Found</title>";
        co_return plain;
    }
    boost::system::error_code ec;
    const auto body = json::parse(request.body(), ec);
    if (request.method() != boost::beast::http::verb::post || ec || !body.is_object()) {
        plain.status = 400;
        plain.body = "<!doctype html><title>400 Bad Request</title>";
        co_return plain;
    }
    parsed_call c;
    try {
        const auto& root = body.get_object();
        if (const auto* id = root.if_contains("id")) c.id = *id;
        const auto& params = root.at("params").as_object();
        c.service = std::string(params.at("service").as_string());
        c.method = std::string(params.at("method").as_string());
        c.all = params.at("args").as_array();
        if (c.service == "object" && c.all.size() >= 5) {
            c.model = std::string(c.all[3].as_string());
            c.method = std::string(c.all[4].as_string());
            if (c.all.size() > 5) c.args = c.all[5].as_array();
            if (c.all.size() > 6) c.keywords = c.all[6].as_object();
            c.writes = odoo_model::written_order(c.method, c.args);
        }
    } catch (const std::exception&) {
        plain.status = 400;
        plain.body = "<!doctype html><title>400 Bad Request</title>";
        co_return plain;
    }
    const auto fault = fault_for(c);
    const std::string kind = fault ? fault->kind : "";
    if (kind == "hang") {
        const auto before = clears_;
        while (clears_ == before) co_await cleared_.wait();
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
        json::object out;
        out["jsonrpc"] = "2.0";
        out["id"] = c.id;
        out["error"] = json::parse(R"({"code":200,"message":"Odoo Server Error","data":{"name":"psycopg2.OperationalError","debug":"","message":"connection to server failed","arguments":[],"context":{}}})");
        auto r = server_response::json(200, out);
        r.keep_alive = false;
        co_return r;
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
    // A real server works on a call for a while; a second one for the same order meanwhile is what must not happen.
    if (c.writes != 0) {
        if (busy_[c.writes] > 0) model_.violation(fmt::format("order {}: two calls in flight ({})", c.writes, c.method));
        ++busy_[c.writes];
    }
    auto time = options_.latency;
    if (kind == "delay") time += fault->delay;
    if (time.count() > 0) co_await wait(time);
    if (c.writes != 0) --busy_[c.writes];
    auto response = shape(c);
    if (kind == "drop_after") response.end = server_response::ending::close_silently;
    if (kind == "half_open") response.end = server_response::ending::half;
    co_return response;
}

}  // namespace batchbridge::sim
