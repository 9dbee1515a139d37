#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <fstream>
#include <regex>
#include <sstream>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;

namespace {

// One of everything that a writing function may change.
struct plant {
    explicit plant(store_bench& bench) : b(bench)
    {
        b.change("truncate mo_batch, plc_load, mo_histories, odoo_outbox, plc_duty, order_refusal, journal, alert, task_run, setting, equipment_failure restart identity cascade");
        const auto batches = b.load(b.h, {1, 2, 3, 4, 5});
        running = b.dose(batches[0].id, "10.5");
        completed = b.complete(batches[1].id, "20");
        loaded = batches[2];
        held = batches[3];
        b.set_state(held.id, batch_state::held);
        parked = b.complete(batches[4].id, "30");
        auto d = b.delivery(parked.id, "finish");
        b.await(b.db.park(b.h, d, "no such order"));
        consumption = b.delivery(running.id, "consumption");
        finish = b.delivery(completed.id, "finish");
        attempt = b.await(b.db.begin_attempt(b.h, finish, "write_final", boost::json::object())).value();
        duty = b.await(b.db.open_duties("line1")).at(0).id;
        b.change("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) values ('line1', 'odoo', 77, 'WH/MO/00077', 'unit', now() + interval '1 hour')");
        b.change("insert into equipment_failure (line, equipment_code, description, failure_date, time_source) values ('line1', 'SILO-101', 'MOTOR_TRIP', now(), 'plc')");
        failure = std::stoll(b.value("select id from equipment_failure"));
        b.change("insert into alert (line, kind, subject, text, state, resolved_at) values ('line1', 'x', 'y', 'z', 'resolved', now() - interval '40 days')");
    }
    store_bench& b;
    domain::batch running, completed, loaded, held, parked;
    store::delivery consumption, finish;
    std::int64_t attempt = 0, duty = 0, failure = 0;
};

struct writing_function {
    std::string name;
    std::function<void(plant&, const store::hold&)> call;
    std::string prepare;
};

store::refusal a_refusal()
{
    store::refusal out;
    out.order = identity(78);
    out.mo_id = "WH/MO/00078";
    out.reason = "unknown unit";
    return out;
}

std::vector<writing_function> writing_functions()
{
    return {
        {"pause_line", [](plant& p, const store::hold& h) { p.b.await(p.b.db.pause_line(h, entry("api.pause", "silos are filled"))); }, ""},
        {"resume_line", [](plant& p, const store::hold& h) { p.b.await(p.b.db.resume_line(h, entry("api.resume", ""))); }, "update line set paused = true"},
        {"put_setting", [](plant& p, const store::hold& h) { p.b.await(p.b.db.put_setting(h, "task.cleanup.enabled", "false", "api")); }, ""},
        {"mend_future_times", [](plant& p, const store::hold& h) { p.b.await(p.b.db.mend_future_times(h)); }, "update odoo_attempt set started_at = now() + interval '1 day'; update odoo_outbox set next_at = now() + interval '1 day'"},
        {"record_run",
         [](plant& p, const store::hold& h) {
             store::run_record r;
             r.task = "cleanup";
             r.started = r.ended = core::utc_now();
             r.outcome = "failed";
             p.b.await(p.b.db.record_run(h, r));
         },
         ""},
        {"stage_load", [](plant& p, const store::hold& h) { p.b.await(p.b.db.stage_load(h, images(), {order(50, 1)})); }, "delete from mo_batch"},
        {"set_load_state", [](plant& p, const store::hold& h) { p.b.await(p.b.db.set_load_state(h, p.loaded.load, domain::load_state::taken, batch_state::loading)); }, "update plc_load set state = 'arming'"},
        {"restage", [](plant& p, const store::hold& h) { p.b.await(p.b.db.restage(h, p.loaded.load, true)); }, "delete from mo_batch where state = 'running'"},
        {"begin_withdrawal", [](plant& p, const store::hold& h) { p.b.await(p.b.db.begin_withdrawal(h, p.loaded.load)); }, "update plc_load set state = 'arming'"},
        {"arm_load",
         [](plant& p, const store::hold& h) {
             const std::vector<std::int64_t> ids{p.loaded.id};
             p.b.await(p.b.db.arm_load(h, p.loaded.load, ids, entry("plc.load", "")));
         },
         "delete from mo_batch where state <> 'loaded'; update plc_load set state = 'staged'; update plc_duty set done_at = now()"},
        {"record_alerts",
         [](plant& p, const store::hold& h) {
             const std::vector<store::alert_text> raised{{"lost", "WH/MO/00001", "gone"}};
             p.b.await(p.b.db.record_alerts(h, raised, {}));
         },
         ""},
        {"record_findings",
         [](plant& p, const store::hold& h) {
             store::cycle_findings f;
             f.raised.push_back({"unknown_order", "slot 1 X", "never loaded"});
             f.journal.push_back(entry("plc.unknown_order", ""));
             f.duties.push_back({0, 9, "WH/MO/00009", 9});
             p.b.await(p.b.db.record_findings(h, f));
         },
         ""},
        {"raise_alert", [](plant& p, const store::hold& h) { p.b.await(p.b.db.raise_alert(h, "load_verify", "load", "differs")); }, ""},
        {"resolve_alert", [](plant& p, const store::hold& h) { p.b.await(p.b.db.resolve_alert(h, "load_verify", "load")); },
         "insert into alert (line, kind, subject, text) values ('line1', 'load_verify', 'load', 'differs')"},
        {"withdraw_loads", [](plant& p, const store::hold& h) { p.b.await(p.b.db.withdraw_loads(h)); }, ""},
        {"note_foreign_deliveries", [](plant& p, const store::hold& h) { p.b.await(p.b.db.note_foreign_deliveries(h, "another")); }, ""},
        {"record_cycle",
         [](plant& p, const store::hold& h) {
             p.b.await(p.b.db.record_cycle(h, {found(p.running, batch_state::running, "11", store::batch_change::delivery::consumption)}, {p.loaded.id}, 5s));
         },
         ""},
        {"touch_read", [](plant& p, const store::hold& h) { p.b.await(p.b.db.touch_read(h, {p.loaded.id})); }, ""},
        {"open_duty", [](plant& p, const store::hold& h) { p.b.await(p.b.db.open_duty(h, 1, "WH/MO/00001", p.running.id)); }, ""},
        {"close_duty", [](plant& p, const store::hold& h) { p.b.await(p.b.db.close_duty(h, p.duty, "acknowledged")); }, ""},
        {"store_failure",
         [](plant& p, const store::hold& h) {
             domain::failure_event e;
             e.equipment_code = "SILO-102";
             e.info = "OVERLOAD";
             e.at = core::utc_now();
             p.b.await(p.b.db.store_failure(h, e, {}, "odoo"));
         },
         ""},
        {"failure_acknowledged", [](plant& p, const store::hold& h) { p.b.await(p.b.db.failure_acknowledged(h, p.failure, "acknowledged")); }, ""},
        {"sweep_completed", [](plant& p, const store::hold& h) { p.b.await(p.b.db.sweep_completed(h)); }, "delete from odoo_outbox where kind = 'finish'"},
        {"archive", [](plant& p, const store::hold& h) { p.b.await(p.b.db.archive(h, p.completed.id, domain::history_status::completed, "", std::nullopt)); }, ""},
        {"reset_batch",
         [](plant& p, const store::hold& h) { p.b.await(p.b.db.reset_batch(h, p.loaded.id, p.b.batch(p.loaded.id).version, "", entry("api.reset", ""))); },
         "update mo_batch set state = 'held' where state = 'loaded'"},
        {"begin_attempt", [](plant& p, const store::hold& h) { p.b.await(p.b.db.begin_attempt(h, p.consumption, "write_consumption", boost::json::array())); }, ""},
        {"end_attempt", [](plant& p, const store::hold& h) { p.b.await(p.b.db.end_attempt(h, p.attempt, domain::call_outcome::ok, "true")); }, ""},
        {"set_finish_values", [](plant& p, const store::hold& h) { p.b.await(p.b.db.set_finish_values(h, p.finish, domain::finish_values{})); }, ""},
        {"delivered", [](plant& p, const store::hold& h) { p.b.await(p.b.db.delivered(h, p.finish, true, 5s, p.attempt, "done")); }, ""},
        {"retry_later", [](plant& p, const store::hold& h) { p.b.await(p.b.db.retry_later(h, p.finish, 5s, "busy")); }, ""},
        {"wait_for_configuration", [](plant& p, const store::hold& h) { p.b.await(p.b.db.wait_for_configuration(h, p.finish, 60s, "login refused")); }, ""},
        {"park", [](plant& p, const store::hold& h) { p.b.await(p.b.db.park(h, p.finish, "refused")); }, ""},
        {"discard", [](plant& p, const store::hold& h) { p.b.await(p.b.db.discard(h, p.consumption, "not wanted")); }, ""},
        {"apply_watched",
         [](plant& p, const store::hold& h) {
             const auto seen = p.b.await(p.b.db.watched({"line1"}, "odoo"));
             store::watch_finding f;
             f.event = domain::odoo_event::done;
             f.decision.what = domain::table_decision::step::alert;
             for (const auto& w : seen.batches)
                 if (w.batch.id == p.held.id) p.b.await(p.b.db.apply_watched(h, seen.mark, w, 120s, f));
         },
         ""},
        {"not_open_any_more",
         [](plant& p, const store::hold& h) {
             store::still_open_order o;
             o.history_id = std::stoll(p.b.value("select coalesce(max(id), 0) from mo_histories"));
             o.mo_id = "WH/MO/00001";
             p.b.await(p.b.db.not_open_any_more(h, o));
         },
         "insert into alert (line, kind, subject, text) values ('line1', 'archived_but_open', 'WH/MO/00001', '')"},
        {"requested", [](plant& p, const store::hold& h) { p.b.await(p.b.db.requested(h, p.finish, 7, "request 7", store::equipment_found{"SILO-101", false, "there is none"})); }, ""},
        {"begin_note", [](plant& p, const store::hold& h) { p.b.await(p.b.db.begin_note(h, p.consumption)); }, ""},
        {"note_not_sent", [](plant& p, const store::hold& h) { p.b.await(p.b.db.note_not_sent(h, p.finish, p.attempt, 5s, "refused")); }, ""},
        {"drop_consumption", [](plant& p, const store::hold& h) { p.b.await(p.b.db.drop_consumption(h, p.consumption, store::alert_note{"order_gone", "WH/MO/00001", "it is gone"})); }, ""},
        {"cancelled_in_odoo",
         [](plant& p, const store::hold& h) {
             auto cancel = p.finish;
             cancel.id = std::stoll(p.b.value("select id from odoo_outbox where kind = 'cancel'"));
             cancel.kind = domain::delivery_kind::cancel;
             cancel.batch_id = p.held.id;
             cancel.version = p.held.version;
             p.b.await(p.b.db.cancelled_in_odoo(h, cancel, "cancelled in Odoo"));
         },
         "insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version) select line, odoo_db, odoo_id, mo_id, id, 'cancel', version from mo_batch where state = 'held'"},
        {"ask_take_out", [](plant& p, const store::hold& h) { p.b.await(p.b.db.ask_take_out(h, p.loaded.id, "cancelled", entry("api.cancel", ""))); }, ""},
        {"disarmed", [](plant& p, const store::hold& h) { p.b.await(p.b.db.disarmed(h, p.loaded.id)); }, ""},
        {"ask_cancel", [](plant& p, const store::hold& h) { p.b.await(p.b.db.ask_cancel(h, p.held.id, entry("api.cancel", ""))); }, ""},
        {"retry_batch", [](plant& p, const store::hold& h) { p.b.await(p.b.db.retry_batch(h, p.parked.id, entry("api.retry", ""))); }, ""},
        {"complete_batch", [](plant& p, const store::hold& h) { p.b.await(p.b.db.complete_batch(h, p.held.id, kg("5"), p.held.planned, entry("api.complete", ""))); }, ""},
        {"retry_delivery",
         [](plant& p, const store::hold& h) {
             const auto seen = p.b.await(p.b.db.outbox_by_id(p.consumption.id)).value();
             p.b.await(p.b.db.retry_delivery(h, seen, entry("api.retry", "")));
         },
         "update odoo_outbox set next_at = now() + interval '1 hour' where kind = 'consumption'"},
        {"discard_delivery",
         [](plant& p, const store::hold& h) {
             const auto seen = p.b.await(p.b.db.outbox_by_id(p.consumption.id)).value();
             p.b.await(p.b.db.discard_delivery(h, seen, entry("api.discard", "not wanted")));
         },
         ""},
        {"discard_finish",
         [](plant& p, const store::hold& h) {
             const auto seen = p.b.await(p.b.db.outbox_by_id(p.b.delivery(p.parked.id, "finish").id)).value();
             store::as_seen batch;
             batch.state = batch_state::parked;
             batch.version = p.parked.version;
             p.b.await(p.b.db.discard_finish(h, seen, batch, std::chrono::seconds(120), entry("api.discard", "booked by hand")));
         },
         ""},
        {"retry_refusal",
         [](plant& p, const store::hold& h) {
             const auto seen = p.b.await(p.b.db.refusal_of_order("odoo", 77)).value();
             p.b.await(p.b.db.retry_refusal(h, seen, entry("api.retry-refusal", "")));
         },
         ""},
        {"flag_archived",
         [](plant& p, const store::hold& h) {
             const std::vector<domain::order_identity> orders{p.parked.order};
             p.b.await(p.b.db.flag_archived(h, orders));
         },
         "insert into mo_histories (line, batch_id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, status, bom_id, finished_goods, quantity_goods, actual_weight_quantity_finished_goods, status_manufacturing, "
         "status_operation, update_odoo, done_marked, created_at) select line, id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, 'completed', bom_id, finished_goods, quantity_goods, "
         "actual_weight_quantity_finished_goods, status_manufacturing, status_operation, update_odoo, done_marked, created_at from mo_batch where state = 'parked'"},
        {"record_refusals", [](plant& p, const store::hold& h) { p.b.await(p.b.db.record_refusals(h, {a_refusal()}, 1h)); }, ""},
        {"reset_refusals", [](plant& p, const store::hold& h) { p.b.await(p.b.db.reset_refusals(h)); }, ""},
        {"journal", [](plant& p, const store::hold& h) { p.b.await(p.b.db.journal(h, {entry("plc.load", "")})); }, ""},
        {"cleanup", [](plant& p, const store::hold& h) { p.b.await(p.b.db.cleanup(h, 30)); }, ""},
    };
}

store::line_address at(const std::string& host, int port = 502, int unit = 1)
{
    store::line_address out;
    out.host = host;
    out.port = port;
    out.unit_id = unit;
    return out;
}

}  // namespace

TEST_CASE("the list of writing functions tested here is complete")
{
    std::ifstream in(STORE_HEADER);
    std::ostringstream text;
    text << in.rdbuf();
    const auto header = text.str();
    std::set<std::string> declared, tested;
    const std::regex with_hold(R"((\w+)\(const hold& h\b)");
    for (auto i = std::sregex_iterator(header.begin(), header.end(), with_hold); i != std::sregex_iterator(); ++i) declared.insert((*i)[1]);
    for (const auto& f : writing_functions()) tested.insert(f.name);
    CHECK(declared.size() > 20);
    CHECK(tested == declared);
}

TEST_CASE("a hold from before the line was taken is refused in every writing function and changes nothing")
{
    store_bench b;
    const auto old = b.h;
    b.h = b.take("line1");
    CHECK(b.h.epoch == old.epoch + 1);
    for (const auto& f : writing_functions()) {
        CAPTURE(f.name);
        plant p(b);
        if (!f.prepare.empty()) b.change(f.prepare);
        int way = 0;
        for (auto stale : {old, b.h, b.h, b.h}) {
            // An epoch that has passed, one that nobody has yet, a line that nobody took, an epoch that was given twice.
            if (way == 1) stale.epoch += 1;
            if (way == 2) stale.line = "nowhere";
            if (way == 3) stale.since = old.since;
            ++way;
            const auto before = b.contents();
            std::exception_ptr failure;
            try {
                f.call(p, stale);
            } catch (...) {
                failure = std::current_exception();
            }
            // The sweep reads first and finds nothing on a line that is not there.
            CHECK((is_fenced(failure) || (f.name == "sweep_completed" && stale.line == "nowhere")));
            CHECK(b.contents() == before);
        }
        // With the right to write it does change something: the refusals above were about the epoch.
        const auto before = b.contents();
        CHECK_NOTHROW(f.call(p, b.h));
        CHECK(b.contents() != before);
    }
}

TEST_CASE("a line that is taken while a transaction of the old holder runs waits for its end")
{
    store_bench b;
    const auto batches = b.load(b.h, {1});
    pg::connection gate(b.ioc.get_executor(), b.uri);
    b.hold_gate(gate, "select from mo_batch for update");
    outcome<void> old_write;
    outcome<std::variant<store::hold, store::line_moved>> taking;
    const std::vector<std::int64_t> ids{batches[0].id};
    b.start(b.db.touch_read(b.h, ids), old_write);
    b.wait_for_waiting(1);
    const std::string line = "line1", holder = "another";
    const auto address = at("plc.line1");
    b.start(b.other_db.take_line(line, address, holder, false), taking);
    b.wait_for_waiting(2);
    CHECK_FALSE(taking.ended());
    b.await(gate.query("commit"));
    b.finish([&] { return old_write.ended() && taking.ended(); });
    CHECK(old_write.value);
    REQUIRE(taking.value);
    CHECK(std::get<store::hold>(*taking.value).epoch == b.h.epoch + 1);
    CHECK_THROWS_AS(b.await(b.db.touch_read(b.h, ids)), store::fenced);
}

TEST_CASE("an epoch that a failover gave a second time does not let the first holder write")
{
    store_bench b;
    const auto batches = b.load(b.h, {1});
    // As after a failover that lost the last taking: the line stands as before, and somebody takes it.
    const auto before = b.value("select epoch || ' ' || quote_literal(since) from line");
    const auto lost = b.take("line1");
    b.change(fmt::format("update line set epoch = {}, since = {}", before.substr(0, before.find(' ')), before.substr(before.find(' ') + 1)));
    const auto again = b.take("line1");
    REQUIRE(again.epoch == lost.epoch);
    const std::vector<std::int64_t> ids{batches[0].id};
    CHECK_THROWS_AS(b.await(b.db.touch_read(lost, ids)), store::fenced);
    CHECK_NOTHROW(b.await(b.db.touch_read(again, ids)));
}

TEST_CASE("a transaction that its process left half sent does not keep the line from being taken")
{
    store_bench b;
    b.load(b.h, {1});
    // A stopped process: the fence has been passed, and nothing more comes.
    const auto fence = fmt::format("select assert_epoch('line1', {}, '{}')", b.h.epoch, b.h.since);
    SECTION("idle in a transaction, twice")
    {
        pg::connection first(b.ioc.get_executor(), b.uri), second(b.ioc.get_executor(), b.uri);
        b.hold_gate(first, fence);
        b.hold_gate(second, fence);
        CHECK(b.take("line1").epoch == b.h.epoch + 1);
        CHECK_THROWS_AS(b.await(first.query("commit")), pg::error);
        CHECK_THROWS_AS(b.await(second.query("commit")), pg::error);
    }
    SECTION("in the middle of a pipeline, where no time limit of PostgreSQL applies")
    {
        auto* c = PQconnectdb((b.uri + "&application_name=batchbridge").c_str());
        REQUIRE(PQstatus(c) == CONNECTION_OK);
        REQUIRE(PQenterPipelineMode(c) == 1);
        REQUIRE(PQsendQueryParams(c, fence.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1);
        // An answer, and no sync: the commit is still to come.
        REQUIRE(PQsendFlushRequest(c) == 1);
        auto* r = PQgetResult(c);
        REQUIRE(PQresultStatus(r) == PGRES_TUPLES_OK);
        PQclear(r);
        CHECK(b.take("line1").epoch == b.h.epoch + 1);
        PQfinish(c);
    }
}

TEST_CASE("waits that a clock set back has put into the future begin now")
{
    store_bench b;
    plant p(b);
    b.change("update odoo_attempt set started_at = now() + interval '1 day'; update odoo_outbox set next_at = now() + interval '1 day' where state = 'due'");
    CHECK(b.due().empty());
    const auto waiting = b.count("odoo_outbox where state = 'due'");
    CHECK(b.await(b.db.mend_future_times(b.h)) == 1 + waiting);
    CHECK(b.count("odoo_attempt where started_at > now()") == 0);
    CHECK(b.count("odoo_outbox where state = 'due' and next_at > now() + interval '1 hour'") == 0);
    CHECK(b.await(b.db.mend_future_times(b.h)) == 0);
}

TEST_CASE("a transaction that PostgreSQL undid for a conflict is repeated and one that keeps failing is given up")
{
    store_bench b;
    b.load(b.h, {1});
    // A sequence is not undone with its transaction, so it counts the tries.
    b.change("create sequence tries; create function conflict() returns trigger language plpgsql as $$ begin "
             "if nextval('tries') <= 2 then raise exception 'could not serialize' using errcode = '40001'; end if; return new; end $$; "
             "create trigger conflict before insert on journal for each row execute function conflict()");
    CHECK_NOTHROW(b.await(b.db.journal(b.h, {entry("plc.load", "")})));
    CHECK(b.count("journal where what = 'plc.load'") == 1);
    CHECK(b.value("select last_value from tries") == "3");
    b.change("select setval('tries', 1, false); alter sequence tries increment -1 minvalue -100");
    CHECK_THROWS_AS(b.await(b.db.journal(b.h, {entry("plc.load", "")})), pg::error);
    CHECK(b.count("journal where what = 'plc.load'") == 1);
}

TEST_CASE("a session that is not ours is not ended by a taking that it blocks")
{
    store_bench b;
    // A person with psql.
    pg::connection person(b.ioc.get_executor(), b.uri);
    b.hold_gate(person, "select set_config('application_name', 'psql', false), l.* from line l for update");
    CHECK_THROWS_AS(b.take("line1"), pg::error);
    CHECK_NOTHROW(b.await(person.query("commit")));
    CHECK(b.take("line1").epoch == b.h.epoch + 1);
}

TEST_CASE("a line with unfinished batches is not taken with another PLC address until LINE_MOVED says so")
{
    store_bench b;
    const auto batches = b.load(b.h, {1});
    const std::vector<store::line_address> others{at("plc.elsewhere"), at("plc.line1", 503), at("plc.line1", 502, 2)};
    for (const auto state : {batch_state::queued, batch_state::loading, batch_state::loaded, batch_state::running, batch_state::cancelling}) {
        b.set_state(batches[0].id, state);
        const auto before = b.contents();
        for (const auto& other : others) {
            const auto answer = b.await(b.db.take_line("line1", other, "test", false));
            REQUIRE(std::holds_alternative<store::line_moved>(answer));
            CHECK(std::get<store::line_moved>(answer).stored == at("plc.line1"));
        }
        CHECK(b.contents() == before);
        CHECK_NOTHROW(b.await(b.db.touch_read(b.h, {batches[0].id})));
    }
    // The same address is taken, and so is another one when it was said, or when nothing is unfinished.
    CHECK(std::holds_alternative<store::hold>(b.await(b.db.take_line("line1", at("plc.line1"), "test", false))));
    CHECK(std::holds_alternative<store::hold>(b.await(b.db.take_line("line1", others[0], "test", true))));
    CHECK(b.await(b.db.lines()).at(0).address == others[0]);
    b.set_state(batches[0].id, batch_state::held);
    const auto last = b.await(b.db.take_line("line1", others[1], "the last", false));
    REQUIRE(std::holds_alternative<store::hold>(last));
    CHECK(std::get<store::hold>(last).epoch == b.h.epoch + 3);
    const auto row = b.await(b.db.lines()).at(0);
    CHECK(row.holder == "the last");
    CHECK(row.address == others[1]);
}
