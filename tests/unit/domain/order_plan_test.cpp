#include "domain/order_plan.hpp"

#include "support/catch.hpp"

using namespace batchbridge;
using namespace batchbridge::domain;

namespace {

core::decimal d(std::string_view text) { return *core::decimal::parse(text); }

order sample()
{
    order o;
    o.quantity = 100;
    o.uom = "kg";
    for (const int id : {11, 12, 13}) {
        component c;
        c.move_id = id;
        c.planned = 10 * (id - 10);
        c.uom = "kg";
        o.components.push_back(c);
    }
    return o;
}

}  // namespace

TEST_CASE("the same plan is the same, however Odoo spells its numbers and whatever was booked")
{
    auto now = sample();
    now.quantity = d("100.00");
    now.state = order_state::progress;
    now.qty_producing = 5;
    now.components[0].quantity = d("9.5");
    now.components[0].picked = true;
    CHECK(difference(plan_of(sample()), plan_of(now)).empty());
}

TEST_CASE("a changed quantity, unit or component is said in words")
{
    const auto was = plan_of(sample());
    auto now = sample();
    now.quantity = 120;
    now.components[0].planned = d("12.5");
    CHECK(difference(was, plan_of(now)) == "quantity 100 kg, now 120 kg; move 11: 10 kg, now 12.5 kg");
    now = sample();
    now.components[1].uom = "t";
    CHECK(difference(was, plan_of(now)) == "move 12: 20 kg, now 20 t");
    now = sample();
    now.components[2].state = "cancel";
    CHECK(difference(was, plan_of(now)) == "move 13: 30 kg, now none");
    now = sample();
    now.components.push_back(now.components[0]);
    now.components.back().move_id = 14;
    CHECK(difference(was, plan_of(now)) == "move 14: new, 10 kg");
    // One that asks for nothing is no change.
    now.components.back().planned = 0;
    CHECK(difference(was, plan_of(now)).empty());
}
