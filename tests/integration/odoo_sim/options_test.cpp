// What the control port changes while the simulator runs: version, secrets, the clock; and all protocols on one model.
#include "bench_19.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

TEST_CASE("an upgrade from 18 to 19 while it runs keeps the orders")
{
    sim::odoo_options options;
    options.api_key = "MIDDLEWARE-API-KEY";
    sim_bench b(options);
    b.add(7, 100, {{71, 100}});
    CHECK(b.send("GET", "/json/version", "", "").status() == 303);
    b.call("write", {json::array{7}, json::object{{"move_raw_ids", {{1, 71, {{"quantity", 40}, {"picked", true}}}}}}});
    b.control("/options", R"({"version": "19.0"})");
    CHECK(b.send("GET", "/json/version", "", "").json().at("version") == "19.0");
    const std::string key = "Authorization: bearer MIDDLEWARE-API-KEY\r\nX-Odoo-Database: factory\r\n";
    const auto read = b.send("POST", "/json/2/mrp.production/read", "application/json", R"({"ids": [7], "fields": ["state", "product_uom_id"]})", 20s, key);
    CHECK(read.json() == json::value{{{"id", 7}, {"state", "progress"}, {"product_uom_id", {16, "kg"}}}});
    // The old protocol still answers, with 19's words.
    CHECK(b.call("read", {json::array{7}, json::array{"nosuch"}}).json().at("error").at("data").at("message") == "Invalid field 'nosuch' on 'mrp.production'");
}

TEST_CASE("a key can be taken away and a password changed and a user archived")
{
    bench_19 b;
    const auto status = [&](const char* key) { return b.json2("res.users/context_get", json::object{}, key).status(); };
    CHECK(status("MIDDLEWARE-API-KEY") == 200);
    b.control("/options", R"({"api_key": "next"})");
    CHECK(status("MIDDLEWARE-API-KEY") == 401);
    CHECK(status("next") == 200);
    b.control("/options", R"({"archived": true})");
    CHECK(status("next") == 401);
    b.control("/options", R"({"archived": false, "password": "new"})");
    CHECK(status("next") == 200);
    const auto login = [&](const char* password) {
        return b.send("POST", "/jsonrpc", "application/json",
                      fmt::format(R"({{"id": 1, "params": {{"service": "common", "method": "authenticate", "args": ["factory", "middleware", "{}", {{}}]}}}})", password))
            .json()
            .at("result");
    };
    CHECK(login("middleware") == false);
    CHECK(login("new") == 5);
}

TEST_CASE("each answer carries the server's clock which may be off")
{
    bench_19 b;
    const auto offset = [&] {
        std::tm t{};
        const auto text = b.send("GET", "/json/version", "", "").header("Date");
        REQUIRE(::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &t) != nullptr);
        return ::timegm(&t) - std::time(nullptr);
    };
    CHECK(std::abs(offset()) < 60);
    b.control("/options", R"({"clock_shift_s": 7200})");
    CHECK(std::abs(offset() - 7200) < 60);
    b.control("/options", R"({"clock_shift_s": -3600})");
    CHECK(std::abs(offset() + 3600) < 60);
}

TEST_CASE("options are shown as they can be set and a wrong one changes nothing")
{
    sim_bench b;
    b.control("/options", R"({"rights": {"mrp.production.write": false}, "rounding": {"t": 0.001}, "latency_ms": 5})");
    const auto shown = b.control("/options");
    CHECK(shown.at("rights").at("mrp.production.write") == false);
    CHECK(shown.at("rounding").at("t") == 0.001);
    CHECK(shown.at("latency_ms") == 5);
    using boost::beast::http::verb;
    for (const char* bad : {R"({"version": "19.0", "nosuch": 1})", R"({"version": "19.0", "email": "yes"})", R"({"version": "19.0", "rounding": {"kg": 0}})"}) {
        const http::server_request r(verb::post, "/options", 11, bad);
        CHECK(b.run(sim::control_odoo(b.model, b.front, r)).status == 400);
    }
    CHECK(b.model.options().version == "18.0+e-20241005");
    // What was shown can be given back.
    b.control("/options", json::serialize(shown));
}

TEST_CASE("equipment is there from the start and can be added and cleared")
{
    sim_bench b;
    auto all = b.control("/equipment").as_array();
    REQUIRE(all.size() == 15);
    CHECK(all[0].at("serial_no") == "SILO-101");
    CHECK(all[14].at("serial_no") == "LQ115");
    b.control("/equipment", R"([{"serial_no": "MIXER-1", "name": "Mixer"}])");
    CHECK(b.control("/equipment").as_array().size() == 16);
    b.control("/equipment", R"({"act": "clear"})");
    CHECK(b.control("/equipment").as_array().empty());
}
