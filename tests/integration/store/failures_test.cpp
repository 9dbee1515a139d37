// Equipment failures: one row and one maintenance request per failure, whatever is repeated (L-38, L-39, L-42).
#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::time_source;

namespace {

const std::string code = "SILO-101";

// Words that stand for this content, as the task would give them.
domain::words raw_of(const std::string& text)
{
    domain::words out;
    for (const char c : text) out.push_back(static_cast<std::uint16_t>(c));
    return out;
}

domain::failure_event event(const std::string& info, core::utc_time at, time_source source = time_source::plc)
{
    domain::failure_event out;
    out.equipment_code = code;
    out.info = info;
    out.at = at;
    out.source = source;
    out.time_text = core::to_iso(at);
    out.raw = raw_of(info + (source == time_source::receipt ? "" : core::to_iso(at)));
    return out;
}

struct bench : store_bench {
    store::stored_failure put(const domain::failure_event& e, const domain::failure_notes& notes = {}) { return await(db.store_failure(h, e, notes, "odoo")); }
    void acknowledge(std::int64_t id, const std::string& how = "acknowledged") { await(db.failure_acknowledged(h, id, how)); }
    int failures() const { return count("equipment_failure"); }
    int requests() const { return count("odoo_outbox where kind = 'maintenance_request'"); }
};

const auto now = core::utc_now();

}  // namespace

TEST_CASE("L-38 a failure is a row and a maintenance request in one transaction and stays due until it is sent")
{
    bench b;
    const auto stored = b.put(event("MOTOR_TRIP", now));
    CHECK(stored.is_new);
    CHECK_FALSE(stored.acknowledged);
    CHECK(b.value("select line || ' ' || equipment_code || ' ' || description || ' ' || time_source || ' ' || source || ' ' || severity || ' ' || (acknowledged_at is null) || ' ' || (odoo_request_id is null) from equipment_failure") ==
          "line1 SILO-101 MOTOR_TRIP plc plc high true true");
    CHECK(b.value("select odoo_db || ' ' || odoo_id || ' ' || mo_id || ' ' || kind || ' ' || state || ' ' || version || ' ' || tries from odoo_outbox") == "odoo 0 SILO-101 maintenance_request due 0 0");
    CHECK(b.value("select (payload - 'key')::text = jsonb_build_object('line', 'line1', 'equipment_code', 'SILO-101', 'description', 'MOTOR_TRIP', 'failure_date', payload->>'failure_date', 'time_source', 'plc', 'time_text', "
                  "payload->>'time_text', 'severity', 'high', 'failure_id', (select id from equipment_failure))::text from odoo_outbox") == "t");
    CHECK(b.value("select abs(extract(epoch from (payload->>'failure_date')::timestamptz - failure_date)) < 1 from odoo_outbox, equipment_failure") == "t");
    CHECK(b.value("select count(distinct payload->>'key') from odoo_outbox where payload->>'key' like 'batchbridge-%'") == "1");
    CHECK(b.value("select string_agg(what || ' ' || mo_id, ',') from journal") == "failure.stored SILO-101");
    CHECK(b.value("select \"values\"->'raw' = e.raw from journal, equipment_failure e") == "t");
    // It is nothing to a dispatcher that does not send it, and the next thing to do for one that does.
    CHECK(b.await(b.db.due_deliveries({"line1"}, "odoo", 120s, 50, domain::delivery_kind::maintenance_request)).empty());
    CHECK_FALSE(b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s, domain::delivery_kind::maintenance_request)));
    CHECK(b.due().size() == 1);
    CHECK(b.await(b.db.next_delivery_in({"line1"}, "odoo", 120s)) == core::duration::zero());
}

TEST_CASE("L-39 a failure that is read again before or after its acknowledgement is the same one when its time says so")
{
    bench b;
    const auto first = b.put(event("MOTOR_TRIP", now));
    const auto again = b.put(event("MOTOR_TRIP", now));
    CHECK(again.id == first.id);
    CHECK_FALSE(again.is_new);
    CHECK_FALSE(again.acknowledged);
    b.acknowledge(first.id);
    const auto later = b.put(event("MOTOR_TRIP", now));
    CHECK(later.id == first.id);
    CHECK_FALSE(later.is_new);
    CHECK(later.acknowledged);
    CHECK(b.failures() == 1);
    CHECK(b.requests() == 1);
    // Another time, another text, another equipment, another line: other failures.
    CHECK(b.put(event("MOTOR_TRIP", now + 1s)).is_new);
    CHECK(b.put(event("OVERLOAD", now)).is_new);
    auto other = event("MOTOR_TRIP", now);
    other.equipment_code = "SILO-102";
    other.raw = raw_of("SILO-102 MOTOR_TRIP");
    CHECK(b.put(other).is_new);
    const auto line2 = b.take("line2");
    CHECK(b.await(b.db.store_failure(line2, event("MOTOR_TRIP", now), {}, "odoo")).is_new);
    CHECK(b.failures() == 5);
    CHECK(b.requests() == 5);
    CHECK(b.value("select count(distinct payload->>'key') from odoo_outbox") == "5");
    // The first one once more, long after others: still the same.
    CHECK(b.put(event("MOTOR_TRIP", now)).id == first.id);
}

TEST_CASE("L-42 a failure without a valid time is told by its words while it is not acknowledged and is a new one afterwards")
{
    bench b;
    const auto first = b.put(event("MOTOR_TRIP", now, time_source::receipt));
    CHECK(first.is_new);
    const auto again = b.put(event("MOTOR_TRIP", now + 5s, time_source::receipt));
    CHECK(again.id == first.id);
    CHECK_FALSE(again.is_new);
    CHECK(b.value("select failure_date < now() + interval '4 seconds' from equipment_failure") == "t");
    b.acknowledge(first.id);
    const auto second = b.put(event("MOTOR_TRIP", now + 10s, time_source::receipt));
    CHECK(second.is_new);
    CHECK(second.id != first.id);
    // Another failure between: what is not the newest is not what the PLC still shows.
    CHECK(b.put(event("OVERLOAD", now + 15s, time_source::receipt)).is_new);
    CHECK(b.put(event("MOTOR_TRIP", now + 20s, time_source::receipt)).is_new);
    CHECK(b.failures() == 4);
    CHECK(b.requests() == 4);
    CHECK(b.value("select string_agg(time_source, ',') from equipment_failure") == "receipt,receipt,receipt,receipt");
    CHECK(b.value("select jsonb_array_length(raw) = 10 from equipment_failure order by id limit 1") == "t");
}

TEST_CASE("a failure whose clock was wrong is told by its words as one without a time")
{
    bench b;
    // A clock that stands still, or of another zone.
    const auto stands = event("MOTOR_TRIP", now - 3h);
    const auto first = b.put(stands);
    CHECK(first.is_new);
    CHECK(b.put(stands).id == first.id);
    b.acknowledge(first.id);
    const auto second = b.put(stands);
    CHECK(second.is_new);
    CHECK(b.put(stands).id == second.id);
    CHECK(b.failures() == 2);
    // At 15 minutes it is still believed.
    auto late = event("OVERLOAD", now - 14min);
    const auto believed = b.put(late);
    b.acknowledge(believed.id);
    CHECK(b.put(late).id == believed.id);
}

TEST_CASE("the time that the clock repeats is resolved in another way after an hour and the failure is the same")
{
    bench b;
    auto early = event("MOTOR_TRIP", now, time_source::plc_guessed);
    const auto first = b.put(early);
    auto late = early;
    late.at = now + 1h;   // the same words, read an hour later
    CHECK(b.put(late).id == first.id);
    CHECK(b.failures() == 1);
}

TEST_CASE("L-39 an acknowledgement is stored once with its time and each one is journaled")
{
    bench b;
    CHECK_FALSE(b.await(b.db.newest_failure("line1")));
    const auto first = b.put(event("MOTOR_TRIP", now));
    auto newest = b.await(b.db.newest_failure("line1"));
    REQUIRE(newest);
    CHECK(newest->id == first.id);
    CHECK(newest->equipment_code == code);
    CHECK(newest->raw == event("MOTOR_TRIP", now).raw);
    CHECK_FALSE(newest->acknowledged);
    CHECK_FALSE(b.await(b.db.newest_failure("line2")));
    b.acknowledge(first.id);
    const auto at = b.value("select acknowledged_at from equipment_failure");
    CHECK(b.await(b.db.newest_failure("line1"))->acknowledged);
    b.acknowledge(first.id, "acknowledged again");
    CHECK(b.value("select acknowledged_at from equipment_failure") == at);
    CHECK(b.value("select string_agg(answer || ' ' || mo_id || ' ' || (\"values\"->>'failure_id'), ',' order by id) from journal where what = 'plc.acknowledge_failure'") ==
          fmt::format("acknowledged SILO-101 {0},acknowledged again SILO-101 {0}", first.id));
    // A failure that a person entered is not what the PLC shows.
    b.change("insert into equipment_failure (line, equipment_code, description, failure_date, time_source, source) values ('line1', 'SILO-101', 'by hand', now(), 'receipt', 'api')");
    CHECK(b.await(b.db.newest_failure("line1"))->id == first.id);
}

TEST_CASE("what is wrong with a failure is an alert of its transaction and ends with one that is right")
{
    bench b;
    const domain::failure_notes bad{{{"failure_clock", domain::failure_subject, "time zone?"}, {"failure_equipment", "MIXER", "not in the map"}}, {"failure_time"}};
    const domain::failure_notes good{{}, {"failure_time", "failure_clock"}};
    const auto open = [&b] { return b.value("select string_agg(kind || ' ' || subject || ' ' || count, ',' order by kind) from alert where state <> 'resolved'"); };
    b.put(event("MOTOR_TRIP", now - 3h), bad);
    CHECK(open() == "failure_clock plc 1,failure_equipment MIXER 1");
    // A repeat says nothing new.
    b.put(event("MOTOR_TRIP", now - 3h), bad);
    CHECK(open() == "failure_clock plc 1,failure_equipment MIXER 1");
    b.put(event("OVERLOAD", now - 3h), bad);
    CHECK(open() == "failure_clock plc 2,failure_equipment MIXER 2");
    b.put(event("OVERLOAD", now), good);
    CHECK(open() == "failure_equipment MIXER 2");
}

TEST_CASE("ten failures in a row are ten rows and ten requests and a repeat of each adds none")
{
    bench b;
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < 10; ++i) CHECK(b.put(event(fmt::format("TRIP {}", i), now + std::chrono::seconds(i))).is_new == (round == 0));
    CHECK(b.failures() == 10);
    CHECK(b.requests() == 10);
}
