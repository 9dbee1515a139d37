#include "domain/snapshot.hpp"

#include "core/csv.hpp"
#include "domain/replay.hpp"
#include "domain/shown_value.hpp"
#include "support/catch.hpp"
#include "unit/domain/example.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <random>

using namespace batchbridge;
using Catch::Contains;
using domain::register_area;
using domain::words;
using example::joined;

namespace {

domain::snapshot picture(const domain::plant_map& map)
{
    domain::snapshot s;
    s.line = "mill, \"north\"";
    s.plc = "plc 10.0.0.5:502 unit 1";
    s.map_file = "conf/plc-map.json";
    s.taken = core::utc_time(std::chrono::hours(500000));
    for (const auto& block : domain::blocks_of(map)) s.blocks.push_back({block, words(static_cast<std::size_t>(block.words), 0), true});
    return s;
}

domain::block_image& block_of(domain::snapshot& s, const std::string& name)
{
    const auto it = std::find_if(s.blocks.begin(), s.blocks.end(), [&](const auto& b) { return b.block.name() == name; });
    REQUIRE(it != s.blocks.end());
    return *it;
}

// READ 3 with WH/MO/00014: 1000 kg of silo 101, 0.01 kg of LQ115, made.
domain::snapshot filled()
{
    auto s = picture(example::map());
    example::shown r;
    r.actual = {{101, 1000}, {115, example::kg("0.01")}};
    r.manufacturing = 1;
    r.weight = "999.5";
    block_of(s, "READ 3").image = example::image(r);
    return s;
}

const domain::replayed_value& value(const domain::replay_report& report, const std::string& block, const std::string& name)
{
    const auto it = std::find_if(report.values.begin(), report.values.end(), [&](const auto& v) { return v.block == block && v.name == name; });
    INFO(block << " " << name);
    REQUIRE(it != report.values.end());
    return *it;
}

std::vector<std::string> faults_of(std::string_view text)
{
    try {
        static_cast<void>(domain::read_snapshot(text));
        return {};
    } catch (const domain::snapshot_error& e) {
        return e.faults();
    }
}

}  // namespace

TEST_CASE("a snapshot as CSV has the predecessor's five columns first, decoded values beside raw words")
{
    const auto text = domain::snapshot_csv(example::map(), filled());
    const auto file = core::parse_csv(text);
    CHECK(file.faults.empty());
    REQUIRE(file.records.size() == 1 + 20 * 39 + 4);
    const auto& header = file.records[0].fields;
    CHECK(std::vector<std::string>(header.begin(), header.begin() + 5) == std::vector<std::string>{"field_name", "dm_address", "data_type", "scale", "raw_words"});
    const auto row = [&](const std::string& name, const std::string& slot) {
        for (const auto& r : file.records)
            if (r.fields[0] == name && r.fields[8] == "READ" && r.fields[9] == slot) return r.fields;
        FAIL(name << " is not there");
        return std::vector<std::string>();
    };
    CHECK(row("silo_101_quantity", "3") == std::vector<std::string>{"silo_101_quantity", "D6228-D6229", "int32", "100", "1|34464", "1000.00", "kg", "", "READ", "3", "6228", "ABCD", "mill, \"north\"", "2027-01-15T08:00:00Z"});
    CHECK(row("mo_id", "3")[4] == "22344|12109|20271|12336|12337|13312|0|0");
    CHECK(row("mo_id", "3")[5] == "WH/MO/00014");
    CHECK(row("silo_115_quantity", "3")[5] == "0.01");
    CHECK(row("status_manufacturing", "3")[5] == "1");
}

TEST_CASE("a snapshot as JSON is one document with the map's facts and each block's words and values")
{
    auto s = filled();
    block_of(s, "READ 3").consistent = false;
    const auto doc = boost::json::parse(domain::snapshot_json(example::map(), s));
    CHECK(doc.at("format").as_string() == "batchbridge-snapshot");
    CHECK(doc.at("taken_at").as_string() == "2027-01-15T08:00:00Z");
    CHECK(doc.at("map").at("word_order").as_string() == "ABCD");
    CHECK(doc.at("map").at("slots").at("read_start").as_int64() == 6000);
    REQUIRE(doc.at("blocks").as_array().size() == 21);
    const auto& block = doc.at("blocks").at(2);
    CHECK(block.at("area").as_string() == "READ");
    CHECK(block.at("slot").as_int64() == 3);
    CHECK(block.at("consistent").as_bool() == false);
    CHECK(block.at("words").as_array().size() == 77);
    const auto& mass = block.at("values").at(6);
    CHECK(mass.at("field_name").as_string() == "silo_101_quantity");
    CHECK(mass.at("value").as_string() == "1000.00");
    CHECK(mass.at("raw_words") == boost::json::parse("[1, 34464]"));
    CHECK_THAT(std::string(mass.at("note").as_string()), Contains("changed this block"));
    CHECK(doc.at("blocks").at(20).at("area").as_string() == "FAILURE");
}

TEST_CASE("whatever a PLC holds, a snapshot replays under the same map with the same values")
{
    std::mt19937 random(11);
    const auto words_order = GENERATE(domain::word_order::abcd, domain::word_order::cdab, domain::word_order::badc, domain::word_order::dcba);
    auto map = example::map(words_order, random() % 2 == 0 ? domain::ascii_order::high : domain::ascii_order::low);
    map.slots.count = 3;
    map.address_offset = 0;
    for (int i = 0; i < 20; ++i) {
        auto s = picture(map);
        for (auto& b : s.blocks)
            for (auto& w : b.image) w = static_cast<std::uint16_t>(random() % 4 == 0 ? random() : random() % 3);
        for (const bool as_json : {false, true}) {
            const auto recorded = domain::read_snapshot(as_json ? domain::snapshot_json(map, s) : domain::snapshot_csv(map, s));
            const auto report = domain::replay(map, recorded);
            CAPTURE(as_json, joined(domain::replay_table(report)));
            CHECK(report.values.size() == 6 * 39 + 4);
            CHECK(report.differences == 0);
            CHECK(report.unknown == 0);
            std::size_t n = 0;
            for (const auto& b : s.blocks)
                for (const auto& v : domain::show_block(map, b.block, b.image)) {
                    REQUIRE(report.values[n].value == v.value);
                    REQUIRE(report.values[n++].raw == v.raw);
                }
        }
    }
}

TEST_CASE("a map that reads a snapshot differently is told value by value (L-29, L-30)")
{
    const auto recorded = domain::read_snapshot(domain::snapshot_csv(example::map(), filled()));
    SECTION("another word order")
    {
        const auto report = domain::replay(example::map(domain::word_order::cdab, domain::ascii_order::high), recorded);
        const auto& mass = value(report, "READ 3", "silo_101_quantity");
        REQUIRE(mass.differences.size() == 1);
        CHECK(mass.differences[0] == "recorded was '1000.00', the map reads '-20363345.91'");
        CHECK_THAT(mass.doubt, Contains("possible is 0 to 5000 kg; it would be 1000.00 in order ABCD"));
        CHECK(report.differences == 4);   // the order's quantity, both actuals, the weight
        CHECK(report.doubts >= 1);
    }
    SECTION("another scale, a moved field")
    {
        auto v = example::map_json();
        v.as_object()["fields"].as_object()["weight_finished_good"].as_object()["scale"] = 1000;
        auto& silos = v.as_object()["silos"].as_array();
        silos[0].as_object()["quantity_at"] = 31;
        silos[1].as_object()["quantity_at"] = 28;
        const auto report = domain::replay(domain::parse_plant_map(boost::json::serialize(v)), recorded);
        CHECK_THAT(joined(value(report, "READ 3", "weight_finished_good").differences), Contains("the file says scale 100, the map 1000") && Contains("recorded was '999.50', the map reads '99.950'"));
        CHECK_THAT(joined(value(report, "READ 3", "silo_102_quantity").differences), Contains("the file has silo_101_quantity here, the map silo_102_quantity"));
    }
    SECTION("another type")
    {
        auto v = example::map_json();
        v.as_object()["fields"].as_object()["batch_no"].as_object()["type"] = "i16";
        CHECK_THAT(joined(value(domain::replay(domain::parse_plant_map(boost::json::serialize(v)), recorded), "READ 3", "batch_no").differences), Contains("the file says uint16, the map i16"));
    }
}

TEST_CASE("the predecessor's snapshots are read, whatever their spelling")
{
    // As the predecessor wrote them: its own names, word Dn is address n, REAL for scaled numbers.
    const std::string text = "field_name,dm_address,data_type,scale,raw_words\n"
                             "BATCH,D6000,INT,1,1\n"
                             "NO-MO,D6001-6008,ASCII,,22344|12109|20271|12336|12337|13312|0|0\n"
                             "SILO ID 101,D6027,INT,1,101\n"
                             "SILO 1 Consumption,D6028-6029,REAL,100,1|34464\n"
                             "status manufacturing,D6072,BOOLEAN,,1\n"
                             "free text,D9000-9001,ASCII,,22344|12109\n"
                             "counter,D9010,uint16,10,1234\n"
                             "half,D6031,int16,100,7\n";
    const auto check = [](const std::string& file) {
        CAPTURE(file);
        const auto report = domain::replay(example::map(), domain::read_snapshot(file));
        CHECK(value(report, "READ 1", "mo_id").value == "WH/MO/00014");
        CHECK(value(report, "READ 1", "silo_101_quantity").value == "1000.00");
        CHECK(value(report, "READ 1", "silo_101_quantity").differences.empty());
        CHECK(value(report, "READ 1", "status_manufacturing").value == "1");
        // Nothing is dropped: what the map does not know is listed as the file says.
        CHECK(report.unknown == 3);
        CHECK(value(report, "", "free text").value == "WH/M");
        CHECK(value(report, "", "free text").doubt == "not in the map");
        CHECK(value(report, "", "counter").value == "123.4");
        CHECK_THAT(value(report, "", "half").doubt, Contains("other borders than the map, which has READ 1 silo_102_quantity (D6031-D6032)"));
        CHECK(report.values.size() == 8);
    };
    check(text);
    std::string other = text;
    for (std::size_t at = 0; (at = other.find('\n', at)) != std::string::npos; at += 2) other.replace(at, 1, "\r\n");
    check("\xef\xbb\xbf" + other);
    other = text;
    std::replace(other.begin(), other.end(), ',', ';');
    check(other);
    // Another order of the columns, capitals, quotes, more columns, comments, other spellings.
    check("# taken at the mill\n"
          "Raw_Words,\"comment\",Scale,DATA_TYPE,dm_address,Field_Name\n"
          "\"1\",\"a, b\",1,word,DM6000,BATCH\n"
          "22344|12109|20271|12336|12337|13312|0|0,,,string(16),6001..6008,NO-MO\n"
          "101,,1,WORD,d6027,SILO ID 101\n\n"
          "0x1 | 0x86A0,,0.01,DINT,D6028:D6029,SILO 1 Consumption\n"
          "1,,,bit,6072,status\n"
          "22344|12109,,,CHAR[4],D9000-D9001,free text\n"
          "1234,,/10,UINT,9010,counter\n"
          "7,,100,int16,D6031,half\n");
}

TEST_CASE("a value that stands in pieces in the file is put together")
{
    const auto report = domain::replay(example::map(), domain::read_snapshot("field_name,dm_address,raw_words\nhigh,D6028,1\nlow,D6029,34464\n"));
    REQUIRE(report.values.size() == 3);
    CHECK(report.unknown == 2);
    CHECK(report.values[2].name == "silo_101_quantity");
    CHECK(report.values[2].value == "1000.00");
    CHECK(report.values[2].place == "several records");
}

TEST_CASE("what is hardly right is said beside the value")
{
    auto s = filled();
    auto& image = block_of(s, "READ 3").image;
    image[72] = 7;            // status_manufacturing
    image[27] = 999;          // silo 101's id
    image[30] = 103;          // silo 102's
    image[31] = 0xffff;       // silo 102's quantity
    image[9] = 0x80ff;        // bom_id
    image[0] = 4;             // batch_no
    auto& failure = block_of(s, "FAILURE").image;
    domain::encode_text(example::map(), example::map().failure.equipment_code, "SILO-101", failure);
    domain::encode_text(example::map(), example::map().failure.info, "JAM", failure);
    failure[22] = 3;
    const auto report = domain::replay(example::map(), domain::read_snapshot(domain::snapshot_csv(example::map(), s)));
    CHECK(value(report, "READ 3", "status_manufacturing").doubt == "a status word is 0 or 1");
    CHECK(value(report, "READ 3", "silo_101_id").doubt == "unknown silo id, the map has silo 101 here");
    CHECK(value(report, "READ 3", "silo_102_id").doubt == "another silo id, the map has silo 102 here");
    CHECK_THAT(value(report, "READ 3", "silo_102_quantity").doubt, Contains("possible is 0 to 5000 kg"));
    CHECK(value(report, "READ 3", "bom_id").doubt == "bytes outside printable ASCII");
    CHECK(value(report, "READ 3", "batch_no").doubt == "the batch number of this slot is 3");
    CHECK(value(report, "FAILURE", "flag").doubt == "the flag is 0 (new) or 1 (read)");
    CHECK_THAT(value(report, "FAILURE", "time").doubt, Contains("no valid time"));
    CHECK(report.doubts == 8);
    CHECK(report.differences == 0);
    // An empty slot has nothing to doubt.
    CHECK(domain::replay(example::map(), domain::read_snapshot(domain::snapshot_csv(example::map(), picture(example::map())))).doubts == 0);
}

TEST_CASE("addresses count as the map file does, whatever its offset")
{
    auto v = example::map_json();
    v.as_object()["address_offset"] = -1;
    const auto map = domain::parse_plant_map(boost::json::serialize(v));
    const auto report = domain::replay(map, domain::read_snapshot("field_name,dm_address,raw_words\nx,D6028,1|34464\n"));
    CHECK(report.values.at(0).value == "1000.00");
    auto s = picture(map);
    CHECK_THAT(domain::snapshot_csv(map, s), Contains("batch_no,D6000,uint16,1,0,0,,,READ,1,5999,"));
}

TEST_CASE("a file that is no snapshot is refused with the place, the reason and what to do")
{
    const std::string head = "field_name,dm_address,data_type,scale,raw_words\n";
    const auto refused = [](const std::string& text, const std::string& place, const std::string& what) {
        CAPTURE(text);
        const auto faults = faults_of(text);
        REQUIRE(faults.size() == 1);
        CHECK_THAT(faults[0], Catch::StartsWith(place) && Contains(what));
    };
    refused("", "line 1", "the file is empty");
    refused("field_name,dm_address\nx,D1\n", "line 1", "column 'raw_words' is missing");
    refused("field_name,dm_address,raw_words,Raw_Words\n", "line 1", "'raw_words' is there twice");
    refused(head, "the file holds no value", "snapshot");
    refused(head + "x,6x,,,1\n", "line 2: dm_address '6x' is no register", "D6028");
    refused(head + "x,D70000,,,1\n", "line 2", "is no register");
    refused(head + "x,D6008-D6001,,,1\n", "line 2", "is no register");
    refused(head + "a,D1,,,1\n\nx,D6001-D6008,,,1|2\n", "line 4: dm_address D6001-D6008 is 8 words and raw_words has 2", "correct");
    refused(head + "x,D1,,,\n", "line 2: raw_words is empty", "1|34464");
    refused(head + "x,D1,,,1|\n", "line 2", "a word of raw_words is empty");
    refused(head + "x,D1,,,1|70000\n", "line 2: '70000' in raw_words is no register", "0 to 65535");
    refused(head + "x,D1,,,-1\n", "line 2", "'-1' in raw_words");
    refused(head + "x,D1,complex,,1\n", "line 2: data_type 'complex' is not known", "uint16");
    refused(head + "x,D1,,7,1\n", "line 2: scale '7' is not known", "power of ten");
    refused(head + "x,D1,,,1,more\n", "line 2: 6 fields, the header has 5", "quote");
    refused(head + "a,D1,,,1\n\"x,D2,,,1\n", "line 3: a quoted field does not end", "RFC 4180");
    refused(head + "a,D5-D6,,,1|2\nb,D6,,,3\n", "line 3: register 6 is 3 here and 2 in line 2", "one snapshot");
    refused(head + "a,D65535,,,1|2\n", "line 2", "beyond register 65535");
    refused("{\n\"format\": \"x\",\n}", "line 3: the file is not valid JSON", "snapshot --format json");
    refused("{\"format\": \"other\"}", "line 1: the document is no snapshot", "batchbridge-snapshot");
    refused(R"({"format": "batchbridge-snapshot", "blocks": [{"values": [{"dm_address": "D1", "raw_words": [65536]}]}]})", "blocks[0].values[0]: raw_words is no list of registers", "0 to 65535");
    refused(R"({"format": "batchbridge-snapshot", "blocks": [{}]})", "blocks[0]: has no list 'values'", "snapshot");
    refused(R"({"format": "batchbridge-snapshot", "blocks": []})", "the file holds no value", "snapshot");
    // All of them at once.
    CHECK(faults_of(head + "x,6x,,,1\ny,D1,complex,,1\nz,D1,,,x\n").size() == 3);
}
