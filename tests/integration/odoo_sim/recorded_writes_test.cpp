// Consumption, finish, cancel and what follows from them, as the recorded Odoo 18 did it. Every trap of odoo18.md that our
// client can meet. Recordings: z01, c01..c03, c08, d01..d10, e01..e05, f01..f04, j02.
#include "sim_bench.hpp"

#include <boost/asio/detached.hpp>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

core::decimal kg(const char* text)
{
    return core::decimal::parse(text).value();
}

json::object record(const std::string& name, std::size_t index)
{
    return recorded(name).response.at("body").at("result").at("records").at(index).as_object();
}

const std::vector<std::string> none;

// An order in front of its finish, from the lines of a recorded consumption warning: expected and consumed.
sim::sim_order& before_warning(sim_bench& b, const std::string& recording, int quantity, const std::string& policy)
{
    const auto context = recorded(recording).response.at("body").at("result").at("context");
    std::vector<std::pair<std::int64_t, core::decimal>> moves;
    const auto& lines = context.at("default_mrp_consumption_warning_line_ids").as_array();
    for (const auto& l : lines) moves.emplace_back(900 + moves.size(), core::decimal::from_double(l.at(2).at("product_expected_qty_uom").as_double()).value());
    auto& o = b.add(context.at("default_mrp_production_ids").at(0).as_int64(), quantity, moves);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        o.moves[i].product_id = lines[i].at(2).at("product_id").as_int64();
        o.moves[i].quantity = core::decimal::from_double(lines[i].at(2).at("product_consumed_qty_uom").as_double()).value();
        o.moves[i].picked = true;
    }
    o.consumption = policy;
    o.qty_producing = quantity;
    o.state = "to_close";
    return o;
}

}  // namespace

TEST_CASE("the recommended sequence from start to verified done reads as recorded at every step (z01)")
{
    sim_bench b;
    b.add(record("b04", 0));
    for (std::size_t step = 0; step < 6; ++step) b.replay("z01", step);
    CHECK(b.order(6).finished_times == 1);
    CHECK(b.model.violations() == none);
}

TEST_CASE("L-02 consumption is absolute: a repeat changes nothing, a correction replaces (c01)")
{
    sim_bench b;
    b.add(record("b02", 0));
    b.replay("c01", 0);
    const auto once = b.order(1).moves;
    b.replay("c01", 1);
    CHECK(b.order(1).moves[0].quantity == once[0].quantity);
    b.replay("c01", 2);
    b.replay("c01", 3);
    CHECK(b.call("read", {json::array{1}, json::array{"reservation_state"}}).json().at("result").at(0).at("reservation_state") == "confirmed");
    CHECK(b.model.violations() == none);
}

TEST_CASE("quantities are rounded to 0.01 silently, negative ones are refused (c02, c03)")
{
    sim_bench b;
    b.add(record("b02", 0));
    b.replay("c02");
    CHECK(b.order(1).moves[3].quantity == kg("12.35"));
    CHECK(b.order(1).moves[4].quantity == 7);
    b.replay("c03");
    CHECK(b.order(1).moves[3].quantity == kg("12.35"));
}

TEST_CASE("one bad line rolls the whole write back, moves of other orders too (j02)")
{
    sim_bench b;
    b.add(65, 500, {{575, 150}, {576, 110}, {577, 90}, {578, 70}, {579, 50}, {580, kg("17.5")}, {581, kg("7.5")}, {582, 5}});
    b.replay("j02", 0);
    b.replay("j02", 1);
    b.add(66, 500, {{600, 10}});
    const auto answer = b.call("write", {json::array{65}, json::object{{"move_raw_ids", {{1, 600, {{"quantity", 3}}}, {1, 575, {{"quantity", -1}}}}}}});
    CHECK(answer.json().at("error").at("data").at("name") == "odoo.exceptions.ValidationError");
    CHECK(b.order(66).moves[0].quantity == 10);
    CHECK(b.model.violations() == none);
}

TEST_CASE("a foreign move is accepted, changes the other order and is counted")
{
    sim_bench b;
    b.add(65, 500, {{575, 150}});
    b.add(66, 500, {{600, 10}});
    const auto answer = b.call("write", {json::array{65}, json::object{{"move_raw_ids", {{1, 600, {{"quantity", 3.5}, {"picked", true}}}}}}});
    CHECK(answer.json().at("result") == true);
    CHECK(b.order(66).moves[0].quantity == kg("3.5"));
    CHECK(b.order(66).state == "progress");
    CHECK(b.order(65).state == "confirmed");
    CHECK(b.model.violations() == std::vector<std::string>{"WH/MO/00065: a write changed move 600 of WH/MO/00066"});
    CHECK(b.control("/violations").as_array().size() == 1);
}

TEST_CASE("a flexible order is finished without any skip key, its zero component ends as cancelled (d01, e04)")
{
    sim_bench b;
    b.add(record("b02", 1));
    b.replay("d01", 0);
    b.replay("d01", 1);
    b.replay("d01", 2, [](recorded_exchange& e) {
        // The recorded call also asked for the finished product's move, which we never do.
        e.request.at("body").at("params").at("args").at(6).at("specification").as_object().erase("move_finished_ids");
        e.response.at("body").at("result").at(0).as_object().erase("move_finished_ids");
    });
    // Repeating the write is refused then.
    CHECK(b.model.violations() == none);
    b.replay("e04");
    CHECK(b.model.violations() == std::vector<std::string>{"WH/MO/00002: a write to an order that is done (refused)"});
}

TEST_CASE("a wizard comes instead of done, and nothing is done, until its key is there (d02, d03, d04)")
{
    sim_bench b;
    before_warning(b, "d02", 750, "warning");
    b.replay("d02", 0);
    CHECK(b.order(10).state == "to_close");
    b.replay("d02", 1);
    CHECK(b.order(10).state == "done");

    before_warning(b, "d03", 1000, "strict");
    b.replay("d03", 0);
    CHECK(b.order(3).state == "to_close");
    b.replay("d03", 1);
    CHECK(b.order(3).state == "done");

    auto& less = b.add(5, 750, {{51, 300}, {52, 450}});
    less.qty_producing = 600;
    less.moves[0].quantity = 240;   // in proportion: no consumption warning
    less.moves[1].quantity = 360;
    for (auto& m : less.moves) m.picked = true;
    b.replay("d04", 0);
    CHECK(b.order(5).state == "confirmed");
    CHECK(b.order(5).finished_times == 0);
    b.replay("d04", 1);
    CHECK(b.order(5).state == "done");
    CHECK(b.order(5).qty_produced == 600);
    // A finished order cannot be deleted.
    b.replay("h18");
    CHECK(b.model.violations() == none);
}

TEST_CASE("more than planned needs no key (d06), automatic printing answers with an action although it is done (d10)")
{
    sim_bench b;
    auto& more = b.add(11, 500, {{111, 500}});
    more.consumption = "flexible";
    more.qty_producing = 510;
    more.moves[0].picked = true;
    b.replay("d06");
    CHECK(b.order(11).qty_produced == 510);

    auto& printed = b.add(160, 750, {{161, 750}});
    printed.name = "WH/MO/00159";
    printed.qty_producing = 750;
    printed.moves[0].picked = true;
    printed.auto_print = true;
    b.replay("d10", 0);
    b.replay("d10", 1);
}

TEST_CASE("done with qty_producing 0 books planned quantities and is counted (d07), unless they were marked as manual (c08)")
{
    sim_bench b;
    const auto d07 = recorded("d07", 1).response.at("body").at("result").at(0).as_object();
    auto& o = b.add(d07);
    o.quantity = 750;
    for (auto& m : o.moves) {
        m.quantity = m.planned + 1;
        m.picked = true;
    }
    b.replay("d07", 0);
    b.replay("d07", 1);
    CHECK(b.model.violations() == std::vector<std::string>{"WH/MO/00014: done with qty_producing 0 booked planned quantities"});

    b.add(recorded("c08", 2).response.at("body").at("result").at(0).as_object()).quantity = 1000;
    for (const std::size_t step : {0, 1, 2}) b.replay("c08", step);
    CHECK(b.model.violations().size() == 2);

    // What rounds to 0 is 0.
    b.add(30, 100, {{301, 100}});
    b.call("write", {json::array{30}, json::object{{"qty_producing", 0.001}, {"move_raw_ids", {{1, 301, {{"quantity", 90}, {"picked", true}}}}}}});
    b.call("button_mark_done", {json::array{30}}, {{"context", {{"skip_consumption", true}, {"skip_backorder", true}}}});
    CHECK(b.order(30).moves[0].quantity == 100);
}

TEST_CASE("done on a draft order finishes it")
{
    sim_bench b;
    auto& o = b.add(30, 100, {{301, 100}});
    o.state = "draft";
    o.qty_producing = 100;
    o.moves[0].picked = true;
    CHECK(b.call("button_mark_done", {json::array{30}}).json().at("result") == true);
    CHECK(b.order(30).state == "done");
}

TEST_CASE("after done: the same again is harmless, other figures are accepted and counted (e01, e02, e03)")
{
    sim_bench b;
    b.add(23, 1000, {{231, 300}, {232, 220}, {233, 180}, {234, 140}, {235, 100}, {236, 35}, {237, 15}, {238, 10}}).consumption = "flexible";
    b.replay("e02");
    b.replay("e01", 0);
    CHECK(b.order(23).finished_times == 1);
    b.order(23).date_finished -= 24h;
    const auto before = b.order(23).date_finished;
    b.replay("e01", 0);
    b.replay("e01", 1);
    CHECK(b.order(23).finished_times == 1);
    CHECK(b.order(23).date_finished > before);
    CHECK(b.model.violations() == none);
    b.replay("e02");
    const std::string same = "WH/MO/00023: a write to an order that is done (nothing changed)", moved = "WH/MO/00023: a write changed an order that is done (it moves stock)";
    CHECK(b.model.violations() == std::vector<std::string>{same});
    CHECK(b.call("action_cancel", {json::array{23}}).json().at("result") == true);
    CHECK(b.order(23).state == "done");
    b.replay("e03");
    CHECK(b.order(23).moves[0].quantity == 311);
    CHECK(b.order(23).moves[0].state == "done");
    CHECK(b.model.violations() == std::vector<std::string>{same, moved});
    b.call("write", {json::array{23}, json::object{{"qty_producing", 900}}});
    CHECK(b.order(23).qty_produced == 900);
    CHECK(b.model.violations() == std::vector<std::string>{same, moved, moved});
}

TEST_CASE("two clients say done at the same moment: both hear true, it is produced once, and it is counted (e05)")
{
    sim::odoo_options options;
    options.latency = 50ms;
    sim_bench b(options);
    auto& o = b.add(38, 750, {{381, 750}});
    o.qty_producing = 750;
    o.moves[0].picked = true;
    wire other;
    const auto first = [&]() -> asio::awaitable<void> {
        auto body = json::serialize(recorded("e05", 0).request.at("body"));
        other = co_await b.exchange("POST", "/jsonrpc", "application/json", std::move(body));
    };
    asio::co_spawn(b.ioc, first, asio::detached);
    b.replay("e05", 1);
    b.await([&] { return !other.silent(); });
    CHECK(differences(recorded("e05", 0).response.at("body"), other.json()) == none);
    b.replay("e05", 2);
    CHECK(b.order(38).finished_times == 1);
    CHECK(b.model.violations() == std::vector<std::string>{"order 38: two calls in flight (button_mark_done)"});
}

TEST_CASE("a cancelled order: done answers true and does nothing, consumption is refused, qty_producing is not (d09, f01, f02, f03)")
{
    sim_bench b;
    b.add(65, 500, {{575, 150}}).moves[0].picked = true;
    b.replay("d09", 2);
    CHECK(b.order(65).moves[0].state == "cancel");
    CHECK(b.order(65).moves[0].quantity == 0);

    std::vector<std::pair<std::int64_t, core::decimal>> moves;
    for (std::int64_t id = 252; id < 260; ++id) moves.emplace_back(id, 50);
    b.add(26, 500, moves);
    for (std::size_t step = 0; step < 4; ++step) b.replay("f01", step);
    b.replay("f02", 0);
    b.replay("f02", 1);
    b.add(29, 500, {{290, 500}});
    b.control("/orders/29", R"({"act": "cancel"})");
    CHECK(b.order(29).moves[0].state == "cancel");
    b.call("write", {json::array{29}, json::object{{"qty_producing", 500}}});
    b.replay("f03", 0);
    b.replay("f03", 1);
    CHECK(b.order(29).finished_times == 0);
    CHECK(b.model.violations() == none);
}

TEST_CASE("a deleted order reads as nothing, writes to it are MissingError (f04)")
{
    sim_bench b;
    b.add(168, 500, {{1680, 500}});
    for (const std::size_t step : {0, 1, 2}) b.replay("f04", step);
}

TEST_CASE("what people do in Odoo by the control port has Odoo's consequences")
{
    sim_bench b;
    b.add(1, 500, {{11, 200}, {12, 300}});
    b.control("/orders/1", R"({"act": "set_quantity", "quantity": 250})");
    CHECK(b.order(1).quantity == 250);
    CHECK(b.order(1).moves[0].planned == 100);
    CHECK(b.order(1).moves[0].id == 11);
    CHECK(b.order(1).write_date > b.order(1).create_date);
    b.control("/orders/1", R"({"act": "finish"})");
    CHECK(b.order(1).state == "done");
    CHECK(b.order(1).moves[1].quantity == 150);
    CHECK(b.order(1).moves[1].state == "done");
    // Nobody can finish an order again that is done or cancelled: what was booked stays, and it is no fault of ours.
    b.order(1).moves[1].quantity = 149;
    b.control("/orders/1", R"({"act": "finish"})");
    CHECK(b.order(1).moves[1].quantity == 149);
    CHECK(b.order(1).finished_times == 1);
    b.add(2, 500, {{21, 500}});
    b.control("/orders/2", R"({"act": "cancel"})");
    b.control("/orders/2", R"({"act": "finish"})");
    CHECK(b.order(2).state == "cancel");
    CHECK(b.model.violations() == none);
    b.model.orders().erase(2);
    b.control("/orders/1", R"({"act": "delete"})");
    CHECK(b.model.orders().empty());
}
