// Task 5 against a simulated PLC and a real PostgreSQL, run by run (L-38 to L-42).
#include "failure_bench.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <random>
#include <set>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;
using words = std::vector<std::uint16_t>;

namespace {

const words no_time{9, 9, 9, 9, 9, 99};

std::string map_with_time(const std::string& time)
{
    auto json = boost::json::parse(shipped_map());
    json.at("failure").as_object()["time"] = boost::json::parse(time);
    return boost::json::serialize(json);
}

}  // namespace

TEST_CASE("L-38 L-39 a failure is stored with its request and then acknowledged and the next look does nothing")
{
    failure_bench b;
    CHECK(b.run() == "skipped");
    CHECK(b.rows() == 0);
    b.raise("MOTOR_TRIP", b.clock());
    CHECK(b.run() == "ok");
    CHECK_THAT(b.detail(), Contains("SILO-101") && Contains("MOTOR_TRIP") && Contains("stored and acknowledged"));
    CHECK(b.flag() == 1);
    CHECK(b.sql("select equipment_code || ' ' || description || ' ' || time_source || ' ' || (acknowledged_at is not null) || ' ' || (abs(extract(epoch from created_at - failure_date)) < 10) from equipment_failure") ==
          "SILO-101 MOTOR_TRIP plc true true");
    CHECK(b.sql("select state || ' ' || (payload->>'equipment_code') from odoo_outbox") == "due SILO-101");
    CHECK_THAT(b.journal(), Contains("failure.stored") && Contains("plc.acknowledge_failure acknowledged"));
    CHECK(b.alerts() == "");
    const auto requests = b.server->requests();
    CHECK(b.run() == "skipped");
    CHECK(b.server->requests() - requests == 1);
    CHECK(b.rows() == 1);
    // The same failure at another time is another one.
    b.raise("MOTOR_TRIP", b.clock(-1s));
    CHECK(b.run() == "ok");
    CHECK(b.rows() == 2);
    CHECK(b.requests() == 2);
    CHECK(b.acknowledged() == 2);
}

TEST_CASE("L-38 a request waits while Odoo is away and is made once when it is back")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", b.clock());
    CHECK(b.run() == "ok");
    b.run_for(300ms);
    CHECK(b.sql("select state from odoo_outbox") == "due");
    CHECK(b.erp.requests.empty());
    b.erp.equipment["SILO-101"] = 3;
    b.erp.before = [](const std::string&) {};
    b.sql("update odoo_outbox set next_at = now() returning id");
    b.service->env().deliveries.set();
    b.await("the request", [&] { return b.sql("select state from odoo_outbox") == "sent"; });
    REQUIRE(b.erp.requests.size() == 1);
    CHECK(b.erp.requests.front().title == "SILO-101: MOTOR_TRIP");
    CHECK(b.sql("select odoo_request_id from equipment_failure") == "1");
    CHECK(b.alerts() == "");
}

TEST_CASE("L-39 what was stored and not acknowledged before a restart is acknowledged after it and stays one row")
{
    failure_bench b;
    const bool timed = GENERATE(true, false);
    CAPTURE(timed);
    b.raise("MOTOR_TRIP", timed ? b.clock() : no_time);
    SECTION("the process ended before the flag was written")
    {
        b.before_write = [] { throw std::runtime_error("the process ends here"); };
        CHECK(b.run() != "ok");
        CHECK(b.flag() == 0);
        CHECK(b.rows() == 1);
        CHECK(b.count("equipment_failure where acknowledged_at is null") == 1);
        b.before_write = {};
        b.restart();
        CHECK(b.run() == "ok");
        CHECK(b.flag() == 1);
    }
    SECTION("the process ended after the flag was written and before that was stored")
    {
        CHECK(b.run() == "ok");
        b.sql("update equipment_failure set acknowledged_at = null returning id");
        b.restart();
        CHECK(b.run() == "ok");
        CHECK_THAT(b.detail(), Contains("found acknowledged"));
    }
    CHECK(b.rows() == 1);
    CHECK(b.requests() == 1);
    CHECK(b.count("equipment_failure where acknowledged_at is not null") == 1);
    CHECK(b.run() == "skipped");
    // The PLC has forgotten that it was read and shows it once more.
    b.set_flag(0);
    CHECK(b.run() == "ok");
    CHECK(b.flag() == 1);
    CHECK(b.rows() == (timed ? 1 : 2));
    CHECK(b.requests() == (timed ? 1 : 2));
}

TEST_CASE("L-39 without PLC_WRITES a failure is stored once and never acknowledged by us")
{
    const failure_bench::settings reading_only{{"PLC_WRITES", "false"}};
    failure_bench b(reading_only);
    b.raise("MOTOR_TRIP", no_time);
    CHECK(b.run() == "ok");
    CHECK_THAT(b.detail(), Contains("PLC_WRITES"));
    for (int i = 0; i < 3; ++i) CHECK(b.run() == "skipped");
    b.restart();
    b.run();
    CHECK(b.run() == "skipped");
    CHECK(b.rows() == 1);
    CHECK(b.requests() == 1);
    CHECK(b.flag() == 0);
    CHECK(b.count("equipment_failure where acknowledged_at is not null") == 0);
    // Somebody else reads it at the machine.
    b.set_flag(1);
    CHECK(b.run() == "ok");
    CHECK(b.count("equipment_failure where acknowledged_at is not null") == 1);
    // And the PLC reports the very same again.
    b.set_flag(0);
    CHECK(b.run() == "ok");
    CHECK(b.rows() == 2);
    CHECK(b.requests() == 2);
}

TEST_CASE("L-39 a failure that the PLC puts there in the moment of the acknowledgement is stored as well")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", b.clock());
    int writes = 0;
    b.before_write = [&] {
        if (++writes == 1) b.raise("OVERLOAD", b.clock());
    };
    SECTION("at once")
    {
        CHECK(b.run() == "ok");
        CHECK(b.acknowledged() == 1);
    }
    SECTION("by the next process")
    {
        // The flag arrives, the answer does not, and the process ends.
        sim::plc_fault breaks;
        breaks.kind = "drop_after";
        breaks.function = 6;
        breaks.count = 1;
        b.server->set_fault(breaks);
        CHECK(b.run() == "unavailable");
        CHECK(b.rows() == 1);
        b.restart();
        CHECK(b.run() == "ok");
    }
    // Our flag has hit the second one, of which nobody knew.
    CHECK(b.flag() == 1);
    CHECK(b.rows() == 2);
    CHECK(b.requests() == 2);
    CHECK(b.sql("select string_agg(description || ' ' || (acknowledged_at is not null), ', ' order by id) from equipment_failure") == "MOTOR_TRIP false, OVERLOAD true");
    CHECK(b.run() == "skipped");
}

TEST_CASE("L-39 a failure that replaces another one before its acknowledgement is stored before it is acknowledged")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", b.clock());
    // Another has the PLC for writing, so the first look stores only.
    {
        const auto lock = b.service->find_line("line1")->plc_writes().try_lock();
        REQUIRE(lock);
        CHECK(b.run() == "ok");
        CHECK_THAT(b.detail(), Contains("when nobody else writes"));
        CHECK(b.flag() == 0);
    }
    b.raise("OVERLOAD", b.clock());
    CHECK(b.run() == "ok");
    CHECK(b.flag() == 1);
    CHECK(b.sql("select string_agg(description || ' ' || (acknowledged_at is not null), ', ' order by id) from equipment_failure") == "MOTOR_TRIP false, OVERLOAD true");
    CHECK(b.requests() == 2);
}

TEST_CASE("L-42 a failure without a valid time is kept with its words and the time of receipt and said so")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", no_time);
    CHECK(b.run() == "ok");
    CHECK(b.sql("select time_source || ' ' || (abs(extract(epoch from created_at - failure_date)) < 10) || ' ' || (raw->16) || ' ' || (raw->21) || ' ' || jsonb_array_length(raw) || ' ' || (raw->22) from equipment_failure") ==
          "receipt true 9 99 23 0");
    CHECK(b.alerts() == "failure_time plc");
    CHECK_THAT(b.sql("select payload->>'time_text' from odoo_outbox"), Contains("9,9,9,9,9,99"));
    // Raised again after its acknowledgement, with the very same words: a new one, each time.
    for (int i = 2; i <= 5; ++i) {
        b.run();
        b.raise("MOTOR_TRIP", no_time);
        CHECK(b.run() == "ok");
        CHECK(b.rows() == i);
        CHECK(b.requests() == i);
    }
    CHECK(b.acknowledged() == 5);
    // A good time ends the alert.
    b.raise("MOTOR_TRIP", b.clock());
    CHECK(b.run() == "ok");
    CHECK(b.alerts() == "");
}

TEST_CASE("a clock of another zone and equipment that the map does not know are alerts and the failure is stored all the same")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", b.clock(2h), "MIXER-1");
    CHECK(b.run() == "ok");
    CHECK(b.alerts() == "failure_clock plc, failure_equipment MIXER-1");
    CHECK_THAT(b.sql("select text from alert where kind = 'failure_clock'"), Contains("time zone?"));
    CHECK(b.sql("select time_source from equipment_failure") == "plc");
    CHECK(b.requests() == 1);
    CHECK(b.flag() == 1);
    b.raise("MOTOR_TRIP", b.clock());
    CHECK(b.run() == "ok");
    CHECK(b.alerts() == "failure_equipment MIXER-1");
}

TEST_CASE("equipment that the map has learnt is an alert no more")
{
    const auto database = bb_test::shared_postgres().create_database();
    {
        failure_bench b({}, {}, database);
        b.raise("MOTOR_TRIP", b.clock(), "MIXER-1");
        CHECK(b.run() == "ok");
        CHECK(b.alerts() == "failure_equipment MIXER-1");
        b.restart();
        b.run();
        CHECK(b.alerts() == "failure_equipment MIXER-1");
    }
    auto json = boost::json::parse(shipped_map());
    json.at("silos").at(0).as_object()["equipment"] = "MIXER-1";
    failure_bench b({{"LINE_MOVED", "true"}}, boost::json::serialize(json), database);
    b.run();
    CHECK(b.alerts() == "");
}

TEST_CASE("a flag that is neither new nor read is an alert and nothing is taken until it is one of them")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", b.clock());
    b.set_flag(7);
    CHECK(b.run() == "skipped");
    CHECK(b.run() == "skipped");
    CHECK(b.rows() == 0);
    CHECK(b.flag() == 7);
    CHECK(b.alerts() == "failure_flag plc");
    CHECK_THAT(b.sql("select text || count from alert"), Contains("is 7") && Catch::EndsWith("1"));
    b.set_flag(0);
    CHECK(b.run() == "ok");
    CHECK(b.rows() == 1);
    CHECK(b.alerts() == "");
}

TEST_CASE("a PLC that does not keep the acknowledgement is an alert and its failure stays one row")
{
    failure_bench b;
    b.plc([](auto& m) { m.keep_failure_flag(false); return 0; });
    b.raise("MOTOR_TRIP", no_time);
    for (int i = 0; i < 5; ++i) CHECK(b.run() == "ok");
    CHECK(b.alerts() == "failure_not_acknowledged plc, failure_time plc");
    CHECK(b.rows() == 1);
    CHECK(b.requests() == 1);
    CHECK(b.count("equipment_failure where acknowledged_at is null") == 1);
    b.plc([](auto& m) { m.keep_failure_flag(true); return 0; });
    CHECK(b.run() == "ok");
    CHECK(b.count("equipment_failure where acknowledged_at is not null") == 1);
    b.run();
    CHECK(b.alerts() == "failure_time plc");
    CHECK(b.rows() == 1);
}

TEST_CASE("a PLC that makes a failure new again after every acknowledgement makes no flood of requests")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", no_time);
    for (int i = 0; i < 20; ++i) {
        b.run();
        b.set_flag(0);
    }
    CHECK(b.rows() == 3);
    CHECK(b.requests() == 3);
    CHECK(b.count("journal where what = 'plc.acknowledge_failure'") == 3);
    CHECK_THAT(b.alerts(), Contains("failure_not_acknowledged"));
    // It keeps it at last: from then on the same words are believed again.
    b.run();
    CHECK(b.flag() == 1);
    b.run();
    CHECK(b.alerts() == "failure_time plc");
    b.set_flag(0);
    b.run();
    CHECK(b.rows() == 4);
}

TEST_CASE("no event in the block is no failure whatever the flag")
{
    failure_bench b;
    for (const std::string info : {"", "NONE", "NO_FAILURE", "0"}) {
        b.raise(info, b.clock());
        CHECK(b.run() == "skipped");
    }
    b.raise("MOTOR_TRIP", b.clock(), "");
    CHECK(b.run() == "skipped");
    CHECK(b.rows() == 0);
    // Read before we came: nothing of ours.
    b.raise("MOTOR_TRIP", b.clock());
    b.set_flag(1);
    CHECK(b.run() == "skipped");
    CHECK(b.rows() == 0);
}

TEST_CASE("ten failures in a row are ten rows and ten requests in their order")
{
    failure_bench b;
    std::string wanted;
    for (int i = 0; i < 10; ++i) {
        const auto info = fmt::format("TRIP {}", i);
        b.raise(info, i % 2 == 0 ? b.clock() : no_time);
        CHECK(b.run() == "ok");
        wanted += (i == 0 ? "" : ",") + info;
    }
    CHECK(b.sql("select string_agg(description, ',' order by id) from equipment_failure") == wanted);
    CHECK(b.sql("select string_agg(payload->>'description', ',' order by id) from odoo_outbox") == wanted);
    CHECK(b.acknowledged() == 10);
    CHECK(b.plc([](auto& m) { return m.failures().overwritten; }) == 0);
}

TEST_CASE("a failure at a time that the clock repeats or leaves out is stored as guessed in the PLC's zone (L-48)")
{
    const failure_bench::settings berlin{{"PLC_TIMEZONE", "Europe/Berlin"}};
    failure_bench b(berlin);
    const auto stored = [&b] { return b.sql("select to_char(failure_date at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' ' || time_source from equipment_failure order by id desc limit 1"); };
    // Far from now every one is also a clock that is wrong; the nearest reading of a repeated hour is the one before or after it.
    b.raise("TRIP 1", {2024, 3, 31, 2, 30, 0});
    CHECK(b.run() == "ok");
    CHECK(stored() == "2024-03-31 01:30:00 plc_guessed");
    b.raise("TRIP 2", {2024, 10, 27, 2, 30, 0});
    CHECK(b.run() == "ok");
    CHECK(stored() == "2024-10-27 01:30:00 plc_guessed");
    b.raise("TRIP 3", {2024, 10, 27, 3, 0, 0});
    CHECK(b.run() == "ok");
    CHECK(stored() == "2024-10-27 02:00:00 plc");
    b.raise("TRIP 4", {2024, 7, 1, 12, 0, 0});
    CHECK(b.run() == "ok");
    CHECK(stored() == "2024-07-01 10:00:00 plc");
    CHECK(b.alerts() == "failure_clock plc");
    CHECK(b.rows() == 4);
    // A process in another zone reads the same block: the words say that it is the same failure.
    b.set_flag(0);
    b.sql("update equipment_failure set acknowledged_at = null returning id");
    b.set("PLC_TIMEZONE", "Asia/Kolkata");
    b.restart();
    CHECK(b.run() == "ok");
    CHECK(b.rows() == 4);
    CHECK(b.flag() == 1);
}

TEST_CASE("a failure block or an acknowledgement that the PLC refuses is an alert until it answers")
{
    failure_bench b;
    sim::plc_fault refuses;
    refuses.kind = "exception";
    refuses.code = 2;
    SECTION("the block")
    {
        b.raise("MOTOR_TRIP", b.clock());
        refuses.function = 3;
        b.server->set_fault(refuses);
        for (int i = 0; i < 3; ++i) CHECK(b.run() == "failed");
        CHECK(b.alerts() == "failure_inconsistent plc");
        CHECK_THAT(b.sql("select text from alert"), Contains("is refused") && Contains("exception"));
        CHECK(b.rows() == 0);
    }
    SECTION("the flag")
    {
        b.raise("MOTOR_TRIP", b.clock());
        refuses.function = 6;
        b.server->set_fault(refuses);
        for (int i = 0; i < 3; ++i) CHECK(b.run() == "failed");
        CHECK_THAT(b.detail(), Contains("refuses the acknowledgement"));
        CHECK(b.alerts() == "failure_not_acknowledged plc");
        CHECK(b.rows() == 1);
        CHECK(b.count("equipment_failure where acknowledged_at is null") == 1);
    }
    b.server->clear_faults();
    CHECK(b.run() == "ok");
    b.run();
    CHECK(b.alerts() == "");
    CHECK(b.rows() == 1);
    CHECK(b.requests() == 1);
    CHECK(b.flag() == 1);
    CHECK(b.acknowledged() == 1);
}

TEST_CASE("a link that breaks around the acknowledgement leaves one row that is acknowledged in the end")
{
    failure_bench b;
    const std::string kind = GENERATE("drop_after", "reset", "hang");
    CAPTURE(kind);
    b.raise("MOTOR_TRIP", no_time);
    sim::plc_fault breaks;
    breaks.kind = kind;
    breaks.function = 6;
    breaks.count = 1;
    b.server->set_fault(breaks);
    CHECK(b.run() == "unavailable");
    CHECK(b.rows() == 1);
    CHECK(b.count("equipment_failure where acknowledged_at is null") == 1);
    // Whether the PLC has it or not.
    CHECK(b.flag() == (kind == "drop_after" ? 1 : 0));
    b.await("the link", [&] { return b.run() == "ok"; });
    CHECK(b.flag() == 1);
    CHECK(b.rows() == 1);
    CHECK(b.requests() == 1);
    CHECK(b.count("equipment_failure where acknowledged_at is not null") == 1);
    CHECK(b.acknowledged() == 1);
}

TEST_CASE("a map whose failure block has its time as text or as seconds goes the same way (L-42)")
{
    const bool text = GENERATE(true, false);
    CAPTURE(text);
    failure_bench b({{"PLC_TIMEZONE", "Asia/Kolkata"}}, map_with_time(text ? R"({"at": 24, "format": "text", "words": 12})" : R"({"at": 24, "format": "epoch"})"));
    const auto& m = b.service->find_line("line1")->map();
    words w(static_cast<std::size_t>(m.failure.time.words), 0);
    auto f = m.failure.time;
    f.at = 0;
    if (text) domain::encode_text(m, f, "2024-11-24 15:28:07", w);
    else domain::encode_value(m, f, core::decimal(1732442287), w);
    b.raise("MOTOR_TRIP", w);
    CHECK(b.run() == "ok");
    CHECK(b.flag() == 1);
    CHECK(b.sql("select to_char(failure_date at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' ' || time_source from equipment_failure") == "2024-11-24 09:58:07 plc");
    // Registers that hold nothing of the kind.
    std::fill(w.begin(), w.end(), text ? std::uint16_t{0x7878} : std::uint16_t{0});
    b.raise("OVERLOAD", w);
    CHECK(b.run() == "ok");
    CHECK(b.sql("select time_source from equipment_failure order by id desc limit 1") == "receipt");
    CHECK(b.rows() == 2);
    CHECK(b.requests() == 2);
}

TEST_CASE("L-39 a failure that hits the acknowledgement of one that was acknowledged before is stored as well")
{
    failure_bench b;
    b.raise("MOTOR_TRIP", b.clock());
    CHECK(b.run() == "ok");
    // The PLC has forgotten that it was read, and reports another one in the moment in which it is told again.
    b.set_flag(0);
    int writes = 0;
    b.before_write = [&] {
        if (++writes == 1) b.raise("OVERLOAD", b.clock());
    };
    CHECK(b.run() == "ok");
    CHECK(b.flag() == 1);
    CHECK(b.sql("select string_agg(description || ' ' || (acknowledged_at is not null), ', ' order by id) from equipment_failure") == "MOTOR_TRIP true, OVERLOAD true");
    CHECK(b.requests() == 2);
    CHECK(b.run() == "skipped");
}

TEST_CASE("L-38 L-39 in any order of failures and faults and restarts nothing is acknowledged unstored and nothing stored twice")
{
    failure_bench b;
    const auto seed = GENERATE(1U, 2U);
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    std::set<std::string> raised, replaced;
    std::string shown;          // what the block shows
    bool shown_timed = false;
    const auto raise = [&] {
        shown = fmt::format("TRIP {}", raised.size());
        raised.insert(shown);
        shown_timed = one_in(2);
        b.raise(shown, shown_timed ? b.clock() : one_in(2) ? no_time : b.clock(3h));
    };
    std::string log;
    for (int step = 0; step < 80; ++step) {
        const bool waits = b.flag() == 0 && !shown.empty();
        if (!waits && one_in(2)) {
            raise();
            log += "raise ";
        } else if (waits && one_in(6)) {
            replaced.insert(shown);
            raise();
            log += "replace ";
        } else if (!waits && shown_timed && one_in(5)) {
            b.set_flag(0);
            log += "forget ";
        }
        if (one_in(12)) {
            sim::plc_fault f;
            f.kind = one_in(2) ? "drop_after" : "reset";
            f.function = one_in(2) ? 6 : 3;
            f.count = 1;
            b.server->set_fault(f);
            log += f.kind + " ";
        }
        bool race = one_in(8);
        b.before_write = [&] {
            if (!std::exchange(race, false)) return;
            raise();
            log += "race ";
        };
        const auto said = b.run();
        b.before_write = {};
        log += said + "; ";
        if (said == "unavailable") b.await("the link", [&] { return b.run() != "unavailable"; });
        if (one_in(30)) {
            b.restart();
            log += "restart ";
        }
    }
    b.server->clear_faults();
    for (int i = 0; i < 3; ++i) b.run();
    CAPTURE(log);
    CHECK(raised.size() > 20);
    CHECK(b.flag() == 1);
    for (const auto& info : raised) {
        const int rows = b.count(fmt::format("equipment_failure where description = '{}'", info));
        const int requests = b.count(fmt::format("odoo_outbox where payload->>'description' = '{}'", info));
        CAPTURE(info, rows, requests);
        CHECK(rows == requests);
        CHECK(rows <= 1);
        // One that the PLC replaced before it was read may be lost; that is the PLC's doing.
        if (!replaced.contains(info)) CHECK(rows == 1);
    }
    for (const auto& text : b.acknowledged_texts()) {
        CAPTURE(text);
        CHECK(b.count(fmt::format("equipment_failure where equipment_code || ': ' || description = '{}'", text)) == 1);
    }
}
