// The simulator as the recorded Odoo 19: its database, user, key, products and equipment.
#pragma once

#include "sim_bench.hpp"

#include <fmt/format.h>

namespace batchbridge::tests {

inline sim::odoo_options options_19()
{
    sim::odoo_options o;
    o.version = "19.0";
    o.user = o.password = "middleware";
    o.api_key = "MIDDLEWARE-API-KEY";
    o.uid = 5;
    return o;
}

struct bench_19 : sim_bench {
    bench_19() : sim_bench(options_19())
    {
        for (auto& e : model.equipment()) e.name = fmt::format("Silo {}", 100 + e.id);
    }
    // An order of `components` moves from `first` on, each planned and reserved with `planned`.
    sim::sim_order& feed(std::int64_t id, std::int64_t first, int components, const char* planned, int quantity = 1000)
    {
        std::vector<std::pair<std::int64_t, core::decimal>> moves;
        for (int i = 0; i < components; ++i) moves.emplace_back(first + i, core::decimal::parse(planned).value());
        auto& o = add(id, quantity, moves);
        o.product_code = "FEED-A";
        o.product_name = "Finished FEED-A";
        o.consumption = "flexible";
        o.date_start = core::from_odoo("2026-11-23 10:44:02").value();
        for (std::size_t i = 0; i < o.moves.size(); ++i) {
            auto& m = o.moves[i];
            const int silo = 101 + static_cast<int>(i);
            m.product_code = fmt::format("{}{}", silo > 113 ? "LQ" : "SILO-", silo);
            m.product_name = silo > 113 ? fmt::format("Liquid tank {}", silo) : fmt::format("Silo {} ingredient {}", silo, static_cast<char>('a' + i));
        }
        return o;
    }
    // Ready for "done": everything picked as planned.
    sim::sim_order& dosed(std::int64_t id, std::int64_t first, int components, const char* planned, int produced = 1000)
    {
        auto& o = feed(id, first, components, planned);
        for (auto& m : o.moves) m.picked = true;
        o.qty_producing = produced;
        o.state = produced >= 1000 ? "to_close" : "progress";
        return o;
    }
    sim::sim_order& done(std::int64_t id, std::int64_t first, int components, const char* planned, int produced = 1000)
    {
        auto& o = dosed(id, first, components, planned, produced);
        model.book(o);
        return o;
    }
    // POST /json/2/<model>/<method>.
    wire json2(const std::string& path, const json::value& body, const std::string& key = "MIDDLEWARE-API-KEY")
    {
        return send("POST", "/json/2/" + path, "application/json", json::serialize(body), 20s, "Authorization: Bearer " + key + "\r\nX-Odoo-Database: factory\r\n");
    }
};

}  // namespace batchbridge::tests
