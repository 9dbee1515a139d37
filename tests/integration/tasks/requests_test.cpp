// Maintenance requests and notes: what Odoo must get once, or at most once.
#include "delivery_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

// A stored failure with its outbox row, as store_failure leaves them; the outbox id.
std::int64_t failure(delivery_bench& b, const std::string& code = "SILO-103", const std::string& key = "batchbridge-1")
{
    const auto id = b.sql(fmt::format("with f as (insert into equipment_failure (line, equipment_code, description, failure_date, time_source) values ('line1', '{0}', 'valve stuck', '2026-11-23 10:55:00+00', 'plc') returning id) "
                                      "insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, kind, payload) select 'line1', 'factory', 0, '{0}', 'maintenance_request', jsonb_build_object('line', 'line1', 'equipment_code', "
                                      "'{0}', 'description', 'valve stuck', 'failure_date', '2026-11-23T10:55:00Z', 'time_source', 'plc', 'time_text', '', 'failure_id', f.id, 'key', '{1}', 'severity', 'high') from f returning id",
                                      code, key));
    b.wake();
    return std::stoll(id);
}

std::int64_t note(delivery_bench& b, std::int64_t batch, const std::string& text)
{
    const auto id = b.sql(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, payload, version) select line, odoo_db, odoo_id, mo_id, id, 'note', jsonb_build_object('text', '{}'::text), "
                                      "version from mo_batch where id = {} returning id",
                                      text, batch));
    b.wake();
    return std::stoll(id);
}

odoo::error not_reached()
{
    return {core::error_kind::unavailable, domain::call_outcome::not_sent, domain::error_class::retry, "connect", "odoo test", "refused"};
}

const std::map<std::string, std::string> short_wait{{"ODOO_UNCLEAR_WAIT", "3s"}, {"ODOO_WRITE_TIMEOUT", "1s"}};

}  // namespace

TEST_CASE("L-38: a failure becomes one maintenance request with its equipment, and knows its id")
{
    delivery_bench b;
    b.erp.equipment["SILO-103"] = 7;
    const auto row = failure(b);
    b.await("the request", [&] { return b.state_of(row) == "sent"; });
    CHECK(b.erp.calls == std::vector<std::string>{"find_request", "find_equipment SILO-103", "create_request"});
    REQUIRE(b.erp.requests.size() == 1);
    const auto& r = b.erp.requests.front();
    CHECK(r.key == "batchbridge-1");
    CHECK(r.title == "SILO-103: valve stuck");
    CHECK(r.equipment_id == std::optional<std::int64_t>(7));
    CHECK(r.urgent);
    CHECK(core::to_iso(r.at) == "2026-11-23T10:55:00Z");
    CHECK(b.sql("select odoo_request_id from equipment_failure") == "1");
    CHECK(b.count("alert") == 0);
    CHECK(b.count("journal where what = 'odoo.create_request' and answer = 'ok: request 1'") == 1);
    CHECK(b.count("journal where what = 'odoo.maintenance_request'") == 1);
}

TEST_CASE("equipment that Odoo does not show is named in the text and in an alert that says what to do")
{
    delivery_bench b;
    const auto row = failure(b);
    b.await("the request", [&] { return b.state_of(row) == "sent"; });
    REQUIRE(b.erp.requests.size() == 1);
    CHECK_FALSE(b.erp.requests.front().equipment_id);
    CHECK_THAT(b.erp.requests.front().description, Catch::Contains("SILO-103"));
    CHECK(b.count("alert where kind = 'failure_equipment' and subject = 'SILO-103' and state = 'open' and text like '%serial number%' and text like '%Equipment Manager%'") == 1);
    // It is there by now: the next failure of it has it, and the alert ends.
    b.erp.equipment["SILO-103"] = 7;
    const auto next = failure(b, "SILO-103", "batchbridge-2");
    b.await("the next request", [&] { return b.state_of(next) == "sent"; });
    CHECK(b.count("alert where kind = 'failure_equipment' and state = 'resolved'") == 1);
}

TEST_CASE("a create whose end is not known is looked for after the wait, and not repeated when it worked")
{
    delivery_bench b(short_wait);
    b.erp.equipment["SILO-103"] = 7;
    b.erp.after = [&b](const std::string& call) {
        if (call == "create_request" && b.erp.count(call) == 1) throw no_answer();
    };
    const auto row = failure(b);
    b.await("the unclear create", [&] { return b.count("odoo_outbox where tries = 1 and state = 'due'") == 1; });
    b.sql("update odoo_outbox set next_at = now() returning 1");
    b.wake();
    b.run_for(1000ms);
    CHECK(b.erp.count("find_request") == 1);
    b.await("the search", [&] { return b.state_of(row) == "sent"; });
    CHECK(b.erp.count("create_request") == 1);
    CHECK(b.erp.requests.size() == 1);
    CHECK(b.sql("select odoo_request_id from equipment_failure") == "1");
}

TEST_CASE("a create that got lost is made again after the wait")
{
    delivery_bench b(short_wait);
    b.erp.equipment["SILO-103"] = 7;
    b.erp.before = [&b](const std::string& call) {
        if (call == "create_request" && b.erp.count(call) == 1) throw no_answer();
    };
    const auto row = failure(b);
    b.await("the request", [&] { return b.state_of(row) == "sent"; });
    CHECK(b.erp.count("find_request") == 2);
    CHECK(b.erp.requests.size() == 1);
    CHECK(b.sql("select min(started_at) + interval '3 seconds' <= max(started_at) from odoo_attempt") == "t");
}

TEST_CASE("a missing right for requests is a configuration wait with an alert, and the breaker stays as it is")
{
    delivery_bench b;
    b.erp.before = [](const std::string& call) {
        if (call == "create_request") throw refused(domain::error_class::configuration, "no right to create", "odoo.exceptions.AccessError");
    };
    b.erp.equipment["SILO-103"] = 7;
    const auto row = failure(b);
    b.await("the wait", [&] { return b.count("odoo_outbox where state = 'due' and tries = 1 and next_at > now() + interval '30 seconds'") == 1; });
    CHECK(b.count("alert where kind = 'odoo_configuration' and state = 'open'") == 1);
    CHECK(b.erp.count("probe") == 0);
    CHECK_FALSE(b.service->deliveries().breaker_open());
    CHECK(b.env->board.is_up("odoo"));
    // Others go on.
    b.erp.add(1);
    const auto id = b.completed(1);
    b.await("a finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.state_of(row) == "due");
}

TEST_CASE("equipment that was deleted in Odoo is looked for again and does not park its request")
{
    delivery_bench b;
    b.erp.equipment["SILO-103"] = 7;
    b.erp.before = [&b](const std::string& call) {
        if (call != "create_request" || b.erp.count(call) > 1) return;
        // The client forgets the id when Odoo says so (h10).
        b.erp.equipment.clear();
        throw refused(domain::error_class::park, "the record it refers to does not exist", "odoo.exceptions.ValidationError");
    };
    const auto row = failure(b);
    b.await("the request", [&] { return b.state_of(row) == "sent"; });
    REQUIRE(b.erp.requests.size() == 1);
    CHECK_FALSE(b.erp.requests.front().equipment_id);
    CHECK(b.count("alert where kind = 'failure_equipment' and state = 'open'") == 1);
    // Any other no parks.
    b.erp.equipment["SILO-103"] = 8;
    b.erp.before = [](const std::string& call) {
        if (call == "create_request") throw refused(domain::error_class::park, "no e-mail address");
    };
    const auto next = failure(b, "SILO-103", "batchbridge-2");
    b.await("the parking", [&] { return b.state_of(next) == "parked"; });
}

TEST_CASE("requests are made one at a time")
{
    delivery_bench b;
    int now = 0, most = 0;
    b.erp.equipment["SILO-103"] = 7;
    b.erp.before = [&](const std::string& call) {
        if (call == "find_request") most = std::max(most, ++now);
    };
    b.erp.after = [&](const std::string& call) {
        if (call == "create_request") --now;
    };
    for (int n = 1; n <= 4; ++n) failure(b, "SILO-103", fmt::format("batchbridge-{}", n));
    b.await("all of them", [&] { return b.count("odoo_outbox where state = 'sent'") == 4; });
    CHECK(most == 1);
    CHECK(b.erp.requests.size() == 4);
}

TEST_CASE("a note is sent once, with its row ended before its bytes leave")
{
    delivery_bench b;
    b.erp.add(1);
    std::string state, attempts;
    b.erp.before = [&](const std::string& call) {
        if (call != "post_note 1") return;
        state = b.sql("select state from odoo_outbox");
        attempts = b.sql("select count(*) from odoo_attempt where outcome is null");
    };
    const auto row = note(b, b.batch(1, "running", {{101, "5"}}), "the batch is stuck");
    b.await("the note", [&] { return b.erp.notes.size() == 1 && b.count("odoo_attempt where outcome = 'ok'") == 1; });
    CHECK(state == "sent");
    CHECK(attempts == "1");
    CHECK(b.state_of(row) == "sent");
    CHECK(b.erp.notes.front().second == "the batch is stuck");
}

TEST_CASE("a note that is refused or without an answer is journaled and never repeated")
{
    for (const bool unclear : {false, true}) {
        CAPTURE(unclear);
        delivery_bench b(short_wait);
        b.erp.add(1);
        b.erp.before = [unclear](const std::string& call) {
            if (call == "post_note 1") throw unclear ? no_answer() : refused(domain::error_class::park, "no sender's address");
        };
        const auto row = note(b, b.batch(1, "running", {{101, "5"}}), "the batch is stuck");
        b.await("the end", [&] { return b.count("journal where what = 'odoo.post_note'") == 1; });
        b.erp.before = nullptr;
        b.run_for(4000ms);
        CHECK(b.erp.count("post_note 1") == 1);
        CHECK(b.state_of(row) == "sent");
        CHECK(b.count("odoo_attempt where outcome is null") == (unclear ? 1 : 0));
        CHECK(b.count("alert where kind = 'delivery_parked'") == 0);
    }
}

TEST_CASE("a note that did not leave us is tried again")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.before = [&b](const std::string& call) {
        if (call == "post_note 1" && b.erp.count(call) == 1) throw not_reached();
    };
    const auto row = note(b, b.batch(1, "running", {{101, "5"}}), "the batch is stuck");
    b.await("the note", [&] { return b.erp.notes.size() == 1; });
    b.await("its end", [&] { return b.count("odoo_attempt where outcome = 'ok'") == 1; });
    CHECK(b.state_of(row) == "sent");
    CHECK(b.count("odoo_attempt where outcome = 'not_sent'") == 1);
}

TEST_CASE("a note is not put on another order that got this id since Odoo was restored")
{
    delivery_bench b;
    b.erp.add(1).id.create_date += std::chrono::hours(24);
    const auto row = note(b, b.batch(1, "running", {{101, "5"}}), "the batch is stuck");
    b.await("the end", [&] { return b.state_of(row) == "discarded"; });
    CHECK(b.erp.notes.empty());
}

TEST_CASE("webhook rows are not sent by this version and hold up nobody")
{
    delivery_bench b;
    b.erp.add(1);
    b.sql("insert into odoo_outbox (line, odoo_db, odoo_id, kind) select 'line1', 'factory', 0, 'webhook' from generate_series(1, 60) returning 1");
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.count("odoo_outbox where kind = 'webhook' and state = 'due'") == 60);
}
