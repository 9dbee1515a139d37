// Calls that commit long after their client has gone, and faults in every protocol.
#include "bench_19.hpp"

#include <boost/asio/detached.hpp>

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

const std::vector<std::string> none;

json::value values(double kg, double produced = 0)
{
    json::object v{{"move_raw_ids", {{1, 71, {{"quantity", kg}, {"picked", true}}}}}};
    if (produced > 0) v["qty_producing"] = produced;
    return {{"ids", {7}}, {"vals", std::move(v)}};
}

struct late_bench : bench_19 {
    explicit late_bench(const std::string& fault)
    {
        feed(7, 71, 1, "100", 100);
        control("/fault", fault);
    }
    // The client gives up at once.
    void abandoned(double kg)
    {
        const auto w = send("POST", "/json/2/mrp.production/write", "application/json", json::serialize(values(kg)), 50ms, "Authorization: Bearer MIDDLEWARE-API-KEY\r\nX-Odoo-Database: factory\r\n");
        CHECK(w.silent());
        await([&] { return front.pending().size() == 1; });
    }
    json::value read() { return json2("mrp.production/web_read", {{"ids", {7}}, {"specification", {{"state", json::object{}}}}}).json(); }
    void finish(double kg)
    {
        CHECK(json2("mrp.production/write", values(kg, 100)).body() == "true");
        CHECK(json2("mrp.production/button_mark_done", {{"ids", {7}}, {"context", {{"skip_backorder", true}, {"skip_consumption", true}}}}).body() == "true");
    }
};

}  // namespace

TEST_CASE("a late commit lands on a newer value after so many later calls of its order")
{
    late_bench b(R"({"kind": "late_commit", "method": "write", "calls": 3, "count": 1})");
    b.abandoned(5);
    CHECK(b.control("/pending") == json::array{"write"});
    b.feed(8, 81, 1, "100");
    b.json2("mrp.production/read", {{"ids", {8}}, {"fields", {"state"}}});   // another order's
    b.read();
    b.json2("mrp.production/write", values(9));
    CHECK(b.order(7).moves[0].quantity == 9);
    b.read();
    CHECK(b.order(7).moves[0].quantity == 5);
    CHECK(b.control("/pending").as_array().empty());
    CHECK(b.model.violations() == none);
    // It is in the log, late and without an answer.
    const auto calls = b.control("/calls").as_array();
    const auto late = std::find_if(calls.begin(), calls.end(), [](const json::value& c) { return c.as_object().contains("late"); });
    REQUIRE(late != calls.end());
    CHECK(late->at("status") == 0);
    CHECK(late->at("bytes_out") == 0);
}

TEST_CASE("a late commit can land after done which is nobody's fault and can be seen")
{
    late_bench b(R"({"kind": "late_commit", "method": "write", "after": "button_mark_done", "count": 1})");
    b.abandoned(5);
    b.finish(90);
    CHECK(b.order(7).state == "done");
    CHECK(b.order(7).moves[0].quantity == 5);
    CHECK(b.model.violations() == none);
    CHECK(b.control("/late") == json::array{"WH/MO/00007: a write changed an order that is done (it moves stock)"});
}

TEST_CASE("a late commit that waits can be made to land")
{
    late_bench b(R"({"kind": "late_commit", "method": "write", "calls": 99, "count": 1})");
    wire first;
    first.took = -1ms;
    asio::co_spawn(
        b.ioc,
        [&]() -> asio::awaitable<void> {
            auto body = json::serialize(values(5));
            first = co_await b.exchange("POST", "/json/2/mrp.production/write", "application/json", std::move(body), 20s, "Authorization: Bearer MIDDLEWARE-API-KEY\r\n");
        },
        asio::detached);
    b.await([&] { return b.front.pending().size() == 1; });
    CHECK(first.took == -1ms);
    b.control("/land", "{}");
    b.await([&] { return first.took != -1ms; });
    CHECK(first.silent());
    CHECK(first.end == asio::error::eof);
    CHECK(b.order(7).moves[0].quantity == 5);
    CHECK(b.front.pending().empty());
}

TEST_CASE("a proxy's 504 at once and the call lands after later ones")
{
    late_bench b(R"({"kind": "http_504", "method": "write", "calls": 1, "count": 1})");
    CHECK(b.json2("mrp.production/write", values(5)).status() == 504);
    CHECK(b.order(7).consumption_writes == 0);
    b.read();
    CHECK(b.order(7).consumption_writes == 1);
    CHECK(b.model.violations() == none);
}

TEST_CASE("a write on its way when a person finishes the order is nobody's fault")
{
    late_bench b(R"({"kind": "delay", "method": "write", "delay_ms": 500, "count": 1})");
    wire w;
    asio::co_spawn(
        b.ioc,
        [&]() -> asio::awaitable<void> {
            auto body = json::serialize(values(5));
            w = co_await b.exchange("POST", "/json/2/mrp.production/write", "application/json", std::move(body), 20s, "Authorization: Bearer MIDDLEWARE-API-KEY\r\n");
        },
        asio::detached);
    b.await([&] { return b.front.faults() == 0; });
    b.control("/orders/7", R"({"act": "finish"})");
    b.await([&] { return !w.silent(); });
    CHECK(b.model.violations() == none);
    CHECK(b.model.late_effects().size() == 1);
    // The next one is.
    b.json2("mrp.production/write", values(6));
    CHECK(b.model.violations().size() == 1);
}

TEST_CASE("every fault works in every protocol and is for one protocol if it says so")
{
    late_bench b(R"({"kind": "delay", "delay_ms": 1})");
    b.control("/clear", "{}");
    const auto opened = b.send("POST", "/web/session/authenticate", "application/json", R"({"params": {"db": "factory", "login": "middleware", "password": "middleware"}})").header("Set-Cookie");
    const auto cookie = "Cookie: " + opened.substr(0, opened.find(';')) + "\r\n";
    const std::map<std::string, std::function<wire()>> protocols{
        {"json2", [&] { return b.json2("mrp.production/search_count", {{"domain", json::array{}}}); }},
        {"jsonrpc",
         [&] {
             return b.send("POST", "/jsonrpc", "application/json",
                           R"({"id": 1, "params": {"service": "object", "method": "execute_kw", "args": ["factory", 5, "middleware", "mrp.production", "search_count", [[]]]}})");
         }},
        {"session",
         [&] {
             return b.send("POST", "/web/dataset/call_kw/mrp.production/search_count", "application/json",
                           R"({"id": 1, "params": {"model": "mrp.production", "method": "search_count", "args": [[]], "kwargs": {}}})", 20s, cookie);
         }},
        {"scada", [&] { return b.send("POST", "/api/scada/mo-list-detailed", "application/json", R"({"id": 1, "params": {}})", 20s, cookie); }}};
    struct row {
        const char* kind;
        unsigned jsonrpc, json2, session;   // statuses; 0: no answer
        boost::system::error_code end;
    };
    const auto reset = boost::system::error_code(asio::error::connection_reset);
    const auto eof = boost::system::error_code(asio::error::eof);
    const std::vector<row> table{{"operational_error", 200, 500, 404, eof}, {"serialization_failure", 200, 500, 200, eof}, {"http_500", 500, 500, 500, eof},
                                 {"html", 200, 200, 200, eof},             {"garbage", 200, 200, 200, eof},               {"drop_after", 0, 0, 0, eof},
                                 {"reset", 0, 0, 0, reset},                {"half_open", 200, 200, 200, eof},             {"http_504", 504, 504, 504, eof}};
    for (const auto& [protocol, ask] : protocols) {
        CAPTURE(protocol);
        CHECK(ask().status() == 200);
        for (const auto& r : table) {
            CAPTURE(r.kind);
            b.control("/fault", fmt::format(R"({{"kind": "{}", "protocol": "{}", "count": 1}})", r.kind, protocol));
            const auto& other = protocols.at(protocol == "json2" ? "jsonrpc" : "json2");
            CHECK(other().status() == 200);   // not for this one
            const auto w = ask();
            CHECK(w.status() == (protocol == "json2" ? r.json2 : protocol == "jsonrpc" ? r.jsonrpc : r.session));
            CHECK(w.end == r.end);
            CHECK(ask().status() == 200);
        }
        b.control("/fault", R"({"kind": "exception", "name": "odoo.exceptions.AccessError", "message": "no", "count": 1})");
        auto w = ask();
        CHECK(w.status() == (protocol == "json2" ? 403U : 200U));
        const auto body = w.json();
        CHECK((protocol == "json2" ? body.at("name") : body.at("error").at("data").at("name")) == "odoo.exceptions.AccessError");
        b.control("/fault", R"({"kind": "exception", "name": "werkzeug.exceptions.ServiceUnavailable", "message": "later", "status": 503, "count": 1})");
        w = ask();
        CHECK(w.status() == 503);
    }
    b.control("/fault", R"({"kind": "reset", "model": "maintenance.request"})");
    CHECK(protocols.at("json2")().status() == 200);
    CHECK(b.json2("maintenance.request/search_count", {{"domain", json::array{}}}).silent());
}

TEST_CASE("L-15 a hang holds a call until it is cleared and does not process it")
{
    late_bench b(R"({"kind": "hang"})");
    wire w;
    w.took = -1ms;
    asio::co_spawn(
        b.ioc,
        [&]() -> asio::awaitable<void> {
            auto body = json::serialize(values(5));
            w = co_await b.exchange("POST", "/json/2/mrp.production/write", "application/json", std::move(body), 20s, "Authorization: Bearer MIDDLEWARE-API-KEY\r\n");
        },
        asio::detached);
    b.await([&] { return b.front.hanging().size() == 1; });
    b.control("/clear", "{}");
    b.await([&] { return w.took != -1ms; });
    CHECK(w.silent());
    CHECK(b.order(7).consumption_writes == 0);
}

TEST_CASE("two writes in flight for one order are counted across protocols")
{
    late_bench b(R"({"kind": "delay", "method": "write", "delay_ms": 500, "count": 1})");
    wire w;
    asio::co_spawn(
        b.ioc,
        [&]() -> asio::awaitable<void> {
            auto body = json::serialize(values(5));
            w = co_await b.exchange("POST", "/json/2/mrp.production/write", "application/json", std::move(body), 20s, "Authorization: Bearer MIDDLEWARE-API-KEY\r\n");
        },
        asio::detached);
    b.await([&] { return b.front.faults() == 0; });
    b.send("POST", "/jsonrpc", "application/json",
           R"({"id": 1, "params": {"service": "object", "method": "execute_kw", "args": ["factory", 5, "middleware", "mrp.production", "action_cancel", [[7]]]}})");
    b.await([&] { return !w.silent(); });
    CHECK(b.model.violations() == std::vector<std::string>{"order 7: two calls in flight (action_cancel)"});
}
