// The whole flow over each protocol: what an order costs in calls and bytes, and ten orders through every fault that
// odoo-sim knows, drawn at random. Delays are units of ODOO_WRITE_TIMEOUT.
#include "e2e/expect.hpp"

#include <cstdlib>
#include <random>

using namespace bb_test;

namespace {

constexpr int write_timeout_ms = 600;

plant_options over(const std::string& protocol)
{
    plant_options o;
    o.plc_speed = 1000;
    o.environment = {{"ODOO_API", protocol}, {"ODOO_WRITE_TIMEOUT", std::to_string(write_timeout_ms) + "ms"}, {"ODOO_WATCH_INTERVAL", "500ms"}};
    if (protocol == "json2") {
        o.odoo_arguments = {"--version", "19.0", "--api-key", "key-of-the-test"};
        o.environment["ODOO_API_KEY"] = "key-of-the-test";
        o.environment["ODOO_PASSWORD"] = "";
    }
    return o;
}

// What is called while an order lives, as odoo-sim names it. Empty: whatever comes.
std::vector<std::string> methods_of(const std::string& protocol)
{
    if (protocol == "scada") return {"", "", "update-with-consumptions", "mark-done", "mo-list-detailed", "web_search_read"};
    return {"", "write", "write", "button_mark_done", "button_mark_done", "web_read", "web_search_read"};
}

void draw_faults(plant& p, const std::string& protocol, unsigned seed)
{
    std::mt19937 random(seed);
    const auto one_of = [&](const auto& list) { return list[std::uniform_int_distribution<std::size_t>(0, list.size() - 1)(random)]; };
    const std::vector<std::string> kinds{"hang", "delay", "drop_after", "late_commit", "http_504", "reset", "half_open", "garbage", "html", "http_500", "operational_error"};
    const std::vector<int> half_units{1, 2, 3, 4};
    const auto methods = methods_of(protocol);
    // Each kind once, so that a seed leaves none out, and three more.
    auto drawn = kinds;
    for (int i = 0; i < 3; ++i) drawn.push_back(one_of(kinds));
    std::shuffle(drawn.begin(), drawn.end(), random);
    for (const auto& kind : drawn) {
        boost::json::object fault;
        fault["kind"] = kind;
        fault["method"] = one_of(methods);
        fault["count"] = 1;
        fault["delay_ms"] = one_of(half_units) * write_timeout_ms / 2;
        p.odoo("/fault", boost::json::serialize(fault));
    }
}

void flow_through_faults(const std::string& protocol, unsigned seed)
{
    INFO(protocol << ", seed " << seed);
    auto o = over(protocol);
    // Longer than the latest commit (two units) by far: the machine may be slow.
    o.environment["ODOO_UNCLEAR_WAIT"] = "3s";
    plant p(o);
    p.generate(10);
    draw_faults(p, protocol, seed);
    p.start_bridge();
    p.wait_archived(10, seconds(150));
    check_exact(p, 10);
    // Not a quiet day: some of it hit a write, and left its trace.
    CHECK(p.count("odoo_attempt where outcome is null or outcome <> 'ok'") > 0);
}

// Five seeds; with --long a hundred, twenty in each case.
void flows(const std::string& protocol, unsigned seed)
{
    const unsigned rounds = std::getenv("BATCHBRIDGE_LONG") != nullptr ? 20 : 1;
    for (unsigned i = 0; i < rounds; ++i) flow_through_faults(protocol, seed + 5 * i);
}

struct cost {
    std::int64_t calls = 0, bytes_out = 0, bytes_in = 0;
    std::map<std::string, int> by_method;
};

cost cost_of(plant& p)
{
    cost c;
    const auto all = p.odoo("/calls");
    for (const auto& entry : all.as_array()) {
        const auto& call = entry.as_object();
        ++c.calls;
        // An abandoned call has no answer.
        const auto bytes = [&call](const char* name) { return call.if_contains(name) != nullptr ? call.at(name).as_int64() : 0; };
        c.bytes_out += bytes("bytes_in");
        c.bytes_in += bytes("bytes_out");
        ++c.by_method[std::string(call.at("method").as_string())];
    }
    return c;
}

std::string described(const cost& c, int orders)
{
    std::ostringstream out;
    out << static_cast<double>(c.calls) / orders << " calls, " << c.bytes_out / orders << " bytes sent and " << c.bytes_in / orders << " received per order life (";
    for (const auto& [method, n] : c.by_method) out << method << " " << n << " ";
    out << "in all)";
    return out.str();
}

}  // namespace

TEST_CASE("ten orders over jsonrpc through faults drawn at random: seed 1") { flows("jsonrpc", 1); }
TEST_CASE("ten orders over jsonrpc through faults drawn at random: seed 2") { flows("jsonrpc", 2); }
TEST_CASE("ten orders over jsonrpc through faults drawn at random: seed 3") { flows("jsonrpc", 3); }
TEST_CASE("ten orders over jsonrpc through faults drawn at random: seed 4") { flows("jsonrpc", 4); }
TEST_CASE("ten orders over jsonrpc through faults drawn at random: seed 5") { flows("jsonrpc", 5); }
TEST_CASE("ten orders over json2 through faults drawn at random: seed 1") { flows("json2", 1); }
TEST_CASE("ten orders over json2 through faults drawn at random: seed 2") { flows("json2", 2); }
TEST_CASE("ten orders over json2 through faults drawn at random: seed 3") { flows("json2", 3); }
TEST_CASE("ten orders over json2 through faults drawn at random: seed 4") { flows("json2", 4); }
TEST_CASE("ten orders over json2 through faults drawn at random: seed 5") { flows("json2", 5); }
TEST_CASE("ten orders over scada through faults drawn at random: seed 1") { flows("scada", 1); }
TEST_CASE("ten orders over scada through faults drawn at random: seed 2") { flows("scada", 2); }
TEST_CASE("ten orders over scada through faults drawn at random: seed 3") { flows("scada", 3); }
TEST_CASE("ten orders over scada through faults drawn at random: seed 4") { flows("scada", 4); }
TEST_CASE("ten orders over scada through faults drawn at random: seed 5") { flows("scada", 5); }

TEST_CASE("one call fetches a load and four finish an order, over jsonrpc and json2")
{
    const auto protocol = GENERATE(as<std::string>{}, "jsonrpc", "json2");
    INFO(protocol);
    auto o = over(protocol);
    // No live values and no watch: what is left is the fetch and the finish.
    o.environment["TASK2_ODOO_SYNC"] = "false";
    o.environment["ODOO_WATCH_INTERVAL"] = "1h";
    o.environment["SYNC_INTERVAL"] = "1h";
    plant p(o);
    p.generate(10);
    p.start_bridge();
    p.wait_archived(10, seconds(90));
    check_exact(p, 10);
    const auto c = cost_of(p);
    WARN(protocol << " without live values: " << described(c, 10));
    CHECK(c.by_method.at("write") == 10);
    CHECK(c.by_method.at("button_mark_done") == 10);
    CHECK(c.by_method.at("web_read") == 20);
    // The load, and the look for the next one when its last batch ended.
    CHECK(c.by_method.at("web_search_read") <= 3);
}

TEST_CASE("what an order's life costs Odoo over each protocol, live values and the watch included")
{
    const auto protocol = GENERATE(as<std::string>{}, "jsonrpc", "json2", "scada");
    INFO(protocol);
    auto o = over(protocol);
    o.environment["ODOO_WATCH_INTERVAL"] = "30s";
    o.environment["ODOO_LIVE_INTERVAL"] = "500ms";
    plant p(o);
    p.generate(10);
    p.start_bridge();
    p.wait_archived(10, seconds(90));
    check_exact(p, 10);
    const auto c = cost_of(p);
    WARN(protocol << ": " << described(c, 10));
    CHECK(c.calls > 0);
}

TEST_CASE("ODOO_API=auto finds 18 and 19 by itself, says so, and finds an upgrade")
{
    plant_options o;
    o.plc_speed = 1000;
    o.odoo_arguments = {"--api-key", "key-of-the-test"};
    o.environment = {{"ODOO_API", "auto"}, {"ODOO_API_KEY", "key-of-the-test"}, {"ODOO_PASSWORD", ""}};
    plant p(o);
    p.generate(2);
    p.start_bridge();
    p.wait_archived(2, seconds(60));
    CHECK_THAT(p.bridge_log(), Catch::Contains("jsonrpc"));
    const auto before = p.odoo("/calls").as_array().size();
    p.odoo("/options", R"({"version": "19.0"})");
    // An upgrade is an outage first.
    p.odoo("/fault", R"({"kind": "http_500", "count": 3})");
    p.generate(2);
    p.wait_archived(4, seconds(90));
    check_exact(p, 4);
    const auto calls = p.odoo("/calls").as_array();
    int json2 = 0;
    for (auto i = before; i < calls.size(); ++i) json2 += calls[i].at("protocol").as_string() == "json2" ? 1 : 0;
    CHECK(json2 > 0);
}
