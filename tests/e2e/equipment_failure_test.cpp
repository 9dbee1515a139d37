// Equipment failures through real processes: what the PLC reports is stored before it is acknowledged, whatever dies (L-38 to L-42).
#include "e2e/expect.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <ctime>
#include <fstream>

using namespace bb_test;

namespace {

plant_options options()
{
    plant_options o;
    o.plc_speed = 1000;
    o.environment["EQUIPMENT_FAILURE_INTERVAL"] = "50ms";
    return o;
}

bool schema_there(plant& p)
{
    return !p.sql("select to_regclass('equipment_failure')").empty();
}

std::int64_t failures(plant& p, const std::string& where = "true")
{
    return schema_there(p) ? p.count("equipment_failure where " + where) : 0;
}

// The PLC's clock, in UTC, as its six words.
std::string clock_words()
{
    const auto now = std::time(nullptr);
    std::tm t{};
    ::gmtime_r(&now, &t);
    std::string out = "[";
    for (const int v : {t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec}) out += (out.size() > 1 ? ", " : "") + std::to_string(v);
    return out + "]";
}

void raise(plant& p, const std::string& info, const std::string& time = clock_words(), const std::string& equipment = "SILO-103")
{
    p.plc("/failure", R"({"equipment": ")" + equipment + R"(", "info": ")" + info + R"(", "time": )" + time + "}");
}

std::int64_t at_plc(plant& p, const std::string& what)
{
    const auto state = p.plc("/state");
    return state.at("failures").at(what).as_int64();
}

int flag(plant& p)
{
    const auto r = p.plc("/registers?start=8022&count=1");
    return static_cast<int>(r.at("values").at(0).as_int64());
}

// One row, one request, acknowledged here and there.
void check_one(plant& p)
{
    wait_until("the acknowledgement", seconds(20), [&] { return failures(p, "acknowledged_at is not null") == 1; });
    CHECK(flag(p) == 1);
    CHECK(failures(p) == 1);
    CHECK(p.count("odoo_outbox where kind = 'maintenance_request'") == 1);
    CHECK(p.count("journal where what = 'failure.stored'") == 1);
}

}  // namespace

TEST_CASE("L-38 a failure while Odoo is down and orders are made is stored with its request and acknowledged")
{
    plant p(options());
    p.generate(3);
    p.start_bridge();
    wait_until("a batch to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running'") > 0; });
    p.stop_odoo();
    raise(p, "MOTOR_TRIP");
    check_one(p);
    CHECK(p.sql("select equipment_code || ' ' || description || ' ' || time_source || ' ' || source from equipment_failure") == "SILO-103 MOTOR_TRIP plc plc");
    CHECK(p.sql("select odoo_db || ' ' || (state <> 'sent') || ' ' || (payload->>'equipment_code') || ' ' || (payload->>'description') from odoo_outbox where kind = 'maintenance_request'") == "factory true SILO-103 MOTOR_TRIP");
    p.stop_bridge();
    // The next process makes the request.
    p.start_odoo();
    p.start_bridge();
    wait_until("the line", seconds(20), [&] { return occurrences(p.bridge_log(), "line taken") == 2; });
    wait_until("the request", seconds(40), [&] { return p.sql("select state from odoo_outbox where kind = 'maintenance_request'") == "sent"; });
    CHECK(failures(p, "odoo_request_id is not null") == 1);
    CHECK(occurrences(p.bridge_log(), "equipment failure: MOTOR_TRIP") == 1);
    CHECK(occurrences(p.bridge_log(), "is acknowledged at the PLC") == 1);
}

TEST_CASE("L-39 the PLC hears of nothing before the row is committed")
{
    plant p(options());
    p.start_bridge();
    wait_until("the line", seconds(20), [&] { return occurrences(p.bridge_log(), "line taken") == 1; });
    {
        // Nobody can insert, so the transaction stands before its commit.
        sql_session other(p.database_url());
        other.run("begin");
        other.run("lock table equipment_failure in share mode");
        raise(p, "MOTOR_TRIP");
        wait_until("the insert to wait", seconds(10), [&] { return p.count("pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'equipment_failure' and not l.granted") == 1; });
        CHECK(flag(p) == 0);
        SECTION("it goes on")
        {
            other.run("commit");
            check_one(p);
        }
        SECTION("it is killed there")
        {
            p.kill_bridge();
            other.run("commit");
            CHECK(flag(p) == 0);
            CHECK(at_plc(p, "acknowledged") == 0);
            p.start_bridge();
            check_one(p);
        }
    }
    CHECK(at_plc(p, "acknowledged") == 1);
    // The simulator's own log has the two in this order too.
    const auto log = p.plc_log();
    const auto line_at = log.find("failure_acknowledged");
    REQUIRE(line_at != std::string::npos);
    const auto begin = log.rfind('\n', line_at) + 1;
    const auto event = boost::json::parse(log.substr(begin, log.find('\n', line_at) - begin));
    const auto stored_ns = std::stoll(p.sql("select (extract(epoch from created_at) * 1000000000)::bigint from equipment_failure"));
    CHECK(event.at("wall_ns").as_int64() > stored_ns);
    CHECK(event.at("text").as_string() == "SILO-103: MOTOR_TRIP");
}

TEST_CASE("L-39 a crash at each step between the PLC and the row leaves one row that is acknowledged")
{
    const std::string point = GENERATE("failure.before_commit", "failure.stored", "failure.flag_written");
    const bool timed = GENERATE(true, false);
    CAPTURE(point, timed);
    plant p(options());
    raise(p, "MOTOR_TRIP", timed ? clock_words() : "[0, 0, 0, 0, 0, 0]");
    p.start_bridge({{"BATCHBRIDGE_CRASH_AT", point}});
    wait_until("the crash at " + point, seconds(20), [&] { return !p.bridge_runs(); });
    CHECK(failures(p) == (point == "failure.before_commit" ? 0 : 1));
    CHECK(flag(p) == (point == "failure.flag_written" ? 1 : 0));
    CHECK(failures(p, "acknowledged_at is not null") == 0);
    p.start_bridge();
    check_one(p);
    CHECK(at_plc(p, "acknowledged") == 1);
    CHECK(p.stop_bridge() == 0);
}

TEST_CASE("L-39 a failure while PostgreSQL is away is acknowledged when it is stored and not before")
{
    plant p(options());
    p.start_bridge();
    wait_until("the line", seconds(20), [&] { return occurrences(p.bridge_log(), "line taken") == 1; });
    p.database().stop();
    raise(p, "MOTOR_TRIP");
    wait_until("the loss to be noticed", seconds(20), [&] { return occurrences(p.bridge_log(), "database is down") > 0; });
    CHECK(flag(p) == 0);
    p.database().start();
    check_one(p);
    CHECK(at_plc(p, "acknowledged") == 1);
    CHECK(p.stop_bridge() == 0);
}

TEST_CASE("L-42 a failure with a time that is none is kept with its words and told by an alert")
{
    plant p(options());
    p.start_bridge();
    raise(p, "MOTOR_TRIP", "[2026, 13, 41, 25, 61, 61]");
    check_one(p);
    CHECK(p.sql("select time_source || ' ' || (raw->17) || ' ' || (raw->18) from equipment_failure") == "receipt 13 41");
    CHECK(p.sql("select abs(extract(epoch from created_at - failure_date)) < 20 from equipment_failure") == "t");
    CHECK(p.count("alert where kind = 'failure_time' and state = 'open'") == 1);
    // The same words again are another failure.
    raise(p, "MOTOR_TRIP", "[2026, 13, 41, 25, 61, 61]");
    wait_until("the second one", seconds(10), [&] { return failures(p, "acknowledged_at is not null") == 2; });
    raise(p, "MOTOR_TRIP");
    wait_until("the good one", seconds(10), [&] { return failures(p, "acknowledged_at is not null") == 3; });
    wait_until("the end of the alert", seconds(10), [&] { return p.count("alert where kind = 'failure_time' and state = 'resolved'") == 1; });
}

TEST_CASE("L-40 a map that spells the failure block in another way stops the start and is named")
{
    std::ifstream file(BATCHBRIDGE_ROOT "/conf/plc-map.json");
    auto map = boost::json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
    map.at("failure").as_object()["start"] = "D8000-D8022";
    map.at("failure").at("info").as_object()["range"] = "8008..8015";
    auto o = options();
    o.map = boost::json::serialize(map);
    o.start_plc = o.start_odoo = o.start_database = false;
    plant p(o);
    p.start_bridge();
    wait_until("the end", seconds(10), [&] { return !p.bridge_runs(); });
    const auto log = p.bridge_log();
    CHECK_THAT(log, Catch::Contains("failure.start: expected a whole number from 0 to 65535") && Catch::Contains("failure.info.range: unknown key"));
    CHECK_THROWS(p.bridge("GET", "/healthz"));
}

TEST_CASE("ten failures in a row through kills are ten rows and ten requests")
{
    plant p(options());
    p.start_bridge();
    std::string wanted;
    for (int i = 0; i < 10; ++i) {
        const auto info = "TRIP " + std::to_string(i);
        raise(p, info, i % 3 == 0 ? "[0, 0, 0, 0, 0, 0]" : clock_words());
        if (i % 4 == 1) {
            p.kill_bridge();
            p.start_bridge();
        }
        // As a PLC does: the next one when this one was read.
        wait_until("failure " + std::to_string(i), seconds(20), [&] { return flag(p) == 1; });
        wanted += (i == 0 ? "" : ",") + info;
    }
    // The one before may be replaced between the flag and its reading back: then it is stored, and not known to be acknowledged.
    wait_until("the last acknowledgement", seconds(20), [&] { return failures(p) == 10 && failures(p, "description = 'TRIP 9' and acknowledged_at is not null") == 1; });
    CHECK(p.sql("select string_agg(description, ',' order by id) from equipment_failure") == wanted);
    CHECK(p.sql("select string_agg(payload->>'description', ',' order by id) from odoo_outbox where kind = 'maintenance_request'") == wanted);
    CHECK(p.sql("select count(distinct payload->>'key') from odoo_outbox") == "10");
    CHECK(at_plc(p, "acknowledged") == 10);
    CHECK(at_plc(p, "overwritten") == 0);
}

TEST_CASE("the failure task is switched and run by the API")
{
    plant p(options());
    p.start_bridge();
    wait_until("the line", seconds(20), [&] { return occurrences(p.bridge_log(), "line taken") == 1; });
    const std::string task = "/api/v1/lines/line1/tasks/equipment_failure_monitoring";
    CHECK(p.bridge("POST", task, R"({"enabled": false})").status == 200);
    raise(p, "MOTOR_TRIP");
    // Run by hand; a new holder has not the right to write at once.
    wait_until("the run by hand", seconds(20), [&] { return p.bridge("POST", task + "/run").status == 200 && flag(p) == 1; });
    check_one(p);
    CHECK(p.count("task_run where task = 'equipment_failure_monitoring' and asked_for and not current") >= 1);
}

TEST_CASE("a failure block that the PLC never answers for keeps no slot from being read and no batch from its acknowledgement")
{
    plant_options o;
    o.plc_speed = 500;
    // Both tasks begin together, again and again.
    o.environment = {{"EQUIPMENT_FAILURE_INTERVAL", "100ms"}, {"PLC_READ_INTERVAL", "100ms"}};
    plant p(o);
    p.plc("/fault", R"({"kind": "hang", "address": 8000})");
    p.generate(3);
    p.start_bridge();
    p.wait_archived(3, seconds(60));
    check_exact(p, 3);
    CHECK(p.count("plc_duty where done_at is null") == 0);
    CHECK_THAT(p.bridge_log(), Catch::Contains("FC03 read 8000"));
}
