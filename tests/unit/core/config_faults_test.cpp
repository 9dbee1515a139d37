// What is refused at start, and in which words (L-49).
#include "unit/core/environment.hpp"

#include "support/catch.hpp"

#include <set>

using namespace batchbridge::core;
using bb_test::environment;
using bb_test::with;
using bb_test::joined;
using bb_test::only_fault;

namespace {

struct row {
    const char *name, *value, *expected;
};

}  // namespace

TEST_CASE("a malformed value is named with its variable, its value and what is expected (L-49)")
{
    const char* duration = "expected a duration above 0 with its unit, like 500ms, 5s, 3m or 1h";
    const row rows[] = {
        {"PLC_PORT", "0", "a whole number from 1 to 65535"}, {"PLC_PORT", "65536", "a whole number from 1 to 65535"}, {"PLC_PORT", "502x", "a whole number from 1 to 65535"},
        {"PLC_PORT", "5e2", "a whole number"}, {"PLC_PORT", " 502", "a whole number"}, {"PLC_PORT", "99999999999999999999", "a whole number"},
        {"PLC_UNIT_ID", "256", "a whole number from 0 to 247, or 255"}, {"PLC_UNIT_ID", "-1", "a whole number from 0 to 247, or 255"},
        {"PLC_UNIT_ID", "248", "a whole number from 0 to 247, or 255"}, {"PLC_UNIT_ID", "254", "a whole number from 0 to 247, or 255"}, {"PLC_TIMEOUT", "2", duration},
        {"PLC_TIMEOUT", "0s", duration}, {"PLC_TIMEZONE", "Mars/Olympus", "a time zone name like Europe/Berlin"}, {"PLC_WRITES", "maybe", "true or false"},
        {"PLC_WRITES", "TRUE", "true or false"}, {"ODOO_URL", "erp.example", "http://host"}, {"ODOO_URL", "ftp://erp.example", "http://host"}, {"ODOO_URL", "http://", "http://host"},
        {"ODOO_URL", "http://erp.example?db=x", "http://host"}, {"ODOO_URL", "http://erp.example:99999", "http://host"}, {"ODOO_URL", "http://erp.example:port", "http://host"},
        {"ODOO_URL", "http://erp example", "http://host"}, {"ODOO_API", "xmlrpc", "one of auto, json2, jsonrpc, scada"}, {"ODOO_CONNECT_TIMEOUT", "3", duration},
        {"ODOO_TIMEOUT", "fast", duration}, {"ODOO_WRITE_TIMEOUT", "-60s", duration}, {"ODOO_UNCLEAR_WAIT", "2 m", duration}, {"ODOO_RETRY_MAX", "5min", duration},
        {"ODOO_WATCH_INTERVAL", "0ms", duration}, {"ODOO_LIVE_INTERVAL", "1.5s", duration}, {"ODOO_CA_FILE", "/no/such/file.pem", "a readable PEM file"},
        {"ODOO_TLS_VERIFY", "nein", "true or false"}, {"ODOO_MAX_CONNECTIONS", "0", "a whole number from 1 to 64"}, {"ODOO_MAX_CONNECTIONS", "65", "a whole number from 1 to 64"},
        {"ODOO_MAX_RESPONSE", "lots", "a size of at least 1KiB, like 16MiB"}, {"ODOO_MAX_RESPONSE", "16MB", "a size"}, {"ODOO_MAX_RESPONSE", "0", "a size"},
        {"ODOO_MAX_RESPONSE", "1023", "a size"}, {"ODOO_MAX_RESPONSE", "18446744073709551615MiB", "a size"}, {"ODOO_ORDER_DOMAIN", "{}", "an Odoo domain as a JSON array"},
        {"ODOO_ORDER_DOMAIN", "[[", "an Odoo domain as a JSON array"}, {"SYNC_HORIZON", "tomorrow", duration}, {"ODOO_UNVERIFIED_VERSION", "17", "true or false"},
        {"ENABLE_AUTO_SYNC", "2", "true or false"}, {"ENABLE_TASK_1_AUTO_SYNC", "x", "true or false"}, {"ENABLE_TASK_2_PLC_READ", "x", "true or false"},
        {"ENABLE_TASK_3_PROCESS_COMPLETED", "x", "true or false"}, {"ENABLE_TASK_4_HEALTH_MONITOR", "x", "true or false"},
        {"ENABLE_TASK_5_EQUIPMENT_FAILURE", "x", "true or false"}, {"ENABLE_TASK_6_CLEANUP", "x", "true or false"}, {"SYNC_INTERVAL", "60", duration},
        {"PLC_READ_INTERVAL", "5", duration}, {"PROCESS_COMPLETED_INTERVAL", "3", duration}, {"HEALTH_MONITOR_INTERVAL", "x", duration},
        {"EQUIPMENT_FAILURE_INTERVAL", "x", duration}, {"CLEANUP_INTERVAL", "1d", duration}, {"SYNC_BATCH_LIMIT", "0", "a whole number from 1"},
        {"TASK2_ODOO_SYNC", "x", "true or false"}, {"MARK_DONE", "x", "true or false"}, {"ON_PLC_FAILURE", "ignore", "one of hold, cancel"},
        {"UNMAPPED_COMPONENTS", "book", "one of planned, leave, refuse"}, {"PRODUCED_QUANTITY", "weight", "one of auto, plc, sum, planned"},
        {"BATCH_STUCK_THRESHOLD", "15", duration}, {"ZERO_CONSUMPTION_AFTER", "x", duration}, {"OVERDOSE_PERCENT", "10%", "a whole number from 1"},
        {"EXPECTED_BATCH_MAX_KG", "a lot", "kilograms above 0"}, {"EXPECTED_BATCH_MAX_KG", "0", "kilograms above 0"}, {"EXPECTED_BATCH_MAX_KG", "-5", "kilograms above 0"},
        {"HTTP_LISTEN", "erp.example:8080", "address:port"}, {"HTTP_LISTEN", "8080", "address:port"}, {"HTTP_LISTEN", ":8080", "address:port"}, {"HTTP_LISTEN", "localhost:", "address:port"},
        {"HTTP_LISTEN", "localhost:65536", "address:port"}, {"HTTP_LISTEN", "localhost:http", "address:port"}, {"HTTP_LISTEN", "::1:8080", "address:port"},
        {"HTTP_LISTEN", "[]:8080", "address:port"}, {"LINE_MOVED", "x", "true or false"},
        {"ALERT_ODOO_NOTE", "x", "true or false"}, {"LOG_LEVEL", "verbose", "one of debug, info, warning, error"}, {"LOG_FORMAT", "xml", "one of text, json"},
        {"RETENTION_DAYS", "0", "a whole number from 1"},
    };
    for (const auto& r : rows) {
        INFO(r.name << "=" << r.value);
        const auto fault = only_fault(with({{r.name, r.value}}));
        CHECK(fault.find(std::string(r.name) + ": '" + r.value + "' is not valid, expected ") == 0);
        CHECK(fault.find(r.expected) != std::string::npos);
    }
}

TEST_CASE("every required variable that is missing is named")
{
    environment e;
    e.vars.clear();
    const auto all = joined(e.faults());
    CHECK(all == "DATABASE_URL is required and not set (or DATABASE_URL_FILE with the path of a file that holds it)\n"
                 "PLC_HOST is required and not set\nODOO_URL is required and not set\nODOO_DB is required and not set\n"
                 "ODOO_PASSWORD or ODOO_API_KEY is required and neither is set\nODOO_USERNAME is required and not set");
}

TEST_CASE("all faults are listed at once, none hides another (L-49)")
{
    const environment e = with({{"PLC_PORT", "x"}, {"PLC_TIMEOUT", "2"}, {"ODOO_URL", "nonsense"}, {"ODOO_TIMEOUT", "y"}, {"SYNC_INTERVAL", "60"}, {"SYNC_BATCH_LIMIT", "-1"},
        {"ON_PLC_FAILURE", "z"}, {"HTTP_LISTEN", "nowhere"}, {"LOG_LEVEL", "loud"}, {"ODOO_DB", ""}, {"API_TOKEN", "a"}, {"API_TOKEN_FILE", "b"}});
    const auto faults = e.faults();
    INFO(joined(faults));
    CHECK(faults.size() == 11);
    for (const char* name : {"PLC_PORT:", "PLC_TIMEOUT:", "ODOO_URL:", "ODOO_TIMEOUT:", "SYNC_INTERVAL:", "SYNC_BATCH_LIMIT:", "ON_PLC_FAILURE:", "HTTP_LISTEN:", "LOG_LEVEL:", "ODOO_DB is", "API_TOKEN and"}) {
        INFO(name);
        CHECK(std::count_if(faults.begin(), faults.end(), [&](const std::string& f) { return f.find(name) == 0; }) == 1);
    }
}

TEST_CASE("beside the faults stands what could be read, for further checks, what was refused is empty")
{
    environment e = with({{"DATABASE_URL", "mysql://u:dbsecret@db/x"}, {"ODOO_URL", "nonsense"}, {"ODOO_CA_FILE", "/no/such.pem"}, {"PLC_TIMEOUT", "2"}, {"ODOO_API", "scada"}, {"PLC_MAP", "mill.json"}});
    auto reading = read_config(e.lookup(), [](const std::string&) -> std::string { throw std::runtime_error("no such file"); });
    CHECK(reading.faults == e.faults());
    CHECK(reading.faults.size() == 4);
    CHECK(reading.value.database_url.empty());
    CHECK(reading.value.odoo_url.empty());
    CHECK(reading.value.odoo_ca_file.empty());
    CHECK(reading.value.api == odoo_api::scada);
    REQUIRE(reading.value.lines.size() == 1);
    CHECK(reading.value.lines[0].map == "mill.json");
    // Lines as well, though one of them has a fault.
    e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
    reading = read_config(e.lookup(), [](const std::string&) -> std::string { return R"([{"name": "only", "map": "other.json"}])"; });
    CHECK(reading.faults.size() == 1);
    REQUIRE(reading.value.lines.size() == 1);
    CHECK(reading.value.lines[0].map == "other.json");
}

TEST_CASE("the unclear wait may not be shorter than the write timeout")
{
    CHECK(only_fault(with({{"ODOO_UNCLEAR_WAIT", "59s"}})) == "ODOO_UNCLEAR_WAIT: '59s' is not valid, expected at least ODOO_WRITE_TIMEOUT (1m)");
    CHECK(only_fault(with({{"ODOO_WRITE_TIMEOUT", "121s"}})) == "ODOO_UNCLEAR_WAIT: '2m' is not valid, expected at least ODOO_WRITE_TIMEOUT (121s)");
    CHECK(with({{"ODOO_UNCLEAR_WAIT", "60s"}}).faults().empty());
}

TEST_CASE("what an API needs to log in is checked together")
{
    CHECK(only_fault(with({{"ODOO_API", "json2"}})) == "ODOO_API=json2 needs ODOO_API_KEY");
    CHECK(only_fault(with({{"ODOO_API", "scada"}, {"ODOO_PASSWORD", ""}, {"ODOO_API_KEY", "k"}})) == "ODOO_API=scada needs ODOO_PASSWORD");
    CHECK(only_fault(with({{"ODOO_USERNAME", ""}})) == "ODOO_USERNAME is required and not set");
    CHECK(with({{"ODOO_API", "json2"}, {"ODOO_API_KEY", "k"}, {"ODOO_USERNAME", ""}, {"ODOO_PASSWORD", ""}}).faults().empty());
    CHECK(with({{"ODOO_API", "jsonrpc"}, {"ODOO_API_KEY", "k"}, {"ODOO_PASSWORD", ""}}).faults().empty());
}

TEST_CASE("LINES_FILE stands instead of the variables of a single line")
{
    for (const char* name : {"PLC_HOST", "PLC_PORT", "PLC_UNIT_ID", "LINE_NAME", "ODOO_ORDER_DOMAIN"}) {
        environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
        e.vars[name] = std::string(name) == "PLC_PORT" || std::string(name) == "PLC_UNIT_ID" ? "1" : std::string(name) == "ODOO_ORDER_DOMAIN" ? "[[\"id\",\">\",0]]" : "x";
        e.files["lines"] = R"([{"name": "only", "host": "10.0.0.5"}])";
        CHECK(only_fault(e) == std::string(name) + " and LINES_FILE are both set, expected one of them");
    }
}

TEST_CASE("every fault of LINES_FILE is named with its place, all at once")
{
    environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
    e.files["lines"] = R"([
        {"name": "a", "host": "10.0.0.5", "port": 0, "order_domain": [["x","=",1]]},
        {"name": "a", "host": "", "unit_id": 256, "timezone": "Mars/Olympus", "timeout": "2", "order_domain": {}},
        {"host": "h", "adress": "typo", "port": "502", "map": 7},
        17])";
    const auto faults = e.faults();
    const auto all = joined(faults);
    INFO(all);
    for (const char* expected : {"[0].port: expected a whole number from 1 to 65535", "[1].name: 'a' is used twice", "[1].host: expected a text", "[1].unit_id: expected a whole number from 0 to 247, or 255",
                                 "[1].timezone: 'Mars/Olympus' is not a known time zone", "[1].timeout: expected a duration with its unit", "[1].order_domain: expected an Odoo domain as an array",
                                 "[2]: name is missing", "[2].adress: unknown key", "[2].port: expected a whole number", "[2].map: expected a text", "[2]: several lines need an order_domain each",
                                 "[3]: expected an object"}) {
        INFO(expected);
        CHECK(all.find(std::string("LINES_FILE lines: ") + expected) != std::string::npos);
    }
}

TEST_CASE("a unit id of LINES_FILE is one that a Modbus device can have")
{
    for (const int unit : {248, 250, 254, 256, -1}) {
        INFO(unit);
        environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
        e.files["lines"] = R"([{"name": "a", "host": "10.0.0.5", "unit_id": )" + std::to_string(unit) + "}]";
        CHECK(only_fault(e) == "LINES_FILE lines: [0].unit_id: expected a whole number from 0 to 247, or 255");
    }
    for (const int unit : {0, 1, 247, 255}) {
        INFO(unit);
        environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
        e.files["lines"] = R"([{"name": "a", "host": "10.0.0.5", "unit_id": )" + std::to_string(unit) + "}]";
        CHECK(e.load().lines.at(0).unit_id == unit);
        CHECK(with({{"PLC_UNIT_ID", std::to_string(unit)}}).load().lines.at(0).unit_id == unit);
    }
}

TEST_CASE("two lines of LINES_FILE are not the same PLC")
{
    const auto lines = [](const std::string& a, const std::string& b) {
        environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
        e.files["lines"] = R"([{"name": "first", "order_domain": [["x","=",1]], )" + a + R"(}, {"name": "second", "order_domain": [["x","=",2]], )" + b + "}]";
        return e;
    };
    CHECK(only_fault(lines(R"("host": "10.0.0.5")", R"("host": "10.0.0.5", "port": 502, "unit_id": 1)")) ==
          "LINES_FILE lines: [1]: 'second' is the same PLC as [0] 'first' (10.0.0.5 port 502 unit 1), expected one line per PLC");
    // Names of machines do not tell capitals from small letters.
    CHECK(only_fault(lines(R"("host": "plc.mill")", R"("host": "PLC.Mill")")) ==
          "LINES_FILE lines: [1]: 'second' is the same PLC as [0] 'first' (PLC.Mill port 502 unit 1), expected one line per PLC");
    // A gateway has several devices behind one address.
    CHECK(lines(R"("host": "10.0.0.5", "unit_id": 1)", R"("host": "10.0.0.5", "unit_id": 2)").load().lines.size() == 2);
    CHECK(lines(R"("host": "10.0.0.5")", R"("host": "10.0.0.5", "port": 503)").load().lines.size() == 2);
    CHECK(lines(R"("host": "10.0.0.5")", R"("host": "10.0.0.6")").load().lines.size() == 2);
}

TEST_CASE("each of several lines with one address is told, also with other faults, a wrong address is not compared")
{
    environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
    e.files["lines"] = R"([{"name": "a", "host": "h", "order_domain": [["x","=",1]]}, {"name": "b", "host": "h"}, {"name": "a", "host": "h", "order_domain": [["x","=",3]]},
        {"name": "c", "host": "i", "unit_id": 248, "order_domain": [["x","=",4]]}, {"name": "d", "host": "i", "order_domain": [["x","=",5]]},
        {"name": "e", "order_domain": [["x","=",6]]}, {"name": "f", "order_domain": [["x","=",7]]}])";
    CHECK(joined(e.faults()) ==
          "LINES_FILE lines: [1]: several lines need an order_domain each, else they take each other's orders\n"
          "LINES_FILE lines: [1]: 'b' is the same PLC as [0] 'a' (h port 502 unit 1), expected one line per PLC\n"
          "LINES_FILE lines: [2].name: 'a' is used twice\n"
          "LINES_FILE lines: [2]: 'a' is the same PLC as [0] 'a' (h port 502 unit 1), expected one line per PLC\n"
          "LINES_FILE lines: [3].unit_id: expected a whole number from 0 to 247, or 255\n"
          "LINES_FILE lines: [5]: host is missing\nLINES_FILE lines: [6]: host is missing");
}

TEST_CASE("a LINES_FILE that is no list of lines is refused with the reason")
{
    const std::pair<const char*, const char*> texts[] = {{"", "is not valid JSON"}, {"{", "is not valid JSON"}, {"{}", "expected a list of lines with at least one"}, {"[]", "expected a list of lines"}};
    for (const auto& [text, reason] : texts) {
        INFO(text);
        environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
        e.files["lines"] = text;
        CHECK(only_fault(e).find(reason) != std::string::npos);
    }
    environment missing = with({{"LINES_FILE", "/no/lines.json"}, {"PLC_HOST", ""}});
    CHECK(only_fault(missing) == "LINES_FILE /no/lines.json: file: cannot be read: no such file");
}

TEST_CASE("each fault in the quirks and limits of a line is named with its place")
{
    const auto fault_of = [](const std::string& text) {
        environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
        e.files["lines"] = R"([{"name": "a", "host": "10.0.0.5", )" + text + "}]";
        return only_fault(e);
    };
    const std::string place = "LINES_FILE lines: [0].";
    const std::pair<const char*, const char*> rows[] = {
        {R"("quirks": 7)", "quirks: expected an object"},
        {R"("quirks": {"colour": 1})", "quirks.colour: unknown key"},
        {R"("quirks": {"pause_after_connect": 20})", "quirks.pause_after_connect: expected a duration with its unit up to 1m"},
        {R"("quirks": {"pause_between_requests": "20"})", "quirks.pause_between_requests: expected a duration"},
        {R"("quirks": {"pause_between_requests": "61s"})", "quirks.pause_between_requests: expected a duration"},
        {R"("quirks": {"close_after_cycle": "yes"})", "quirks.close_after_cycle: expected true or false"},
        {R"("quirks": {"second_host": ""})", "quirks.second_host: expected a text, or null for none"},
        {R"("quirks": {"second_host": "10.0.0.5"})", "quirks.second_host: '10.0.0.5' is the address of [0] 'a' already"},
        {R"("limits": [20])", "limits: expected an object"},
        {R"("limits": {"max_step_kg": 20})", "limits.max_step_kg: unknown key; a line may have max_read and max_write"},
        {R"("limits": {"max_read": 126})", "limits.max_read: expected a whole number from 1 to 125"},
        {R"("limits": {"max_write": 124})", "limits.max_write: expected a whole number from 1 to 123"},
        {R"("limits": {"max_write": 0})", "limits.max_write: expected a whole number from 1 to 123"},
        {R"("limits": {"max_read": 20.5})", "limits.max_read: expected a whole number"},
    };
    for (const auto& [text, expected] : rows) {
        INFO(text);
        CHECK_THAT(fault_of(text), Catch::StartsWith(place + expected));
    }
    // The second address of one line is not the PLC of another.
    environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
    e.files["lines"] = R"([{"name": "a", "host": "h1", "order_domain": [["id","=",1]], "quirks": {"second_host": "h2"}}, {"name": "b", "host": "H2", "order_domain": [["id","=",2]]}])";
    CHECK_THAT(only_fault(e), Catch::Contains("'b' is the same PLC as [0] 'a'"));
}
