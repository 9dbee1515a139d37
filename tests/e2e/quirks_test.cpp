// The main job with a PLC that must be treated gently in every way at once.
#include "e2e/command_bench.hpp"

#include <boost/json/parse.hpp>

using namespace bb_test;
using Catch::Matchers::Contains;

namespace {

std::string lines_file(const plant& p, const std::string& quirks, const std::string& limits)
{
    return R"([{"name": "mill", "host": "127.0.0.1", "port": )" + std::to_string(p.plc_port()) + R"(, "quirks": )" + quirks + R"(, "limits": )" + limits + "}]";
}

environment with_lines(const std::string& path)
{
    return {{"LINES_FILE", path}, {"PLC_HOST", ""}, {"PLC_PORT", ""}};
}

}  // namespace

TEST_CASE("small requests, pauses and a connection per cycle all at once: twelve orders end exactly")
{
    plant_options o;
    o.plc_speed = 300;
    command_bench b(o);
    const auto path = b.file("lines.json", lines_file(b.p, R"({"pause_after_connect": "3ms", "pause_between_requests": "1ms", "close_after_cycle": true, "second_host": "127.0.0.9"})",
                                                      R"({"max_read": 20, "max_write": 20})"));
    b.p.generate(12);
    b.p.start_bridge(with_lines(path));
    b.p.wait_archived(12, seconds(100));
    check_exact(b.p, 12);
    // What the PLC saw: no request above the limit, one connection at a time, many of them.
    std::istringstream log(b.p.plc_log());
    int reads = 0, recipe_reads = 0, writes = 0;
    for (std::string line; std::getline(log, line);) {
        const auto request = boost::json::parse(line);
        if (!request.as_object().contains("function")) continue;
        const auto function = request.at("function").as_int64();
        CHECK(request.at("count").as_int64() <= 20);
        reads += function == 3 ? 1 : 0;
        recipe_reads += function == 3 && request.at("address").as_int64() >= 7000 && request.at("address").as_int64() < 8000 ? 1 : 0;
        writes += function == 16 ? 1 : 0;
    }
    CHECK(reads > 100);
    CHECK(writes > 2 * 40);
    const auto state = b.p.plc("/state");
    CHECK(state.at("most_connections").as_int64() == 1);
    CHECK(state.at("connections").as_int64() > 20);
    CHECK(state.at("loads_taken").as_int64() == 2);
    // Looking at the WRITE area after each of our own reconnects would be 60 reads every time.
    CHECK(recipe_reads < 20 * state.at("connections").as_int64());
    // Our own closing is no loss: the line was never taken for one whose PLC forgot its recipes, and said nothing of its link.
    CHECK(b.p.count("alert where kind = 'plc_reset'") == 0);
    CHECK(occurrences(b.p.bridge_log(), "plc mill is down") == 0);
}

TEST_CASE("a line's quirks are shown by check-config, and a malformed one stops the start with its name")
{
    plant_options o;
    o.start_plc = o.start_odoo = o.start_database = false;
    command_bench b(o);
    const auto good = b.file("good.json", lines_file(b.p, R"({"pause_between_requests": "20ms", "close_after_cycle": true, "second_host": "10.0.0.7"})", R"({"max_read": 60})"));
    const auto shown = b.run({"check-config"}, with_lines(good));
    CHECK(shown.code == 0);
    CHECK_THAT(line_of(shown.out, "line mill:"),
               Contains("20 ms pause between requests, at most 60 registers read at once, connection closed after each cycle, second address 10.0.0.7"));
    CHECK_THAT(line_of(b.run({"check-config"}).out, "line line1:"), !Contains(";"));
    CHECK_THAT(line_of(b.run({"check-map"}, with_lines(good)).out, "line mill:"), Contains("at most 60 registers read at once"));
    const auto bad = b.file("bad.json", lines_file(b.p, R"({"pause_between_requests": "20"})", R"({"max_read": 7, "max_wirte": 1})"));
    for (const auto* command : {"check-config", "run", "snapshot"}) {
        const auto refused = b.run({command}, with_lines(bad));
        CHECK(refused.code == 78);
        CHECK(refused.out.empty());
        CHECK_THAT(refused.err, Contains("[0].quirks.pause_between_requests: expected a duration") && Contains("[0].limits.max_wirte: unknown key"));
    }
    const auto small = b.file("small.json", lines_file(b.p, "{}", R"({"max_read": 7})"));
    const auto refused = b.run({"run"}, with_lines(small));
    CHECK(refused.code == 78);
    CHECK_THAT(refused.err, Contains("line 'mill': limits.max_read: 7 is less than the 8 words of fields.mo_id"));
}
