// What the domain tests share: the shipped map, decimals as text, an order, a batch and slot images.
#pragma once

#include "domain/batch.hpp"
#include "domain/order.hpp"
#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::core {
std::ostream& operator<<(std::ostream& out, const decimal& d);
}

namespace example {

// conf/plc-map.json as text, as JSON and parsed.
const std::string& map_text();
boost::json::value map_json();
const batchbridge::domain::plant_map& map();
// The shipped map with another byte and word order.
batchbridge::domain::plant_map map(batchbridge::domain::word_order words, batchbridge::domain::ascii_order ascii);

// The faults of a map; empty when it is accepted.
std::vector<std::string> faults_of(const boost::json::value& map);
std::string joined(const std::vector<std::string>& lines);

// "12.5" -> 12.5; fails the test for anything that is no decimal.
batchbridge::core::decimal kg(std::string_view text);

// A component of 100 kg planned for silo `code`, and WH/MO/00014 with components of 1000 kg.
batchbridge::domain::component component(std::int64_t move, std::string code, std::string_view planned, std::string uom = "kg");
batchbridge::domain::order order();

// The batch of order() in slot 3, loaded, 101: 600 kg and 102: 400 kg planned.
batchbridge::domain::batch batch();

// What a READ slot shows.
struct shown {
    int slot = 3;
    std::string order = "WH/MO/00014";
    batchbridge::domain::silo_kg actual;
    int manufacturing = 0, operation = 0, read_data = 0;
    std::string weight = "0";
};
batchbridge::domain::words image(const shown& s);

}  // namespace example
