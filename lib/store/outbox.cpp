#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

const std::string kind_order = "array_position(array['finish', 'cancel', 'maintenance_request', 'note', 'webhook', 'consumption'], o.kind)";
const std::string delivery_columns = "o.id as o_id, o.line as o_line, o.odoo_db as o_db, o.odoo_id as o_odoo_id, coalesce(o.batch_id, 0) as o_batch, o.kind as o_kind, o.state as o_state, o.version as "
                                     "o_version, o.tries as o_tries, o.payload as o_payload, o.finish_values as o_values, o.mo_id as o_mo_id, b.id is not null as has_batch, "
                                     "coalesce(b.odoo_create_date, (select max(h.odoo_create_date) from mo_histories h where h.batch_id = o.batch_id)) as o_created, ";

// Work may begin on it: open, due, and no attempt for its order whose end is unknown and young ($3).
const std::string open_sql = "o.line = any($1::text[]) and o.odoo_db = $2 and o.state in ('due', 'sending') and not (o.kind = 'consumption' and exists (select from odoo_outbox f where f.odoo_db = o.odoo_db and "
                             "f.odoo_id = o.odoo_id and f.batch_id is not distinct from o.batch_id and f.kind in ('finish', 'cancel') and f.state in ('due', 'sending', 'parked')))";
// Deliveries that are about no order (odoo_id 0: a maintenance request, a webhook) have nothing in common.
const std::string clear_at = "(select max(a.started_at) + $3::interval from odoo_attempt a where a.odoo_db = o.odoo_db and a.odoo_id = o.odoo_id and a.outcome is null and (o.odoo_id <> 0 or a.outbox_id = o.id))";

delivery delivery_of(const pg::result& r, std::size_t i)
{
    delivery d;
    d.id = r.at(i, "o_id").as_int64();
    d.line = r.at(i, "o_line").text();
    d.odoo_db = r.at(i, "o_db").text();
    d.odoo_id = r.at(i, "o_odoo_id").as_int64();
    d.batch_id = r.at(i, "o_batch").as_int64();
    d.kind = domain::delivery_kind_from(r.at(i, "o_kind").text()).value();
    d.state = domain::delivery_state_from(r.at(i, "o_state").text()).value();
    d.version = r.at(i, "o_version").as_int();
    d.tries = r.at(i, "o_tries").as_int();
    d.payload = r.at(i, "o_payload").as_json();
    if (const auto v = r.at(i, "o_values"); !v.is_null()) d.values = finish_of(v.as_json());
    d.mo_id = r.at(i, "o_mo_id").text();
    if (const auto created = r.at(i, "o_created"); !created.is_null()) d.order_created = created.as_time();
    if (r.at(i, "has_batch").as_bool()) d.batch = batch_of(r, i);
    return d;
}

pg::statement journal_attempt(std::int64_t attempt_id, const std::string& answer)
{
    pg::statement s("insert into journal (line, batch_id, odoo_db, odoo_id, mo_id, what, \"values\", answer) select a.line, a.batch_id, a.odoo_db, a.odoo_id, o.mo_id, 'odoo.' || a.call, a.\"values\", "
                    "coalesce(a.outcome, 'unclear') || ': ' || $2 from odoo_attempt a join odoo_outbox o on o.id = a.outbox_id where a.id = $1");
    s.bind(attempt_id).bind(answer);
    return s;
}

}  // namespace

asio::awaitable<std::vector<delivery>> store::due_deliveries(const std::vector<std::string>& lines, const std::string& odoo_db, core::duration unclear_wait, int limit, std::optional<domain::delivery_kind> except)
{
    pg::statement s("select * from (select *, row_number() over (partition by o_rank order by o_next) as o_place from (select distinct on (o.odoo_id, case when o.odoo_id = 0 then o.id end) " + delivery_columns + batch_columns + ", o.next_at as o_next, " + kind_order + " as o_rank from odoo_outbox o left join mo_batch b on b.id = o.batch_id where " +
                    open_sql + " and o.kind <> $5 and o.next_at <= now() and coalesce(" + clear_at + ", '-infinity') <= now() order by o.odoo_id, case when o.odoo_id = 0 then o.id end, " + kind_order + ", o.next_at) d) q where o_place <= $4 order by o_rank, o_next");
    s.bind(pg::array_of(lines)).bind(odoo_db).bind(interval_of(unclear_wait)).bind(limit).bind(except ? domain::to_string(*except) : "");
    const auto r = co_await read_one(pool_, s);
    std::vector<delivery> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(delivery_of(r, i));
    co_return out;
}

asio::awaitable<std::optional<core::duration>> store::next_delivery_in(const std::vector<std::string>& lines, const std::string& odoo_db, core::duration unclear_wait, std::optional<domain::delivery_kind> except)
{
    pg::statement s("select (extract(epoch from min(greatest(o.next_at, " + clear_at + ")) - now()) * 1000)::bigint from odoo_outbox o where " + open_sql + " and o.kind <> $4");
    s.bind(pg::array_of(lines)).bind(odoo_db).bind(interval_of(unclear_wait)).bind(except ? domain::to_string(*except) : "");
    const auto r = co_await read_one(pool_, s);
    if (r.at(0, 0).is_null()) co_return std::nullopt;
    co_return core::duration(std::chrono::milliseconds(std::max<std::int64_t>(0, r.at(0, 0).as_int64())));
}

asio::awaitable<std::vector<std::string>> store::note_foreign_deliveries(const hold& h, const std::string& odoo_db)
{
    pg::statement s("select distinct odoo_db || ' ' || mo_id from odoo_outbox where line = $1 and odoo_db <> $2 and state in ('due', 'sending', 'parked') order by 1");
    s.bind(h.line).bind(odoo_db);
    const auto r = co_await read_one(pool_, s);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(r.at(i, 0).text());
    std::vector<alert_text> raised, resolved;
    alert_text alert{"foreign_database", "odoo", {}};
    if (out.empty()) {
        resolved.push_back(std::move(alert));
    } else {
        alert.text = fmt::format("ODOO_DB is {}; deliveries for another database are kept and not sent: {}", odoo_db, fmt::join(out, ", "));
        raised.push_back(std::move(alert));
    }
    co_await record_alerts(h, raised, resolved);
    co_return out;
}

asio::awaitable<std::optional<delivery>> store::delivery_by_id(std::int64_t id)
{
    pg::statement s("select " + delivery_columns + batch_columns + " from odoo_outbox o left join mo_batch b on b.id = o.batch_id where o.id = $1");
    s.bind(id);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    co_return delivery_of(r, 0);
}

asio::awaitable<std::optional<std::int64_t>> store::begin_attempt(const hold& h, const delivery& d, std::string_view call, const json::value& values)
{
    std::vector<pg::statement> all;
    if (d.kind == domain::delivery_kind::consumption)
        all.emplace_back("update odoo_outbox o set state = 'discarded', last_error = 'the batch has completed; its finish carries the totals' where o.id = $1 and o.state in ('due', 'sending') and not "
                         "exists (select from mo_batch b where b.id = o.batch_id and b.state not in ('completed', 'parked'))")
            .bind(d.id);
    all.emplace_back("with o as (update odoo_outbox set state = 'sending' where id = $1 and line = $2 and version = $3 and state in ('due', 'sending') returning *) insert into odoo_attempt (line, outbox_id, "
                     "odoo_db, odoo_id, batch_id, version, call, \"values\", epoch) select o.line, o.id, o.odoo_db, o.odoo_id, o.batch_id, o.version, $4::text, $5::jsonb, $6::bigint from o returning id")
        .bind(d.id).bind(h.line).bind(d.version).bind(call).bind(values).bind(h.epoch);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    if (r.back().empty()) co_return std::nullopt;
    co_return r.back().at(0, 0).as_int64();
}

asio::awaitable<void> store::end_attempt(const hold& h, std::int64_t attempt_id, domain::call_outcome outcome, const std::string& answer)
{
    std::vector<pg::statement> all;
    auto& s = all.emplace_back("update odoo_attempt set ended_at = now(), outcome = $2, answer = $3 where id = $1 and line = $4");
    s.bind(attempt_id);
    if (outcome == domain::call_outcome::unclear) s.bind_null();
    else s.bind(domain::to_string(outcome));
    s.bind(answer).bind(h.line);
    all.push_back(journal_attempt(attempt_id, answer));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<bool> store::set_finish_values(const hold& h, const delivery& d, const domain::finish_values& v)
{
    journal_entry e;
    e.batch_id = d.batch_id;
    e.mo_id = d.mo_id;
    e.what = "finish.values";
    e.values = finish_json(v);
    e.answer = "produced quantity from " + v.produced_from;
    std::vector<pg::statement> all;
    all.push_back(journaled(h.line, e, "update odoo_outbox set finish_values = $7, state = 'sending' where id = $10 and line = $1 and version = $11 and state in ('due', 'sending')"));
    all.back().bind(d.id).bind(d.version);
    if (!v.unplanned.empty()) {
        alert_note alert;
        alert.kind = "unplanned_silo";
        alert.subject = d.mo_id;
        alert.text = fmt::format("{}: dosed and booked nowhere, as no component of the order stands for it: {}", d.mo_id, domain::describe(v.unplanned));
        all.push_back(alert_statement(h.line, alert, "exists (select from odoo_outbox where id = $5 and line = $1 and version = $6 and state = 'sending')"));
        all.back().bind(d.id).bind(d.version);
    }
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().at(0, 0).as_int64() == 1;
}

asio::awaitable<void> store::delivered(const hold& h, const delivery& d, bool done_marked, core::duration live_interval, std::optional<std::int64_t> attempt, const std::string& note)
{
    std::vector<pg::statement> all;
    // The batch before its delivery, as record_cycle does: the two meet in every cycle of a running batch. An
    // acknowledgement counts for the version that was sent, and for nothing newer.
    if (d.kind == domain::delivery_kind::finish || d.kind == domain::delivery_kind::consumption)
        all.emplace_back("update mo_batch set update_odoo = true, done_marked = done_marked or $4::boolean where id = $1 and line = $2 and version = $3").bind(d.batch_id).bind(h.line).bind(d.version).bind(done_marked);
    const std::string ended = "update odoo_outbox set state = case when version = $11 then 'sent' else 'due' end, sent_at = now(), tries = 0, last_error = '', next_at = case when version = $11 then next_at else now() + "
                              "$12::interval end where id = $10 and line = $1 and state in ('due', 'sending')";
    journal_entry e;
    e.batch_id = d.batch_id;
    e.mo_id = d.mo_id;
    e.what = fmt::format("odoo.{}", domain::to_string(d.kind));
    e.answer = note;
    if (d.kind != domain::delivery_kind::consumption) {
        all.push_back(journaled(h.line, e, ended));
        all.back().bind(d.id).bind(d.version).bind(interval_of(live_interval));
    } else {
        // A live value is journaled by its attempt.
        all.emplace_back("update odoo_outbox set state = case when version = $3 then 'sent' else 'due' end, sent_at = now(), tries = 0, last_error = '', next_at = case when version = $3 then next_at else now() + "
                         "$4::interval end where id = $1 and line = $2 and state in ('due', 'sending')")
            .bind(d.id).bind(h.line).bind(d.version).bind(interval_of(live_interval));
    }
    if (attempt) {
        all.emplace_back("update odoo_attempt set ended_at = now(), outcome = 'ok', answer = $3 where id = $1 and line = $2").bind(*attempt).bind(h.line).bind(note);
        all.push_back(journal_attempt(*attempt, note));
    }
    all.emplace_back(resolve_parked_sql("(select * from odoo_outbox where id = $1 and line = $2)")).bind(d.id).bind(h.line);
    all.push_back(resolve_configuration(h.line));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

namespace {

pg::statement due_again(const std::string& line, const delivery& d, core::duration delay, const std::string& error)
{
    pg::statement s("update odoo_outbox set state = 'due', tries = tries + 1, last_error = $5, next_at = case when version = $3 then now() + $4::interval else next_at end where id = $1 and line = $2 and "
                    "state in ('due', 'sending')");
    s.bind(d.id).bind(line).bind(d.version).bind(interval_of(delay)).bind(error);
    return s;
}

}  // namespace

asio::awaitable<void> store::retry_later(const hold& h, const delivery& d, core::duration delay, const std::string& error)
{
    std::vector<pg::statement> all;
    all.push_back(due_again(h.line, d, delay, error));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<bool> store::wait_for_configuration(const hold& h, const delivery& d, core::duration delay, const std::string& error)
{
    std::vector<pg::statement> all;
    all.push_back(due_again(h.line, d, delay, waits_for_configuration + error));
    alert_note alert;
    alert.kind = "odoo_configuration";
    alert.subject = "odoo";
    alert.text = error;
    all.push_back(alert_statement(h.line, alert, "true"));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.back().at(0, 0).as_int() == 1;
}

asio::awaitable<bool> store::park(const hold& h, const delivery& d, const std::string& reason)
{
    journal_entry e;
    e.batch_id = d.batch_id;
    e.mo_id = d.mo_id;
    e.what = fmt::format("parked.{}", domain::to_string(d.kind));
    e.answer = reason;
    std::vector<pg::statement> all;
    const bool ends_batch = d.kind == domain::delivery_kind::finish || d.kind == domain::delivery_kind::cancel;
    if (ends_batch) all = lock_statements(h.line, d.batch_id);
    // Together: a batch that got a newer version meanwhile (a person completed it) is parked no more than its row is.
    if (ends_batch)
        all.emplace_back("update mo_batch b set state = 'parked', reason = $3 where b.id = $1 and b.line = $2 and b.state in ('completed', 'held', 'lost') and exists (select from odoo_outbox o where o.id = $4 and o.version = $5 and "
                         "o.state in ('due', 'sending')) and ($6 <> 'finish' or b.version = $5)")
            .bind(d.batch_id).bind(h.line).bind(reason).bind(d.id).bind(d.version).bind(domain::to_string(d.kind));
    all.push_back(journaled(h.line, e, "update odoo_outbox set state = 'parked', last_error = $8 where id = $10 and line = $1 and version = $11 and state in ('due', 'sending')"));
    all.back().bind(d.id).bind(d.version);
    const auto parked = all.size() - 1;
    // Its live values end with it, those too that a crash left as being sent: no call for the order is in flight, and whatever a
    // person decides, the totals go with that.
    if (ends_batch)
        all.emplace_back("update odoo_outbox c set state = 'discarded', last_error = 'its ' || $4 || ' is parked' where c.batch_id = $1 and c.line = $2 and c.kind = 'consumption' and c.state in ('due', 'sending', 'parked') and exists "
                         "(select from odoo_outbox where id = $3 and version = $5 and state = 'parked')")
            .bind(d.batch_id).bind(h.line).bind(d.id).bind(domain::to_string(d.kind)).bind(d.version);
    alert_note alert;
    alert.kind = "delivery_parked";
    alert.subject = d.mo_id;
    alert.text = fmt::format("{} of {}: {}", domain::to_string(d.kind), d.mo_id, reason);
    all.push_back(alert_statement(h.line, alert, "exists (select from odoo_outbox where id = $5 and line = $1 and version = $6 and state = 'parked')"));
    all.back().bind(d.id).bind(d.version);
    all.push_back(resolve_configuration(h.line));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r[parked].at(0, 0).as_int64() == 1;
}

asio::awaitable<bool> store::drop_consumption(const hold& h, const delivery& d, const alert_note& alert)
{
    std::vector<pg::statement> all;
    all.emplace_back("update odoo_outbox set state = 'discarded', last_error = $3 where id = $1 and line = $2 and state in ('due', 'sending', 'parked')").bind(d.id).bind(h.line).bind(alert.text);
    all.push_back(resolve_configuration(h.line));
    all.push_back(alert_statement(h.line, alert, "exists (select from odoo_outbox where id = $5 and line = $1 and state = 'discarded')"));
    all.back().bind(d.id);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return !r.back().empty() && r.back().at(0, 0).as_int() == 1;
}

asio::awaitable<void> store::discard(const hold& h, const delivery& d, const std::string& reason)
{
    std::vector<pg::statement> all;
    all.emplace_back("update odoo_outbox set state = 'discarded', last_error = $3 where id = $1 and line = $2 and state in ('due', 'sending', 'parked')").bind(d.id).bind(h.line).bind(reason);
    all.push_back(resolve_configuration(h.line));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<void> store::requested(const hold& h, const delivery& d, std::int64_t request_id, const std::string& note, const equipment_found& equipment)
{
    journal_entry e;
    e.mo_id = d.mo_id;
    e.what = "odoo.maintenance_request";
    e.answer = note;
    json::object values;
    values["request_id"] = request_id;
    e.values = std::move(values);
    std::vector<pg::statement> all;
    all.push_back(journaled(h.line, e, "update odoo_outbox set state = 'sent', sent_at = now(), tries = 0, last_error = '' where id = $10 and line = $1 and state in ('due', 'sending')"));
    all.back().bind(d.id);
    all.emplace_back("update equipment_failure f set odoo_request_id = coalesce(f.odoo_request_id, $3::bigint) from odoo_outbox o where o.id = $1 and o.line = $2 and f.line = $2 and f.id = (o.payload ->> 'failure_id')::bigint")
        .bind(d.id).bind(h.line).bind(request_id);
    alert_note alert;
    alert.kind = "failure_equipment";
    alert.subject = equipment.code;
    alert.text = equipment.advice;
    if (!equipment.code.empty() && !equipment.known) all.push_back(alert_statement(h.line, alert, "true"));
    if (!equipment.code.empty() && equipment.known)
        all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $1 and kind = $2 and subject = $3 and state <> 'resolved'").bind(h.line).bind(alert.kind).bind(alert.subject);
    all.emplace_back(resolve_parked_sql("(select * from odoo_outbox where id = $1 and line = $2)")).bind(d.id).bind(h.line);
    all.push_back(resolve_configuration(h.line));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::optional<std::int64_t>> store::begin_note(const hold& h, const delivery& d)
{
    std::vector<pg::statement> all;
    all.emplace_back("with o as (update odoo_outbox set state = 'sent', sent_at = now(), last_error = '' where id = $1 and line = $2 and version = $3 and state in ('due', 'sending') returning *) insert into odoo_attempt (line, "
                     "outbox_id, odoo_db, odoo_id, batch_id, version, call, \"values\", epoch) select o.line, o.id, o.odoo_db, o.odoo_id, o.batch_id, o.version, 'post_note', o.payload, $4::bigint from o returning id")
        .bind(d.id).bind(h.line).bind(d.version).bind(h.epoch);
    all.push_back(resolve_configuration(h.line));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    if (r.front().empty()) co_return std::nullopt;
    co_return r.front().at(0, 0).as_int64();
}

asio::awaitable<void> store::note_not_sent(const hold& h, const delivery& d, std::int64_t attempt_id, core::duration delay, const std::string& error)
{
    std::vector<pg::statement> all;
    all.emplace_back("update odoo_attempt set ended_at = now(), outcome = 'not_sent', answer = $2 where id = $1 and line = $3").bind(attempt_id).bind(error).bind(h.line);
    all.push_back(journal_attempt(attempt_id, error));
    all.emplace_back("update odoo_outbox set state = 'due', sent_at = null, tries = tries + 1, last_error = $3, next_at = now() + $4::interval where id = $1 and line = $2 and state = 'sent'")
        .bind(d.id).bind(h.line).bind(error).bind(interval_of(delay));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::vector<domain::move_value>> store::attempted_values(const std::string& odoo_db, std::int64_t odoo_id, std::int64_t batch_id)
{
    pg::statement s("select case when a.call = 'write_final' then a.\"values\" -> 'moves' else a.\"values\" end from odoo_attempt a where a.odoo_db = $1 and a.odoo_id = $2 and a.batch_id = $3 and a.call in "
                    "('write_final', 'write_consumption') and a.outcome is distinct from 'not_sent' order by a.id desc limit 200");
    s.bind(odoo_db).bind(odoo_id).bind(batch_id);
    const auto r = co_await read_one(pool_, s);
    std::vector<domain::move_value> out;
    for (std::size_t i = 0; i < r.rows(); ++i)
        for (auto& m : moves_of(r.at(i, 0).as_json())) out.push_back(m);
    co_return out;
}

}  // namespace batchbridge::store
