// The plant's SCADA module (design.md, section 7) in front of the same orders.
#include "sim_bench.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::string> none;

struct scada_bench : sim_bench {
    scada_bench()
    {
        add(7, 170, {{71, 100}, {72, 50}, {73, 20}});
        order(7).moves[2].product_code = "LQ114";
    }
    void login()
    {
        const auto w = post("/api/scada/authenticate", {{"db", "factory"}, {"login", "plcbridge"}, {"password", "plc"}});
        REQUIRE(w.json().at("result").at("status") == "success");
        cookie = std::string(w.json().at("result").at("session_id").as_string());
        CHECK_THAT(w.header("Set-Cookie"), Contains("session_id=" + cookie));
    }
    wire post(const std::string& path, const json::object& params)
    {
        json::object body{{"jsonrpc", "2.0"}, {"method", "call"}, {"id", 3}};
        body["params"] = params;
        return send("POST", path, "application/json", json::serialize(body), 20s, cookie.empty() ? std::string() : "Cookie: frontend_lang=en_US; session_id=" + cookie + "\r\n");
    }
    json::value result(const std::string& endpoint, const json::object& params) { return post("/api/scada/" + endpoint, params).json().at("result"); }
};

}  // namespace

TEST_CASE("an order's life through the SCADA module from list to verified done")
{
    scada_bench b;
    b.login();
    const auto list = b.result("mo-list-detailed", {{"limit", 10}, {"offset", 0}, {"states", {"confirmed"}}});
    CHECK(list.at("status") == "success");
    CHECK(list.at("count") == 1);
    const auto& o = list.at("data").at(0);
    for (const char* key : {"mo_id", "reference", "state", "product_id", "product_name", "quantity", "produced_qty", "uom", "bom_id"}) CHECK(o.as_object().contains(key));
    const auto& first = o.at("components_consumption").at(0);
    CHECK(first.at("equipment").at("code") == "SILO-101");
    CHECK(first.at("to_consume") == 100.0);
    CHECK(first.at("consumed") == 0.0);

    auto update = b.result("mo/update-with-consumptions", {{"mo_id", 7}, {"quantity", 168.5}, {"silo101", 99.5}, {"lq114", 19.25}});
    CHECK(update.at("status") == "success");
    CHECK(update.at("mo_state") == "progress");
    CHECK(update.at("updated_finished_qty") == 168.5);
    CHECK(update.at("consumed_items").as_array().size() == 2);
    CHECK(update.at("errors").as_array().empty());
    // L-02: totals, whoever sends them twice.
    b.result("mo/update-with-consumptions", {{"mo_id", 7}, {"quantity", 168.5}, {"silo101", 99.5}, {"lq114", 19.25}});
    CHECK(b.order(7).moves[0].quantity.to_string() == "99.5");

    const auto done = b.result("mo/mark-done", {{"mo_id", 7}, {"finished_qty", 168.5}, {"date_end_actual", "2026-11-23 11:04:43"}});
    CHECK(done.at("status") == "success");
    CHECK(done.at("mo_id") == 7);
    const auto read = b.post("/web/dataset/call_kw/mrp.production/search_read",
                             {{"model", "mrp.production"}, {"method", "search_read"}, {"args", {json::array{json::array{"id", "=", 7}}}}, {"kwargs", {{"fields", {"state", "qty_produced", "date_finished"}}}}});
    CHECK(read.json().at("result") == json::value{{{"id", 7}, {"state", "done"}, {"qty_produced", 168.5}, {"date_finished", "2026-11-23 11:04:43"}}});
    CHECK(b.order(7).moves[1].state == "cancel");
    CHECK(b.model.violations() == none);

    // L-07: a done order is refused, and the write counted.
    update = b.result("mo/update-with-consumptions", {{"mo_id", 7}, {"quantity", 168.5}, {"silo101", 1}});
    CHECK(update.at("status") == "error");
    CHECK(b.order(7).moves[0].quantity.to_string() == "99.5");
    CHECK(b.model.violations() == std::vector<std::string>{"WH/MO/00007: a write to an order that is done (refused)"});
    CHECK(b.result("mo/mark-done", {{"mo_id", 7}, {"finished_qty", 1}, {"date_end_actual", "2026-11-23 11:04:43"}}).at("status") == "error");
    CHECK(b.result("mo/cancel", {{"mo_id", 7}}).at("status") == "error");
    CHECK(b.order(7).finished_times == 1);
}

TEST_CASE("L-04 the SCADA module says success with errors for what it could not book")
{
    scada_bench b;
    b.login();
    auto update = b.result("mo/update-with-consumptions", {{"mo_id", 7}, {"quantity", 170}, {"silo101", 90}, {"silo113", 5}, {"silo102", -1}, {"lq114", 0}});
    CHECK(update.at("status") == "success");
    CHECK(update.at("errors").as_array().size() == 2);
    CHECK(b.order(7).moves[0].picked);
    CHECK_FALSE(b.order(7).moves[2].picked);   // 0 is no value here
    b.control("/options", R"({"scada_complaint": "SILO-101: not enough in stock"})");
    update = b.result("mo/update-with-consumptions", {{"mo_id", 7}, {"quantity", 170}, {"silo101", 91}});
    CHECK(update.at("status") == "success");
    CHECK(update.at("errors") == json::array{"SILO-101: not enough in stock"});
}

TEST_CASE("the SCADA module refuses what is not right and cancels as often as one likes")
{
    scada_bench b;
    b.login();
    CHECK_THAT(std::string(b.result("mo/update-with-consumptions", {{"mo_id", 99}, {"quantity", 1}}).at("message").as_string()), Contains("99 not found"));
    for (const auto& bad : {json::object{{"mo_id", 7}, {"finished_qty", 0}, {"date_end_actual", "2026-11-23 11:04:43"}}, json::object{{"mo_id", 7}, {"finished_qty", 5}},
                            json::object{{"mo_id", 7}, {"finished_qty", 5}, {"date_end_actual", "2026-11-23T11:04:43Z"}}})
        CHECK(b.result("mo/mark-done", bad).at("status") == "error");
    CHECK(b.order(7).state == "confirmed");
    for (int i = 0; i < 2; ++i) CHECK(b.result("mo/cancel", {{"mo_id", 7}}) == json::value{{"status", "success"}, {"mo_state", "cancel"}});
    CHECK(b.result("mo/update-with-consumptions", {{"mo_id", 7}, {"quantity", 1}, {"silo101", 1}}).at("status") == "error");
    CHECK(b.model.violations() == none);
}

TEST_CASE("an equipment failure becomes a maintenance request and an unknown code an error")
{
    scada_bench b;
    b.login();
    const json::object failure{{"equipment_code", "SILO-105"}, {"description", "gate valve does not close"}, {"date", "2026-11-23 10:57:00"}};
    const auto answer = b.result("equipment-failure", failure);
    CHECK(answer.at("status") == "success");
    CHECK(answer.at("data").at("id") == 1);
    CHECK(b.control("/requests").at(0).at("equipment") == "SILO-105");
    CHECK(b.model.violations() == none);
    b.result("equipment-failure", failure);
    CHECK(b.model.violations().size() == 1);
    CHECK(b.result("equipment-failure", {{"equipment_code", "SILO-999"}, {"description", "x"}, {"date", "2026-11-23 10:57:00"}}).at("status") == "error");
}

TEST_CASE("L-44 without a session the SCADA module answers with code 100")
{
    scada_bench b;
    CHECK(b.post("/api/scada/mo-list-detailed", {}).json().at("error").at("code") == 100);
    b.login();
    CHECK(b.result("mo-list-detailed", {}).at("status") == "success");
    b.control("/sessions", R"({"act": "expire"})");
    const auto w = b.post("/api/scada/mo/mark-done", {{"mo_id", 7}, {"finished_qty", 5}, {"date_end_actual", "2026-11-23 11:04:43"}});
    CHECK(w.status() == 200);
    CHECK(w.json().at("error").at("data").at("name") == "odoo.http.SessionExpiredException");
    CHECK(b.order(7).state == "confirmed");
    CHECK(b.post("/api/scada/authenticate", {{"db", "factory"}, {"login", "plcbridge"}, {"password", "nope"}}).json().at("error").at("data").at("name") == "odoo.exceptions.AccessDenied");
    // A new password ends sessions.
    b.login();
    b.control("/options", R"({"password": "new"})");
    CHECK(b.post("/api/scada/mo-list-detailed", {}).json().at("error").at("code") == 100);
}

TEST_CASE("L-45 the SCADA module can answer bare or with false or be without a login or not there")
{
    scada_bench b;
    b.login();
    b.order(7).moves[1].product_code = "SUGAR";
    b.control("/options", R"({"scada_bare": true})");
    auto list = b.post("/api/scada/mo-list-detailed", {}).json();
    CHECK(list.at("status") == "success");
    CHECK(list.at("data").at(0).at("components_consumption").at(1).at("equipment").is_null());
    b.control("/options", R"({"scada_false": true})");
    list = b.post("/api/scada/mo-list-detailed", {}).json();
    CHECK(list.at("data").at(0).at("components_consumption").at(1).at("equipment") == false);
    b.control("/options", R"({"scada_login": false})");
    CHECK(b.post("/api/scada/authenticate", {}).status() == 404);
    CHECK(b.post("/api/scada/mo-list-detailed", {}).status() == 200);
    b.control("/options", R"({"scada": false})");
    CHECK(b.post("/api/scada/mo-list-detailed", {}).status() == 404);
}
