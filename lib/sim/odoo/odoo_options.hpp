// What an odoo-sim says it is and what it allows. The control port changes it while it runs.
#pragma once

#include "core/decimal.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace batchbridge::sim {

struct odoo_options {
    std::string db = "factory", user = "plcbridge", password = "plc", api_key, version = "18.0+e-20241005";
    std::int64_t uid = 6;
    std::chrono::milliseconds latency{0};
    std::chrono::seconds clock_shift{0};   // added to the Date header

    bool archived = false;                 // the user: every login is refused
    bool email = true;                     // without one, calls that post a message are refused (h32)
    bool equipment_visible = true;         // false: the manager group is missing, the list is empty (k01)
    std::set<std::string> denied;          // "mrp.production.write", "maintenance.equipment.read"
    int digits = 2;                        // precision "Product Unit (of Measure)"
    std::map<std::string, core::decimal> rounding;   // of a unit, where it is not 0.01

    bool several_databases = false;        // no X-Odoo-Database header is a 404 then
    std::string plain_db;                  // a database of that name is in PostgreSQL and not Odoo's: 500

    bool scada = true, scada_login = true; // the plant's module is installed; it has a login of its own
    bool scada_bare = false;               // answers without the JSON-RPC envelope
    bool scada_false = false;              // empty values are false, not null
    std::string scada_complaint;           // goes into `errors` of each update, which still says success

    // 18 of "18.0+e-20241005"; 0 for "saas~18.3".
    int series() const
    {
        int n = 0;
        for (const char c : version) {
            if (c < '0' || c > '9') break;
            n = n * 10 + (c - '0');
        }
        return n;
    }
    // Odoo 19 has another wording of errors, other unit ids and some other answers.
    bool is_19() const { return series() >= 19; }
    core::decimal rounding_of(const std::string& unit) const
    {
        const auto it = rounding.find(unit);
        return it == rounding.end() ? *core::decimal::parse("0.01") : it->second;
    }
};

}  // namespace batchbridge::sim
