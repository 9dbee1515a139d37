// Reading orders. Our specification asks for more than the recorded calls did (create_date, unit roundings, bill of
// materials, stock location, scrap mark), so its common part is compared by shape, and the recorded answers are completed
// with these fields. Recordings: b02, b03, b04, z01, h02c, f04, h14, h15b.
#include "support/catch.hpp"

#include "replay.hpp"

#include <boost/json/serialize.hpp>

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

// The keyword arguments of a request.
const json::object& keyword(const json::value& request)
{
    return request.at("params").at("args").at(6).as_object();
}

const json::array& asked_domain(const json::value& request)
{
    return request.at("params").at("args").at(5).at(0).as_array();
}

std::string text(const json::value& v)
{
    return json::serialize(v);
}

}  // namespace

TEST_CASE("orders and components come with one web_search_read (b02)")
{
    bench b;
    b.peer.expect_login();
    auto e = completed(recorded("b02"));
    // The recorded call had no offset; ours says 0, like b04.
    e.request.at("body").at("params").at("args").at(6).as_object()["offset"] = 0;
    b.peer.expect(e, match::specification);
    odoo::fetch_request ask;
    ask.limit = 2;
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    CHECK(b.peer.connections() == 3);
    CHECK(answer.matches == 132);
    REQUIRE(answer.orders.size() == 2);
    const auto& o = std::get<domain::order>(answer.orders[0]);
    CHECK(o.id.odoo_id == 1);
    CHECK(o.name == "WH/MO/00001");
    CHECK(o.bom == "FG-A: Feed mix A");
    CHECK(o.product_code == "FG-A");
    CHECK(o.quantity == 500);
    CHECK(o.uom == "kg");
    REQUIRE(o.components.size() == 6);
    CHECK(o.components[0].product_code == "SILO-101");
    CHECK(o.components[0].planned == 200);
    // The reservation, not consumption.
    CHECK(o.components[0].quantity == 200);
    CHECK_FALSE(o.components[0].picked);
}

TEST_CASE("ten orders as recorded (b04), exact to the last digit, an answer without create_date refuses each order by itself")
{
    bench b;
    b.peer.expect_login();
    auto e = completed(recorded("b04"));
    // b04 wrote [state in [confirmed]]; b02 and k90 write it like ours.
    e.request.at("body").at("params").at("args").at(5).as_array()[0] = {{"state", "=", "confirmed"}};
    b.peer.expect(e, match::specification);
    odoo::fetch_request ask;
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    REQUIRE(answer.orders.size() == 10);
    CHECK(answer.matches == 77);
    CHECK(std::get<domain::order>(answer.orders[0]).components.at(5).planned.to_string() == "37.88");

    e.response = recorded("b04").response;
    b.peer.expect(e, match::specification);
    const auto raw = b.run(b.client().fetch_confirmed(ask));
    REQUIRE(raw.orders.size() == 10);
    const auto& bad = std::get<domain::malformed_order>(raw.orders[9]);
    CHECK_THAT(bad.reason, Contains("create_date is missing"));
    CHECK(bad.odoo_id > 0);
    CHECK_FALSE(bad.name.empty());
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("one broken order of an answer does not harm the others (b02)")
{
    bench b;
    b.peer.expect_login();
    auto e = completed(recorded("b02"));
    e.response.at("body").at("result").at("records").at(0).at("move_raw_ids").at(3).as_object()["product_uom_qty"] = nullptr;
    b.peer.expect(e, match::answer_only);
    odoo::fetch_request ask;
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    REQUIRE(answer.orders.size() == 2);
    CHECK(std::get<domain::malformed_order>(answer.orders[0]).reason == "move_raw_ids[3].product_uom_qty is null, expected a number of at most 18 digits");
    CHECK(std::holds_alternative<domain::order>(answer.orders[1]));
}

TEST_CASE("horizon, exclusions and the plant's own domain are terms of the search, L-48 times are UTC text")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    odoo::fetch_request ask;
    ask.date_start_until = core::from_odoo("2026-11-24 06:30:00");
    ask.exclude_ids = {4, 7};
    ask.domain = {"|", {"origin", "=", "L1"}, {"picking_type_id", "=", 3}};
    ask.limit = 10;
    b.run(b.client().fetch_confirmed(ask));
    const auto& request = b.peer.requests().back();
    CHECK(text(asked_domain(request)) == R"([["state","=","confirmed"],["date_start","<=","2026-11-24 06:30:00"],["id","not in",[4,7]],"|",["origin","=","L1"],["picking_type_id","=",3]])");
    CHECK(text(keyword(request).at("order")) == R"("priority desc, date_start asc, id asc")");
    CHECK(keyword(request).at("limit").as_int64() == 10);
}

TEST_CASE("an order is read with web_read (z01): consumed so far, then done with the zero one cancelled")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(completed(recorded("z01", 2)), match::specification);
    auto o = b.run(b.client().read_order(6));
    REQUIRE(o);
    CHECK(o->state == domain::order_state::progress);
    CHECK(o->components.at(5).quantity.to_string() == "15.15");
    CHECK(o->components.at(5).picked);
    b.peer.expect(completed(recorded("z01", 5)), match::specification);
    o = b.run(b.client().read_order(6));
    REQUIRE(o);
    CHECK(o->state == domain::order_state::done);
    CHECK(o->qty_produced.to_string() == "742.5");
    CHECK(o->components.at(6).state == "cancel");
    CHECK(o->components.at(6).quantity == 0);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a deleted order reads as nothing (h02c)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("h02c"), match::specification);
    CHECK_FALSE(b.run(b.client().read_order(999999)));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("one order that cannot be understood is our bug and parks, another order's answer is not taken")
{
    bench b;
    b.peer.expect_login();
    auto broken = completed(recorded("z01", 2));
    broken.response.at("body").at("result").at(0).as_object()["qty_producing"] = "much";
    b.peer.expect(broken, match::specification);
    auto e = b.fail(b.client().read_order(6));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::our_bug);
    CHECK_THAT(e.what(), Contains("order 6: qty_producing is the text 'much'"));
    b.peer.expect(completed(recorded("z01", 2)), match::answer_only);
    e = b.fail(b.client().read_order(7));
    CHECK(e.decision() == error_class::retry);
    CHECK(e.outcome() == call_outcome::unclear);
}

TEST_CASE("several orders in one call, deleted ones left out (b03's domain with b02's call)")
{
    bench b;
    b.peer.expect_login();
    auto answer = completed(recorded("b02"));
    answer.response.at("body").at("result").at("records").at(1).as_object()["product_qty"] = false;
    b.peer.expect(answer, match::answer_only);
    const auto orders = b.run(b.client().read_orders({1, 2, 26, 90, 999999}));
    CHECK(equal(recorded("b03").request.at("body").at("params").at("args").at(5).at(0), asked_domain(b.peer.requests().back())));
    REQUIRE(orders.size() == 2);
    CHECK(orders[0].state == domain::order_state::confirmed);
    // One that cannot be read is there all the same: it was not deleted.
    CHECK(orders[1].state == domain::order_state::unknown);
    CHECK(orders[1].id.odoo_id == 2);
    CHECK(orders[1].components.empty());
    CHECK(b.run(b.client().read_orders({})).empty());
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("fields that the server does not know are given up, and stay so (h15b)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("h15b"), match::answer_only);
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    odoo::fetch_request ask;
    CHECK(b.run(b.client().fetch_confirmed(ask)).orders.size() == 2);
    CHECK(b.run(b.client().fetch_confirmed(ask)).orders.size() == 2);
    const auto has_scrapped = [&](std::size_t i) {
        return keyword(b.peer.requests().at(i)).at("specification").at("move_raw_ids").at("fields").as_object().contains("scrapped");
    };
    CHECK(has_scrapped(2));
    CHECK_FALSE(has_scrapped(3));
    CHECK_FALSE(has_scrapped(4));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a wrong order domain is reported as it is and costs no fields (h14)")
{
    bench b;
    b.peer.expect_login();
    for (int i = 0; i < 4; ++i) b.peer.expect(recorded("h14"), match::answer_only);
    odoo::fetch_request ask;
    ask.domain = {{"nosuch", "=", 1}};
    const auto e = b.fail(b.client().fetch_confirmed(ask));
    CHECK(e.decision() == error_class::our_bug);
    CHECK_THAT(e.what(), Contains("nosuch"));
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    ask.domain.clear();
    b.run(b.client().fetch_confirmed(ask));
    CHECK(keyword(b.peer.requests().back()).at("specification").at("move_raw_ids").at("fields").as_object().contains("location_id"));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("an answer of another shape is nonsense, retried")
{
    const auto* body = GENERATE(R"({"jsonrpc":"2.0","id":$ID,"result":[]})", R"({"jsonrpc":"2.0","id":$ID})", R"({"jsonrpc":"2.0","id":$ID,"result":{"length":1}})",
                                R"({"jsonrpc":"2.0","id":$ID,"result":{"length":1,"records":false}})", R"({"jsonrpc":"2.0","id":77777,"result":{"length":0,"records":[]}})",
                                R"({"records":[]})", "[1,2", "");
    INFO(body);
    bench b;
    b.peer.expect_login();
    b.peer.expect_body(body);
    odoo::fetch_request ask;
    const auto e = b.fail(b.client().fetch_confirmed(ask));
    CHECK(e.decision() == error_class::retry);
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.kind() == core::error_kind::protocol);
}
