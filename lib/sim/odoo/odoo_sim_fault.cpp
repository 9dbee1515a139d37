#include "sim/odoo/odoo_sim_fault.hpp"

#include <algorithm>
#include <set>

namespace batchbridge::sim {

bool odoo_fault_list::known(const std::string& kind)
{
    static const std::set<std::string> kinds{"hang", "delay", "drop_after", "late_commit", "http_504", "reset", "half_open", "garbage", "http_500", "html",
                                             "operational_error", "serialization_failure", "exception"};
    return kinds.contains(kind);
}

std::optional<odoo_sim_fault> odoo_fault_list::take(const odoo_call& c)
{
    for (auto it = faults_.begin(); it != faults_.end(); ++it) {
        if (!it->method.empty() && it->method != c.method) continue;
        if (!it->protocol.empty() && it->protocol != c.protocol) continue;
        if (!it->model.empty() && it->model != c.model) continue;
        if (it->order != 0 && std::find(c.orders.begin(), c.orders.end(), it->order) == c.orders.end()) continue;
        auto out = *it;
        if (it->count > 0 && --it->count == 0) faults_.erase(it);
        return out;
    }
    return std::nullopt;
}

}  // namespace batchbridge::sim
