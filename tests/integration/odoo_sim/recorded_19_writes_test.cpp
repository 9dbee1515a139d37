// Consumption, finish, repeats and cancelled orders as the recorded Odoo 19 did them.
#include "bench_19.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

const std::vector<std::string> none;

core::decimal kg(const char* text)
{
    return core::decimal::parse(text).value();
}

// An order in front of its finish, from the lines of a recorded consumption warning: expected and consumed.
sim::sim_order& before_warning(bench_19& b, const char* recording, int quantity, const char* policy)
{
    const auto context = recorded_19(recording).response.at("body").at("context");
    const auto& lines = context.at("default_mrp_consumption_warning_line_ids").as_array();
    auto& o = b.dosed(context.at("default_mrp_production_ids").at(0).as_int64(), 9000, static_cast<int>(lines.size()), "1", quantity);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto& line = lines[i].at(2);
        o.moves[i].product_id = line.at("product_id").as_int64();
        o.moves[i].planned = core::decimal::from_double(line.at("product_expected_qty_uom").as_double()).value();
        o.moves[i].quantity = core::decimal::from_double(line.at("product_consumed_qty_uom").as_double()).value();
    }
    o.quantity = quantity;
    o.consumption = policy;
    return o;
}

}  // namespace

TEST_CASE("one order on 19 from list to verified done reads as recorded at every step")
{
    bench_19 b;
    const auto first = recorded_19("seq_04_list_orders").response.at("body").at("records").at(0).as_object();
    b.add(first);
    for (std::int64_t id = 1001; b.model.orders().size() < 20; ++id) {
        auto& o = b.feed(id, id * 10, 1, "100");
        o.product_code = "FEED-C";
        o.date_start += 24h;
    }
    for (const char* name : {"seq_04_list_orders", "seq_05_report_first_component", "seq_06_report_second_component", "seq_07_poll_active", "seq_08_final_values", "seq_09_mark_done",
                             "seq_10_verify_done"})
        b.replay(name);
    CHECK(b.order(121).finished_times == 1);
    CHECK(b.model.violations() == none);
}

TEST_CASE("L-02 consumption on 19 is absolute and rounded silently")
{
    bench_19 b;
    b.feed(1, 16, 15, "66.67");
    b.feed(2, 131, 15, "66.67");
    b.feed(13, 296, 15, "66.67");
    for (const char* name : {"c_write_one_component", "c_write_one_component_repeat"}) {
        b.replay(name);
        CHECK(b.order(1).moves[0].quantity == kg("65.9"));
    }
    const std::vector<std::pair<const char*, const char*>> table{{"c_stock_move_write", "70"},        {"c_write_float_noise", "0.3"}, {"c_write_more_than_stock", "2000000"}, {"c_write_zero", "0"},
                                                                {"c_write_string_number", "66.5"},  {"c_write_negative", "66.5"},  {"c_write_null", "0"},
                                                                {"c_write_too_many_decimals", "70.12"}};
    for (const auto& [name, stored] : table) {
        b.replay(name);
        CAPTURE(name);
        CHECK(b.order(1).moves[1].quantity.to_string() == stored);
    }
    b.feed(3, 146, 1, "66.67");
    b.json2("stock.move/write", {{"ids", {146}}, {"vals", {{"quantity", 70.129}, {"picked", true}}}});
    b.replay("c_read_after_rounding");
    b.replay("c_write_all_components");
    CHECK(b.order(1).state == "to_close");
    b.order(1).date_finished = core::from_odoo("2026-11-23 11:44:02").value();
    b.replay("c_read_state");
    b.replay("c_web_save_one");
    b.replay("c_web_save_all");
    CHECK(b.model.violations() == none);
}

TEST_CASE("19 keeps manual_consumption and lets foreign moves through but no missing ones")
{
    bench_19 b;
    b.feed(1, 16, 15, "66.67");
    b.feed(2, 131, 15, "66.67");
    b.order(1).create_date = core::from_odoo("2026-11-23 11:03:35").value();
    b.replay("c90_manual_consumption");
    b.replay("c_write_foreign_move");
    CHECK(b.order(2).moves[0].quantity == 11);
    CHECK(b.model.violations().size() == 1);
    b.replay("c_write_missing_move");
    b.feed(106, 2000, 2, "50");
    b.replay("c_extra_component_create");
    b.replay("c_extra_component_create");
    // Not idempotent.
    CHECK(b.order(106).moves.size() == 4);
}

TEST_CASE("19 finishes whatever is reported and several orders in one transaction")
{
    bench_19 b;
    b.dosed(4, 161, 15, "66.67");
    b.replay("d_done_full");
    CHECK(b.order(4).state == "done");
    b.dosed(6, 200, 5, "200", 1100);
    b.replay("d_done_more_no_context");
    CHECK(b.order(6).qty_produced == 1100);
    b.dosed(113, 300, 5, "200").moves[0].quantity = 900000;
    b.dosed(129, 350, 5, "200");
    b.dosed(19, 386, 5, "200");
    for (const char* name : {"d_done_more_than_stock", "d_done_with_workorder", "d_done_unreserved"}) b.replay(name);
    b.dosed(20, 400, 2, "500");
    b.dosed(27, 410, 2, "500");
    b.replay("d_done_many_one_missing");
    CHECK(b.order(20).state == "to_close");
    b.replay("d_done_many");
    CHECK(b.order(20).state == "done");
    CHECK(b.order(27).state == "done");
    b.dosed(220, 500, 2, "500").state = "draft";
    b.replay("d_done_on_draft");
    CHECK(b.order(220).state == "done");
    CHECK(b.model.violations() == none);
}

TEST_CASE("19 asks instead of finishing when less was produced or a recipe is watched")
{
    bench_19 b;
    b.dosed(5, 200, 5, "200", 900);
    b.replay("d_done_less_no_context");
    CHECK(b.order(5).state == "progress");
    b.replay("d_done_less_skip_backorder");
    CHECK(b.order(5).state == "done");

    before_warning(b, "d_warning_no_context", 2000, "warning");
    b.replay("d_warning_no_context");
    CHECK(b.order(101).finished_times == 0);
    b.replay("d_warning_skip_consumption");
    CHECK(b.order(101).state == "done");
    before_warning(b, "d_strict_no_context", 500, "strict");
    b.replay("d_strict_no_context");
    CHECK(b.order(111).finished_times == 0);
    b.replay("d_strict_skip_consumption");
    CHECK(b.order(111).state == "done");
    auto& exact = b.dosed(112, 600, 5, "200");
    exact.consumption = "strict";
    b.replay("d_strict_exact_no_context");
    CHECK(b.order(112).state == "done");
    CHECK(b.model.violations() == none);
}

TEST_CASE("19 drops what is not picked and books planned quantities without a produced one")
{
    bench_19 b;
    for (auto& m : b.dosed(8, 200, 2, "500").moves) m.picked = false;
    b.replay("d_done_not_picked");
    CHECK(b.order(8).moves[0].state == "cancel");
    CHECK(b.order(8).moves[0].quantity == 0);
    b.dosed(104, 210, 2, "500").moves[1].picked = false;
    b.replay("d_partially_picked");
    CHECK(b.order(104).moves[0].quantity == 500);
    CHECK(b.order(104).moves[1].quantity == 0);
    CHECK(b.model.violations() == none);
    auto& half = b.dosed(7, 220, 2, "500", 0);
    for (auto& m : half.moves) m.quantity = 250;
    b.replay("d_done_without_qty_producing");
    CHECK(b.order(7).moves[0].quantity == 500);
    b.dosed(40, 230, 2, "500").moves[0].quantity = 250;
    b.replay("d_set_qty_producing_trap");
    CHECK(b.order(40).moves[0].quantity == 500);
    CHECK(b.model.violations().size() == 2);
}

TEST_CASE("after done on 19 repeats are harmless while each write is counted")
{
    bench_19 b;
    b.done(4, 161, 15, "66.67");
    b.done(16, 341, 15, "66").date_finished = core::from_odoo("2026-11-23 10:51:01").value();
    b.done(28, 521, 15, "64.67", 980);
    for (const char* name : {"e_check_after_lost_reply", "e_retry_after_lost_reply", "e_done_again"}) b.replay(name);
    CHECK(b.order(16).finished_times == 1);
    CHECK(b.model.violations() == none);
    b.replay("e_same_final_write_on_done");
    b.replay("e_write_qty_producing_same_after_done");
    CHECK(b.model.violations() == std::vector<std::string>{"WH/MO/00028: a write to an order that is done (nothing changed)", "WH/MO/00004: a write to an order that is done (nothing changed)"});
    b.replay("e_write_consumption_after_done");
    CHECK(b.order(4).moves[0].quantity == 33);
    b.replay("e_write_qty_producing_after_done");
    CHECK(b.order(4).qty_produced == 900);
    CHECK(b.model.violations().size() == 4);
}

TEST_CASE("a conflict that five tries could not solve is a 500 with PostgreSQL's name")
{
    bench_19 b;
    b.feed(19, 386, 15, "66.67");
    b.control("/fault", R"({"kind": "serialization_failure", "method": "write", "count": 1})");
    b.replay("e_serialization_retries_exhausted");
    CHECK(b.order(19).final_writes == 0);
}

TEST_CASE("cancelled and done orders on 19: what is refused and what only looks done")
{
    bench_19 b;
    b.dosed(9, 236, 2, "500");
    b.done(4, 161, 2, "500");
    b.replay("f_action_cancel");
    CHECK(b.order(9).state == "cancel");
    CHECK(b.order(9).moves[0].quantity == 0);
    for (const char* name : {"f_write_on_cancelled", "f_done_on_cancelled", "f_cancel_done", "f_unlink_done"}) b.replay(name);
    CHECK(b.order(9).state == "cancel");
    CHECK(b.order(4).state == "done");
    CHECK(b.model.violations() == none);
}
