// What an order asks for: its quantity and the planned quantity of each component. Kept with the batch that is made of it, so that
// a change in Odoo is seen.
#pragma once

#include "domain/order.hpp"

#include <map>

namespace batchbridge::domain {

struct planned_amount {
    core::decimal quantity;
    std::string uom;
};

struct order_plan {
    planned_amount product;
    std::map<std::int64_t, planned_amount> moves;   // without those that ask for nothing: cancelled, or planned with 0
};

order_plan plan_of(const order& o);
// "quantity 100 kg, now 120 kg; move 11: 100 kg, now gone". Empty: the same.
std::string difference(const order_plan& was, const order_plan& now);

}  // namespace batchbridge::domain
