// Which component goes to which silo, and which orders are refused.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/component_mapping.hpp"

#include <random>

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;
using batchbridge::core::unmapped_policy;
using namespace example;

namespace {

domain::mapped_order mapped(const domain::order& o, const domain::mapping_rules& rules = {}, const domain::plant_map& m = map())
{
    const auto r = domain::map_order(m, o, rules);
    if (const auto* no = std::get_if<domain::refused_order>(&r)) FAIL("refused: " << no->reason);
    REQUIRE(std::holds_alternative<domain::mapped_order>(r));
    return std::get<domain::mapped_order>(r);
}

std::string refusal(const domain::order& o, const domain::mapping_rules& rules = {}, const domain::plant_map& m = map())
{
    const auto r = domain::map_order(m, o, rules);
    REQUIRE(std::holds_alternative<domain::refused_order>(r));
    const auto& no = std::get<domain::refused_order>(r);
    CHECK(no.id == o.id);
    CHECK(no.name == o.name);
    CHECK_FALSE(no.reason.empty());
    return no.reason;
}

domain::order with(std::vector<domain::component> components)
{
    auto o = order();
    o.components = std::move(components);
    return o;
}

}  // namespace

TEST_CASE("an order's components find their silos and become the recipe")
{
    const auto m = mapped(order());
    CHECK(m.kg == 1000);
    CHECK(m.planned == domain::silo_kg{{101, 600}, {102, 400}});
    CHECK(m.silo_of_move == std::map<std::int64_t, int>{{1, 101}, {2, 102}});
    CHECK(m.unmapped.empty());
    CHECK(m.source.name == "WH/MO/00014");
}

TEST_CASE("every silo of the map is found, the liquids too (L-24)")
{
    for (const auto& s : map().silos) {
        INFO(s.id);
        CHECK(mapped(with({component(1, s.products.at(0), "1")})).planned == domain::silo_kg{{s.id, 1}});
        CHECK(mapped(with({component(1, s.aliases.at(0), "1")})).planned == domain::silo_kg{{s.id, 1}});
    }
}

TEST_CASE("a component finds its silo by product reference, alias or location, in this order and whatever the case")
{
    auto m = map();
    m.silos[4].locations = {"WH/Silo 5"};
    auto c = component(1, "silo-103", "1");
    CHECK(mapped(with({c})).planned.begin()->first == 103);
    c = component(1, "SILO104", "1");
    CHECK(mapped(with({c})).planned.begin()->first == 104);
    c = component(1, "MAIZE", "1");
    c.product_name = "Silo104";
    CHECK(mapped(with({c})).planned.begin()->first == 104);
    c = component(1, "MAIZE", "1");
    c.location = "wh/silo 5";
    CHECK(mapped(with({c}), {}, m).planned.begin()->first == 105);
    // The reference wins over the location.
    c = component(1, "SILO-101", "1");
    c.location = "WH/Silo 5";
    CHECK(mapped(with({c}), {}, m).planned.begin()->first == 101);
    // Nothing is found by an empty text.
    m.silos[0].products.emplace_back();
    m.silos[0].locations.emplace_back();
    c = component(1, "", "1");
    c.product_name.clear();
    CHECK(std::holds_alternative<domain::not_ours>(domain::map_order(m, with({c}), {})));
}

TEST_CASE("a component that matches two silos is refused, it is not guessed")
{
    auto m = map();
    m.silos[7].products.emplace_back("silo-101");
    CHECK(refusal(with({component(1, "SILO-101", "1")}), {}, m) == "component SILO-101 matches two silos of the map");
}

TEST_CASE("two components on one silo are summed (L-27)")
{
    auto second = component(3, "silo101", "0.3");
    const auto m = mapped(with({component(1, "SILO-101", "600.1"), component(2, "SILO-102", "399.6"), second}));
    CHECK(m.planned == domain::silo_kg{{101, kg("600.4")}, {102, kg("399.6")}});
    CHECK(m.silo_of_move == std::map<std::int64_t, int>{{1, 101}, {2, 102}, {3, 101}});
}

TEST_CASE("kg, g, t and lb convert exactly, in any letter case")
{
    CHECK(domain::kg_per_unit("kg") == decimal(1));
    CHECK(domain::kg_per_unit("g") == kg("0.001"));
    CHECK(domain::kg_per_unit("t") == decimal(1000));
    CHECK(domain::kg_per_unit("lb") == kg("0.45359237"));
    CHECK(domain::kg_per_unit("KG") == decimal(1));
    CHECK(domain::kg_per_unit("Lb") == kg("0.45359237"));
    for (const char* other : {"", "Units", "oz", "L", "kilo", "kg ", "dozen", "qt"}) CHECK_FALSE(domain::kg_per_unit(other));

    const auto m = mapped(with({component(1, "SILO-101", "599990", "g"), component(3, "SILO-103", "100", "lb")}));
    CHECK(m.planned == domain::silo_kg{{101, kg("599.99")}, {103, kg("45.36")}});
}

TEST_CASE("the sum over a silo is rounded once, not each component (L-25)")
{
    // Three times 4 g are 12 g: 0.01 kg; each alone would be 0.00.
    const auto m = mapped(with({component(1, "SILO-101", "4", "g"), component(2, "SILO-101", "4", "g"), component(3, "SILO-101", "4", "g")}));
    CHECK(m.planned == domain::silo_kg{{101, kg("0.01")}});
}

TEST_CASE("another unit is refused with the component's name, on a component without silo it does not matter")
{
    CHECK(refusal(with({component(1, "SILO-101", "1", "Units")})) == "component SILO-101 is in 'Units', known units are kg, g, t and lb");
    CHECK(mapped(with({component(1, "SILO-101", "1"), component(2, "BAG", "40", "Units")})).unmapped == std::vector<std::int64_t>{2});
    auto o = order();
    o.uom = "Bags";
    CHECK(refusal(o) == "the order is in 'Bags', known units are kg, g, t and lb");
}

TEST_CASE("a unit that Odoo rounds coarser than 0.01 kg is refused")
{
    auto c = component(1, "SILO-101", "1", "t");
    CHECK(refusal(with({c})) == "component SILO-101: 't' is rounded to 0.01 in Odoo, coarser than 0.01 kg");
    // Finer than Odoo's decimal precision is not finer, and what is not known is no finer either (odoo18.md, k90).
    for (const auto* rounding : {"0.00001", "0.0001", "0"}) {
        c.uom_rounding = kg(rounding);
        CHECK(refusal(with({c})).find("coarser") != std::string::npos);
    }
    c = component(1, "SILO-101", "1");
    c.uom_rounding = kg("0.1");
    CHECK(refusal(with({c})).find("coarser") != std::string::npos);
    c.uom_rounding = decimal();  // not known
    CHECK(mapped(with({c})).planned.at(101) == 1);
    c = component(1, "SILO-101", "1000", "g");
    c.uom_rounding = 10;
    CHECK(mapped(with({c})).planned.at(101) == 1);
    auto o = order();
    o.uom = "t";
    o.quantity = 1;
    CHECK(refusal(o) == "the order's unit 't' is rounded to 0.01 in Odoo, coarser than 0.01 kg");
}

TEST_CASE("components without a silo are listed, or refused by policy (L-27)")
{
    const auto o = with({component(1, "SILO-101", "600"), component(2, "SALT", "5"), component(3, "PREMIX", "1")});
    for (const auto policy : {unmapped_policy::planned, unmapped_policy::leave}) {
        const auto m = mapped(o, {policy, std::nullopt});
        CHECK(m.unmapped == std::vector<std::int64_t>{2, 3});
        CHECK(m.planned == domain::silo_kg{{101, 600}});
    }
    CHECK(refusal(o, {unmapped_policy::refuse, std::nullopt}) == "component(s) without a silo: SALT, PREMIX");
    CHECK(mapped(with({component(1, "SILO-101", "600")}), {unmapped_policy::refuse, std::nullopt}).kg == 1000);
}

TEST_CASE("an order without any silo component is not ours, whatever else is wrong with it")
{
    for (const auto policy : {unmapped_policy::planned, unmapped_policy::refuse}) {
        auto o = with({component(1, "SALT", "-5", "Units")});
        o.uom = "Bags";
        CHECK(std::holds_alternative<domain::not_ours>(domain::map_order(map(), o, {policy, std::nullopt})));
        CHECK(std::holds_alternative<domain::not_ours>(domain::map_order(map(), with({}), {policy, std::nullopt})));
    }
}

TEST_CASE("a component that was cancelled in Odoo is not dosed")
{
    auto cancelled = component(3, "SILO-101", "50");
    cancelled.state = "cancel";
    auto o = order();
    o.components.push_back(cancelled);
    CHECK(mapped(o).planned == domain::silo_kg{{101, 600}, {102, 400}});
    CHECK(mapped(o).silo_of_move.count(3) == 0);
    CHECK(std::holds_alternative<domain::not_ours>(domain::map_order(map(), with({cancelled}), {})));
    cancelled.product_code = "SALT";
    o.components.back() = cancelled;
    CHECK(mapped(o, {unmapped_policy::refuse, std::nullopt}).unmapped.empty());
}

TEST_CASE("a plan above a silo's maximum is refused, in sum too")
{
    CHECK(mapped(with({component(1, "SILO-101", "5000")})).planned.at(101) == 5000);
    CHECK(refusal(with({component(1, "SILO-101", "5000.01")})) == "silo 101: planned 5000.01 kg, its maximum is 5000 kg");
    CHECK(refusal(with({component(1, "SILO-101", "3000"), component(2, "SILO-101", "2000.01")})) == "silo 101: planned 5000.01 kg, its maximum is 5000 kg");
    CHECK(refusal(with({component(1, "LQ115", "5.1", "t")})).find("coarser") != std::string::npos);
}

TEST_CASE("an order above EXPECTED_BATCH_MAX_KG is refused")
{
    CHECK(mapped(order(), {unmapped_policy::planned, kg("1000")}).kg == 1000);
    CHECK(refusal(order(), {unmapped_policy::planned, kg("999.99")}) == "planned 1000 kg, more than EXPECTED_BATCH_MAX_KG 999.99");
}

TEST_CASE("nothing, less than nothing and too much are refused")
{
    auto o = order();
    o.quantity = decimal();
    CHECK(refusal(o) == "the order's quantity is 0 kg");
    o.quantity = -5;
    CHECK(refusal(o) == "the order's quantity is -5 kg");
    CHECK(refusal(with({component(1, "SILO-101", "-1")})) == "component SILO-101 has a negative planned quantity");
    CHECK(refusal(with({component(1, "SILO-101", "0"), component(2, "SILO-102", "0.004")})) == "every silo component is planned with 0");
    CHECK(refusal(with({component(1, "SILO-101", "9223372036854775807"), component(2, "SILO-101", "9223372036854775807")})) == "a quantity is too large");
    o = order();
    o.quantity = kg("21474836.48");
    CHECK(refusal(o) == "quantity: 21474836.48 does not fit i32 /100");
    // With the map's maximum raised the register is the limit.
    auto m = map();
    m.silos[0].max_kg = kg("99999999");
    CHECK(mapped(with({component(1, "SILO-101", "21474836.47")}), {}, m).planned.at(101) == kg("21474836.47"));
    CHECK(refusal(with({component(1, "SILO-101", "21474836.48")}), {}, m) == "silo 101: 21474836.48 does not fit i32 /100");
}

TEST_CASE("an order name that does not fit is refused, unless the map loads orders by their id (L-26)")
{
    auto o = order();
    o.name = "WAREHOUSE/MO/00014";
    CHECK(refusal(o) == "order name: 'WAREHOUSE/MO/00014' has 18 characters, 16 fit");
    o.name = "M\xc3\xbchle/00014";
    CHECK(refusal(o).find("outside ASCII") != std::string::npos);
    o.name = "WH/MO/00014 ";
    CHECK(refusal(o).find("ends in a blank") != std::string::npos);
    auto m = map();
    m.key = domain::order_key::id;
    CHECK(mapped(o, {}, m).kg == 1000);
    CHECK(domain::order_key_of(m, o) == "MO#14");
    CHECK(domain::order_key_of(map(), order()) == "WH/MO/00014");
    o = order();
    o.name.clear();
    CHECK(refusal(o) == "the order has no name");
}

TEST_CASE("long or foreign product and bill names never refuse an order (L-26)")
{
    auto o = order();
    o.bom = "[PKE] Mühlenfutter für ausgewachsene Kühe 日本";
    o.product_code.clear();
    o.product_name = "Ω" + std::string(300, 'x');
    CHECK(mapped(o).kg == 1000);
}

TEST_CASE("a batch's recipe is what was mapped")
{
    auto b = batch();
    b.bom_id = "Feed";
    b.finished_goods = "FEED-1";
    const auto r = domain::recipe_of(b);
    CHECK(r.batch_no == 3);
    CHECK(r.mo_id == "WH/MO/00014");
    CHECK(r.bom_id == "Feed");
    CHECK(r.finished_goods == "FEED-1");
    CHECK(r.quantity == 1000);
    CHECK(r.planned == b.planned);
}

TEST_CASE("whatever Odoo sends, mapping answers: it never throws and never plans what a slot cannot hold")
{
    std::mt19937_64 random(27);
    const char* codes[] = {"SILO-101", "SILO-102", "LQ114", "SALT", "", "silo101"};
    const char* units[] = {"kg", "g", "t", "lb", "Units", ""};
    const char* quantities[] = {"0", "0.01", "1.15", "33.333333333333", "4999.99", "-1", "21474836.48", "9223372036854775807", "-9223372036854775808", "0.000000000001"};
    const char* roundings[] = {"0", "0.01", "0.00001", "1", "9223372036854775807", "-1"};
    int good = 0;
    for (int i = 0; i < 20000; ++i) {
        auto o = order();
        o.components.clear();
        for (std::size_t n = random() % 4; n > 0; --n) {
            auto c = component(static_cast<std::int64_t>(n), codes[random() % std::size(codes)], quantities[random() % std::size(quantities)], units[random() % std::size(units)]);
            c.uom_rounding = kg(roundings[random() % std::size(roundings)]);
            o.components.push_back(c);
        }
        o.uom = units[random() % std::size(units)];
        o.quantity = kg(quantities[random() % std::size(quantities)]);
        const auto r = domain::map_order(map(), o, {});
        const auto* m = std::get_if<domain::mapped_order>(&r);
        if (m == nullptr) continue;
        ++good;
        for (const auto& [id, amount] : m->planned) {
            REQUIRE(amount >= 0);
            REQUIRE(amount <= 5000);
            REQUIRE(amount == amount.rounded(2));
        }
    }
    CHECK(good > 100);
}
