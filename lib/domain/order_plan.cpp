#include "domain/order_plan.hpp"

#include <fmt/format.h>

namespace batchbridge::domain {

namespace {

bool same(const planned_amount& a, const planned_amount& b)
{
    return std::is_eq(a.quantity <=> b.quantity) && a.uom == b.uom;
}

std::string text(const planned_amount& a)
{
    return fmt::format("{} {}", a.quantity.to_string(), a.uom);
}

}  // namespace

order_plan plan_of(const order& o)
{
    order_plan out;
    out.product = {o.quantity, o.uom};
    for (const auto& c : o.components)
        if (c.state != "cancel" && !c.planned.is_zero()) out.moves[c.move_id] = {c.planned, c.uom};
    return out;
}

std::string difference(const order_plan& was, const order_plan& now)
{
    std::string out;
    const auto add = [&out](const std::string& what) { out += (out.empty() ? "" : "; ") + what; };
    if (!same(was.product, now.product)) add(fmt::format("quantity {}, now {}", text(was.product), text(now.product)));
    for (const auto& [id, amount] : was.moves) {
        const auto it = now.moves.find(id);
        if (it == now.moves.end()) add(fmt::format("move {}: {}, now none", id, text(amount)));
        else if (!same(amount, it->second)) add(fmt::format("move {}: {}, now {}", id, text(amount), text(it->second)));
    }
    for (const auto& [id, amount] : now.moves)
        if (!was.moves.contains(id)) add(fmt::format("move {}: new, {}", id, text(amount)));
    return out;
}

}  // namespace batchbridge::domain
