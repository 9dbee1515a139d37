// A manufacturing order as Odoo describes it, translated into plain values.
#pragma once

#include "core/decimal.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

// Odoo re-uses ids and names after a restore; together with the order's create_date they name one order for ever.
struct order_identity {
    std::string odoo_db;
    std::int64_t odoo_id = 0;
    core::utc_time create_date{};
    auto operator<=>(const order_identity&) const = default;   // NOLINT(modernize-use-nullptr): clang-tidy takes the 0 of `a <=> b < 0` for a pointer
};

// mrp.production.state
enum class order_state { draft, confirmed, progress, to_close, done, cancel, unknown };
order_state order_state_from(std::string_view text) noexcept;
std::string_view to_string(order_state s) noexcept;

// One stock.move of move_raw_ids; scrapped ones are left out by the adapter.
struct component {
    std::int64_t move_id = 0;
    std::int64_t product_id = 0;
    std::string product_code;   // product.product.default_code, may be empty
    std::string product_name;
    std::string location;       // location_id's complete name, may be empty
    std::string uom;            // uom.uom name
    core::decimal uom_rounding; // uom.uom.rounding in that unit; 0 = not known
    core::decimal planned;      // product_uom_qty, in uom
    core::decimal quantity;     // reserved while picked is false, consumed when true; in uom
    bool picked = false;
    std::string state;          // stock.move.state
};

struct order {
    order_identity id;
    std::string name;           // "WH/MO/00014"
    order_state state = order_state::unknown;
    std::string bom;            // display name or code, may be empty
    std::string product_code, product_name;
    std::string uom;
    core::decimal uom_rounding;
    core::decimal quantity;     // product_qty, in uom
    core::decimal qty_producing, qty_produced;
    std::vector<component> components;
};

// A record that could not become an order. The others of the same answer go on.
struct malformed_order {
    std::int64_t odoo_id = 0;   // 0 when even that is missing
    std::string name;           // may be empty
    std::optional<core::utc_time> create_date;
    std::string reason;         // "components[2].product_uom_qty is null, expected a number"
};

}  // namespace batchbridge::domain
