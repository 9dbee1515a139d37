// The values an order is finished with, and the comparison with what Odoo holds.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/component_mapping.hpp"

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;
using batchbridge::core::produced_policy;
using batchbridge::core::unmapped_policy;
using namespace example;
using domain::move_value;

namespace {

const std::function<bool(const move_value&)> not_ours = [](const move_value&) { return false; };

domain::batch dosed(std::string_view a = "610.5", std::string_view b = "398.25", std::string_view weight = "0")
{
    auto out = batch();
    out.state = domain::batch_state::completed;
    out.actual = {{101, kg(a)}, {102, kg(b)}};
    out.weight = kg(weight);
    return out;
}

domain::finish_values finish(const domain::order& o, const domain::batch& b, const domain::finish_rules& rules = {}, const std::function<bool(const move_value&)>& ours = not_ours)
{
    const auto r = domain::compute_finish(map(), o, b, rules, ours);
    if (const auto* no = std::get_if<domain::finish_refused>(&r)) FAIL("refused: " << no->reason);
    return std::get<domain::finish_values>(r);
}

std::string refusal(const domain::order& o, const domain::batch& b, const domain::finish_rules& rules = {})
{
    const auto r = domain::compute_finish(map(), o, b, rules, not_ours);
    REQUIRE(std::holds_alternative<domain::finish_refused>(r));
    return std::get<domain::finish_refused>(r).reason;
}

std::vector<move_value> moves(std::initializer_list<std::pair<std::int64_t, const char*>> list)
{
    std::vector<move_value> out;
    for (const auto& [id, quantity] : list) out.push_back({id, kg(quantity)});
    return out;
}

// order() as Odoo shows it after it was finished with these values; a zero move is cancelled at done.
domain::order finished(domain::order o, const domain::finish_values& v)
{
    o.state = domain::order_state::done;
    o.qty_produced = v.produced;
    o.qty_producing = decimal();
    for (auto& c : o.components)
        for (const auto& m : v.moves)
            if (m.move_id == c.move_id) {
                c.quantity = m.quantity;
                c.picked = !m.quantity.is_zero();
                c.state = m.quantity.is_zero() ? "cancel" : "done";
            }
    return o;
}

}  // namespace

TEST_CASE("a finish books every silo move with what was dosed")
{
    const auto v = finish(order(), dosed());
    CHECK(v.moves == moves({{1, "610.5"}, {2, "398.25"}}));
    CHECK(v.produced == kg("1008.75"));
    CHECK(v.produced_from == "sum of components");
}

TEST_CASE("the produced quantity is the PLC's weight, the sum, or the plan, by policy")
{
    const auto weighed = dosed("610.5", "398.25", "1007.99");
    auto v = finish(order(), weighed, {produced_policy::automatic, unmapped_policy::planned});
    CHECK(v.produced == kg("1007.99"));
    CHECK(v.produced_from == "plc weight");
    v = finish(order(), weighed, {produced_policy::plc, unmapped_policy::planned});
    CHECK(v.produced == kg("1007.99"));
    v = finish(order(), weighed, {produced_policy::sum, unmapped_policy::planned});
    CHECK(v.produced == kg("1008.75"));
    CHECK(v.produced_from == "sum of components");
    v = finish(order(), weighed, {produced_policy::planned, unmapped_policy::planned});
    CHECK(v.produced == 1000);
    CHECK(v.produced_from == "planned");
}

TEST_CASE("a PLC that leaves the weight at 0 is parked by plc, and not by auto")
{
    CHECK(refusal(order(), dosed(), {produced_policy::plc, unmapped_policy::planned}).find("the produced quantity (plc weight) is 0") == 0);
    CHECK(finish(order(), dosed()).produced == kg("1008.75"));
    auto o = order();
    o.quantity = decimal();
    CHECK(refusal(o, dosed(), {produced_policy::planned, unmapped_policy::planned}).find("the produced quantity (planned) is 0") == 0);
}

TEST_CASE("an order of which nothing was dosed is parked and never finished (L-08)")
{
    for (const auto policy : {produced_policy::automatic, produced_policy::plc, produced_policy::sum, produced_policy::planned})
        CHECK(refusal(order(), dosed("0", "0", "500"), {policy, unmapped_policy::planned}).find("nothing was dosed") == 0);
    auto b = dosed();
    b.actual.clear();
    CHECK(refusal(order(), b).find("nothing was dosed") == 0);
}

TEST_CASE("the produced quantity is in the order's unit at its rounding")
{
    auto o = order();
    o.uom = "t";
    // Finer than Odoo keeps it is not finer (an order in t is refused before it comes so far).
    o.uom_rounding = kg("0.001");
    CHECK(finish(o, dosed()).produced == kg("1.01"));
    o.uom = "lb";
    o.uom_rounding = kg("0.01");
    CHECK(finish(o, dosed()).produced == kg("2223.91"));
    o.uom = "Units";
    CHECK(refusal(o, dosed()).find("the order is in 'Units'") == 0);
}

TEST_CASE("components without a silo are booked with their plan, scaled by what was dosed")
{
    auto o = order();
    o.components.push_back(component(3, "SALT", "10"));
    o.components.push_back(component(4, "BAG", "40", "Units"));
    auto v = finish(o, dosed("660", "440"));
    CHECK(v.moves == moves({{1, "660"}, {2, "440"}, {3, "11"}, {4, "44"}}));
    // What is booked is produced; bags weigh nothing.
    CHECK(v.produced == 1111);
    o.components[3].uom_rounding = 1;
    v = finish(o, dosed("610", "400"));
    CHECK(v.moves == moves({{1, "610"}, {2, "400"}, {3, "10.1"}, {4, "40"}}));
}

TEST_CASE("leave never touches components without a silo")
{
    auto o = order();
    o.components.push_back(component(3, "SALT", "10"));
    const auto v = finish(o, dosed("660", "440"), {produced_policy::automatic, unmapped_policy::leave});
    CHECK(v.moves == moves({{1, "660"}, {2, "440"}}));
    CHECK(v.produced == 1100);
}

TEST_CASE("what a person has booked on a component without a silo stands, what we booked is computed anew")
{
    auto o = order();
    o.components.push_back(component(3, "SALT", "10"));
    o.components[2].quantity = kg("12.34");
    o.components[2].picked = true;
    auto v = finish(o, dosed("660", "440"));
    CHECK(v.moves == moves({{1, "660"}, {2, "440"}}));
    CHECK(v.produced == kg("1112.34"));
    v = finish(o, dosed("660", "440"), {}, [](const move_value& m) { return m == move_value{3, kg("12.34")}; });
    CHECK(v.moves == moves({{1, "660"}, {2, "440"}, {3, "11"}}));
    // A reservation is nobody's booking.
    o.components[2].picked = false;
    v = finish(o, dosed("660", "440"));
    CHECK(v.moves == moves({{1, "660"}, {2, "440"}, {3, "11"}}));
}

TEST_CASE("a plan with many digits does not overflow the scaling")
{
    auto o = order();
    o.components.push_back(component(3, "SALT", "33.333333333333"));
    CHECK(finish(o, dosed("660.01", "439.98")).moves == moves({{1, "660.01"}, {2, "439.98"}, {3, "36.67"}}));
}

TEST_CASE("an order in Odoo that holds our values is equal, done or not yet (L-07)")
{
    const auto v = finish(order(), dosed());
    CHECK(domain::differences(finished(order(), v), v).empty());

    auto written = order();
    written.qty_producing = v.produced;
    for (auto& c : written.components) {
        c.quantity = v.moves[static_cast<std::size_t>(c.move_id - 1)].quantity;
        c.picked = true;
    }
    CHECK(domain::differences(written, v).empty());
    // The same figures as a reservation are no consumption.
    written.components[0].picked = false;
    CHECK(joined(domain::differences(written, v)) == "move 1: not consumed, ours 610.5\n");
}

TEST_CASE("every difference is told, from half a unit of the line's rounding on (L-07)")
{
    const auto v = finish(order(), dosed());
    auto o = finished(order(), v);
    o.components[0].quantity = kg("610.504");
    CHECK(domain::differences(o, v).empty());
    o.components[0].quantity = kg("610.505");
    CHECK(joined(domain::differences(o, v)) == "move 1 (SILO-101): Odoo 610.505, ours 610.5\n");
    o.components[0].quantity = kg("610.49");
    o.components[1].quantity = 400;
    o.qty_produced = 1000;
    CHECK(joined(domain::differences(o, v)) == "move 1 (SILO-101): Odoo 610.49, ours 610.5\nmove 2 (SILO-102): Odoo 400, ours 398.25\nproduced: Odoo 1000, ours 1008.75\n");
    o = finished(order(), v);
    o.components.pop_back();
    CHECK(joined(domain::differences(o, v)) == "move 2: gone, ours 398.25\n");
    // A unit of a finer rounding is kept at Odoo's precision all the same; a coarser one is compared coarser.
    o = finished(order(), v);
    o.components[0].uom_rounding = kg("0.001");
    o.components[0].quantity = kg("610.501");
    CHECK(domain::differences(o, v).empty());
    o.components[0].uom_rounding = 1;
    o.components[0].quantity = 610;
    CHECK(domain::differences(o, v).size() == 1);
    o.components[0].quantity = kg("610.9");
    CHECK(domain::differences(o, v).empty());
}

TEST_CASE("a move of zero may be cancelled or gone after done")
{
    const auto v = finish(order(), dosed("610.5", "0"));
    CHECK(v.moves == moves({{1, "610.5"}, {2, "0"}}));
    auto o = finished(order(), v);
    CHECK(o.components[1].state == "cancel");
    CHECK(domain::differences(o, v).empty());
    o.components.pop_back();
    CHECK(domain::differences(o, v).empty());
    // But not one that we consumed.
    o = finished(order(), finish(order(), dosed()));
    o.components[1].state = "cancel";
    o.components[1].quantity = decimal();
    o.components[1].picked = false;
    CHECK(domain::differences(o, finish(order(), dosed())).size() == 1);
}

TEST_CASE("an order that a person finished with the plan is not taken for ours, even if the produced quantity agrees (L-07)")
{
    // PLC: 610.5 + 398.25, weight 1000. A person marked the order done before our finish: Odoo booked 600 and 400.
    const auto b = dosed("610.5", "398.25", "1000");
    auto o = order();
    o.state = domain::order_state::done;
    o.qty_produced = 1000;
    for (auto& c : o.components) {
        c.state = "done";
        c.picked = true;
        c.quantity = c.planned;
    }
    const auto v = finish(o, b);
    CHECK(v.moves == moves({{1, "610.5"}, {2, "398.25"}}));
    CHECK(joined(domain::differences(o, v)) == "move 1 (SILO-101): Odoo 600, ours 610.5\nmove 2 (SILO-102): Odoo 400, ours 398.25\n");

    // With our quantities it is ours, whoever finished it, a component of zero cancelled and a bag booked by hand.
    auto same = order();
    same.components.push_back(component(3, "BAG", "40", "Units"));
    same.components.push_back(component(4, "SILO-103", "5"));
    const auto mine = finish(same, b);
    same = finished(same, mine);
    CHECK(same.components[3].state == "cancel");
    same.components[2].quantity = 41;
    CHECK(domain::differences(same, finish(same, b)).empty());
}

TEST_CASE("what was dosed from a silo that the order does not name is listed, and counts neither as booked nor as produced")
{
    auto b = dosed();
    b.actual[103] = kg("12.5");
    b.actual[104] = decimal();
    auto v = finish(order(), b);
    CHECK(v.moves == moves({{1, "610.5"}, {2, "398.25"}}));
    CHECK(v.produced == kg("1008.75"));
    CHECK(v.unplanned == domain::silo_kg{{103, kg("12.5")}});
    CHECK(domain::describe(v.unplanned) == "silo 103: 12.5 kg");
    CHECK(finish(order(), dosed()).unplanned.empty());
    // The PLC's weight is what it is.
    b.weight = 1020;
    CHECK(finish(order(), b).produced == 1020);
    // A move that a person cancelled books nothing either.
    auto o = order();
    o.components[1].state = "cancel";
    v = finish(o, dosed());
    CHECK(v.moves == moves({{1, "610.5"}}));
    CHECK(v.produced == kg("610.5"));
    CHECK(v.unplanned == domain::silo_kg{{102, kg("398.25")}});
}

TEST_CASE("a batch of which nothing can be booked is parked with the silos it came from")
{
    auto b = dosed("0", "0", "12.5");
    b.actual[103] = kg("12.5");
    b.actual[104] = kg("3");
    for (const auto policy : {produced_policy::automatic, produced_policy::plc, produced_policy::sum, produced_policy::planned})
        CHECK(refusal(order(), b, {policy, unmapped_policy::planned}) ==
              "no component of the order stands for what was dosed (silo 103: 12.5 kg, silo 104: 3 kg): nothing of it can be booked");
}

TEST_CASE("what a person says was produced counts, whatever the policy")
{
    for (const auto policy : {produced_policy::automatic, produced_policy::plc, produced_policy::sum, produced_policy::planned}) {
        domain::finish_rules rules;
        rules.produced = policy;
        rules.given_kg = kg("987.65");
        const auto v = finish(order(), dosed("610.5", "398.25", "1000"), rules);
        CHECK(v.produced == kg("987.65"));
        CHECK(v.produced_from == "a person");
    }
}
