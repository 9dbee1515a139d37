// What the rows are told, and the rows themselves.
#pragma once

#include "row.hpp"

#include <filesystem>
#include <string>

namespace batchbridge::bench {

struct settings {
    std::filesystem::path bridge, plc_sim, odoo_sim, map;
    std::string database;      // URI; may be empty for rows that need none
    bool quick = false;        // few measurements: does it work at all
};

row read_cycle(const settings& s);
row pg_latency(const settings& s);
row cycle_jitter(const settings& s);
row memory(const settings& s);
row start_to_ready(const settings& s);

}  // namespace batchbridge::bench
