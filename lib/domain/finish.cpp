// The values an order is finished with, and the comparison with what Odoo then holds.
#include "domain/component_mapping.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::domain {

using core::decimal;

std::string describe(const silo_kg& v)
{
    std::string out;
    for (const auto& [silo, kg] : v) out += fmt::format("{}silo {}: {} kg", out.empty() ? "" : ", ", silo, kg.to_string());
    return out;
}

std::variant<finish_values, finish_refused> compute_finish(const plant_map& map, const order& fresh, const batch& b, const finish_rules& rules,
                                                            const std::function<bool(const move_value&)>& ours)
{
    finish_values out;
    out.moves = consumption_values(map, fresh, b.actual);
    const auto booked = [&](std::int64_t id) {
        return std::any_of(out.moves.begin(), out.moves.end(), [id](const move_value& v) { return v.move_id == id; });
    };
    decimal actual, planned;
    for (const auto& [silo, kg] : b.actual) actual += kg;
    for (const auto& [silo, kg] : b.planned) planned += kg;
    if (actual.is_zero()) return finish_refused{"nothing was dosed: an order cannot be finished with no consumption (Odoo would book the plan)"};
    out.unplanned = unplanned_silos(map, fresh, b.actual);
    decimal sum_kg = actual;
    for (const auto& [silo, kg] : out.unplanned) sum_kg -= kg;
    if (sum_kg.is_zero())
        return finish_refused{fmt::format("no component of the order stands for what was dosed ({}): nothing of it can be booked", describe(out.unplanned))};
    for (const auto& c : fresh.components) {
        const bool over = c.state == "cancel" || (c.state == "done" && fresh.state != order_state::done);
        if (booked(c.move_id) || over || rules.unmapped == core::unmapped_policy::leave) continue;
        move_value v;
        v.move_id = c.move_id;
        v.quantity = c.quantity;
        // Somebody has already booked it, and it was not us: theirs stands.
        if (c.picked && !ours(v)) {
            if (const auto factor = kg_per_unit(c.uom)) sum_kg += decimal::multiply(c.quantity, *factor, 6);
            continue;
        }
        v.quantity = planned > 0 ? decimal::divide(decimal::multiply(c.planned, actual, 6), planned, 6).rounded_to(odoo_step(c.uom_rounding)) : c.planned;
        if (const auto factor = kg_per_unit(c.uom)) sum_kg += decimal::multiply(v.quantity, *factor, 6);
        out.moves.push_back(v);
    }
    std::sort(out.moves.begin(), out.moves.end(), [](const auto& x, const auto& y) { return x.move_id < y.move_id; });

    const auto factor = kg_per_unit(fresh.uom);
    if (!factor) return finish_refused{fmt::format("the order is in '{}', known units are kg, g, t and lb", fresh.uom)};
    decimal kg;
    const auto policy = rules.given_kg ? core::produced_policy::automatic : rules.produced;
    switch (policy) {
    case core::produced_policy::planned:
        out.produced = fresh.quantity;
        out.produced_from = "planned";
        break;
    case core::produced_policy::plc:
        kg = b.weight;
        out.produced_from = "plc weight";
        break;
    case core::produced_policy::sum:
        kg = sum_kg;
        out.produced_from = "sum of components";
        break;
    case core::produced_policy::automatic:
        kg = b.weight > 0 ? b.weight : sum_kg;
        out.produced_from = b.weight > 0 ? "plc weight" : "sum of components";
        break;
    }
    if (rules.given_kg) {
        kg = *rules.given_kg;
        out.produced_from = "a person";
    }
    if (policy != core::produced_policy::planned) out.produced = decimal::divide(kg, *factor, 6).rounded_to(odoo_step(fresh.uom_rounding));
    if (out.produced <= 0) return finish_refused{fmt::format("the produced quantity ({}) is 0: Odoo would book the plan instead of the actual values", out.produced_from)};
    return out;
}

std::vector<std::string> differences(const order& fresh, const finish_values& wanted)
{
    std::vector<std::string> out;
    for (const auto& v : wanted.moves) {
        const auto it = std::find_if(fresh.components.begin(), fresh.components.end(), [&](const component& c) { return c.move_id == v.move_id; });
        if (it == fresh.components.end()) {
            if (!v.quantity.is_zero()) out.push_back(fmt::format("move {}: gone, ours {}", v.move_id, v.quantity.to_string()));
            continue;
        }
        const auto& c = *it;
        // A zero component is cancelled at done (odoo18.md, section 12, trap 8).
        if (c.state == "cancel" && v.quantity.is_zero()) continue;
        const auto gap = (c.quantity - v.quantity).abs();
        const bool consumed = c.picked || c.state == "done";
        if (!consumed) out.push_back(fmt::format("move {}: not consumed, ours {}", v.move_id, v.quantity.to_string()));
        else if (gap + gap >= odoo_step(c.uom_rounding)) out.push_back(fmt::format("move {} ({}): Odoo {}, ours {}", v.move_id, c.product_code, c.quantity.to_string(), v.quantity.to_string()));
    }
    const auto& produced = fresh.state == order_state::done ? fresh.qty_produced : fresh.qty_producing;
    const auto gap = (produced - wanted.produced).abs();
    if (gap + gap >= odoo_step(fresh.uom_rounding)) out.push_back(fmt::format("produced: Odoo {}, ours {}", produced.to_string(), wanted.produced.to_string()));
    return out;
}

}  // namespace batchbridge::domain
