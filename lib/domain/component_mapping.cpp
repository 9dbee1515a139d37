#include "domain/component_mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace batchbridge::domain {

using core::decimal;

core::decimal odoo_step(const core::decimal& uom_rounding)
{
    static const auto finest = *core::decimal::parse("0.01");
    return uom_rounding > finest ? uom_rounding : finest;
}

namespace {

std::string lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

bool contains(const std::vector<std::string>& list, const std::string& lowered)
{
    return !lowered.empty() && std::any_of(list.begin(), list.end(), [&](const std::string& s) { return lower(s) == lowered; });
}

struct silo_match {
    int id = 0;           // 0: none
    bool ambiguous = false;
};

// Product reference first, then alias, then location.
silo_match match_silo(const plant_map& map, const component& c)
{
    const auto code = lower(c.product_code), name = lower(c.product_name), location = lower(c.location);
    const std::array<std::function<bool(const silo&)>, 3> rules{
        [&](const silo& s) { return contains(s.products, code); },
        [&](const silo& s) { return contains(s.aliases, code) || contains(s.aliases, name); },
        [&](const silo& s) { return contains(s.locations, location); },
    };
    for (const auto& rule : rules) {
        silo_match m;
        for (const auto& s : map.silos) {
            if (!rule(s)) continue;
            m.ambiguous = m.id != 0;
            m.id = s.id;
            if (m.ambiguous) return m;
        }
        if (m.id != 0) return m;
    }
    return {};
}

decimal rounding_of(const component& c)
{
    return odoo_step(c.uom_rounding);
}

// 0.01 kg is what a register and Odoo's default precision can hold.
bool too_coarse(const decimal& rounding, const decimal& factor)
{
    return decimal::multiply(odoo_step(rounding), factor, 6) > *decimal::parse("0.01");
}

std::string label(const component& c)
{
    return c.product_code.empty() ? c.product_name : c.product_code;
}

// A planned quantity in kg. Six places are 1 mg; a pound's exact product could need more digits than there are.
decimal planned_kg_of(const decimal& planned, const decimal& factor)
{
    return decimal::multiply(planned, factor, 6);
}

}  // namespace

std::optional<decimal> kg_per_unit(std::string_view uom)
{
    const auto name = lower(uom);
    if (name == "kg") return decimal(1);
    if (name == "g") return decimal::parse("0.001");
    if (name == "t") return decimal(1000);
    if (name == "lb" || name == "lbs") return decimal::parse("0.45359237");
    return std::nullopt;
}

std::string order_key_of(const plant_map& map, const order& o)
{
    return map.key == order_key::id ? fmt::format("MO#{}", o.id.odoo_id) : o.name;
}

recipe recipe_of(const batch& b)
{
    recipe r;
    r.batch_no = b.slot;
    r.mo_id = b.order_key;
    r.bom_id = b.bom_id;
    r.finished_goods = b.finished_goods;
    r.quantity = b.planned_kg;
    r.planned = b.planned;
    return r;
}

std::variant<mapped_order, refused_order, not_ours> map_order(const plant_map& map, const order& o, const mapping_rules& rules)
{
    const auto refuse = [&](std::string reason) { return refused_order{o.id, o.name, std::move(reason)}; };
    try {
        mapped_order out;
        out.source = o;
        bool any = false;
        std::vector<std::string> unmapped;
        for (const auto& c : o.components) {
            if (c.state == "cancel") continue;  // taken out of the order by a person: nothing could be booked on it
            const auto match = match_silo(map, c);
            if (match.ambiguous) return refuse(fmt::format("component {} matches two silos of the map", label(c)));
            if (match.id == 0) {
                out.unmapped.push_back(c.move_id);
                unmapped.push_back(label(c));
                continue;
            }
            any = true;
            const auto factor = kg_per_unit(c.uom);
            if (!factor) return refuse(fmt::format("component {} is in '{}', known units are kg, g, t and lb", label(c), c.uom));
            if (too_coarse(c.uom_rounding, *factor))
                return refuse(fmt::format("component {}: '{}' is rounded to {} in Odoo, coarser than 0.01 kg", label(c), c.uom, odoo_step(c.uom_rounding).to_string()));
            if (c.planned < 0) return refuse(fmt::format("component {} has a negative planned quantity", label(c)));
            out.silo_of_move[c.move_id] = match.id;
            out.planned[match.id] += planned_kg_of(c.planned, *factor);
        }
        if (!any) return not_ours{};
        if (rules.unmapped == core::unmapped_policy::refuse && !unmapped.empty())
            return refuse(fmt::format("component(s) without a silo: {}", fmt::join(unmapped, ", ")));
        const auto factor = kg_per_unit(o.uom);
        if (!factor) return refuse(fmt::format("the order is in '{}', known units are kg, g, t and lb", o.uom));
        if (too_coarse(o.uom_rounding, *factor))
            return refuse(fmt::format("the order's unit '{}' is rounded to {} in Odoo, coarser than 0.01 kg", o.uom, odoo_step(o.uom_rounding).to_string()));
        out.kg = planned_kg_of(o.quantity, *factor);
        if (out.kg <= 0) return refuse(fmt::format("the order's quantity is {} {}", o.quantity.to_string(), o.uom));
        if (rules.expected_batch_max_kg && out.kg > *rules.expected_batch_max_kg)
            return refuse(fmt::format("planned {} kg, more than EXPECTED_BATCH_MAX_KG {}", out.kg.to_string(), rules.expected_batch_max_kg->to_string()));
        bool anything = false;
        for (auto& [id, kg] : out.planned) {
            kg = kg.rounded(2);
            anything = anything || kg > 0;
            const auto& s = *map.find_silo(id);
            if (kg > s.max_kg) return refuse(fmt::format("silo {}: planned {} kg, its maximum is {} kg", id, kg.to_string(), s.max_kg.to_string()));
        }
        if (!anything) return refuse("every silo component is planned with 0");
        // What the registers cannot hold is found here, not while loading.
        recipe r;
        r.batch_no = 1;
        r.mo_id = order_key_of(map, o);
        r.bom_id = o.bom;
        r.finished_goods = o.product_code.empty() ? o.product_name : o.product_code;
        r.quantity = out.kg.rounded(2);
        r.planned = out.planned;
        if (r.mo_id.empty()) return refuse("the order has no name");
        static_cast<void>(encode_recipe(map, r));
        return out;
    } catch (const encode_error& e) {
        return refuse(e.what());
    } catch (const std::overflow_error&) {
        return refuse("a quantity is too large");
    }
}

namespace {

// The moves that what was dosed from a silo is booked in.
std::map<int, std::vector<const component*>> moves_by_silo(const plant_map& map, const order& fresh)
{
    std::map<int, std::vector<const component*>> by_silo;
    // In a done order every move is over: there the values are what they should have been.
    const bool over = fresh.state == order_state::done;
    for (const auto& c : fresh.components) {
        if (!over && (c.state == "cancel" || c.state == "done")) continue;
        const auto match = match_silo(map, c);
        if (match.id != 0 && !match.ambiguous && kg_per_unit(c.uom)) by_silo[match.id].push_back(&c);
    }
    return by_silo;
}

}  // namespace

silo_kg unplanned_silos(const plant_map& map, const order& fresh, const silo_kg& actual)
{
    const auto by_silo = moves_by_silo(map, fresh);
    silo_kg out;
    for (const auto& [silo, kg] : actual)
        if (!kg.is_zero() && !by_silo.contains(silo)) out[silo] = kg;
    return out;
}

std::vector<move_value> consumption_values(const plant_map& map, const order& fresh, const silo_kg& actual)
{
    std::vector<move_value> out;
    for (const auto& [id, moves] : moves_by_silo(map, fresh)) {
        const auto it = actual.find(id);
        const decimal total = it == actual.end() ? decimal() : it->second;
        decimal planned_kg;
        for (const auto* c : moves) planned_kg += planned_kg_of(c->planned, *kg_per_unit(c->uom));
        decimal left = total;
        for (std::size_t i = 0; i < moves.size(); ++i) {
            const auto& c = *moves[i];
            const auto factor = *kg_per_unit(c.uom);
            move_value v;
            v.move_id = c.move_id;
            v.silo = id;
            if (i + 1 == moves.size()) {
                v.quantity = decimal::divide(left, factor, 6).rounded_to(rounding_of(c));
            } else {
                const auto share = planned_kg > 0 ? decimal::divide(decimal::multiply(total, planned_kg_of(c.planned, factor), 6), planned_kg, 6) : decimal();
                v.quantity = decimal::divide(share, factor, 6).rounded_to(rounding_of(c));
                // Shares that were rounded up may have used what is left for this one.
                const auto in_kg = [&] { return decimal::multiply(v.quantity, factor, 10); };
                while (v.quantity > 0 && in_kg() > left) v.quantity -= rounding_of(c);
                left -= in_kg();
            }
            out.push_back(v);
        }
    }
    return out;
}

}  // namespace batchbridge::domain
