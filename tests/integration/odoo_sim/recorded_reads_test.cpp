// The simulator answers version, login and reads as the recorded Odoo 18 did. Orders are set up with the recorded ids, so
// that requests and answers need no translation. Recordings: a00..a21, b02..b04, h02, h02b, h02c, h28, h29, h40, k90.
#include "sim_bench.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

const json::array& records_of(const std::string& name)
{
    static std::map<std::string, json::value> kept;
    if (!kept.contains(name)) kept[name] = recorded(name).response.at("body").at("result").at("records");
    return kept[name].as_array();
}

// Confirmed orders behind the recorded ones, to come to the recorded number of matches.
void fill_up(sim_bench& b, std::size_t matches)
{
    for (std::int64_t id = 1001; b.model.orders().size() < matches; ++id) {
        auto& o = b.add(id, 100, {{id * 10, 100}});
        o.date_start += 24h;
    }
}

}  // namespace

TEST_CASE("version and request ids are answered as recorded (a00, h28, h29)")
{
    sim_bench b;
    for (const auto* name : {"a00", "h28", "h29"}) b.replay(name);
}

TEST_CASE("another version says its series too")
{
    sim::odoo_options options;
    options.version = "saas~18.3+e";
    sim_bench b(options);
    const auto answer = b.send("POST", "/jsonrpc", "application/json", R"({"jsonrpc":"2.0","method":"call","id":1,"params":{"service":"common","method":"version","args":[]}})");
    const auto result = answer.json().at("result");
    CHECK(result.at("server_version") == "saas~18.3+e");
    CHECK(result.at("server_serie") == "saas~18.3");
    CHECK(result.at("server_version_info") == json::array{"saas~18", 3, 0, "final", 0, ""});
}

TEST_CASE("a login is a user id, and false when refused, without an error (a01, a02, a03)")
{
    sim_bench b;
    for (const auto* name : {"a01", "a02", "a03"}) b.replay(name);
}

TEST_CASE("an API key takes the place of the password (a21)")
{
    sim::odoo_options options;
    options.api_key = "<40 hex digits>";   // as the recording hides it
    sim_bench b(options);
    fill_up(b, 132);
    for (const std::size_t step : {0, 1, 2}) b.replay("a21", step);
}

TEST_CASE("a wrong database is an OperationalError, a wrong password of a call AccessDenied (a04, a05, a06, h40)")
{
    sim_bench b;
    for (const auto* name : {"a04", "a05", "a06", "h40"}) b.replay(name);
}

TEST_CASE("orders with components come in one web_search_read, field by field as recorded (b02, b04)")
{
    {
        sim_bench b;
        for (const auto& r : records_of("b02")) b.add(r.as_object());
        fill_up(b, 132);
        b.replay("b02");
    }
    sim_bench b;
    // In another sequence than they come back.
    const auto& records = records_of("b04");
    for (auto i = records.size(); i-- > 0;) b.add(records[i].as_object());
    fill_up(b, 77);
    b.replay("b04");
}

TEST_CASE("only what matches comes, in the order asked for")
{
    sim_bench b;
    for (const std::int64_t id : {3, 1, 2}) b.add(id, 100, {{id * 10, 100}});
    b.order(2).priority = "1";
    b.order(3).date_start -= 1h;
    const auto ids = [&](json::array domain, json::object keywords) {
        keywords["fields"] = json::array{"id"};
        std::vector<std::int64_t> out;
        json::array args;
        args.emplace_back(std::move(domain));
        const auto answer = b.call("search_read", std::move(args), std::move(keywords)).json();
        for (const auto& r : answer.at("result").as_array()) out.push_back(r.at("id").as_int64());
        return out;
    };
    using list = std::vector<std::int64_t>;
    CHECK(ids({}, {}) == list{2, 3, 1});
    CHECK(ids({}, {{"order", "priority desc, date_start asc, id asc"}}) == list{2, 3, 1});
    CHECK(ids({}, {{"order", "id asc"}}) == list{1, 2, 3});
    CHECK(ids({}, {{"order", "id desc"}}) == list{3, 2, 1});
    CHECK(ids({}, {{"order", "id asc"}, {"limit", 1}, {"offset", 1}}) == list{2});
    CHECK(ids({}, {{"limit", 5}, {"offset", 7}}).empty());
    CHECK(ids({json::array{"id", "not in", json::array{1, 3}}}, {}) == list{2});
    CHECK(ids({"|", json::array{"id", "=", 1}, json::array{"name", "like", "00003"}}, {}) == list{3, 1});
    CHECK(ids({"!", json::array{"id", "=", 1}, json::array{"date_start", "<=", "2026-11-23 10:00:00"}}, {}) == list{3});
}

TEST_CASE("states of many orders leave deleted ones out (b03), a missing id reads as an empty list (h02, h02b, h02c)")
{
    sim_bench b;
    for (const auto& r : records_of("b02")) b.add(r.as_object());
    b.order(1).state = "progress";
    b.order(2).state = "done";
    b.replay("b03");
    for (const auto* name : {"h02", "h02b", "h02c"}) b.replay(name);
}

TEST_CASE("create_date and the cheap probe read as recorded (k90)")
{
    sim_bench b;
    for (const std::int64_t id : {9, 12, 15}) b.add(id, 100, {{id * 10, 100}});
    b.replay("k90", 5);
    b.replay("k90", 6);
}
