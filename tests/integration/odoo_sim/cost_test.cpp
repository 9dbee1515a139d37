// The log of calls and what it counts, to the byte.
#include "bench_19.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

TEST_CASE("each call is logged with its protocol and order and bytes both ways")
{
    bench_19 b;
    b.feed(7, 71, 3, "50");
    const auto one = [&](const std::function<wire()>& send, const char* protocol, const char* method, std::int64_t order) {
        b.control("/calls", R"({"act": "clear"})");
        const auto w = send();
        const auto calls = b.control("/calls").as_array();
        REQUIRE(calls.size() == 1);
        const auto& c = calls[0];
        CAPTURE(json::serialize(c), w.bytes);
        CHECK(c.at("protocol") == protocol);
        CHECK(c.at("method") == method);
        CHECK(c.at("order") == order);
        CHECK(c.at("status") == w.status());
        CHECK(c.at("bytes_out") == w.bytes.size());
        CHECK(c.at("bytes_in") == w.sent);
        CHECK(c.at("started_ns").as_int64() <= c.at("ns").as_int64());
        return c;
    };
    const auto read = one([&] { return b.json2("mrp.production/web_read", {{"ids", {7}}, {"specification", {{"state", json::object{}}}}}); }, "json2", "web_read", 7);
    CHECK(read.at("outcome") == "ok");
    CHECK(read.at("model") == "mrp.production");
    CHECK(read.at("orders") == json::array{7});
    CHECK(one([&] { return b.json2("mrp.production/write", {{"ids", {8}}, {"vals", json::object{}}}); }, "json2", "write", 8).at("outcome") == "odoo.exceptions.MissingError");
    one([&] { return b.json2("res.users/context_get", json::object{}, "wrong"); }, "json2", "context_get", 0);
    one([&] { return b.send("GET", "/json/version", "", ""); }, "web", "version", 0);
    one([&] { return b.send("GET", "/nosuch", "", ""); }, "web", "", 0);
    one([&] { return b.send("POST", "/web/session/authenticate", "application/json", R"({"params": {"db": "factory", "login": "middleware", "password": "middleware"}})"); }, "session", "authenticate", 0);
    b.control("/options", R"({"version": "18.0+e-20241005", "uid": 6, "password": "plc"})");
    one([&] { return b.call("search_read", {json::array{json::array{"id", "in", json::array{7, 9}}}}, {{"fields", {"state"}}}); }, "jsonrpc", "search_read", 0);
    one([&] { return b.send("GET", "/json/version", "", ""); }, "web", "version", 0);
}

TEST_CASE("an order's life is summed by itself whatever else went on")
{
    bench_19 b;
    b.feed(7, 71, 1, "50");
    b.feed(8, 81, 1, "50");
    std::size_t bytes = 0;
    const auto call = [&](const char* path, const json::value& body) {
        const auto w = b.json2(path, body);
        CHECK(w.status() == 200);
        return w.sent + w.bytes.size();
    };
    const auto write = [](std::int64_t id, std::int64_t move) {
        return json::value{{"ids", {id}}, {"vals", {{"qty_producing", 50}, {"move_raw_ids", {{1, move, {{"quantity", 50}, {"picked", true}}}}}}}};
    };
    bytes += call("mrp.production/write", write(7, 71));
    call("mrp.production/write", write(8, 81));
    call("mrp.production/search_read", {{"domain", {{"id", "in", {7, 8}}}}, {"fields", {"state"}}});
    bytes += call("mrp.production/button_mark_done", {{"ids", {7}}, {"context", {{"skip_backorder", true}}}});
    const auto totals = b.control("/totals");
    const auto& mine = totals.at("orders").at("7");
    CHECK(mine.at("calls") == 2);
    CHECK(mine.at("shared_calls") == 1);
    CHECK(mine.at("methods") == json::value{{"button_mark_done", 1}, {"write", 1}});
    CHECK(mine.at("bytes_in").to_number<std::size_t>() + mine.at("bytes_out").to_number<std::size_t>() == bytes);
    CHECK(totals.at("protocols").at("json2").at("calls") == 4);
    CHECK(totals.at("protocols").at("json2").at("refused") == 0);
    b.control("/calls", R"({"act": "clear"})");
    CHECK(b.control("/totals").at("orders").as_object().empty());
}
