// What was dosed, as absolute quantities of Odoo's stock moves.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/component_mapping.hpp"

#include <random>

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;
using namespace example;
using domain::move_value;

namespace {

domain::order with(std::vector<domain::component> components)
{
    auto o = order();
    o.components = std::move(components);
    return o;
}

std::vector<move_value> values(const domain::order& o, const domain::silo_kg& actual)
{
    return domain::consumption_values(map(), o, actual);
}

std::map<std::int64_t, std::string> shown_as(const std::vector<move_value>& moves)
{
    std::map<std::int64_t, std::string> out;
    for (const auto& m : moves) out[m.move_id] = m.quantity.to_string();
    return out;
}

using quantities = std::map<std::int64_t, std::string>;

}  // namespace

TEST_CASE("consumption is the absolute total of every silo move, zeros included (L-02)")
{
    CHECK(shown_as(values(order(), {{101, kg("601.25")}, {102, kg("0")}})) == quantities{{1, "601.25"}, {2, "0"}});
    CHECK(shown_as(values(order(), {{101, kg("601.25")}})) == quantities{{1, "601.25"}, {2, "0"}});
    // The same actuals give the same values whatever Odoo already holds: a repeat changes nothing.
    auto again = order();
    again.components[0].quantity = kg("601.25");
    again.components[0].picked = true;
    CHECK(values(again, {{101, kg("601.25")}}) == values(order(), {{101, kg("601.25")}}));
}

TEST_CASE("consumption goes out in the move's own unit at Odoo's rounding")
{
    const auto o = with({component(1, "SILO-101", "600000", "g"), component(2, "SILO-102", "400"), component(3, "SILO-103", "100", "lb"), component(4, "LQ114", "7")});
    CHECK(shown_as(values(o, {{101, kg("600.01")}, {102, kg("399.99")}, {103, kg("45.36")}, {114, kg("7.07")}})) ==
          quantities{{1, "600010"}, {2, "399.99"}, {3, "100"}, {4, "7.07"}});
}

TEST_CASE("two moves of one silo share in proportion to plan and the last takes the rest (L-27)")
{
    const auto o = with({component(1, "SILO-101", "200"), component(2, "SILO-101", "100")});
    CHECK(shown_as(values(o, {{101, 300}})) == quantities{{1, "200"}, {2, "100"}});
    CHECK(shown_as(values(o, {{101, 100}})) == quantities{{1, "66.67"}, {2, "33.33"}});
    CHECK(shown_as(values(o, {{101, kg("0.01")}})) == quantities{{1, "0.01"}, {2, "0"}});
    CHECK(shown_as(values(o, {})) == quantities{{1, "0"}, {2, "0"}});
    // Planned with nothing: nothing to share by, the last takes it all.
    const auto zero = with({component(1, "SILO-101", "0"), component(2, "SILO-101", "0")});
    CHECK(shown_as(values(zero, {{101, 5}})) == quantities{{1, "0"}, {2, "5"}});
}

TEST_CASE("a share is never below 0, however the others were rounded up (L-27)")
{
    std::vector<domain::component> four;
    for (int i = 1; i <= 4; ++i) four.push_back(component(i, "SILO-101", "10"));
    // Each fair share is 0.005 kg; three times rounded up that is more than there was.
    CHECK(shown_as(values(with(four), {{101, kg("0.02")}})) == quantities{{1, "0.01"}, {2, "0.01"}, {3, "0"}, {4, "0"}});
}

TEST_CASE("shares of one silo are exact in sum, for any plan and total (L-27)")
{
    std::mt19937_64 random(271);
    for (int i = 0; i < 20000; ++i) {
        std::vector<domain::component> parts;
        const std::size_t n = 1 + random() % 6;
        const bool grams = random() % 4 == 0;
        for (std::size_t k = 0; k < n; ++k) {
            const bool g = grams && random() % 2 == 0;
            parts.push_back(component(static_cast<std::int64_t>(k + 1), "SILO-101",
                                      decimal::from_scaled(static_cast<std::int64_t>(random() % (i % 3 == 0 ? 5 : 100000)), g ? 0 : 2).to_string(), g ? "g" : "kg"));
        }
        const auto o = with(parts);
        const auto total = decimal::from_scaled(static_cast<std::int64_t>(random() % (i % 2 == 0 ? 20 : 500000)), 2);
        const auto moves = values(o, {{101, total}});
        REQUIRE(moves.size() == n);
        decimal sum, planned;
        for (const auto& c : parts) planned += c.planned * *domain::kg_per_unit(c.uom);
        for (std::size_t k = 0; k < n; ++k) {
            const auto& c = parts[k];
            const auto share = moves[k].quantity * *domain::kg_per_unit(c.uom);
            INFO(c.planned.to_string() << " " << c.uom << " of " << total.to_string());
            REQUIRE(moves[k].quantity >= 0);
            REQUIRE(moves[k].quantity == moves[k].quantity.rounded(2));
            // All but the last are fair to half a count; before them only rounding can have taken something.
            if (k + 1 < n && planned > 0) REQUIRE((share - decimal::divide(total * (c.planned * *domain::kg_per_unit(c.uom)), planned, 6)).abs() <= kg("0.05"));
            sum += share;
        }
        // With different units the last move's own grid may be coarser than the rest.
        if (grams) REQUIRE((sum - total).abs() <= kg("0.005"));
        else REQUIRE(sum == total);
    }
}

TEST_CASE("pounds are shared to their own rounding and never run out of digits")
{
    // Values with eight places times totals with two: the product must not overflow.
    const auto o = with({component(1, "SILO-101", "6000.01", "lb"), component(2, "SILO-101", "4999.99", "lb")});
    const auto moves = values(o, {{101, kg("4999.99")}});
    REQUIRE(moves.size() == 2);
    CHECK(moves[0].quantity == kg("6012.61"));
    CHECK(((moves[0].quantity + moves[1].quantity) * kg("0.45359237") - kg("4999.99")).abs() < kg("0.005"));
    // And with plans of more digits than Odoo shows.
    const auto fine = with({component(1, "SILO-101", "33.333333", "lb"), component(2, "SILO-101", "66.666667", "lb")});
    CHECK(shown_as(values(fine, {{101, kg("45.36")}})) == quantities{{1, "33.33"}, {2, "66.67"}});
    const auto finest = with({component(1, "SILO-101", "33.333333333333", "lb"), component(2, "SILO-101", "66.666666666667", "lb")});
    CHECK(shown_as(values(finest, {{101, kg("45.36")}})) == quantities{{1, "33.33"}, {2, "66.67"}});
}

TEST_CASE("moves without a silo and moves that are over get no live consumption")
{
    auto cancelled = component(3, "SILO-101", "50"), done = component(4, "SILO-102", "50");
    cancelled.state = "cancel";
    done.state = "done";
    auto o = order();
    o.components.push_back(cancelled);
    o.components.push_back(done);
    o.components.push_back(component(5, "SALT", "5"));
    CHECK(shown_as(values(o, {{101, 10}, {102, 20}})) == quantities{{1, "10"}, {2, "20"}});
}
