// The engineer's commands against a simulated PLC: snapshot, replay and probe with registers.
#include "e2e/command_bench.hpp"

#include <boost/json/parse.hpp>

using namespace bb_test;
using Catch::Matchers::Contains;

namespace {

plant_options only_plc()
{
    plant_options o;
    o.start_odoo = o.start_database = false;
    o.plc_speed = 1;
    return o;
}

// READ 1 with WH/MO/00014 and 1000.00 kg of silo 101; FAILURE with SILO-101.
void fill(plant& p)
{
    p.plc("/pause", "{}");
    p.plc("/registers", R"({"address": 6000, "values": [1, 22344, 12109, 20271, 12336, 12337, 13312, 0, 0]})");
    p.plc("/registers", R"({"address": 6027, "values": [101, 1, 34464]})");
    p.plc("/failure", R"({"equipment": "SILO-101", "info": "JAM", "time": [2026, 11, 24, 10, 46, 9]})");
}

// The requests that the simulator has seen, by function code.
std::map<std::int64_t, int> functions(const plant& p)
{
    std::map<std::int64_t, int> out;
    std::istringstream log(p.plc_log());
    for (std::string line; std::getline(log, line);)
        if (const auto o = boost::json::parse(line); o.as_object().contains("function")) ++out[o.at("function").as_int64()];
    return out;
}

const environment plc_alone{{"DATABASE_URL", ""}, {"ODOO_URL", ""}, {"ODOO_DB", ""}, {"ODOO_USERNAME", ""}, {"ODOO_PASSWORD", ""}, {"API_TOKEN", ""}};

}  // namespace

TEST_CASE("snapshot prints what the PLC holds as CSV and JSON, needs nothing but the PLC, and writes nothing to it")
{
    command_bench b(only_plc());
    fill(b.p);
    const auto csv = b.run({"snapshot"}, plc_alone);
    CHECK(csv.code == 0);
    CHECK(csv.err.empty());
    CHECK_THAT(csv.out, Catch::StartsWith("field_name,dm_address,data_type,scale,raw_words,value"));
    CHECK_THAT(line_of(csv.out, "silo_101_quantity,D6028-"), Contains(",int32,100,1|34464,1000.00,kg,,READ,1,6028,ABCD,line1,"));
    CHECK_THAT(line_of(csv.out, "equipment_code,"), Contains(",SILO-101,"));
    CHECK_THAT(line_of(csv.out, "time,"), Contains("2026|11|24|10|46|9,2026-11-24 10:46:09,"));
    CHECK(occurrences(csv.out, "\r\n") == 1 + 20 * 39 + 4);

    const auto path = b.p.directory() + "/snapshot.json";
    const auto json = b.run({"snapshot", "--format", "json", "--output", path}, plc_alone);
    CHECK(json.code == 0);
    CHECK(json.out.empty());
    const auto doc = boost::json::parse(read_text(path));
    CHECK(doc.at("line").as_string() == "line1");
    CHECK(doc.at("blocks").as_array().size() == 21);
    CHECK(doc.at("blocks").at(0).at("values").at(1).at("value").as_string() == "WH/MO/00014");

    const auto asked = functions(b.p);
    CHECK(asked.size() == 1);
    // READ slots twice (the consistency rule), WRITE slots and the failure block once; two snapshots.
    CHECK(asked.at(3) == 2 * (20 + 10 + 1));
    CHECK(b.run({"snapshot", "--output", "/no/such/directory/file"}, plc_alone).code == 1);
}

TEST_CASE("snapshot takes the line that is asked for, with the PLC's faults named")
{
    command_bench b(only_plc());
    fill(b.p);
    const auto lines = b.file("lines.json", R"([{"name": "mill", "host": "127.0.0.1", "port": )" + std::to_string(b.p.plc_port()) + R"(, "order_domain": [["id", ">", 0]]},
                                                {"name": "press", "host": "127.0.0.1", "port": 1, "order_domain": [["id", "<", 0]]}])");
    auto env = plc_alone;
    for (const auto* name : {"PLC_HOST", "PLC_PORT"}) env[name] = "";
    env["LINES_FILE"] = lines;
    CHECK_THAT(b.run({"snapshot", "--line", "mill"}, env).out, Contains(",mill,"));
    const auto which = b.run({"snapshot"}, env);
    CHECK(which.code == 64);
    CHECK_THAT(which.err, Contains("several lines") && Contains("mill, press"));
    CHECK(b.run({"snapshot", "--line", "nosuch"}, env).code == 64);
    const auto dead = b.run({"snapshot", "--line", "press"}, env);
    CHECK(dead.code == 1);
    CHECK(dead.out.empty());
    CHECK_THAT(dead.err, Contains("connection refused") && Contains("allows few connections"));
    env.erase("LINES_FILE");
    const auto none = b.run({"snapshot"}, env);
    CHECK(none.code == 78);
    CHECK_THAT(none.err, Contains("PLC_HOST is required"));
    CHECK(occurrences(none.err, "\n") == 1);
    // One block that the PLC refuses is told; the others are there.
    b.p.plc("/fault", R"({"kind": "exception", "code": 4, "count": 1})");
    const auto refused = b.run({"snapshot"}, plc_alone);
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("READ 1") && Contains("exception code 4"));
    CHECK(occurrences(refused.out, "\r\n") == 1 + 19 * 39 + 4);
}

TEST_CASE("snapshot reads beside the running service, which goes on")
{
    plant_options o;
    o.plc_speed = 300;
    command_bench b(o);
    b.p.generate(2);
    b.p.start_bridge();
    wait_until("a running batch", seconds(30), [&] { return !b.p.sql("select to_regclass('mo_batch')").empty() && b.p.count("mo_batch where state = 'running'") > 0; });
    const auto shown = b.run({"snapshot"});
    CHECK(shown.code == 0);
    CHECK_THAT(shown.out, Contains(",WH/MO/"));
    CHECK(b.p.count("line where epoch > 1") == 0);
    b.p.wait_archived(2, seconds(60));
    check_exact(b.p, 2);
}

TEST_CASE("replay decodes a snapshot with the map of today, and says what it reads differently")
{
    command_bench b(only_plc());
    fill(b.p);
    const auto file = b.file("snapshot.csv", b.run({"snapshot"}, plc_alone).out);
    b.p.stop_plc();
    const environment nothing{{"PLC_HOST", ""}, {"PLC_PORT", ""}, {"DATABASE_URL", ""}};
    const auto same = b.run({"replay", file}, nothing);
    CHECK(same.code == 0);
    CHECK_THAT(same.out, Contains("1000.00 kg") && Contains("784 values: ") && Contains("0 read differently than recorded, 0 not in the map"));

    auto text = read_text(BATCHBRIDGE_ROOT "/conf/plc-map.json");
    text.replace(text.find("\"ABCD\""), 6, "\"CDAB\"");
    const auto other = b.run({"replay", file, "--map", b.file("cdab.json", text)}, nothing);
    CHECK(other.code == 1);
    CHECK_THAT(other.out, Contains("DIFFERS: recorded was '1000.00'") && Contains("it would be 1000.00 in order ABCD"));

    const auto predecessor = b.file("old.csv", "raw_words,field_name,scale,dm_address,data_type\r\n1|34464,SILO 1 Consumption,100,D6028-6029,REAL\r\n7,lamp,1,D9999,boolean\r\n");
    const auto old = b.run({"replay", predecessor}, nothing);
    CHECK(old.code == 0);
    CHECK_THAT(old.out, Contains("silo_101_quantity") && Contains("1000.00 kg") && Contains("lamp") && Contains("not in the map"));

    const auto bad = b.run({"replay", b.file("bad.csv", "field_name,dm_address,data_type,scale,raw_words\nx,D6028,INT,1,70000\n")}, nothing);
    CHECK(bad.code == 1);
    CHECK(bad.out.empty());
    CHECK_THAT(bad.err, Contains("bad.csv: line 2: '70000' in raw_words is no register") && Contains("0 to 65535"));
    CHECK(b.run({"replay", "/no/such/file"}, nothing).code == 1);
    CHECK(b.run({"replay", file, "--map", b.file("broken.json", "{}")}, nothing).code == 78);
}

TEST_CASE("probe shows two registers in every type and order, of the PLC or of the command line (field.md row 6)")
{
    command_bench b(only_plc());
    fill(b.p);
    for (const auto* address : {"6028", "D6028"}) {
        const auto o = b.run({"probe", "--address", address}, plc_alone);
        CHECK(o.code == 0);
        CHECK_THAT(o.out, Contains("PLC address 6028, on the wire 6028") && Contains("READ 1 silo_101_quantity, i32 /100 ABCD"));
        CHECK_THAT(line_of(o.out, "ABCD"), Contains(" 100000 ") && Contains("1000.00") && Contains("<- word_order of the map"));
        CHECK_THAT(line_of(o.out, "CDAB"), Contains("0x86A00001"));
    }
    CHECK_THAT(b.run({"probe", "--address", "9000"}, plc_alone).out, Contains("the map has nothing there"));
    auto text = read_text(BATCHBRIDGE_ROOT "/conf/plc-map.json");
    text.replace(text.find("\"address_offset\": 0"), 19, "\"address_offset\": -1");
    const auto offset = b.run({"probe", "--address", "6029"}, {{"PLC_MAP", b.file("offset.json", text)}});
    CHECK_THAT(offset.out, Contains("PLC address 6029, on the wire 6028") && Contains("registers 1 34464"));

    const auto words = b.run({"probe", "--words", "0x86A0,0x0001"}, {{"PLC_HOST", ""}, {"PLC_MAP", "no-such-map.json"}, {"DATABASE_URL", ""}});
    CHECK(words.code == 0);
    CHECK_THAT(line_of(words.out, "CDAB"), Contains(" 100000 ") && Contains("1000.00"));
    b.p.stop_plc();
    const auto dead = b.run({"probe", "--address", "6028"}, plc_alone);
    CHECK(dead.code == 1);
    CHECK_THAT(dead.out, Contains("plc line1: FAILED") && Contains("connection refused"));
}
