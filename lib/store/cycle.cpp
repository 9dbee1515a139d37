#include "store/rows.hpp"

#include <algorithm>

namespace batchbridge::store {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

// One statement per changed batch: the update decides whether anything happens at all (version, state), and everything
// owed hangs on the row it returns, so that a frozen batch (L-35) neither changes nor owes.
const std::string cancel_pending = "(state in ('held', 'lost') and exists (select from odoo_outbox x where x.batch_id = $1 and x.kind = 'cancel' and x.state in ('due', 'sending', 'parked')))";
const std::string change_sql =
    // A person has acted on a held or lost batch, its cancel is on its way: it takes the figures and keeps its state.
    "with b as (update mo_batch set state = case when " + cancel_pending + " then state else $4 end, reason = case when " + cancel_pending + " then reason else $5 end, raw = $6, version = version + case when $7::boolean or $12 = 'finish' then 1 else 0 end, "
    "actual_weight_quantity_finished_goods = case when $7 then $8::numeric else actual_weight_quantity_finished_goods end, "
    "status_manufacturing = case when $7 then $9::boolean else status_manufacturing end, status_operation = case when $7 then $10::boolean else status_operation end, "
    "update_odoo = update_odoo and not $7 and $12 <> 'finish', last_changed_at = case when $7 then now() else last_changed_at end, "
    "completed_at = case when $4 = 'completed' and not " + cancel_pending + " then now() else completed_at end, last_read_from_plc = now() "
    "where id = $1 and line = $2 and version = $3 and state not in ('completed', 'parked') returning *), "
    "c as (insert into mo_batch_consumption (batch_id, line, silo, actual) select b.id, b.line, x.key::int, x.value::numeric from b, jsonb_each_text($11::jsonb) x where $7 "
    "on conflict (batch_id, silo) do update set actual = excluded.actual), "
    "gone as (update odoo_outbox o set state = 'discarded', last_error = 'the batch has completed; its finish carries the totals' from b where $12 = 'finish' and b.state = 'completed' and o.batch_id = b.id and "
    "o.kind = 'consumption' and o.state in ('due', 'parked')), "
    "o as (insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, payload, version, next_at) select b.line, b.odoo_db, b.odoo_id, b.mo_id, b.id, $12, $13::jsonb, b.version, "
    "case when $12 = 'finish' then now() else greatest(now(), coalesce((select max(p.sent_at) from odoo_outbox p where p.batch_id = b.id and p.kind = 'consumption' and p.state = 'sent') + "
    "$14::interval, now())) end from b where $12 = 'finish' and b.state = 'completed' or $12 = 'consumption' and b.state = $4 "
    "on conflict (odoo_db, odoo_id, kind) where kind in ('finish', 'cancel', 'consumption') and state in ('due', 'sending', 'parked') do update set payload = excluded.payload, "
    "version = excluded.version, batch_id = excluded.batch_id, finish_values = null, "
    // A parked consumption stays parked until a person acts (L-06), with the newest totals; a new completion is a new try.
    "state = case when odoo_outbox.state = 'parked' and excluded.kind = 'finish' then 'due' else odoo_outbox.state end), "
    "d as (insert into plc_duty (line, slot, mo_id, batch_id) select b.line, b.batch_no, b.order_key, b.id from b where $15::boolean on conflict (line, slot, mo_id) where done_at is null "
    "do nothing), "
    "a as (insert into alert (line, kind, subject, text) select b.line, x.kind, x.subject, x.text from b, jsonb_to_recordset($16::jsonb) as x(kind text, subject text, text text) "
    "on conflict (line, kind, subject) where state <> 'resolved' do update set count = alert.count + 1, last_at = now(), text = excluded.text), "
    "r as (update alert set state = 'resolved', resolved_at = now() from b where $17::boolean and alert.line = b.line and (alert.kind in ('held', 'lost') and alert.kind <> b.state or alert.kind = 'implausible' and b.state not in ('held', 'lost')) and "
    "alert.subject = b.mo_id and alert.state <> 'resolved'), "
    "n as (insert into journal (line, batch_id, odoo_db, odoo_id, mo_id, what, \"values\", answer) select b.line, b.id, b.odoo_db, b.odoo_id, b.mo_id, 'batch.' || b.state, $13::jsonb || coalesce($18::jsonb, '{}'), b.reason from b where $17 or $15) "
    "select count(*), max(state) from b";

json::value alerts_json(const std::vector<alert_text>& alerts)
{
    json::array out;
    for (const auto& a : alerts) {
        json::object one;
        one["kind"] = a.kind;
        one["subject"] = a.subject;
        one["text"] = a.text;
        out.push_back(std::move(one));
    }
    return out;
}

pg::statement duty_statement(const std::string& line, const duty& d)
{
    pg::statement s("insert into plc_duty (line, slot, mo_id, batch_id) values ($1, $2, $3, $4) on conflict (line, slot, mo_id) where done_at is null do nothing");
    s.bind(line).bind(d.slot).bind(d.mo_id).bind(d.batch_id);
    return s;
}

json::value totals_json(const batch_change& c)
{
    json::object out;
    out["actual"] = kg_json(c.actual);
    out["weight"] = c.weight.to_string();
    return out;
}

}  // namespace

asio::awaitable<cycle_result> store::record_cycle(const hold& h, const std::vector<batch_change>& changes, const std::vector<std::int64_t>& seen, core::duration live_interval)
{
    std::vector<pg::statement> all;
    for (const auto& c : changes) {
        const char* kind = c.owe == batch_change::delivery::finish ? "finish" : c.owe == batch_change::delivery::consumption ? "consumption" : "";
        auto& s = all.emplace_back(change_sql);
        s.bind(c.batch_id).bind(h.line).bind(c.version).bind(domain::to_string(c.state)).bind(c.reason).bind(words_json(c.raw)).bind(c.values_changed).bind(c.weight);
        s.bind(c.status_manufacturing).bind(c.status_operation).bind(kg_json(c.actual)).bind(kind).bind(totals_json(c)).bind(interval_of(live_interval)).bind(c.acknowledge);
        s.bind(alerts_json(c.alerts)).bind(c.state_changed);
        if (c.picture.is_null()) s.bind_null();
        else s.bind(c.picture);
    }
    // A changed row has it from its change.
    std::vector<std::int64_t> unchanged;
    for (const auto id : seen)
        if (std::none_of(changes.begin(), changes.end(), [id](const batch_change& c) { return c.batch_id == id; })) unchanged.push_back(id);
    if (!unchanged.empty()) all.emplace_back("update mo_batch set last_read_from_plc = now() where id = any($1::bigint[]) and line = $2").bind(pg::array_of(unchanged)).bind(h.line);
    const auto results = co_await fenced_pipeline(pool_, h, std::move(all));
    cycle_result out;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (results[i].at(0, 0).as_int64() == 0) out.not_applied.insert(changes[i].batch_id);
        else if (results[i].at(0, 1).text() != domain::to_string(changes[i].state)) out.kept_state.insert(changes[i].batch_id);
    }
    co_return out;
}

asio::awaitable<void> store::record_alerts(const hold& h, const std::vector<alert_text>& raised, const std::vector<alert_text>& resolved)
{
    cycle_findings f;
    f.raised = raised;
    f.resolved = resolved;
    co_await record_findings(h, f);
}

asio::awaitable<void> store::record_findings(const hold& h, const cycle_findings& f)
{
    std::vector<pg::statement> all;
    for (const auto& a : f.raised)
        all.emplace_back("insert into alert (line, kind, subject, text) values ($1, $2, $3, $4) on conflict (line, kind, subject) where state <> 'resolved' do update set count = alert.count + 1, last_at = now(), "
                         "text = excluded.text")
            .bind(h.line).bind(a.kind).bind(a.subject).bind(a.text);
    for (const auto& a : f.resolved)
        all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $1 and kind = $2 and subject = $3 and state <> 'resolved'").bind(h.line).bind(a.kind).bind(a.subject);
    for (const auto& e : f.journal) all.push_back(journal_statement(h.line, e));
    for (const auto& d : f.duties) all.push_back(duty_statement(h.line, d));
    if (!all.empty()) co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<void> store::touch_read(const hold& h, const std::vector<std::int64_t>& batch_ids)
{
    std::vector<pg::statement> all;
    all.emplace_back("update mo_batch set last_read_from_plc = now() where id = any($1::bigint[]) and line = $2").bind(pg::array_of(batch_ids)).bind(h.line);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::vector<duty>> store::open_duties(const std::string& line)
{
    pg::statement s("select id, slot, mo_id, batch_id from plc_duty where line = $1 and done_at is null order by id");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    std::vector<duty> out;
    for (std::size_t i = 0; i < r.rows(); ++i) {
        duty d;
        d.id = r.at(i, 0).as_int64();
        d.slot = r.at(i, 1).as_int();
        d.mo_id = r.at(i, 2).text();
        d.batch_id = r.at(i, 3).as_int64();
        out.push_back(std::move(d));
    }
    co_return out;
}

asio::awaitable<void> store::open_duty(const hold& h, int slot, const std::string& mo_id, std::int64_t batch_id)
{
    duty d;
    d.slot = slot;
    d.mo_id = mo_id;
    d.batch_id = batch_id;
    std::vector<pg::statement> all;
    all.push_back(duty_statement(h.line, d));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<void> store::close_duty(const hold& h, std::int64_t duty_id, const std::string& how)
{
    std::vector<pg::statement> all;
    all.emplace_back("with d as (update plc_duty set done_at = now(), how = $3 where id = $1 and line = $2 and done_at is null returning *) insert into journal (line, batch_id, mo_id, what, answer) "
                     "select line, batch_id, mo_id, 'plc.acknowledge', $3 from d")
        .bind(duty_id).bind(h.line).bind(how);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

}  // namespace batchbridge::store
