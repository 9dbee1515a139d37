// Equipment failures: the row, and the duty to tell Odoo, in one transaction (L-38, L-39).
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

// $1 line, $2 equipment, $3 description, $4 time, $5 its source, $6 raw, $7 odoo_db, $8 payload, $9 alerts, $10 kinds of
// alerts that are over, $11 their subject, $12 the journal's answer. "near its receipt": domain::failure_event::doubtful_clock.
// The key tells this failure from any other of any database of ours, so that Odoo can be asked whether it has the request.
const std::string store_sql =
    "with known as (select f.id, f.acknowledged_at is not null as acknowledged from equipment_failure f where f.line = $1 and f.source = 'plc' and ("
    "($5 <> 'receipt' and f.time_source <> 'receipt' and f.equipment_code = $2 and f.description = $3 and f.failure_date = $4::timestamptz and f.created_at - f.failure_date between interval '-15 minutes' and interval '15 minutes') or "
    "(f.acknowledged_at is null and f.raw = $6::jsonb and f.id = (select max(n.id) from equipment_failure n where n.line = $1 and n.source = 'plc'))) order by f.id desc limit 1), "
    "e as (insert into equipment_failure (line, equipment_code, description, failure_date, time_source, raw) select $1::text, $2::text, $3::text, $4::timestamptz, $5::text, $6::jsonb "
    "where not exists (select from known) returning *), "
    "o as (insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, kind, payload) select e.line, $7::text, 0, e.equipment_code, 'maintenance_request', "
    "$8::jsonb || jsonb_build_object('failure_id', e.id, 'key', 'batchbridge-' || gen_random_uuid(), 'severity', e.severity) from e), "
    "a as (insert into alert (line, kind, subject, text) select e.line, x.kind, x.subject, x.text from e, jsonb_to_recordset($9::jsonb) as x(kind text, subject text, text text) "
    "on conflict (line, kind, subject) where state <> 'resolved' do update set count = alert.count + 1, last_at = now(), text = excluded.text), "
    "r as (update alert set state = 'resolved', resolved_at = now() from e where alert.line = e.line and alert.kind = any($10::text[]) and alert.subject = $11 and alert.state <> 'resolved'), "
    "n as (insert into journal (line, odoo_db, mo_id, what, \"values\", answer) select e.line, $7::text, e.equipment_code, 'failure.stored', $8::jsonb || jsonb_build_object('failure_id', e.id, 'raw', $6::jsonb), $12::text from e) "
    "select e.id, true as is_new, false as acknowledged from e union all select known.id, false, known.acknowledged from known";

json::value payload_of(const std::string& line, const domain::failure_event& e)
{
    json::object o;
    o["line"] = line;
    o["equipment_code"] = e.equipment_code;
    o["description"] = e.info;
    o["failure_date"] = core::to_iso(e.at);
    o["time_source"] = domain::to_string(e.source);
    o["time_text"] = e.time_text;
    return o;
}

json::value alerts_json(const std::vector<domain::failure_note>& notes)
{
    json::array out;
    for (const auto& n : notes) {
        json::object one;
        one["kind"] = n.kind;
        one["subject"] = n.subject;
        one["text"] = n.text;
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

asio::awaitable<stored_failure> store::store_failure(const hold& h, const domain::failure_event& e, const domain::failure_notes& notes, const std::string& odoo_db)
{
    std::vector<pg::statement> all;
    auto& s = all.emplace_back(store_sql);
    s.bind(h.line).bind(e.equipment_code).bind(e.info).bind(e.at).bind(domain::to_string(e.source)).bind(words_json(e.raw)).bind(odoo_db);
    s.bind(payload_of(h.line, e)).bind(alerts_json(notes.raised)).bind(pg::array_of(notes.over)).bind(domain::failure_subject);
    s.bind(fmt::format("{}: {} at {}", e.equipment_code, e.info, e.time_text));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    stored_failure out;
    out.id = r.front().at(0, 0).as_int64();
    out.is_new = r.front().at(0, 1).as_bool();
    out.acknowledged = r.front().at(0, 2).as_bool();
    co_return out;
}

asio::awaitable<std::optional<failure_row>> store::newest_failure(const std::string& line)
{
    pg::statement s("select id, equipment_code, raw, acknowledged_at is not null from equipment_failure where line = $1 and source = 'plc' order by id desc limit 1");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    failure_row out;
    out.id = r.at(0, 0).as_int64();
    out.equipment_code = r.at(0, 1).text();
    out.raw = words_of(r.at(0, 2).as_json());
    out.acknowledged = r.at(0, 3).as_bool();
    co_return out;
}

asio::awaitable<void> store::failure_acknowledged(const hold& h, std::int64_t failure_id, const std::string& how)
{
    std::vector<pg::statement> all;
    all.emplace_back("with f as (update equipment_failure set acknowledged_at = coalesce(acknowledged_at, now()) where id = $1 and line = $2 returning *) insert into journal (line, mo_id, what, \"values\", answer) "
                     "select f.line, f.equipment_code, 'plc.acknowledge_failure', jsonb_build_object('failure_id', f.id), $3::text from f")
        .bind(failure_id).bind(h.line).bind(how);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

}  // namespace batchbridge::store
