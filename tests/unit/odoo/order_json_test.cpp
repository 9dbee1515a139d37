#include "support/catch.hpp"

#include "odoo/order_json.hpp"
#include "replay.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

using namespace batchbridge;
namespace json = boost::json;

namespace {

json::object good_order()
{
    return json::parse(R"({"id":6,"name":"WH/MO/00006","state":"confirmed","create_date":"2026-11-23 10:46:09","priority":"0",
        "date_start":"2026-11-23 11:00:00","product_id":{"id":18,"default_code":"FG-C","name":"Feed mix C"},"product_qty":750.0,
        "product_uom_id":{"id":12,"name":"kg","rounding":0.01},"bom_id":{"id":1,"display_name":"FG-C: Feed mix C"},
        "qty_producing":0.0,"qty_produced":0.0,"move_raw_ids":[
        {"id":63,"product_id":{"id":1,"default_code":"SILO-101","name":"Maize"},"product_uom":{"id":12,"name":"kg","rounding":0.01},
         "product_uom_qty":262.5,"quantity":105.0,"picked":true,"state":"assigned","scrapped":false,"location_id":{"id":8,"display_name":"WH/Stock"}},
        {"id":64,"product_id":{"id":6,"default_code":false,"name":"Salt"},"product_uom":{"id":13,"name":"g","rounding":0.01},
         "product_uom_qty":37.88,"quantity":0.0,"picked":false,"state":"confirmed","scrapped":false,"location_id":false}]})")
        .as_object();
}

domain::order parsed(const json::value& v)
{
    auto r = odoo::parse_order(v, "factory");
    if (const auto* bad = std::get_if<domain::malformed_order>(&r)) FAIL(bad->reason);
    return std::get<domain::order>(r);
}

domain::malformed_order refused(const json::value& v)
{
    auto r = odoo::parse_order(v, "factory");
    REQUIRE(std::holds_alternative<domain::malformed_order>(r));
    return std::get<domain::malformed_order>(r);
}

json::object& move(json::object& o, std::size_t i)
{
    return o["move_raw_ids"].as_array().at(i).as_object();
}

}  // namespace

TEST_CASE("an order is read field by field, false is empty")
{
    const auto o = parsed(good_order());
    CHECK(o.id.odoo_db == "factory");
    CHECK(o.id.odoo_id == 6);
    CHECK(core::to_odoo(o.id.create_date) == "2026-11-23 10:46:09");
    CHECK(o.name == "WH/MO/00006");
    CHECK(o.state == domain::order_state::confirmed);
    CHECK(o.bom == "FG-C: Feed mix C");
    CHECK(o.product_code == "FG-C");
    CHECK(o.product_name == "Feed mix C");
    CHECK(o.uom == "kg");
    CHECK(o.uom_rounding.to_string() == "0.01");
    CHECK(o.quantity == 750);
    REQUIRE(o.components.size() == 2);
    const auto& c = o.components[0];
    CHECK(c.move_id == 63);
    CHECK(c.product_id == 1);
    CHECK(c.product_code == "SILO-101");
    CHECK(c.product_name == "Maize");
    CHECK(c.location == "WH/Stock");
    CHECK(c.planned.to_string() == "262.5");
    CHECK(c.quantity == 105);
    CHECK(c.picked);
    CHECK(c.state == "assigned");
    CHECK(o.components[1].product_code.empty());
    CHECK(o.components[1].location.empty());
    CHECK(o.components[1].planned.to_string() == "37.88");
}

TEST_CASE("scrapped moves are left out")
{
    auto o = good_order();
    move(o, 0)["scrapped"] = true;
    const auto p = parsed(o);
    REQUIRE(p.components.size() == 1);
    CHECK(p.components[0].move_id == 64);
}

TEST_CASE("what an older or another server does not send is optional")
{
    auto o = good_order();
    o["bom_id"] = 1;
    o["product_uom_id"].as_object().erase("rounding");
    move(o, 0).erase("location_id");
    move(o, 0).erase("scrapped");
    const auto p = parsed(o);
    CHECK(p.bom.empty());
    CHECK(p.uom_rounding.is_zero());
    CHECK(p.components.size() == 2);
    o["bom_id"] = false;
    o["state"] = "brand_new_state";
    CHECK(parsed(o).state == domain::order_state::unknown);
}

TEST_CASE("bad input from Odoo is named by place and kind, with what else is known of the order")
{
    struct row {
        const char *field, *value, *reason;
    };
    const auto r = GENERATE(values<row>({
        {"product_qty", "null", "product_qty is null, expected a number of at most 18 digits"},
        {"product_qty", "false", "product_qty is false, expected a number of at most 18 digits"},
        {"product_qty", "\"750\"", "product_qty is the text '750', expected a number of at most 18 digits"},
        {"product_qty", "1e300", "product_qty is the number 1E300, expected a number of at most 18 digits"},
        {"product_qty", "18446744073709551615", "product_qty is the number 18446744073709551615, expected a number of at most 18 digits"},
        {"product_id", "false", "product_id is false, expected a record"},
        {"product_id", "[18, \"Feed\"]", "product_id is a list, expected a record"},
        {"product_uom_id", "{\"id\": 12, \"name\": false}", "product_uom_id.name is false, expected a text"},
        {"bom_id", "\"x\"", "bom_id is the text 'x', expected a record"},
        {"state", "null", "state is null, expected a text"},
        {"move_raw_ids", "false", "move_raw_ids is false, expected a list of components"},
        {"move_raw_ids", "[7]", "move_raw_ids[0] is the number 7, expected a record"},
    }));
    INFO(r.field << " " << r.value);
    auto o = good_order();
    o[r.field] = json::parse(r.value);
    const auto bad = refused(o);
    CHECK(bad.reason == r.reason);
    CHECK(bad.odoo_id == 6);
    CHECK(bad.name == "WH/MO/00006");
    CHECK(bad.create_date);
}

TEST_CASE("bad input in a component is named with its index")
{
    struct row {
        const char *field, *value, *reason;
    };
    const auto r = GENERATE(values<row>({
        {"product_uom_qty", "null", "move_raw_ids[1].product_uom_qty is null, expected a number of at most 18 digits"},
        {"quantity", "[]", "move_raw_ids[1].quantity is a list, expected a number of at most 18 digits"},
        {"picked", "\"yes\"", "move_raw_ids[1].picked is the text 'yes', expected true or false"},
        {"id", "-1", "move_raw_ids[1].id is the number -1, expected a positive whole number"},
        {"id", "64.0", "move_raw_ids[1].id is the number 6.4E1, expected a positive whole number"},
        {"product_id", "{\"id\": 6, \"default_code\": 5}", "move_raw_ids[1].product_id.default_code is the number 5, expected a text or false"},
        {"product_uom", "false", "move_raw_ids[1].product_uom is false, expected a record"},
        {"scrapped", "1", "move_raw_ids[1].scrapped is the number 1, expected true or false"},
    }));
    INFO(r.field << " " << r.value);
    auto o = good_order();
    move(o, 1)[r.field] = json::parse(r.value);
    CHECK(refused(o).reason == r.reason);
}

TEST_CASE("a missing or unusable identity is malformed too")
{
    auto o = good_order();
    o.erase("create_date");
    auto bad = refused(o);
    CHECK(bad.reason == "create_date is missing, expected a time like '2026-11-23 10:46:09'");
    CHECK(bad.odoo_id == 6);
    CHECK_FALSE(bad.create_date);
    o["create_date"] = "2026-11-23T10:46:09Z";
    CHECK(refused(o).reason == "create_date is the text '2026-11-23T10:46:09Z', expected a time like '2026-11-23 10:46:09'");
    o = good_order();
    o["id"] = nullptr;
    bad = refused(o);
    CHECK(bad.odoo_id == 0);
    CHECK(bad.name == "WH/MO/00006");
    CHECK(refused(json::value("x")).reason == "the record is the text 'x', expected an order");
    CHECK(refused(json::value(nullptr)).reason == "the record is null, expected an order");
}

TEST_CASE("names in any script pass, a long wrong text is cut at a character in the message")
{
    auto o = good_order();
    o["name"] = "Lệnh sản xuất № 7 混合飼料";
    CHECK(parsed(o).name == "Lệnh sản xuất № 7 混合飼料");
    std::string lots;
    for (int i = 0; i < 1000; ++i) lots += "飼";
    o["product_qty"] = lots;
    CHECK_THAT(refused(o).reason, Catch::Matchers::StartsWith("product_qty is the text '飼飼飼飼飼飼飼飼飼飼飼飼飼'.., expected"));
}

TEST_CASE("L-25 quantities survive the way through JSON exactly, both ways")
{
    for (int cents = 1; cents < 500000; cents += 37) {
        const auto text = fmt::format("{}.{:02}", cents / 100, cents % 100);
        const auto want = core::decimal::from_scaled(cents, 2);
        auto o = good_order();
        o["product_qty"] = json::parse(text);
        if (parsed(o).quantity != want) FAIL(text << " was read as " << parsed(o).quantity.to_string());
        std::vector<domain::move_value> moves{{63, want}};
        const auto sent = json::serialize(odoo::move_commands(moves));
        const auto back = json::parse(sent).at(0).at(2).at("quantity");
        if (core::decimal::from_double(back.to_number<double>()) != want) FAIL(text << " was sent as " << sent);
    }
}

TEST_CASE("fields that a server may not know are given up step by step")
{
    using odoo::detail;
    const auto move_fields = [](detail d) { return odoo::order_specification(d).at("move_raw_ids").at("fields").as_object(); };
    CHECK(move_fields(detail::full).contains("location_id"));
    CHECK(move_fields(detail::full).contains("scrapped"));
    CHECK_FALSE(move_fields(detail::without_scrapped).contains("scrapped"));
    CHECK(move_fields(detail::without_scrapped).contains("location_id"));
    CHECK_FALSE(move_fields(detail::without_location).contains("location_id"));
    CHECK(move_fields(detail::without_location).at("product_uom").at("fields").as_object().contains("rounding"));
    CHECK_FALSE(move_fields(detail::minimal).at("product_uom").at("fields").as_object().contains("rounding"));
    for (const auto d : {detail::full, detail::without_scrapped, detail::without_location, detail::minimal})
        CHECK(odoo::order_specification(d).contains("create_date"));
}
