// conf/plc-map.schema.json and the loader say the same. The schema is judged by Debian's python3-jsonschema, which knows
// nothing of us. What a schema cannot say (overlaps, addresses, names used twice) is the loader's alone.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace json = boost::json;
using namespace example;

namespace {

struct variant {
    std::string change;   // "/slots/count = 0"
    json::value map;
};

// The shipped map with its first two silos: enough, and quicker to judge some hundred times.
json::value small_map()
{
    auto v = map_json();
    v.at("silos").as_array().resize(2);
    return v;
}

// "erase" removes the value at `pointer`; a key that is not there is added.
variant changed(const std::string& pointer, const std::string& value)
{
    variant out{pointer + " = " + value, small_map()};
    const auto slash = pointer.rfind('/');
    auto& parent = out.map.at_pointer(pointer.substr(0, slash));
    const auto key = pointer.substr(slash + 1);
    if (parent.is_array()) parent.as_array().at(std::stoul(key)) = json::parse(value);
    else if (value == "erase") parent.as_object().erase(key);
    else parent.as_object()[key] = json::parse(value);
    return out;
}

// What the schema says of each: "yes" or "no: why".
std::vector<std::string> schema_says(const std::vector<variant>& variants)
{
    std::string path = "/tmp/batchbridge-schema.XXXXXX";
    const int fd = ::mkstemp(path.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    {
        std::ofstream out(path);
        for (const auto& v : variants) out << json::serialize(v.map) << '\n';
    }
    // Debian's python3 has Debian's packages; another one first in PATH may not.
    const auto command = "/usr/bin/python3 " BB_TEST_DIR "/map_schema.py " BB_CONF_DIR "/plc-map.schema.json " + path + " 2>&1";
    auto* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::vector<std::string> out(1);
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
        if (c == '\n') out.emplace_back();
        else out.back() += static_cast<char>(c);
    }
    out.pop_back();
    const int status = ::pclose(pipe);
    std::remove(path.c_str());
    INFO("app/setup.sh installs what this needs (python3-jsonschema)\n" << joined(out));
    REQUIRE(status == 0);
    REQUIRE(out.size() == variants.size());
    return out;
}

// A rule about the map as a whole, which a schema cannot say.
bool about_layout(const std::string& fault)
{
    for (const auto* part : {"overlap", " are outside the ", "outside 0..65535", "is less than slots.words", "a value is never split over two requests", "is there twice", "leads to silo", "is not the status_read_data"})
        if (fault.find(part) != std::string::npos) return true;
    return false;
}

// Every place of the map, as JSON pointers.
void places(const json::value& v, const std::string& at, std::vector<std::string>& out)
{
    if (!at.empty()) out.push_back(at);
    if (v.is_object())
        for (const auto& [key, inner] : v.as_object()) places(inner, at + "/" + std::string(key), out);
    // The second silo has nothing that the first one has not.
    if (v.is_array() && !v.as_array().empty()) places(v.as_array()[0], at + "/0", out);
}

}  // namespace

TEST_CASE("the schema accepts the shipped map, and names that map's places")
{
    const std::vector<variant> shipped{{"shipped", map_json()}, {"shortened", small_map()}};
    CHECK(schema_says(shipped) == std::vector<std::string>{"yes", "yes"});
    CHECK(faults_of(small_map()).empty());
}

TEST_CASE("whatever is changed at any place of the map, schema and loader agree")
{
    std::vector<std::string> all;
    const auto map = small_map();
    places(map, "", all);
    REQUIRE(all.size() > 80);
    std::vector<variant> variants;
    for (const auto& place : all) {
        const auto& now = map.at_pointer(place);
        if (now.is_object()) variants.push_back(changed(place + "/colour", "1"));
        const bool item = map.at_pointer(place.substr(0, place.rfind('/'))).is_array();
        if (!item) variants.push_back(changed(place, "erase"));
        for (const auto* value : {"null", "true", "[]", "{}", "\"x\"", "\"\"", "\"i16\"", "\"u32\"", "\"bool\"", "-1", "0", "1", "2", "2.0", "0.5", "7", "100", "128", "327", "65536", "1e300", "18446744073709551615"})
            variants.push_back(changed(place, value));
    }
    const auto schema = schema_says(variants);
    int refused = 0, layout = 0;
    for (std::size_t i = 0; i < variants.size(); ++i) {
        const auto faults = faults_of(variants[i].map);
        const bool accepted = schema[i] == "yes";
        refused += accepted ? 0 : 1;
        if (accepted == faults.empty()) continue;
        INFO(variants[i].change << "\nschema: " << schema[i] << "\nloader:\n" << joined(faults));
        // The loader is stricter where the map as a whole does not fit, and nowhere else.
        const bool only_layout = accepted && std::all_of(faults.begin(), faults.end(), about_layout);
        layout += only_layout ? 1 : 0;
        CHECK(only_layout);
    }
    CHECK(refused > 500);
    CHECK(layout > 10);
}

TEST_CASE("what a map may not say is refused by schema and loader")
{
    const std::vector<variant> variants{
        changed("/version", "2"), changed("/version", "\"1\""), changed("/slots/count", "201"), changed("/address_offset", "65536"), changed("/address_offset", "-65536"),
        changed("/word_order", "\"abcd\""), changed("/$schema", "7"), changed("/description", "[]"), changed("/manual_weighing", "{}"), changed("/crc", "{}"),
        // width and scale against the kind of value
        changed("/fields/mo_id/words", "126"), changed("/fields/mo_id/type", "\"u16\""), changed("/fields/mo_id/scale", "10"), changed("/fields/batch_no/type", "\"ascii\""),
        changed("/fields/batch_no/words", "2"), changed("/fields/quantity_goods/words", "1"), changed("/fields/quantity_goods/type", "\"float32\""), changed("/fields/quantity_goods/scale", "60"),
        changed("/fields/status_operation/type", "\"i32\""), changed("/fields/status_operation/words", "2"), changed("/fields/status_operation/scale", "10"), changed("/failure/flag/type", "\"u32\""),
        changed("/silos/0/words", "1"), changed("/silos/0/type", "\"bool\""), changed("/failure/time/words", "3"), changed("/failure/time/format", "\"text\""),
        changed("/failure/time", "{\"at\": 16, \"format\": \"epoch\", \"words\": 6}"), changed("/handshake/mode", "\"sequence\""),
        // lengths of time
        changed("/quirks/pause_after_connect", "\"20\""), changed("/quirks/pause_after_connect", "\"61s\""), changed("/quirks/pause_after_connect", "\"60001ms\""),
        changed("/quirks/pause_after_connect", "\"2m\""), changed("/quirks/pause_after_connect", "\"1h\""), changed("/quirks/pause_after_connect", "\"-1s\""), changed("/quirks/pause_between_requests", "\"\""),
        changed("/silos/0/max_kg", "1e11"), changed("/limits/max_fall_kg", "-0.5"), changed("/silos", "[]"), changed("/silos/0/find/alias", "[\"\"]")};
    const auto schema = schema_says(variants);
    for (std::size_t i = 0; i < variants.size(); ++i) {
        const auto faults = faults_of(variants[i].map);
        INFO(variants[i].change << "\nschema: " << schema[i] << "\nloader:\n" << joined(faults));
        CHECK(schema[i] != "yes");
        CHECK_FALSE(faults.empty());
    }
}

TEST_CASE("what a map may say is accepted by schema and loader")
{
    const std::vector<variant> variants{
        changed("/address_offset", "-1"), changed("/address_offset", "1"), changed("/word_order", "\"DCBA\""), changed("/ascii_order", "\"low\""), changed("/order_key", "\"id\""),
        changed("/version", "1.0"), changed("/slots/count", "5.0"), changed("/slots/stride", "77"), changed("/slots/words", "100"),
        changed("/fields/mo_id", "{\"at\": 1, \"words\": 4}"), changed("/fields/mo_id/scale", "1"), changed("/fields/batch_no", "{\"at\": 0}"), changed("/fields/batch_no/words", "1"),
        changed("/fields/quantity_goods", "{\"at\": 25}"), changed("/fields/quantity_goods", "{\"at\": 25, \"type\": \"u16\", \"words\": 1, \"scale\": 10}"),
        changed("/fields/weight_finished_good", "{\"at\": 74, \"type\": \"u32\", \"words\": 2}"), changed("/fields/status_operation", "{\"at\": 73}"),
        changed("/fields/status_operation", "{\"at\": 73, \"type\": \"u16\", \"words\": 1, \"scale\": 1}"), changed("/silos/0", "{\"id\": 101, \"id_at\": 27, \"quantity_at\": 28}"),
        changed("/silos/0/type", "\"i16\""), changed("/silos/0/scale", "1000000"), changed("/silos/0/max_kg", "0.5"), changed("/silos/0/max_kg", "99999999999"), changed("/silos/0/find", "{}"),
        changed("/silos/0/find/location", "[\"WH/Stock/A\", \"Süd\"]"), changed("/quirks", "erase"), changed("/quirks", "{}"), changed("/quirks/pause_after_connect", "\"60s\""),
        changed("/quirks/pause_after_connect", "\"60000ms\""), changed("/quirks/pause_after_connect", "\"1m\""), changed("/quirks/pause_after_connect", "\"020ms\""),
        changed("/quirks/second_host", "\"10.0.0.6\""), changed("/failure/time", "{\"at\": 16}"), changed("/failure/time", "{\"at\": 16, \"words\": 6}"),
        changed("/failure/time", "{\"at\": 16, \"format\": \"epoch\"}"), changed("/failure/time", "{\"at\": 23, \"format\": \"text\", \"words\": 10}"), changed("/limits", "{}"),
        changed("/limits/max_step_kg", "326.9"), changed("/limits/max_fall_kg", "0"), changed("/limits/max_read", "8"), changed("/products", "{\"any\": [\"thing\"]}"), changed("/$schema", "erase")};
    const auto schema = schema_says(variants);
    for (std::size_t i = 0; i < variants.size(); ++i) {
        const auto faults = faults_of(variants[i].map);
        INFO(variants[i].change << "\nschema: " << schema[i] << "\nloader:\n" << joined(faults));
        CHECK(schema[i] == "yes");
        CHECK(faults.empty());
    }
}
