#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fstream>
#include <ostream>
#include <sstream>

namespace batchbridge::core {
std::ostream& operator<<(std::ostream& out, const decimal& d)
{
    return out << d.to_string();
}
}  // namespace batchbridge::core

namespace example {

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;

const std::string& map_text()
{
    static const std::string text = [] {
        std::ifstream in(std::string(BB_CONF_DIR) + "/plc-map.json");
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }();
    return text;
}

boost::json::value map_json()
{
    return boost::json::parse(map_text());
}

const domain::plant_map& map()
{
    static const auto m = domain::parse_plant_map(map_text());
    return m;
}

domain::plant_map map(domain::word_order words, domain::ascii_order ascii)
{
    auto m = map();
    m.words = words;
    m.ascii = ascii;
    return m;
}

std::vector<std::string> faults_of(const boost::json::value& map)
{
    try {
        static_cast<void>(domain::parse_plant_map(boost::json::serialize(map)));
        return {};
    } catch (const domain::map_error& e) {
        return e.faults();
    }
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string out;
    for (const auto& l : lines) out += l + "\n";
    return out;
}

decimal kg(std::string_view text)
{
    const auto d = decimal::parse(text);
    INFO(text);
    REQUIRE(d);
    return *d;
}

domain::component component(std::int64_t move, std::string code, std::string_view planned, std::string uom)
{
    domain::component c;
    c.move_id = move;
    c.product_id = 1000 + move;
    c.product_code = std::move(code);
    c.product_name = "product " + c.product_code;
    c.uom = std::move(uom);
    c.uom_rounding = kg("0.01");
    c.planned = kg(planned);
    c.state = "confirmed";
    return c;
}

domain::order order()
{
    domain::order o;
    o.id = {"mill", 14, batchbridge::core::utc_time(std::chrono::hours(500000))};
    o.name = "WH/MO/00014";
    o.state = domain::order_state::confirmed;
    o.bom = "[PKE] Feed";
    o.product_code = "FEED-1";
    o.product_name = "Feed";
    o.uom = "kg";
    o.uom_rounding = kg("0.01");
    o.quantity = 1000;
    o.components = {component(1, "SILO-101", "600"), component(2, "SILO-102", "400")};
    return o;
}

domain::batch batch()
{
    domain::batch b;
    b.id = 1;
    b.line = "line1";
    b.order = order().id;
    b.mo_id = b.order_key = "WH/MO/00014";
    b.slot = 3;
    b.load = 1;
    b.state = domain::batch_state::loaded;
    b.planned_kg = 1000;
    b.planned = {{101, 600}, {102, 400}};
    return b;
}

domain::words image(const shown& s)
{
    const auto& m = map();
    domain::recipe r;
    r.batch_no = s.slot;
    r.mo_id = s.order;
    r.quantity = 1000;
    r.planned = s.actual;
    auto out = domain::encode_recipe(m, r);
    out[static_cast<std::size_t>(m.fields.status_manufacturing.at)] = static_cast<std::uint16_t>(s.manufacturing);
    out[static_cast<std::size_t>(m.fields.status_operation.at)] = static_cast<std::uint16_t>(s.operation);
    out[static_cast<std::size_t>(m.fields.status_read_data.at)] = static_cast<std::uint16_t>(s.read_data);
    domain::encode_value(m, m.fields.weight_finished_good, kg(s.weight), out);
    return out;
}

}  // namespace example
