// Orders as no plan foresees them, beside good ones; recipes at the borders of the registers; a broken configuration.
#include "e2e/expect.hpp"

#include <fstream>
#include <sstream>

using namespace bb_test;

namespace {

std::string read_file(const std::string& path)
{
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
    return text;
}

std::string order(const std::string& components, const std::string& more = "")
{
    return R"({"quantity": 100, "components": [)" + components + "]" + more + "}";
}

const std::string good = R"({"product_code": "SILO-101", "quantity": 60.5}, {"product_code": "LQ114", "quantity": 39.5})";

}  // namespace

TEST_CASE("a bad order from Odoo is refused alone, with its reason in log and database, and the good ones beside it are made")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    const std::vector<std::pair<std::string, std::string>> bad{
        {R"({"name": null})", "name"},
        {R"({"name": false})", "name"},
        {R"({"name": 7})", "name"},
        {R"({"name": "WH/MO/a-name-that-does-not-fit"})", "16"},
        {R"({"product_qty": false})", "product_qty"},
        {R"({"product_qty": null})", "product_qty"},
        {R"({"product_qty": "many"})", "product_qty"},
        {R"({"product_qty": 1e300})", "product_qty"},
        {R"({"product_qty": -5})", "quantity is -5"},
        {R"({"create_date": "yesterday"})", "create_date"},
        {R"({"product_id": false})", "product_id"},
        {R"({"move_raw_ids": null})", "move_raw_ids"},
        {R"({"move_raw_ids": [{"id": "x"}]})", "move_raw_ids"},
        {R"({"move_raw_ids": 5})", "move_raw_ids"},
    };
    for (const auto& [raw, reason] : bad) p.odoo("/orders", order(good, ", \"raw\": " + raw));
    // A recipe that no silo holds, and one that no register holds.
    p.odoo("/orders", order(R"({"product_code": "SILO-102", "quantity": 5000.01})"));
    p.odoo("/orders", order(R"({"product_code": "SILO-102", "quantity": 1e15})"));
    p.odoo("/orders", order(R"({"product_code": "SILO-102", "quantity": 3, "uom": "Units"})"));
    const int refused = static_cast<int>(bad.size()) + 3;
    // Odd and all the same right: foreign letters and overlong texts that are not the order's name.
    p.odoo("/orders", order(good, R"(, "raw": {"bom_id": {"id": 4, "display_name": "Mischfutter für Kühe, Größe Ä, mit sehr langem Namen 中文"}})"));
    p.odoo("/orders", order(good, R"(, "raw": {"product_id": {"id": 4, "default_code": false, "name": "Żółć 中文 Ω"}})"));
    p.odoo("/orders", order(good, R"(, "raw": {"bom_id": false})"));
    p.odoo("/orders", order(good));
    p.start_bridge();
    p.wait_archived(4, seconds(60));
    check_exact(p, 4);
    CHECK(p.count("order_refusal") == refused);
    CHECK(p.count("alert where kind = 'order_refused' and state = 'open'") == refused);
    const auto log = p.bridge_log();
    CHECK(occurrences(log, "order refused") == refused);
    int id = 0;
    for (const auto& [raw, reason] : bad) {
        ++id;
        INFO(raw);
        CHECK_THAT(p.sql("select reason from order_refusal where odoo_id = " + std::to_string(id)), Catch::Contains(reason));
    }
    CHECK_THAT(p.sql("select reason from order_refusal where odoo_id = " + std::to_string(++id)), Catch::Contains("5000"));
    CHECK(p.plc("/state").at("finished").as_array().size() == 4);
}

TEST_CASE("recipes at the borders of the registers arrive to the hundredth (L-23, L-25, L-28)")
{
    plant_options o;
    o.plc_speed = 1e9;
    o.plc_arguments = {"--big-steps"};
    auto map = read_file(BATCHBRIDGE_ROOT "/conf/plc-map.json");
    o.map = replaced(map, R"("max_kg": 5000)", R"("max_kg": 21474836.47)");
    REQUIRE(o.map != map);
    plant p(o);
    const std::vector<std::string> kilograms{"0.01", "1.15", "327.67", "327.68", "655.35", "655.36", "21474836.47"};
    for (const auto& kg : kilograms) p.odoo("/orders", R"({"quantity": )" + kg + R"(, "components": [{"product_code": "SILO-105", "quantity": )" + kg + "}]}");
    // Both liquids and the last silo, which older code forgot (L-24).
    p.odoo("/orders", R"({"quantity": 3, "components": [{"product_code": "SILO-113", "quantity": 1}, {"product_code": "LQ114", "quantity": 1}, {"product_code": "LQ115", "quantity": 1}]})");
    p.start_bridge();
    p.wait_archived(8, seconds(60));
    check_exact(p, 8);
    std::map<std::string, std::string> planned;
    const auto state = p.plc("/state");
    for (const auto& f : state.at("finished").as_array())
        if (const auto* kg = f.at("planned").as_object().if_contains("105")) planned[std::string(f.at("order").as_string())] = std::string(kg->as_string());
    for (std::size_t i = 0; i < kilograms.size(); ++i) CHECK(planned["WH/MO/0000" + std::to_string(i + 1)] == kilograms[i]);
}

TEST_CASE("every fault of the configuration is named at once and the process ends with 78 (L-49)")
{
    plant_options o;
    o.start_plc = o.start_odoo = o.start_database = false;
    plant p(o);
    SECTION("environment variables")
    {
        p.start_bridge({{"PLC_READ_INTERVAL", "5"}, {"ODOO_URL", "odoo:8069"}, {"SYNC_BATCH_LIMIT", "ten"}, {"ODOO_DB", ""}, {"ODOO_PASSWORD_FILE", "/nowhere/secret"}});
        CHECK_THAT(p.bridge_log(), !Catch::Contains("plcbridge-secret"));
        wait_until("the end", seconds(10), [&] { return !p.bridge_runs(); });
        const auto log = p.bridge_log();
        for (const auto* name : {"PLC_READ_INTERVAL", "ODOO_URL", "SYNC_BATCH_LIMIT", "ODOO_DB", "ODOO_PASSWORD"}) CHECK_THAT(log, Catch::Contains(name));
    }
    SECTION("the map")
    {
        const auto path = p.directory() + "/broken.json";
        std::ofstream(path) << replaced(replaced(read_file(BATCHBRIDGE_ROOT "/conf/plc-map.json"), R"("word_order")", R"("word_odor")"), R"("max_write")", R"("most_write")");
        p.start_bridge({{"PLC_MAP", path}});
        wait_until("the end", seconds(10), [&] { return !p.bridge_runs(); });
        CHECK_THAT(p.bridge_log(), Catch::Contains("word_odor") && Catch::Contains("most_write"));
    }
    SECTION("the lines file")
    {
        const auto path = p.directory() + "/lines.json";
        std::ofstream(path) << R"([{"name": "a", "host": "127.0.0.1", "prot": 502}, {"name": "a", "host": 7, "order_domain": []}])";
        p.start_bridge({{"LINES_FILE", path}, {"PLC_HOST", ""}, {"PLC_PORT", ""}, {"PLC_MAP", ""}, {"PLC_TIMEOUT", ""}});
        wait_until("the end", seconds(10), [&] { return !p.bridge_runs(); });
        CHECK_THAT(p.bridge_log(), Catch::Contains("prot") && Catch::Contains("host"));
    }
    CHECK(p.stop_bridge() == 78);
}

TEST_CASE("records without a usable id are told once and hide no other order, however few are asked for")
{
    plant_options o;
    o.plc_speed = 1000;
    o.environment = {{"SYNC_BATCH_LIMIT", "2"}, {"SYNC_INTERVAL", "10m"}};
    plant p(o);
    for (const auto* raw : {R"({"id": null})", R"({"id": false})", R"({"id": "7"})"}) p.odoo("/orders", order(good, std::string(", \"priority\": \"1\", \"raw\": ") + raw));
    for (int i = 0; i < 3; ++i) p.odoo("/orders", order(good));
    p.start_bridge();
    p.wait_archived(3, seconds(60));
    const auto log = p.bridge_log();
    CHECK(p.sql("select string_agg(odoo_id::text, ',' order by odoo_id) from mo_histories") == "4,5,6");
    // Two loads were fetched, and a third fetch found nothing: none of them asked Odoo without end.
    int fetches = 0;
    const auto calls = p.odoo("/calls");
    for (const auto& c : calls.as_array()) fetches += c.at("method").as_string() == "web_search_read" && c.at("order").as_int64() == 0 ? 1 : 0;
    CHECK(fetches <= 12);
    CHECK(occurrences(log, "order refused") <= 9);
}
