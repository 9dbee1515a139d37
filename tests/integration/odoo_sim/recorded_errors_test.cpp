// Requests that Odoo refuses, with the error names and messages that were recorded (h03..h27).
#include "sim_bench.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

TEST_CASE("a missing order or move is a MissingError that names it (h03, h04, h05)")
{
    sim_bench b;
    b.add(65, 500, {{575, 150}});
    for (const auto* name : {"h03", "h04", "h05"}) b.replay(name);
    CHECK(b.order(65).state == "confirmed");
}

TEST_CASE("unknown and private methods and unknown models are refused by name (h11, h12, h13)")
{
    sim_bench b;
    b.add(1, 500, {{11, 500}});
    for (const auto* name : {"h11", "h12", "h13"}) b.replay(name);
}

TEST_CASE("an unknown field in domain, field list or specification is a ValueError, with orders or without (h14, h15, h15b)")
{
    sim_bench b;
    for (const auto* name : {"h14", "h15", "h15b"}) b.replay(name);
    b.add(1, 500, {{11, 500}});
    for (const auto* name : {"h14", "h15", "h15b"}) b.replay(name);
    const auto nested = b.call("web_read", {json::array{1}}, {{"specification", {{"move_raw_ids", {{"fields", {{"nosuch", json::object{}}}}}}}}});
    CHECK(nested.json().at("error").at("data").at("message") == "Invalid field 'nosuch' on model 'stock.move'");
}

TEST_CASE("wrong arguments are Python's errors with HTTP 200, never a page (h16, h17)")
{
    sim_bench b;
    b.add(89, 500, {{11, 500}});
    b.replay("h16");
    b.replay("h17");
    CHECK(b.order(89).final_writes == 0);
    for (const auto& values : {json::value("text"), json::value(nullptr), json::value{{"move_raw_ids", "x"}}, json::value{{"move_raw_ids", {{1}}}}, json::value{{"nosuch", 1}}}) {
        const auto answer = b.call("write", {json::array{89}, values});
        CAPTURE(json::serialize(values));
        REQUIRE(answer.status() == 200);
        const std::string name(answer.json().at("error").at("data").at("name").as_string());
        CHECK(name.starts_with("builtins."));
    }
    CHECK(b.order(89).consumption_writes == 0);
}

TEST_CASE("requests that are none (h20 to h27)")
{
    sim_bench b;
    for (const auto* name : {"h20", "h21", "h21b", "h22", "h23", "h24", "h25", "h26", "h27"}) b.replay(name);
}
