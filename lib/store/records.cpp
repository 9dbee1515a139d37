#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

asio::awaitable<void> store::record_refusals(const hold& h, const std::vector<refusal>& refused, core::duration retry_after)
{
    if (refused.empty()) co_return;
    std::vector<pg::statement> all;
    for (const auto& r : refused)
        all.emplace_back("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) values ($1, $2, $3, $4, $5, now() + $6::interval) on conflict (odoo_db, odoo_id) do update set line = excluded.line, "
                         "mo_id = excluded.mo_id, reason = excluded.reason, last_at = now(), retry_at = excluded.retry_at")
            .bind(h.line).bind(r.order.odoo_db).bind(r.order.odoo_id).bind(r.mo_id).bind(r.reason).bind(interval_of(retry_after));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<void> store::reset_refusals(const hold& h)
{
    std::vector<pg::statement> all;
    // What only a person can settle is refused for a lifetime.
    all.emplace_back("update order_refusal set retry_at = now() where line = $1 and retry_at > now() and retry_at < now() + interval '10 years'").bind(h.line);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<bool> store::raise_alert(const hold& h, const std::string& kind, const std::string& subject, const std::string& text)
{
    alert_note note;
    note.kind = kind;
    note.subject = subject;
    note.text = text;
    std::vector<pg::statement> all;
    all.push_back(alert_statement(h.line, note, "true"));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().at(0, 0).as_int() == 1;
}

asio::awaitable<bool> store::resolve_alert(const hold& h, const std::string& kind, const std::string& subject)
{
    std::vector<pg::statement> all;
    all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $1 and kind = $2 and subject = $3 and state <> 'resolved'").bind(h.line).bind(kind).bind(subject);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().affected() > 0;
}

asio::awaitable<std::vector<alert_text>> store::open_alerts(const std::string& line, const std::vector<std::string>& kinds)
{
    pg::statement s("select kind, subject, text from alert where line = $1 and kind = any($2::text[]) and state <> 'resolved' order by id");
    s.bind(line).bind(pg::array_of(kinds));
    const auto r = co_await read_one(pool_, s);
    std::vector<alert_text> out;
    for (std::size_t i = 0; i < r.rows(); ++i) {
        alert_text a;
        a.kind = r.at(i, 0).text();
        a.subject = r.at(i, 1).text();
        a.text = r.at(i, 2).text();
        out.push_back(std::move(a));
    }
    co_return out;
}

asio::awaitable<void> store::record_run(const hold& h, const run_record& r)
{
    const auto bind = [&h, &r](pg::statement& s) {
        s.bind(h.line).bind(r.task).bind(r.started).bind(r.ended).bind(r.outcome).bind(r.changed).bind(r.asked_for).bind(r.detail);
    };
    std::vector<pg::statement> all;
    bind(all.emplace_back("insert into task_run (line, task, current, started_at, ended_at, outcome, changed, asked_for, detail) values ($1, $2, true, $3, $4, $5, $6, $7, $8) on conflict (line, task) where current do "
                          "update set started_at = excluded.started_at, ended_at = excluded.ended_at, outcome = excluded.outcome, changed = excluded.changed, asked_for = excluded.asked_for, detail = excluded.detail"));
    // A run that has only begun, or a task that is switched off, is a state and not an event.
    const bool ended = r.outcome != "running" && r.outcome != "off";
    if (ended && (r.changed || r.asked_for || r.outcome == "failed"))
        bind(all.emplace_back("insert into task_run (line, task, current, started_at, ended_at, outcome, changed, asked_for, detail) values ($1, $2, false, $3, $4, $5, $6, $7, $8)"));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<void> store::journal(const hold& h, const std::vector<journal_entry>& entries)
{
    std::vector<pg::statement> all;
    all.reserve(entries.size());
    for (const auto& e : entries) all.push_back(journal_statement(h.line, e));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::map<std::string, std::int64_t>> store::cleanup(const hold& h, int retention_days)
{
    std::vector<pg::statement> all;
    all.emplace_back("delete from task_run where line = $1 and not current and ended_at < now() - make_interval(days => $2)").bind(h.line).bind(retention_days);
    all.emplace_back("delete from alert where line = $1 and state = 'resolved' and resolved_at < now() - make_interval(days => $2)").bind(h.line).bind(retention_days);
    // An attempt goes with its row; a row whose batch is still here stays, its attempts say what we ever sent.
    all.emplace_back("delete from odoo_outbox o where line = $1 and state in ('sent', 'discarded') and coalesce(sent_at, created_at) < now() - make_interval(days => $2) and not exists (select from mo_batch b where "
                     "b.id = o.batch_id)")
        .bind(h.line).bind(retention_days);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    std::map<std::string, std::int64_t> out;
    out["task_run"] = r[0].affected();
    out["alert"] = r[1].affected();
    out["odoo_outbox"] = r[2].affected();
    co_return out;
}

}  // namespace batchbridge::store
