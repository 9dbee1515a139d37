// The plant's own endpoints (design section 7). Recordings of odoo18 for what goes through call_kw: b02, z01, e06, g01, h18.
#include "support/catch.hpp"

#include "scada_bench.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

const std::vector<std::string> none;

core::decimal kg(const char* text)
{
    return core::decimal::parse(text).value();
}

domain::move_value dosed(std::int64_t move, const char* quantity, int silo)
{
    domain::move_value v;
    v.move_id = move;
    v.quantity = kg(quantity);
    v.silo = silo;
    return v;
}

std::string list_of(const std::vector<std::int64_t>& ids)
{
    std::string data;
    for (const auto id : ids) data += fmt::format(R"({}{{"mo_id":{},"reference":"WH/MO/{:05}","state":"confirmed"}})", data.empty() ? "" : ",", id, id);
    return fmt::format(R"({{"status":"success","count":{},"data":[{}]}})", ids.size(), data);
}

std::string text(const json::value& v)
{
    return json::serialize(v);
}

}  // namespace

TEST_CASE("scada: orders are listed as confirmed, then read once for what the list lacks (b02)")
{
    scada_bench b;
    b.expect_open();
    b.expect_result(list_of({1, 2}));
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    odoo::fetch_request ask;
    ask.date_start_until = core::from_odoo("2026-11-24 06:30:00");
    ask.exclude_ids = {7};
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    REQUIRE(answer.orders.size() == 2);
    const auto& o = std::get<domain::order>(answer.orders[0]);
    CHECK(o.components.at(0).move_id > 0);
    CHECK(o.id.create_date == core::from_odoo("2026-11-23 10:46:09"));
    const auto& listed = b.peer.requests().at(2).at("params");
    CHECK(b.peer.lines().at(2) == "POST /api/scada/mo-list-detailed");
    CHECK(text(listed) == R"({"limit":11,"offset":0,"states":["confirmed"]})");
    CHECK(b.peer.lines().at(3) == "POST /web/dataset/call_kw/mrp.production/web_search_read");
    CHECK(text(b.params().at("args")) == R"([[["id","in",[1,2]],["state","=","confirmed"],["date_start","<=","2026-11-24 06:30:00"]]])");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: pages full of excluded orders are passed over, a module without offset ends the search")
{
    scada_bench b;
    b.expect_open();
    odoo::fetch_request ask;
    ask.limit = 1;
    ask.exclude_ids = {1, 2, 3};
    // The page size is the limit and the excluded ones. Here one order of the first page is there twice.
    b.expect_result(list_of({1, 2, 3, 3}));
    b.expect_result(list_of({4}));
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    CHECK(answer.orders.size() == 2);
    CHECK(text(b.peer.requests().at(2).at("params")) == R"({"limit":4,"offset":0,"states":["confirmed"]})");
    CHECK(text(b.peer.requests().at(3).at("params")) == R"({"limit":4,"offset":4,"states":["confirmed"]})");
    CHECK(text(b.params().at("args")) == R"([[["id","in",[4]],["state","=","confirmed"]]])");
    CHECK(b.peer.complaints() == none);

    scada_bench same;
    same.expect_open();
    ask.exclude_ids = {1, 2};
    ask.limit = 1;
    same.expect_result(list_of({1, 2, 1}));
    same.expect_result(list_of({1, 2, 1}));
    CHECK(same.run(same.client().fetch_confirmed(ask)).orders.empty());
    CHECK(text(same.params().at("offset")) == "3");
    CHECK(same.peer.complaints() == none);
}

TEST_CASE("scada: L-45 an answer comes bare or under result, an order without id refuses only itself")
{
    scada_bench b;
    b.expect_open();
    b.peer.expect_body(R"({"status":"success","count":1,"data":[{"mo_id":false,"reference":"WH/MO/00009"},{"mo_id":1}]})");
    b.peer.expect(completed(recorded("b02")), match::answer_only);
    odoo::fetch_request ask;
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    REQUIRE(answer.orders.size() == 3);
    const auto& bad = std::get<domain::malformed_order>(answer.orders[0]);
    CHECK(bad.name == "WH/MO/00009");
    CHECK_THAT(bad.reason, Contains("mo_id"));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: L-02 L-24 consumption is totals by silo in the line's unit, only those above 0")
{
    scada_bench b;
    b.expect_open();
    b.expect_result(R"({"status":"success","message":"ok","mo_id":6,"mo_state":"progress","consumed_items":[],"errors":[]})");
    b.run(b.client().write_consumption(6, {dosed(63, "105.25", 101), dosed(64, "0", 102), dosed(65, "3.5", 114), dosed(66, "7", 0), dosed(67, "12.5", 113), dosed(68, "1", 115)}));
    CHECK(b.peer.lines().back() == "POST /api/scada/mo/update-with-consumptions");
    CHECK(equal(json::value(b.params()), {{"mo_id", 6}, {"silo101", 105.25}, {"silo113", 12.5}, {"lq114", 3.5}, {"lq115", 1}}));
    b.expect_result(R"({"status":"success","errors":false})");
    domain::finish_values v;
    v.produced = kg("742.5");
    v.moves = {dosed(63, "267.75", 101), dosed(69, "0", 107)};
    b.run(b.client().write_final(6, v));
    CHECK(equal(json::value(b.params()), {{"mo_id", 6}, {"quantity", 742.5}, {"silo101", 267.75}}));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: L-04 success with errors is a failure, and so is any other status")
{
    struct row {
        const char* answer;
        const char* reason;
    };
    const auto r = GENERATE(values<row>({
        {R"({"status":"success","message":"done","errors":["silo101: no such component","lq114: negative"]})", "done: silo101: no such component; lq114: negative"},
        {R"({"status":"success","errors":[{"silo":"101"}]})", "an object"},
        {R"({"status":"error","message":"Order is done"})", "Order is done"},
        {R"({"status":"failed"})", "status 'failed'"},
    }));
    scada_bench b;
    b.expect_open();
    b.expect_result(r.answer);
    const auto e = b.fail(b.client().write_consumption(6, {dosed(63, "1", 101)}));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    CHECK_THAT(e.what(), Contains(r.reason));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: an answer without a status, or a fault of Odoo's, is what it is (h18)")
{
    scada_bench b;
    b.expect_open();
    b.expect_result("true");
    auto e = b.fail(b.client().write_consumption(6, {dosed(63, "1", 101)}));
    CHECK(e.outcome() == call_outcome::unclear);
    b.expect_result("{}");
    e = b.fail(b.client().write_consumption(6, {dosed(63, "1", 101)}));
    CHECK(e.outcome() == call_outcome::unclear);
    b.peer.expect(recorded("h18"), match::answer_only);
    e = b.fail(b.client().write_consumption(6, {dosed(63, "1", 101)}));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    b.peer.expect_body("<html>504</html>", 504, "text/html");
    e = b.fail(b.client().mark_done(6, [] { domain::finish_values v; v.produced = 1; return v; }(), {}));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: done carries the produced quantity and when the batch ended, L-48 in UTC, and 0 is never sent")
{
    scada_bench b;
    b.expect_open();
    b.expect_result(R"({"status":"success","message":"MO done","mo_id":6})");
    domain::finish_values v;
    v.produced = kg("742.5");
    const auto ended = core::from_odoo("2026-11-23 11:04:43").value();
    CHECK(b.run(b.client().mark_done(6, v, ended)) == "MO done");
    CHECK(b.peer.lines().back() == "POST /api/scada/mo/mark-done");
    CHECK(equal(json::value(b.params()), {{"mo_id", 6}, {"finished_qty", 742.5}, {"date_end_actual", "2026-11-23 11:04:43"}}));
    v.produced = {};
    const auto e = b.fail(b.client().mark_done(6, v, ended));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    CHECK(b.peer.complaints() == none);
    CHECK(b.peer.connections() == 3);
}

TEST_CASE("scada: an order that is cancelled already was cancelled")
{
    scada_bench b;
    b.expect_open();
    b.expect_result(R"({"status":"error","message":"MO is already cancelled","mo_state":"cancel"})");
    b.run(b.client().cancel(6));
    CHECK(text(b.params()) == R"({"mo_id":6})");
    b.expect_result(R"({"status":"error","message":"MO is done","mo_state":"done"})");
    CHECK_THAT(b.fail(b.client().cancel(6)).what(), Contains("MO is done"));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: a failure goes to the module with its key in the description, and is looked for there (g01)")
{
    scada_bench b;
    b.expect_open();
    b.peer.expect(recorded("g01", 1), match::answer_only);
    CHECK_FALSE(b.run(b.client().find_request("PLC-1")));
    CHECK(b.peer.lines().back() == "POST /web/dataset/call_kw/maintenance.request/search_read");
    CHECK(text(b.params().at("args")) == R"([["|",["name","like","PLC-1"],["description","like","PLC-1"]]])");
    odoo::maintenance_request r;
    r.key = "PLC-1";
    r.title = "SILO-103: discharge valve does not open";
    r.description = "Fault F07";
    r.equipment_code = "SILO-103";
    r.at = core::from_odoo("2026-11-23 10:55:00").value();
    b.expect_result(R"({"status":"success","data":{"id":12,"name":"x"}})");
    CHECK(b.run(b.client().create_request(r)) == 12);
    CHECK(b.peer.lines().back() == "POST /api/scada/equipment-failure");
    CHECK(text(b.params()) == R"({"equipment_code":"SILO-103","description":"SILO-103: discharge valve does not open [PLC-1]\nFault F07","date":"2026-11-23 10:55:00"})");
    b.expect_result(R"({"status":"error","message":"Equipment not found"})");
    CHECK(b.fail(b.client().create_request(r)).decision() == error_class::park);
    b.expect_result(R"({"status":"success","data":{}})");
    CHECK(b.fail(b.client().create_request(r)).outcome() == call_outcome::unclear);
    // Notes go the way of the web client.
    b.peer.expect(recorded("e06", 0), match::answer_only);
    b.run(b.client().post_note(80, "PLC batch 0001: SILO-101 37.5 kg"));
    CHECK(b.peer.lines().back() == "POST /web/dataset/call_kw/mrp.production/message_post");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("scada: L-27 two components on one silo, or one without a silo, refuse the order")
{
    scada_bench b;
    domain::mapped_order order;
    order.silo_of_move = {{63, 101}, {64, 102}};
    CHECK(b.client().refuses(order).empty());
    order.unmapped = {70};
    CHECK_THAT(b.client().refuses(order), Contains("UNMAPPED_COMPONENTS=leave"));
    scada_bench leaving(true);
    CHECK(leaving.client().refuses(order).empty());
    order.silo_of_move[65] = 101;
    CHECK_THAT(leaving.client().refuses(order), Contains("two components on silo 101"));
    // The other protocols take any order.
    bench other;
    CHECK(other.client().refuses(order).empty());
}
