#include "replay.hpp"

#include "core/log.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace replay {

namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;

namespace {

json::value read_file(const std::filesystem::path& path)
{
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return json::parse(text);
}

// "... 13 more of 15 ..." in a list.
void drop_gaps(json::value& v)
{
    if (auto* list = v.if_array()) {
        for (auto it = list->begin(); it != list->end();)
            it = it->is_string() && it->get_string().starts_with("... ") ? list->erase(it) : it + 1;
        for (auto& one : *list) drop_gaps(one);
    }
    if (auto* o = v.if_object())
        for (auto& one : *o) drop_gaps(one.value());
}

// The forms of the two servers' recordings differ: `json` or `body_text` there, `body` here.
void bring_to_one_form(json::value& side)
{
    auto& o = side.as_object();
    if (o.contains("body")) return;
    if (auto* parsed = o.if_contains("json")) {
        auto body = *parsed;
        drop_gaps(body);
        o["body"] = std::move(body);
    } else {
        auto* text = o.if_contains("body_text");
        json::value body = text != nullptr ? *text : json::value();
        o["body"] = std::move(body);
    }
}

}  // namespace

exchange recorded(const std::string& name, std::size_t index)
{
    for (const auto& entry : std::filesystem::directory_iterator(ODOO_RECORDINGS)) {
        if (!entry.path().filename().string().starts_with(name + "_")) continue;
        const auto step = read_file(entry.path()).at("steps").as_array().at(index);
        return {step.at("request"), step.at("response")};
    }
    throw std::runtime_error("no recording " + name);
}

exchange recorded19(const std::string& name, std::size_t index)
{
    auto all = read_file(std::filesystem::path(ODOO_RECORDINGS).parent_path() / "odoo19" / (name + ".json"));
    auto step = all.as_object().contains("steps") ? all.at("steps").as_array().at(index) : all;
    exchange e{step.at("request"), step.at("response")};
    bring_to_one_form(e.request);
    bring_to_one_form(e.response);
    return e;
}

namespace {

void add(json::object& o, json::string_view key, json::value v)
{
    if (!o.contains(key)) o[key] = std::move(v);
}

void complete_unit(json::object& unit)
{
    if (const auto* shown = unit.if_contains("display_name")) add(unit, "name", *shown);
    unit["rounding"] = 0.01;
}

void complete_order(json::object& o)
{
    add(o, "create_date", "2026-11-23 10:46:09");
    add(o, "product_id", {{"id", 18}, {"default_code", "FG-C"}, {"name", "Feed mix C"}});
    add(o, "product_uom_id", {{"id", 12}, {"name", "kg"}});
    complete_unit(o["product_uom_id"].as_object());
    add(o, "bom_id", false);
    add(o, "qty_produced", 0.0);
    if (o["bom_id"].is_int64()) o["bom_id"] = {{"id", o["bom_id"]}, {"display_name", "FG-A: Feed mix A"}};
    for (auto& m : o["move_raw_ids"].as_array()) {
        auto& move = m.as_object();
        add(move, "product_uom", {{"id", 12}, {"name", "kg"}});
        complete_unit(move["product_uom"].as_object());
        add(move, "scrapped", false);
        add(move, "location_id", {{"id", 8}, {"display_name", "WH/Stock"}});
    }
}

// Database, user id and password stand at fixed places and are compared with the rest; only the id differs.
json::value without_id(json::value body)
{
    if (auto* o = body.if_object(); o != nullptr && o->contains("jsonrpc")) o->erase("id");
    return body;
}

json::value* specification_of(json::value& body)
{
    return keyword_of(body).if_contains("specification");
}

// The fields both ask for have the same form, all the way down.
bool same_shape(const json::value& a, const json::value& b)
{
    const auto* x = a.if_object();
    const auto* y = b.if_object();
    if (x == nullptr || y == nullptr) return false;
    for (const auto& [key, value] : *x) {
        const auto* other = y->if_contains(key);
        if (other != nullptr && !same_shape(value, *other)) return false;
    }
    return true;
}

}  // namespace

json::object& keyword_of(json::value& body)
{
    auto& o = body.as_object();
    if (!o.contains("params")) return o;
    auto& params = o["params"].as_object();
    return params.contains("kwargs") ? params["kwargs"].as_object() : params.at("args").as_array().at(6).as_object();
}

exchange completed(exchange e)
{
    auto& body = e.response.at("body");
    auto& result = body.is_object() && body.as_object().contains("jsonrpc") ? body.at("result") : body;
    auto& records = result.is_array() ? result.as_array() : result.at("records").as_array();
    for (auto& r : records) complete_order(r.as_object());
    return e;
}

bool equal(const json::value& a, const json::value& b)
{
    return is_part_of(a, b) && is_part_of(b, a);
}

bool is_part_of(const json::value& recorded, const json::value& ours)
{
    if (recorded.is_number() && ours.is_number()) return recorded.to_number<double>() == ours.to_number<double>();
    if (recorded.kind() != ours.kind()) return false;
    if (const auto* o = recorded.if_object()) {
        for (const auto& [key, value] : *o) {
            const auto* other = ours.get_object().if_contains(key);
            if (other == nullptr || !is_part_of(value, *other)) return false;
        }
        return true;
    }
    if (const auto* a = recorded.if_array()) {
        const auto& b = ours.get_array();
        if (a->size() != b.size()) return false;
        for (std::size_t i = 0; i < a->size(); ++i)
            if (!is_part_of((*a)[i], b[i])) return false;
        return true;
    }
    return recorded == ours;
}

server::server(asio::io_context& ioc)
{
    tcp::acceptor acceptor(ioc, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port_ = acceptor.local_endpoint().port();
    asio::co_spawn(ioc, accept(std::move(acceptor)), asio::detached);
}

std::string server::url() const
{
    return fmt::format("http://127.0.0.1:{}", port_);
}

void server::expect(exchange e, match how)
{
    step s;
    s.what = std::move(e);
    s.how = how;
    steps_.push_back(std::move(s));
}

void server::expect_login()
{
    expect(recorded("a00"));
    expect(recorded("a01"));
}

void server::expect_key()
{
    expect(recorded19("seq_01_version"));
    expect(recorded19("seq_02_check_key"));
}

void server::expect_raw(std::string bytes)
{
    step s;
    s.raw = std::move(bytes);
    steps_.push_back(std::move(s));
}

void server::expect_body(std::string body, unsigned status, std::string content_type)
{
    step s;
    s.body = std::move(body);
    s.status = status;
    s.content_type = std::move(content_type);
    steps_.push_back(std::move(s));
}

void server::expect_silence()
{
    step s;
    s.silent = true;
    steps_.push_back(std::move(s));
}

std::vector<std::string> server::complaints() const
{
    auto out = complaints_;
    if (!steps_.empty()) out.push_back(fmt::format("{} expected request(s) never came", steps_.size()));
    return out;
}

asio::awaitable<void> server::accept(tcp::acceptor acceptor)
{
    for (;;) {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        ++connections_;
        asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
    }
}

void server::check(const step& s, const std::string& method, const std::string& path, const headers& sent, const json::value& body)
{
    if (!s.what || s.how == match::answer_only) {
        if (!only_path_.empty() && path != only_path_) complaints_.push_back(fmt::format("{} {} instead of {}", method, path, only_path_));
        return;
    }
    const auto& wanted = s.what->request;
    if (json::value(method) != wanted.at("method") || json::value(path) != wanted.at("path")) complaints_.push_back(fmt::format("{} {} was not recorded", method, path));
    for (const auto* name : {"Authorization", "X-Odoo-Database", "Cookie"}) {
        const auto* all = wanted.as_object().if_contains("headers");
        const auto* value = all != nullptr ? all->as_object().if_contains(name) : nullptr;
        const std::string theirs = value != nullptr ? std::string(value->as_string()) : "";
        if (theirs != sent(name)) complaints_.push_back(fmt::format("{}: recorded '{}' but sent '{}'", name, theirs, sent(name)));
    }
    auto theirs = without_id(wanted.at("body"));
    auto ours = without_id(body);
    bool fits = false;
    if (s.how == match::specification) {
        const auto *a = specification_of(theirs), *b = specification_of(ours);
        fits = a != nullptr && b != nullptr && same_shape(*a, *b);
        keyword_of(ours)["specification"] = nullptr;
        keyword_of(theirs)["specification"] = nullptr;
        fits = fits && equal(theirs, ours);
    } else {
        fits = s.how == match::exact ? equal(theirs, ours) : is_part_of(theirs, ours);
    }
    if (!fits) complaints_.push_back(fmt::format("recorded {}\n  but sent {}", json::serialize(theirs), json::serialize(ours)));
}

asio::awaitable<void> server::serve(tcp::socket socket)
{
    boost::system::error_code ec;
    boost::beast::flat_buffer buffer;
    bhttp::request<bhttp::string_body> request;
    co_await bhttp::async_read(socket, buffer, request, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    const bool get = request.method() == bhttp::verb::get;
    if (!get && (request.chunked() || !request.has_content_length())) complaints_.push_back("a request without Content-Length");
    if (!get && request[bhttp::field::content_type] != "application/json") complaints_.push_back("a request whose type is not application/json");
    const auto body = get ? json::value() : json::parse(request.body());
    requests_.push_back(body);
    lines_.push_back(fmt::format("{} {}", std::string(request.method_string()), std::string(request.target())));
    if (steps_.empty()) {
        complaints_.push_back("one request too many: " + lines_.back() + " " + request.body());
        co_return;
    }
    const auto s = std::move(steps_.front());
    steps_.pop_front();
    const headers sent = [&request](const char* name) { return std::string(request[name]); };
    check(s, std::string(request.method_string()), std::string(request.target()), sent, body);
    if (s.late > 0ms) {
        asio::steady_timer timer(socket.get_executor(), s.late);
        co_await timer.async_wait(asio::use_awaitable);
    }
    if (s.silent) {
        char sink[64];
        while (!ec) co_await socket.async_read_some(asio::buffer(sink), asio::redirect_error(asio::use_awaitable, ec));
        co_return;
    }
    if (!s.raw.empty()) {
        co_await asio::async_write(socket, asio::buffer(s.raw), asio::redirect_error(asio::use_awaitable, ec));
        co_return;
    }
    bhttp::response<bhttp::string_body> response;
    response.version(11);
    response.set(bhttp::field::connection, "close");
    if (s.what) {
        const auto& answer = s.what->response;
        response.result(static_cast<unsigned>(answer.at("status").as_int64()));
        if (const auto* all = answer.as_object().if_contains("headers"))
            for (const auto* name : {"Set-Cookie", "Location", "Date"})
                if (const auto* value = all->as_object().if_contains(name)) response.set(name, std::string(value->as_string()));
        auto content = answer.at("body");
        if (content.is_string()) {
            response.set(bhttp::field::content_type, "text/html; charset=utf-8");
            response.body() = std::string(content.as_string());
        } else {
            response.set(bhttp::field::content_type, "application/json; charset=utf-8");
            auto* o = content.if_object();
            if (o != nullptr && o->contains("jsonrpc") && o->contains("id") && !content.at("id").is_null()) (*o)["id"] = body.at("id");
            response.body() = json::serialize(content);
        }
    } else {
        response.result(s.status);
        response.set(bhttp::field::content_type, s.content_type);
        response.body() = s.body;
        const auto at = response.body().find("$ID");
        if (at != std::string::npos) response.body().replace(at, 3, json::serialize(body.at("id")));
    }
    response.content_length(response.body().size());
    co_await bhttp::async_write(socket, response, asio::redirect_error(asio::use_awaitable, ec));
}

bench::bench()
{
    core::log::init(core::log::level::error, core::log::format::text);
    options.http.base_url = peer.url();
    options.db = "factory";
    options.user = "plcbridge";
    options.secret.value = "plc";
    options.read_timeout = 5s;
    options.write_timeout = 5s;
}

odoo::jsonrpc& bench::client()
{
    if (!client_) client_.emplace(ioc.get_executor(), options);
    return *client_;
}

key_bench::key_bench()
{
    options.user = "middleware";
    options.secret.value = "MIDDLEWARE-API-KEY";
    options.secret_is_key = true;
    peer.only_path({});
}

odoo::json2& key_bench::client()
{
    if (!client_) client_.emplace(ioc.get_executor(), options);
    return *client_;
}

void bench::run(asio::awaitable<void> call)
{
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(ioc, std::move(call), [&](std::exception_ptr e) {
        ended = true;
        failure = e;
        ioc.stop();
    });
    wait(ended);
    if (failure) std::rethrow_exception(failure);
}

void bench::wait(const bool& ended)
{
    ioc.restart();
    ioc.run_for(10s);
    if (!ended) throw std::runtime_error("the call did not end within 10 s");
}

}  // namespace replay
