// Equipment, maintenance requests, notes, rights and units as the recorded Odoo 18 answered them.
#include "sim_bench.hpp"

#include <boost/json/serialize.hpp>

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

// Another user in the recording: ours, with what that one lacked.
recorded_exchange& as_us(recorded_exchange& e)
{
    auto& args = e.request.at("body").at("params").at("args").as_array();
    args[1] = 6;
    args[2] = "plc";
    return e;
}

recorded_exchange& in_our_database(recorded_exchange& e)
{
    e.request.at("body").at("params").at("args").as_array()[0] = "factory";
    return e;
}

}  // namespace

TEST_CASE("L-38 a failure is reported once and found again by our key (g01 g02)")
{
    sim_bench b;
    for (std::size_t step = 0; step < 5; ++step)
        b.replay(
            "g01", step,
            [step](recorded_exchange& e) {
                if (step < 3) return;
                for (auto& r : e.response.at("body").at("result").as_array()) {
                    auto& request = r.as_object();
                    if (request.contains("owner_user_id")) request["owner_user_id"].as_array()[1] = "plcbridge";
                    if (!request.contains("create_date")) continue;
                    // The time of the day.
                    CHECK(request.at("create_date").as_string().size() == 19);
                    request.erase("create_date");
                    for (auto& part : e.request.at("body").at("params").at("args").as_array()) {
                        auto* list = part.is_array() && part.get_array().size() > 1 ? part.get_array()[1].if_array() : nullptr;
                        auto* fields = part.is_object() ? part.get_object().if_contains("fields") : nullptr;
                        if (fields != nullptr) list = fields->if_array();
                        if (list != nullptr) list->erase(std::remove(list->begin(), list->end(), json::value("create_date")), list->end());
                    }
                }
            },
            false);
    b.replay("g02", 0, {}, true);
    const auto requests = b.control("/requests").as_array();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].at("equipment") == "SILO-103");
    CHECK(b.control("/messages").at(0).at("model") == "maintenance.request");
    CHECK(b.model.violations().empty());
    // The same key again.
    b.replay("g01", 2, {}, true);
    CHECK(b.control("/violations").as_array().size() == 1);
}

TEST_CASE("a request without subject or with unknown values is refused by name (h06 to h10)")
{
    sim_bench b;
    for (const char* name : {"h06", "h07", "h08", "h09", "h10"}) b.replay(name);
    CHECK(b.model.requests().empty());
    // By position only.
    const auto answer = b.send("POST", "/jsonrpc", "application/json",
                               R"({"id": 1, "params": {"service": "object", "method": "execute_kw", "args": ["factory", 6, "plc", "maintenance.request", "create", [], {"vals_list": [{"name": "x"}]}]}})");
    CHECK(answer.json().at("error").at("data").at("name") == "builtins.IndexError");
}

TEST_CASE("notes can be found again and need a sender with an email address (e06 h32)")
{
    sim_bench b;
    b.add(80, 100, {{801, 100}});
    b.add(166, 100, {{1661, 100}});
    b.replay("e06", 0, {}, true);
    b.replay("e06", 1);
    b.control("/options", R"({"email": false})");
    b.replay("h32", 0, [](recorded_exchange& e) { as_us(e); });
    CHECK(b.control("/messages").as_array().size() == 1);
}

TEST_CASE("no group for orders or for equipment and an archived user (h01 k01 k02 h19)")
{
    sim_bench b;
    b.control("/options", R"({"equipment_visible": false})");
    b.replay("k01", 0, [](recorded_exchange& e) { as_us(e); });
    b.replay("k02", 0, [](recorded_exchange& e) { as_us(e); }, true);
    b.control("/options", R"({"rights": {"mrp.production.read": false}})");
    b.replay("h01", 0, [](recorded_exchange& e) { as_us(e); });
    b.control("/options", R"({"archived": true})");
    b.replay("h19", 0, [](recorded_exchange& e) { in_our_database(e); });
    const auto login = b.send("POST", "/jsonrpc", "application/json", R"({"id": 1, "params": {"service": "common", "method": "authenticate", "args": ["factory", "plcbridge", "plc", {}]}})");
    CHECK(login.json().at("result") == false);
}

TEST_CASE("rights and unit roundings can be asked for but not the precision (k90)")
{
    sim_bench b;
    for (std::size_t step = 0; step < 5; ++step) b.replay("k90", step);
    b.control("/options", R"({"rights": {"mrp.production.write": false}})");
    b.replay("k90", 0, [](recorded_exchange& e) { e.response.at("body").as_object()["result"] = false; });
    b.replay("k90", 1, [](recorded_exchange& e) { e.response.at("body").as_object()["result"] = false; });
    b.control("/options", R"({"rounding": {"t": 0.001}})");
    b.replay("k90", 3, [](recorded_exchange& e) { e.response.at("body").at("result").at(4).as_object()["rounding"] = 0.001; });
}

TEST_CASE("web_save and extra components and start and what returns nothing (c04 to c07 h30)")
{
    sim_bench b;
    b.add(7, 100, {{70, 100}});
    b.replay("c04");
    b.replay("c04");
    CHECK(b.order(7).moves.size() == 3);

    b.add(71, 500, {{617, 150}, {618, 110}, {619, 90}, {620, 70}, {621, 50}, {622, 17}, {623, 8}, {624, 5}});
    const auto saved = recorded("c05").response.at("body").at("result").at(0).at("move_raw_ids").as_array();
    for (std::size_t i = 0; i < saved.size(); ++i) {
        b.order(71).moves[i].product_id = saved[i].at("product_id").at("id").as_int64();
        b.order(71).moves[i].product_code = std::string(saved[i].at("product_id").at("default_code").as_string());
    }
    b.replay("c05");

    auto& o = b.add(135, 500, {{1101, 150}});
    o.moves[0].product_code = "SILO-103";
    o.moves[0].product_name = "Ingredient SILO-103";
    b.control("/options", R"({"digits": 3})");
    b.replay("c06", 0, [](recorded_exchange& e) { in_our_database(e); });
    b.control("/options", R"({"rounding": {"kg": 0.001}})");
    CHECK(b.call("write", {json::array{135}, json::object{{"move_raw_ids", {{1, 1101, {{"quantity", 12.345}}}}}}}).json().at("result") == true);
    CHECK(b.order(135).moves[0].quantity.to_string() == "12.345");

    b.add(89, 100, {{891, 100}});
    b.replay("h30");
    // As the recorded reads of moves before and after "start" (c07).
    std::vector<std::pair<std::int64_t, core::decimal>> moves;
    const auto rows = recorded("c07").response.at("body").at("result").as_array();
    for (const auto& r : rows) moves.emplace_back(r.at("id").as_int64(), core::decimal::from_double(r.at("product_uom_qty").as_double()).value());
    auto& started = b.add(140, 500, moves);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto& m = started.moves[i];
        m.product_id = rows[i].at("product_id").at(0).as_int64();
        const std::string shown(rows[i].at("product_id").at(1).as_string());
        m.product_code = shown.substr(1, shown.find(']') - 1);
        m.product_name = shown.substr(shown.find(']') + 2);
    }
    b.replay("c07", 0, [](recorded_exchange& e) { in_our_database(e); });
    CHECK_FALSE(b.call("action_start", {json::array{140}}).json().as_object().contains("result"));
    CHECK(b.order(140).state == "progress");
}

TEST_CASE("the health page proves the web server only (h31 h31b)")
{
    sim_bench b;
    b.replay("h31");
    b.replay("h31b");
}
