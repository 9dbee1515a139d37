#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;

namespace {

store::refusal refused(std::int64_t odoo_id, const std::string& why)
{
    store::refusal out;
    out.order = identity(odoo_id);
    out.mo_id = fmt::format("WH/MO/{:05}", odoo_id);
    out.reason = why;
    return out;
}

store::run_record run_of(const std::string& outcome, bool changed, bool asked_for)
{
    store::run_record out;
    out.task = "plc_read_sync";
    out.started = identity(1).create_date;
    out.ended = out.started + 1s;
    out.outcome = outcome;
    out.changed = changed;
    out.asked_for = asked_for;
    out.detail = outcome + " detail";
    return out;
}

}  // namespace

TEST_CASE("an acknowledgement owed to the PLC is opened once, survives its batch and is closed once with how (L-36)")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    b.complete(id, "10");
    b.await(b.db.open_duty(b.h, 1, "WH/MO/00001", id));
    b.await(b.db.open_duty(b.h, 2, "WH/MO/00001", id));
    b.await(b.db.archive(b.h, id, domain::history_status::completed, "", std::nullopt));
    const auto duties = b.await(b.db.open_duties("line1"));
    REQUIRE(duties.size() == 2);
    CHECK(duties[0].slot == 1);
    CHECK(duties[1].slot == 2);
    CHECK(b.await(b.db.open_duties("line2")).empty());
    b.await(b.db.close_duty(b.h, duties[0].id, "acknowledged"));
    b.await(b.db.close_duty(b.h, duties[0].id, "slot moved on"));
    CHECK(b.await(b.db.open_duties("line1")).size() == 1);
    CHECK(b.value(fmt::format("select how from plc_duty where id = {} and done_at is not null", duties[0].id)) == "acknowledged");
    CHECK(b.value(fmt::format("select string_agg(answer || ' ' || mo_id || ' ' || batch_id, ',') from journal where what = 'plc.acknowledge'")) == fmt::format("acknowledged WH/MO/00001 {}", id));
    // A new run of the order in the same slot owes a new one.
    b.await(b.db.open_duty(b.h, 1, "WH/MO/00001", id + 1));
    CHECK(b.await(b.db.open_duties("line1")).size() == 2);
}

TEST_CASE("a refused order is excluded until its time, remembered from its first refusal and due again at start")
{
    store_bench b;
    b.await(b.db.record_refusals(b.h, {refused(1, "unknown unit"), refused(2, "too heavy")}, 1h));
    b.change("update order_refusal set first_at = first_at - interval '1 day', last_at = last_at - interval '1 day'");
    b.await(b.db.record_refusals(b.h, {refused(1, "text does not fit")}, 1h));
    CHECK(b.count("order_refusal") == 2);
    CHECK(b.value("select reason || ' ' || (last_at - first_at = interval '1 day') || ' ' || (retry_at > now() + interval '59 minutes') from order_refusal where odoo_id = 1 and last_at > now() - interval '1 hour'") ==
          "text does not fit false true");
    auto excluded = b.await(b.db.excluded_orders("odoo"));
    std::sort(excluded.begin(), excluded.end());
    CHECK(excluded == std::vector<std::int64_t>{1, 2});
    b.change("update order_refusal set retry_at = now() where odoo_id = 2");
    CHECK(b.await(b.db.excluded_orders("odoo")) == std::vector<std::int64_t>{1});
    const auto line2 = b.take("line2");
    b.await(b.db.reset_refusals(line2));
    CHECK(b.await(b.db.excluded_orders("odoo")) == std::vector<std::int64_t>{1});
    b.await(b.db.reset_refusals(b.h));
    CHECK(b.await(b.db.excluded_orders("odoo")).empty());
    CHECK(b.count("order_refusal") == 2);   // still known, with the reason
}

TEST_CASE("one row says how a task stands, and each run that changed, failed or was asked for has its own (L-52)")
{
    store_bench b;
    const auto record = [&](const store::run_record& r) { b.await(b.db.record_run(b.h, r)); };
    const auto events = [&] { return b.count("task_run where not current"); };
    record(run_of("off", false, false));
    record(run_of("running", false, true));
    record(run_of("ok", false, false));
    record(run_of("skipped", false, false));
    CHECK(events() == 0);
    CHECK(b.count("task_run") == 1);
    CHECK(b.value("select outcome || '|' || detail from task_run where current") == "skipped|skipped detail");
    record(run_of("ok", true, false));
    record(run_of("failed", false, false));
    record(run_of("skipped", false, true));
    CHECK(events() == 3);
    CHECK(b.value("select string_agg(outcome, ',' order by id) from task_run where not current") == "ok,failed,skipped");
    CHECK(b.count("task_run where current") == 1);
    auto other = run_of("ok", false, false);
    other.task = "cleanup";
    record(other);
    b.await(b.db.record_run(b.take("line2"), other));
    CHECK(b.count("task_run where current") == 3);
    CHECK(b.value("select to_char(ended_at - started_at, 'SS') from task_run where current and task = 'plc_read_sync'") == "01");
}

TEST_CASE("settings persist and the last one wins and each change is journaled with who (L-16)")
{
    store_bench b;
    const auto other = b.take("line2");
    b.await(b.db.put_setting(b.h, "task.cleanup.enabled", "false", "api"));
    b.await(b.db.put_setting(b.h, "task.cleanup.enabled", "true", "shift lead", "no room left"));
    b.await(b.db.put_setting(other, "task.cleanup.enabled", "false", "api"));
    b.h = b.take("line1");
    const std::map<std::string, std::string> expected{{"task.cleanup.enabled", "true"}};
    CHECK(b.await(b.other_db.settings("line1")) == expected);
    CHECK(b.value("select who from setting where line = 'line1'") == "shift lead");
    CHECK(b.value("select string_agg(who || ': ' || answer, ', ' order by id) from journal where line = 'line1' and what = 'setting'") ==
          "api: task.cleanup.enabled = false, shift lead: task.cleanup.enabled = true: no room left");
}

TEST_CASE("an alert opens once and counts, is resolved once, and opens anew afterwards")
{
    store_bench b;
    CHECK(b.await(b.db.raise_alert(b.h, "plc_down", "line1", "no answer")));
    CHECK_FALSE(b.await(b.db.raise_alert(b.h, "plc_down", "line1", "refused")));
    CHECK(b.value("select count || ' ' || text || ' ' || state from alert") == "2 refused open");
    b.change("update alert set state = 'acknowledged'");
    CHECK_FALSE(b.await(b.db.raise_alert(b.h, "plc_down", "line1", "refused")));
    CHECK(b.value("select count || ' ' || state from alert") == "3 acknowledged");
    CHECK(b.await(b.db.raise_alert(b.h, "plc_down", "other", "refused")));
    CHECK(b.await(b.db.raise_alert(b.take("line2"), "plc_down", "line1", "refused")));
    CHECK(b.await(b.db.resolve_alert(b.h, "plc_down", "line1")));
    CHECK_FALSE(b.await(b.db.resolve_alert(b.h, "plc_down", "line1")));
    CHECK(b.count("alert where state = 'resolved' and resolved_at is not null") == 1);
    CHECK(b.await(b.db.raise_alert(b.h, "plc_down", "line1", "no answer")));
    CHECK(b.count("alert") == 4);
}

TEST_CASE("cleanup prunes old runs, resolved alerts and ended deliveries of its line, and never history")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2});
    const auto gone = batches[0].id, here = batches[1].id;
    for (const auto id : {gone, here}) {
        b.dose(id, "5");
        const auto d = b.delivery(id, "consumption");
        const auto a = b.await(b.db.begin_attempt(b.h, d, "write_consumption", boost::json::array()));
        b.await(b.db.delivered(b.h, d, false, 5s, a, ""));
    }
    b.await(b.db.archive(b.h, gone, domain::history_status::cancelled, "", std::nullopt));
    b.change("insert into odoo_outbox (line, odoo_db, odoo_id, kind, state) values ('line1', 'odoo', 7, 'finish', 'due'), ('line1', 'odoo', 8, 'finish', 'parked'), ('line1', 'odoo', 9, 'note', 'discarded'), "
             "('line2', 'odoo', 10, 'note', 'discarded')");
    for (const auto& by : {b.h, b.take("line2")}) {
        b.await(b.db.record_run(by, run_of("failed", false, false)));
        b.await(b.db.raise_alert(by, "resolved", "x", ""));
        b.await(b.db.resolve_alert(by, "resolved", "x"));
        b.await(b.db.raise_alert(by, "open", "x", ""));
    }
    const auto shift = [&](int days) {
        b.change(fmt::format("update odoo_outbox set sent_at = now() - interval '{0} days' where sent_at is not null; update odoo_outbox set created_at = now() - interval '{0} days'; "
                             "update task_run set ended_at = now() - interval '{0} days'; update alert set first_at = now() - interval '{0} days', last_at = first_at; "
                             "update alert set resolved_at = now() - interval '{0} days' where resolved_at is not null; update mo_histories set archived_at = now() - interval '{0} days'; "
                             "update journal set at = now() - interval '{0} days'",
                             days));
    };
    shift(29);
    const std::map<std::string, std::int64_t> none{{"task_run", 0}, {"alert", 0}, {"odoo_outbox", 0}};
    const auto before = b.contents();
    CHECK(b.await(b.db.cleanup(b.h, 30)) == none);
    CHECK(b.contents() == before);
    shift(4000);
    const auto journal_rows = b.count("journal");
    const std::map<std::string, std::int64_t> some{{"task_run", 1}, {"alert", 1}, {"odoo_outbox", 2}};
    CHECK(b.await(b.db.cleanup(b.h, 30)) == some);
    CHECK(b.count("mo_histories") == 1);
    CHECK(b.count("mo_histories_consumption") == 2);
    CHECK(b.count("journal") == journal_rows);
    CHECK(b.count("task_run where current") == 2);
    CHECK(b.count("alert where state = 'open'") == 2);
    CHECK(b.count("alert where line = 'line2'") == 2);
    CHECK(b.value("select string_agg(state, ',' order by id) from odoo_outbox where line = 'line1' and odoo_id <> 2") == "due,parked");
    // Of a batch that is still here we must know what was ever sent.
    CHECK(b.await(b.db.standing_of(here)).value().facts.accepted);
    CHECK(b.count("odoo_attempt") == 1);
    CHECK(b.count("odoo_outbox where line = 'line2'") == 1);
}

TEST_CASE("the journal takes order and name from the batch where the caller did not say them")
{
    store_bench b;
    const auto id = b.load(b.h, {1})[0].id;
    auto about_batch = entry("plc.load", "verified");
    about_batch.batch_id = id;
    about_batch.values = boost::json::parse(R"({"slot": 1})");
    auto about_order = entry("odoo.state", "cancelled", "batchbridge");
    about_order.order = identity(2);
    about_order.mo_id = "WH/MO/00002";
    b.await(b.db.journal(b.h, {about_batch, about_order, entry("plc.reset", "start over")}));
    const auto rows = sql(b.uri, "select line, batch_id, odoo_db, odoo_id, mo_id, what, \"values\" ->> 'slot', answer, who from journal order by id");
    REQUIRE(rows.size() == 3);
    using row = std::vector<std::optional<std::string>>;
    CHECK(rows[0] == row{"line1", std::to_string(id), "odoo", "1", "WH/MO/00001", "plc.load", "1", "verified", "shift lead"});
    CHECK(rows[1] == row{"line1", std::nullopt, "odoo", "2", "WH/MO/00002", "odoo.state", std::nullopt, "cancelled", "batchbridge"});
    CHECK(rows[2] == row{"line1", std::nullopt, std::nullopt, std::nullopt, "", "plc.reset", std::nullopt, "start over", "shift lead"});
}
