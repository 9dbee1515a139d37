#include "unit/domain/example.hpp"

#include "domain/register_table.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <map>

namespace domain = batchbridge::domain;
namespace json = boost::json;
using namespace example;

namespace {

// The shipped map with one value replaced; "erase" removes it, a new key is added.
json::value changed(const std::string& pointer, const std::string& value)
{
    auto v = map_json();
    const auto slash = pointer.rfind('/');
    auto& parent = v.at_pointer(pointer.substr(0, slash));
    const auto key = pointer.substr(slash + 1);
    if (value == "erase") parent.get_object().erase(key);
    else if (parent.is_array()) parent.get_array().at(std::stoul(key)) = json::parse(value);
    else parent.get_object()[key] = json::parse(value);
    return v;
}

bool has(const std::vector<std::string>& faults, const std::string& place, const std::string& part)
{
    return std::any_of(faults.begin(), faults.end(), [&](const std::string& f) { return f.rfind(place, 0) == 0 && f.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("the shipped map has the predecessor's addresses")
{
    const auto& m = map();
    CHECK(m.read_address(1) == 6000);
    CHECK(m.read_address(10) == 6900);
    CHECK(m.write_address(1) == 7000);
    CHECK(m.write_address(10) == 7900);
    CHECK(m.write_ready == 7076);
    CHECK(m.failure.start == 8000);
    CHECK(m.slots.count == 10);
    REQUIRE(m.silos.size() == 15);
    for (int k = 0; k < 13; ++k) {
        const auto& s = m.silos[static_cast<std::size_t>(k)];
        INFO(s.id);
        CHECK(s.id == 101 + k);
        CHECK(s.id_at == 27 + 3 * k);
        CHECK(s.quantity.at == 28 + 3 * k);
        CHECK(s.letter == std::string(1, static_cast<char>('a' + k)));
        CHECK(s.equipment == "SILO-" + std::to_string(101 + k));
        CHECK(s.products == std::vector<std::string>{s.equipment});
        CHECK(s.aliases == std::vector<std::string>{"silo" + std::to_string(101 + k)});
    }
    for (const auto& s : m.silos) {
        CHECK(s.quantity.type == domain::value_type::i32);
        CHECK(s.quantity.words == 2);
        CHECK(s.quantity.scale == 100);
        CHECK(s.max_kg == 5000);
        CHECK(m.find_silo(s.id) == &s);
    }
    CHECK(m.find_silo(100) == nullptr);
}

TEST_CASE("the liquids 114 and 115 are silos like the others (L-24)")
{
    const auto& m = map();
    const auto *a = m.find_silo(114), *b = m.find_silo(115);
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
    CHECK(a->id_at == 66);
    CHECK(a->quantity.at == 67);
    CHECK(a->letter == "lq114");
    CHECK(a->products == std::vector<std::string>{"LQ114"});
    CHECK(b->id_at == 69);
    CHECK(b->quantity.at == 70);
    CHECK(b->equipment == "LQ115");
}

TEST_CASE("expand lists every register of every area once, in order")
{
    const auto rows = domain::expand(map());
    CHECK(rows.size() == 20 * 39 + 4);
    std::map<std::string, int> words;
    int next = 0;
    std::string area;
    for (const auto& r : rows) {
        INFO(r.block << " " << r.name);
        if (r.block == area) CHECK(r.address == next);
        area = r.block;
        next = r.address + r.value.words;
        words[r.block] += r.value.words;
    }
    CHECK(words.size() == 21);
    CHECK(words["READ 1"] == 77);
    CHECK(words["WRITE 10"] == 77);
    CHECK(words["FAILURE"] == 23);
    const auto row = [&](const std::string& in, const std::string& name) {
        const auto it = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.block == in && r.name == name; });
        REQUIRE(it != rows.end());
        return *it;
    };
    CHECK(row("READ 1", "batch_no").address == 6000);
    CHECK(row("READ 1", "batch_no").type == "u16");
    CHECK(row("WRITE 2", "silo_101_quantity").address == 7128);
    CHECK(row("WRITE 2", "silo_101_quantity").type == "i32 /100 ABCD");
    CHECK(row("WRITE 1", "status_read_data").address == 7076);
    CHECK(row("FAILURE", "info").type == "ascii16 high byte first");
    CHECK(row("FAILURE", "time").type == "6 x u16");
    CHECK(row("FAILURE", "flag").address == 8022);
}

TEST_CASE("a fault in the map is refused and named at its place (L-29, L-33, L-40)")
{
    struct fault {
        const char *pointer, *value, *place, *part;
    };
    const auto f = GENERATE(values<fault>({
        // unknown and missing keys
        {"/colour", "1", "colour", "unknown key"},
        {"/slots/colour", "1", "slots.colour", "unknown key"},
        {"/fields/mo", "{\"at\":1}", "fields.mo", "unknown key"},
        {"/fields/mo_id/length", "8", "fields.mo_id.length", "unknown key"},
        {"/silos/2/colour", "1", "silos[2].colour", "unknown key"},
        {"/silos/2/find/products", "[]", "silos[2].find.products", "unknown key"},
        {"/handshake/colour", "1", "handshake.colour", "unknown key"},
        {"/quirks/colour", "1", "quirks.colour", "unknown key"},
        {"/failure/colour", "1", "failure.colour", "unknown key"},
        {"/failure/time/zone", "1", "failure.time.zone", "unknown key"},
        {"/limits/colour", "1", "limits.colour", "unknown key"},
        {"/version", "erase", "version", "is missing"},
        {"/slots", "erase", "slots", "is missing"},
        {"/slots/count", "erase", "slots.count", "is missing"},
        {"/fields", "erase", "fields", "is missing"},
        {"/fields/weight_finished_good", "erase", "fields.weight_finished_good", "is missing"},
        {"/fields/mo_id/at", "erase", "fields.mo_id.at", "is missing"},
        {"/silos", "erase", "silos", "is missing"},
        {"/silos/0/id", "erase", "silos[0].id", "is missing"},
        {"/silos/0/id_at", "erase", "silos[0].id_at", "is missing"},
        {"/silos/14/quantity_at", "erase", "silos[14].quantity_at", "is missing"},
        {"/handshake", "erase", "handshake", "is missing"},
        {"/handshake/mode", "erase", "handshake.mode", "is missing"},
        {"/handshake/write_ready", "erase", "handshake.write_ready", "is missing"},
        {"/failure", "erase", "failure", "is missing"},
        {"/failure/start", "erase", "failure.start", "is missing"},
        {"/failure/time", "erase", "failure.time", "is missing"},
        {"/failure/flag", "erase", "failure.flag", "is missing"},
        // wrong types and values
        {"/version", "2", "version", "expected 1"},
        {"/version", "\"1\"", "version", "whole number"},
        {"/address_offset", "0.5", "address_offset", "whole number"},
        {"/word_order", "\"abcd\"", "word_order", "ABCD, CDAB, BADC, DCBA"},
        {"/ascii_order", "1", "ascii_order", "high, low"},
        {"/order_key", "\"number\"", "order_key", "name, id"},
        {"/slots", "[]", "slots", "expected an object"},
        {"/slots/count", "0", "slots.count", "from 1 to 200"},
        {"/slots/count", "201", "slots.count", "from 1 to 200"},
        {"/slots/read_start", "-1", "slots.read_start", "from 0 to 65535"},
        {"/slots/write_start", "70000", "slots.write_start", "from 0 to 65535"},
        {"/fields/batch_no", "7", "fields.batch_no", "expected an object"},
        {"/fields/batch_no/type", "\"u64\"", "fields.batch_no.type", "is not one of"},
        {"/silos", "{}", "silos", "expected a list"},
        {"/silos", "[]", "silos", "there is none"},
        {"/silos/3", "\"SILO\"", "silos[3]", "expected an object"},
        {"/silos/3/id", "0", "silos[3].id", "from 1 to 65535"},
        {"/silos/3/max_kg", "\"5000\"", "silos[3].max_kg", "kilograms"},
        {"/silos/3/max_kg", "0", "silo 104 max_kg", "above 0"},
        {"/silos/3/find/product", "\"SILO-104\"", "silos[3].find.product", "list of texts"},
        {"/silos/3/find/alias", "[\"\"]", "silos[3].find.alias", "list of texts"},
        {"/quirks/pause_after_connect", "\"20\"", "quirks.pause_after_connect", "duration"},
        {"/quirks/pause_after_connect", "\"61s\"", "quirks.pause_after_connect", "duration"},
        {"/quirks/close_after_cycle", "\"yes\"", "quirks.close_after_cycle", "true or false"},
        {"/quirks/second_host", "7", "quirks.second_host", "text or null"},
        {"/failure/time/format", "\"iso\"", "failure.time.format", "auto, text, epoch"},
        {"/limits/max_fall_kg", "-1", "limits.max_fall_kg", "negative"},
        {"/limits/max_step_kg", "327", "limits.max_step_kg", "below 327"},
        {"/limits/max_step_kg", "0", "limits.max_step_kg", "above 0"},
        {"/products", "[]", "products", "expected an object"},
        // width against type
        {"/fields/mo_id/words", "erase", "fields.mo_id.words", "needs its width"},
        {"/fields/batch_no/words", "2", "fields.batch_no.words", "expected 1"},
        {"/fields/quantity_goods/words", "1", "fields.quantity_goods.words", "expected 2"},
        {"/silos/0/words", "1", "silos[0].words", "expected 2"},
        {"/fields/mo_id/type", "\"u16\"", "fields.mo_id.type", "expected ascii"},
        {"/failure/info/type", "\"u32\"", "failure.info.type", "expected ascii"},
        {"/fields/status_manufacturing/type", "\"i32\"", "fields.status_manufacturing.type", "one status word"},
        {"/failure/flag/type", "\"u32\"", "failure.flag.type", "one status word"},
        {"/silos/0/type", "\"bool\"", "silos[0].type", "this is a number"},
        {"/fields/batch_no/type", "\"ascii\"", "fields.batch_no.type", "this is a number"},
        {"/fields/quantity_goods/scale", "60", "fields.quantity_goods.scale", "power of ten"},
        {"/fields/mo_id/scale", "100", "fields.mo_id.scale", "no meaning"},
        {"/fields/status_operation/scale", "10", "fields.status_operation.scale", "no meaning"},
        {"/failure/time/words", "3", "failure.time.words", "expected 6"},
        // layout
        {"/fields/mo_id/words", "9", "fields.bom_id", "words 9..16 overlap fields.mo_id"},
        {"/silos/0/quantity_at", "29", "silo 102 id", "words 30..30 overlap silo 101 quantity"},
        {"/silos/1/id_at", "27", "silo 102 id", "overlap silo 101 id"},
        {"/fields/weight_finished_good/at", "75", "fields.status_read_data", "overlap fields.weight_finished_good"},
        {"/fields/weight_finished_good/at", "76", "fields.weight_finished_good", "outside the slot of 77 words"},
        {"/silos/14/quantity_at", "500", "silo 115 quantity", "outside the slot"},
        {"/slots/words", "76", "fields.status_read_data", "outside the slot of 76 words"},
        {"/slots/stride", "76", "slots.stride", "less than slots.words"},
        {"/failure/info/at", "7", "failure.info", "overlap failure.equipment_code"},
        {"/slots/write_start", "6050", "slots.write_start", "overlaps READ slot 1"},
        {"/failure/start", "7970", "failure.start", "overlaps WRITE slot 10"},
        {"/slots/count", "21", "slots.write_start", "overlaps READ slot"},
        {"/slots/read_start", "64600", "slots.read_start", "outside 0..65535"},
        {"/failure/start", "65514", "failure.start", "outside 0..65535"},
        {"/address_offset", "-6001", "slots.read_start", "outside 0..65535"},
        {"/address_offset", "58000", "failure.start", "outside 0..65535"},
        {"/handshake/write_ready", "7077", "handshake.write_ready", "status_read_data of WRITE slot 1 (7076)"},
        {"/limits/max_read", "126", "limits.max_read", "1 to 125"},
        {"/limits/max_write", "124", "limits.max_write", "1 to 123"},
        {"/limits/max_write", "0", "limits.max_write", "1 to 123"},
        {"/limits/max_read", "7", "limits.max_read", "less than the 8 words of fields.mo_id"},
        {"/limits/max_write", "1", "limits.max_write", "never split"},
        // each silo once
        {"/silos/1/id", "101", "silos", "silo 101 is there twice"},
        {"/silos/1/letter", "\"a\"", "silos", "letter 'a' is there twice"},
        {"/silos/1/find/product", "[\"silo-101\"]", "silo 102 find.product", "leads to silo 101 too"},
        {"/silos/1/find/alias", "[\"SILO101\"]", "silo 102 find.alias", "leads to silo 101 too"},
        // known and not there yet
        {"/handshake/mode", "\"sequence\"", "handshake.mode", "not supported yet"},
        {"/handshake/mode", "\"bell\"", "handshake.mode", "not one of flag"},
        {"/silos/0/type", "\"float32\"", "silos[0].type", "not supported yet"},
        {"/fields/weight_finished_good/type", "\"float32\"", "fields.weight_finished_good.type", "not supported yet"},
        {"/manual_weighing", "{}", "manual_weighing", "not supported yet"},
        {"/time_stamps", "{}", "time_stamps", "not supported yet"},
        {"/crc", "{}", "crc", "not supported yet"},
    }));
    const auto faults = faults_of(changed(f.pointer, f.value));
    INFO(f.pointer << " = " << f.value << "\n" << joined(faults));
    CHECK(has(faults, f.place, f.part));
    // One mistake is not answered with a page of consequences.
    CHECK(faults.size() <= 3);
}

TEST_CASE("all faults of a map are listed at once, layout faults beside unreadable values")
{
    auto v = changed("/colour", "1");
    v.as_object()["slots"].as_object()["write_start"] = 6050;
    v.as_object()["silos"].as_array()[4].as_object()["id"] = "five";
    v.as_object()["silos"].as_array()[5].as_object()["quantity_at"] = 40;
    v.as_object()["limits"].as_object()["max_read"] = 200;
    const auto faults = faults_of(v);
    INFO(joined(faults));
    CHECK(has(faults, "colour", "unknown key"));
    CHECK(has(faults, "slots.write_start", "overlaps"));
    CHECK(has(faults, "silos[4].id", "whole number"));
    CHECK(has(faults, "silo 106 quantity", "overlap"));
    CHECK(has(faults, "limits.max_read", "125"));
    try {
        static_cast<void>(domain::parse_plant_map(json::serialize(v)));
        FAIL("accepted");
    } catch (const domain::map_error& e) {
        CHECK(std::string(e.what()) + "\n" == joined(faults));
    }
}

TEST_CASE("a file that is no map is refused with one sentence")
{
    for (const auto* text : {"", "{", "[]", "7", "null", "{\"version\": 1,}"}) {
        INFO(text);
        try {
            static_cast<void>(domain::parse_plant_map(text));
            FAIL("accepted");
        } catch (const domain::map_error& e) {
            CHECK(e.faults().size() == 1);
        }
    }
}

TEST_CASE("optional parts of a map may be left out")
{
    auto v = map_json();
    for (const auto* key : {"$schema", "description", "address_offset", "word_order", "ascii_order", "order_key", "quirks", "limits", "products"})
        v.as_object().erase(key);
    for (auto& s : v.as_object()["silos"].as_array())
        for (const auto* key : {"letter", "name", "equipment", "type", "max_kg", "find"}) s.as_object().erase(key);
    const auto m = domain::parse_plant_map(json::serialize(v));
    CHECK(m.words == domain::word_order::abcd);
    CHECK(m.ascii == domain::ascii_order::high);
    CHECK(m.key == domain::order_key::name);
    CHECK(m.silos[0].quantity.words == 2);
    CHECK(m.limits.max_step_kg == 50);
    CHECK_FALSE(m.quirk.second_host);
}

TEST_CASE("address_offset moves every address")
{
    const auto m = domain::parse_plant_map(json::serialize(changed("/address_offset", "-1")));
    CHECK(m.read_address(1) == 5999);
    CHECK(m.write_address(1) == 6999);
    CHECK(m.write_ready == 7075);
    CHECK(m.failure.start == 7999);
    // What counts is the address after the offset.
    auto v = changed("/slots/read_start", "64700");
    v.as_object()["address_offset"] = -1000;
    CHECK(joined(faults_of(v)) == "");
}

TEST_CASE("READ and WRITE slots may alternate in one area")
{
    auto v = map_json();
    auto& slots = v.as_object()["slots"].as_object();
    slots["stride"] = 200;
    slots["write_start"] = 6100;
    v.as_object()["handshake"].as_object()["write_ready"] = 6176;
    v.as_object()["failure"].as_object()["start"] = 9000;
    CHECK(joined(faults_of(v)) == "");
}

TEST_CASE("the slot count has one home, the map (L-20)")
{
    for (const auto* count : {"1", "30"}) {
        auto v = changed("/slots/count", count);
        v.as_object()["slots"].as_object()["write_start"] = 10000;
        v.as_object()["handshake"].as_object()["write_ready"] = 10076;
        v.as_object()["failure"].as_object()["start"] = 20000;
        const auto m = domain::parse_plant_map(json::serialize(v));
        CHECK(std::to_string(m.slots.count) == count);
        CHECK(domain::expand(m).size() == static_cast<std::size_t>(m.slots.count) * 2 * 39 + 4);
    }
}

TEST_CASE("failure times may be text or epoch seconds with their own place")
{
    auto v = changed("/failure/time", "{\"at\": 16, \"format\": \"text\", \"words\": 10}");
    v.as_object()["failure"].as_object()["flag"] = json::parse("{\"at\": 26}");
    auto m = domain::parse_plant_map(json::serialize(v));
    CHECK(m.failure.time.words == 10);
    CHECK(m.failure.time_format == "text");
    m = domain::parse_plant_map(json::serialize(changed("/failure/time", "{\"at\": 16, \"format\": \"epoch\"}")));
    CHECK(m.failure.time.words == 2);
    const auto faults = faults_of(changed("/failure/time", "{\"at\": 16, \"format\": \"text\"}"));
    CHECK(has(faults, "failure.time.words", "is missing"));
}
