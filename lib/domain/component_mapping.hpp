// Which component of an order goes to which silo, and the way back: what was dosed, as quantities of stock moves.
#pragma once

#include "core/config.hpp"
#include "domain/batch.hpp"
#include "domain/order.hpp"
#include "domain/plant_map.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace batchbridge::domain {

// kg per unit: kg 1, g 0.001, t 1000, lb 0.45359237 (exact); nullopt for any other unit. Names as Odoo spells them,
// letter case ignored ("kg", "g", "t", "lb", "ton"? only what odoo18.md/odoo19.md show, plus plain spellings).
std::optional<core::decimal> kg_per_unit(std::string_view uom);

// The step in which Odoo keeps a quantity of a line: uom.uom.rounding, but never finer than 0.01, the default of the decimal
// precision "Product Unit of Measure", which cannot be read over the API; 0.01 when the rounding is not known.
core::decimal odoo_step(const core::decimal& uom_rounding);

struct mapped_order {
    order source;
    core::decimal kg;           // planned output
    silo_kg planned;            // summed per silo
    std::map<std::int64_t, int> silo_of_move;
    std::vector<std::int64_t> unmapped;  // move ids without a silo
};
struct refused_order {
    order_identity id;
    std::string name, reason;
};
struct not_ours {};             // no silo component at all

struct mapping_rules {
    core::unmapped_policy unmapped = core::unmapped_policy::planned;
    std::optional<core::decimal> expected_batch_max_kg;
};
// Refuses: unknown unit, rounding coarser than 0.01 kg, planned above a silo's maximum, order above the expected
// maximum, text or value that does not fit its registers, unmapped component under `refuse`, no or negative quantity.
std::variant<mapped_order, refused_order, not_ours> map_order(const plant_map& map, const order& o, const mapping_rules& rules);

// The recipe that goes to the PLC for a batch.
recipe recipe_of(const batch& b);
// What a slot shows for this order: its name, or "MO#<id>".
std::string order_key_of(const plant_map& map, const order& o);

// A quantity for one move in its own unit, rounded to that unit.
struct move_value {
    std::int64_t move_id = 0;
    core::decimal quantity;
    int silo = 0;               // where it was dosed from; 0: a component without silo, or not known
    bool operator==(const move_value& o) const { return move_id == o.move_id && quantity == o.quantity; }
};

// Live consumption: the actuals as absolute values of the order's silo moves (freshly read). Two moves of one silo share
// in proportion to plan at Odoo's rounding, the rest on the last, exact in sum. Moves without a silo are left out.
std::vector<move_value> consumption_values(const plant_map& map, const order& fresh, const silo_kg& actual);

// What was dosed from silos that no open move of the order stands for: consumption_values books it nowhere.
silo_kg unplanned_silos(const plant_map& map, const order& fresh, const silo_kg& actual);
// "silo 101: 12.5 kg, silo 114: 3 kg"
std::string describe(const silo_kg& v);

struct finish_values {
    std::vector<move_value> moves;
    silo_kg unplanned;          // dosed, and booked in none of `moves`
    core::decimal produced;     // in the order's unit
    std::string produced_from;  // "plc weight", "sum of components", "planned": for the journal
};
struct finish_refused {
    std::string reason;         // parks: produced quantity 0, ..
};
struct finish_rules {
    core::produced_policy produced = core::produced_policy::automatic;
    core::unmapped_policy unmapped = core::unmapped_policy::planned;
    std::optional<core::decimal> given_kg{};   // what a person said was produced: counts before any policy
};
// Computed once from step 0's first read. The sum counts what is booked: not what came from unplanned silos. `ours` tells whether a picked value on an unmapped move stems from one of our
// attempts (then it may be overwritten; a person's booking is not).
std::variant<finish_values, finish_refused> compute_finish(const plant_map& map, const order& fresh, const batch& b,
                                                            const finish_rules& rules,
                                                            const std::function<bool(const move_value&)>& ours);

// Does the order in Odoo hold exactly these values (half a unit of its rounding as tolerance)? A zero move may be
// cancelled after done. `check_produced` is false when MARK_DONE=false and only the components were asked for.
// Returns the differences in words; empty = equal.
std::vector<std::string> differences(const order& fresh, const finish_values& wanted);

}  // namespace batchbridge::domain
