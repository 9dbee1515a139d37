// A slot's picture for the journal, so that a person can see afterwards what was seen.
#pragma once

#include "domain/batch.hpp"
#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <boost/json/value.hpp>

namespace batchbridge::tasks {

// {"raw": [words], "shows": {"batch_no", "order", "actual": {silo: kg}, "weight", "status_manufacturing", "status_operation",
// "status_read_data"}}; kg as text, silos that show 0 left out.
boost::json::value picture_json(const domain::plant_map& map, const domain::words& picture);

// Whether the slot still shows what it did before this load (null: none), in which the flag does not count.
bool is_stale(const domain::plant_map& map, const domain::load* l, int slot, const domain::words& picture);

}  // namespace batchbridge::tasks
