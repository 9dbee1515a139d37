#include "sim_bench.hpp"

#include "core/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>


namespace batchbridge::tests {

using boost::asio::ip::tcp;
using std::chrono::steady_clock;

unsigned wire::status() const
{
    return bytes.starts_with("HTTP/1.1 ") ? static_cast<unsigned>(std::stoul(bytes.substr(9, 3))) : 0;
}

std::string wire::header(const std::string& name) const
{
    const auto head = bytes.substr(0, bytes.find("\r\n\r\n") + 2);
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto from = at + 2 + name.size() + 2;
    return head.substr(from, head.find("\r\n", from) - from);
}

std::string wire::body() const
{
    const auto at = bytes.find("\r\n\r\n");
    return at == std::string::npos ? std::string{} : bytes.substr(at + 4);
}

json::value wire::json() const
{
    return json::parse(body());
}

namespace {

// The recorder kept a blank at the end of "Bearer ".
std::string trimmed(std::string s)
{
    while (s.ends_with(' ')) s.pop_back();
    return s;
}

std::string text(const json::object& o, const char* key, std::string otherwise)
{
    const auto* v = o.if_contains(key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::move(otherwise);
}

core::decimal kg(const json::value& v)
{
    return core::decimal::from_double(v.to_number<double>()).value();
}

sim::sim_move move_of(const json::object& r)
{
    sim::sim_move m;
    m.id = r.at("id").as_int64();
    const auto& product = r.at("product_id").as_object();
    m.product_id = product.at("id").as_int64();
    m.product_code = text(product, "default_code", "");
    m.product_name = "Ingredient " + m.product_code;
    m.planned = m.quantity = kg(r.at("product_uom_qty"));
    return m;
}

}  // namespace

sim_bench::sim_bench(sim::odoo_options options)
    : front(ioc.get_executor(), model, std::move(options), ""), server(ioc.get_executor(), http::server_limits{}, [this](const http::server_request& r) { return front.answer(r); })
{
    core::log::init(core::log::level::error, core::log::format::text);
    server.listen("127.0.0.1", 0);
    asio::co_spawn(ioc, server.run(), asio::detached);
}

sim_bench::~sim_bench()
{
    // On the loop: Asio dispatches cancellation, and must not find the coroutine gone by then.
    asio::post(ioc, [this] {
        server.stop();
        front.clear_faults();
    });
    ioc.restart();
    ioc.run_for(5s);
}

void sim_bench::turn(const bool& ended)
{
    ioc.restart();
    ioc.run_for(30s);
    if (!ended) throw std::runtime_error("the call did not end within 30 s");
}

void sim_bench::run(asio::awaitable<void> call)
{
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(ioc, std::move(call), [&](std::exception_ptr e) {
        ended = true;
        failure = e;
        ioc.stop();
    });
    turn(ended);
    if (failure) std::rethrow_exception(failure);
}

void sim_bench::await(const std::function<bool()>& done)
{
    const auto until = steady_clock::now() + 30s;
    ioc.restart();
    while (!done()) {
        if (steady_clock::now() > until) throw std::runtime_error("waited in vain");
        ioc.run_one_for(50ms);
        ioc.restart();
    }
}

asio::awaitable<wire> sim_bench::exchange(std::string method, std::string path, std::string content_type, std::string body, std::chrono::milliseconds patience, std::string headers)
{
    const auto start = steady_clock::now();
    tcp::socket socket(ioc);
    co_await socket.async_connect({asio::ip::address_v4::loopback(), server.port()}, asio::use_awaitable);
    // "Transfer-Encoding: chunked" stands in for a length, and the body is one chunk then.
    const bool chunked = headers.find("Transfer-Encoding: chunked") != std::string::npos;
    if (!content_type.empty()) headers += fmt::format("Content-Type: {}\r\n", content_type);
    if (!chunked) headers += fmt::format("Content-Length: {}\r\n", body.size());
    const auto rest = chunked ? fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", body.size(), body) : body;
    const auto all = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n{}", method, path, headers, rest);
    co_await asio::async_write(socket, asio::buffer(all), asio::use_awaitable);
    asio::steady_timer limit(ioc, patience);
    limit.async_wait([&socket](boost::system::error_code ec) {
        boost::system::error_code ignored;
        if (!ec) socket.close(ignored);
    });
    wire out;
    out.sent = all.size();
    char part[4096];
    while (!out.end) {
        const auto n = co_await socket.async_read_some(asio::buffer(part), asio::redirect_error(asio::use_awaitable, out.end));
        out.bytes.append(part, n);
    }
    limit.cancel();
    out.took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start);
    co_return out;
}

wire sim_bench::send(std::string method, std::string path, std::string content_type, std::string body, std::chrono::milliseconds patience, std::string headers)
{
    return run(exchange(std::move(method), std::move(path), std::move(content_type), std::move(body), patience, std::move(headers)));
}

std::string sim_bench::request(const std::string& method, json::array args, json::object keywords, std::int64_t id)
{
    json::array all{"factory", 6, "plc", "mrp.production"};
    all.emplace_back(method);
    all.emplace_back(std::move(args));
    all.emplace_back(std::move(keywords));
    json::object params{{"service", "object"}, {"method", "execute_kw"}};
    params["args"] = std::move(all);
    json::object body{{"jsonrpc", "2.0"}, {"method", "call"}, {"id", id}};
    body["params"] = std::move(params);
    return json::serialize(body);
}

wire sim_bench::call(const std::string& method, json::array args, json::object keywords, std::chrono::milliseconds patience)
{
    return send("POST", "/jsonrpc", "application/json", request(method, std::move(args), std::move(keywords)), patience);
}

json::value sim_bench::control(const std::string& target, const std::string& body)
{
    using boost::beast::http::verb;
    const http::server_request r(body.empty() ? verb::get : verb::post, target, 11, body);
    const auto answer = run(sim::control_odoo(model, front, r));
    CAPTURE(target, body, answer.body);
    REQUIRE(answer.status == 200);
    return json::parse(answer.body);
}

void sim_bench::replay(const std::string& recording, std::size_t step, const adaption& adapt, bool shape)
{
    auto e = model.options().is_19() ? recorded_19(recording, step) : recorded(recording, step);
    if (adapt) adapt(e);
    CAPTURE(recording, step);
    const auto& body = e.request.at("body");
    const auto sent = body.is_string() ? std::string(body.get_string()) : body.is_null() ? std::string{} : json::serialize(body);
    std::string type, headers;
    for (const auto& [name, v] : e.request.at("headers").as_object()) {
        auto value = std::string(v.as_string());
        // Other users' keys are ours: the simulator knows one user.
        if (value == "bearer ADMIN-API-KEY" || value == "bearer MRPONLY-API-KEY") value = "bearer MIDDLEWARE-API-KEY";
        if (name == "Content-Type") type = value;
        else if (name == "Cookie") headers += fmt::format("Cookie: session_id={}\r\n", cookie);
        else if (name != "Content-Length" && name != "Host") headers += fmt::format("{}: {}\r\n", std::string_view(name), value);
    }
    const auto answer = send(std::string(e.request.at("method").as_string()), std::string(e.request.at("path").as_string()), type, sent, 20s, headers);
    CHECK(answer.end == asio::error::eof);
    CHECK(answer.status() == e.response.at("status").as_int64());
    CHECK(answer.header("Connection") == "close");
    CHECK_FALSE(answer.header("Date").empty());
    // Some were recorded without headers.
    const auto& theirs_headers = e.response.at("headers").as_object();
    for (const char* name : {"Content-Type", "Connection", "WWW-Authenticate", "X-Content-Type-Options", "Accept"}) {
        const auto* v = theirs_headers.if_contains(name);
        if (v == nullptr) continue;
        // Werkzeug writes "text/html;charset=utf-8" on one of its pages.
        if (v->as_string().starts_with("text/html")) CHECK(answer.header(name).starts_with("text/html"));
        else CHECK(answer.header(name) == trimmed(std::string(v->get_string())));
    }
    if (theirs_headers.contains("Set-Cookie") && answer.header("Set-Cookie").starts_with("session_id=")) {
        const auto text = answer.header("Set-Cookie").substr(11);
        cookie = text.substr(0, text.find(';'));
    }
    const auto& theirs = e.response.at("body");
    if (theirs.is_string() && answer.header("Content-Type").starts_with("text/html")) {
        // Pages of 19 and of the session way were kept whole; of the others only their kind.
        if (model.options().is_19() || !theirs.get_string().starts_with("<")) CHECK(answer.body() == std::string(theirs.get_string()));
        return;
    }
    REQUIRE_FALSE(answer.silent());
    if (theirs.is_string()) CHECK(answer.body() == std::string(theirs.get_string()));
    else CHECK(differences(theirs, answer.json(), shape) == std::vector<std::string>{});
}

sim::sim_order& sim_bench::add(const json::object& r)
{
    sim::sim_order o;
    o.id = r.at("id").as_int64();
    o.name = text(r, "name", fmt::format("WH/MO/{:05}", o.id));
    o.priority = text(r, "priority", "0");
    o.consumption = text(r, "consumption", "warning");
    o.origin = text(r, "origin", "");
    o.date_start = core::from_odoo(text(r, "date_start", "2026-11-23 10:46:09")).value();
    o.create_date = o.write_date = core::from_odoo("2026-11-23 10:46:09").value();
    o.date_finished = o.date_start + 1h;
    if (const auto* v = r.if_contains("product_qty")) o.quantity = kg(*v);
    if (const auto* v = r.if_contains("bom_id")) o.bom_id = v->as_int64();
    if (const auto* v = r.if_contains("product_id")) {
        o.product_id = v->at("id").as_int64();
        o.product_code = text(v->as_object(), "default_code", "");
        o.product_name = text(v->as_object(), "name", "");
    }
    for (const auto& m : r.at("move_raw_ids").as_array()) o.moves.push_back(move_of(m.as_object()));
    return model.orders()[o.id] = o;
}

sim::sim_order& sim_bench::add(std::int64_t id, int quantity, const std::vector<std::pair<std::int64_t, core::decimal>>& moves)
{
    json::array list;
    std::int64_t product = 0;
    for (const auto& [move, planned] : moves) {
        ++product;
        list.push_back({{"id", move}, {"product_id", {{"id", product}, {"default_code", fmt::format("SILO-{}", 100 + product)}}}, {"product_uom_qty", planned.to_double()}});
    }
    json::object record{{"id", id}, {"product_qty", quantity}};
    record["move_raw_ids"] = std::move(list);
    return add(record);
}

}  // namespace batchbridge::tests
