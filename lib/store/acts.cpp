// What persons ask for. Each is journaled with who, in the transaction that does it.
#include "core/crash_point.hpp"
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

namespace {

// An act on a batch: `b` is the row it hit, if its state allowed it; everything else hangs on that row, the journal entry
// included. The result is one row with the number of batches hit, 0 or 1.
pg::statement act_on_batch(const std::string& line, journal_entry entry, std::int64_t batch_id, const std::string& batch_update, const std::string& consequences)
{
    entry.batch_id = batch_id;
    pg::statement s("with b as (" + batch_update + " returning *), " + consequences +
                    ", noted as (insert into journal (line, batch_id, odoo_db, odoo_id, mo_id, what, \"values\", answer, who) select b.line, b.id, b.odoo_db, b.odoo_id, b.mo_id, $3::text, $4::jsonb, $5::text, "
                    "$6::text from b) select count(*) from b");
    s.bind(line).bind(batch_id).bind(entry.what).bind(entry.values).bind(entry.answer).bind(entry.who);
    return s;
}

const std::string open_conflict = " on conflict (odoo_db, odoo_id, kind) where kind in ('finish', 'cancel', 'consumption') and state in ('due', 'sending', 'parked') ";

// The act alone decides; the others of `all` are its consequences. What it asks about is locked first.
asio::awaitable<bool> act(pg::pool& pool, const hold& h, std::int64_t batch_id, pg::statement deed)
{
    auto all = lock_statements(h.line, batch_id);
    all.push_back(std::move(deed));
    all.push_back(resolve_configuration(h.line));
    const auto decides = all.size() - 2;
    BATCHBRIDGE_CRASH_POINT("act.before_commit");
    const auto r = co_await fenced_pipeline(pool, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("act.committed");
    co_return r[decides].at(0, 0).as_int64() > 0;
}

}  // namespace

asio::awaitable<std::optional<standing>> store::standing_of(std::int64_t batch_id, core::duration unclear_wait)
{
    const std::string open = "(select o.state from odoo_outbox o where o.batch_id = b.id and o.kind = '{}' and o.state in ('due', 'sending', 'parked') limit 1)";
    pg::statement s("select " + batch_columns + ", " + accepted_sql("b.id") + " as accepted, " + unclear_sql("b", "$2") + " as unclear, " + fmt::format(fmt::runtime(open), "finish") + " as finish, " + fmt::format(fmt::runtime(open), "cancel") +
                    " as cancel from mo_batch b where b.id = $1");
    s.bind(batch_id).bind(interval_of(unclear_wait));
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    const auto state_of = [&r](const char* column) {
        const auto f = r.at(0, column);
        return f.is_null() ? std::nullopt : domain::delivery_state_from(f.text());
    };
    standing out;
    out.batch = batch_of(r, 0);
    out.facts = domain::facts_of(out.batch, r.at(0, "accepted").as_bool(), state_of("finish"), state_of("cancel"));
    out.facts.unclear = r.at(0, "unclear").as_bool();
    co_return out;
}

asio::awaitable<bool> store::ask_take_out(const hold& h, std::int64_t batch_id, const std::string& reason, journal_entry entry)
{
    // A new version, so that what a read cycle derived from the row as it was does not bring it back.
    auto deed = act_on_batch(h.line, std::move(entry), batch_id, "update mo_batch set state = 'cancelling', reason = $7, disarmed = false, version = version + 1 where id = $2 and line = $1 and state in ('queued', 'loading', 'loaded')",
                             "gone as (update odoo_outbox o set state = 'discarded', last_error = 'taken out' from b where o.batch_id = b.id and o.kind = 'consumption' and o.state in ('due', 'parked')), "
                             "cancel as (insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version) select b.line, b.odoo_db, b.odoo_id, b.mo_id, b.id, 'cancel', b.version from b "
                             // One is open: of a batch that is in history by now, and parked because Odoo gave its id to this order.
                             "where $7 = 'cancelled'" + open_conflict + "do update set state = case when odoo_outbox.state = 'sending' then 'sending' else 'due' end, next_at = now(), tries = 0, version = excluded.version, "
                             "batch_id = excluded.batch_id, line = excluded.line, mo_id = excluded.mo_id)");
    deed.bind(reason);
    co_return co_await act(pool_, h, batch_id, std::move(deed));
}

asio::awaitable<void> store::disarmed(const hold& h, std::int64_t batch_id)
{
    std::vector<pg::statement> all;
    all.emplace_back("update mo_batch set disarmed = true where id = $1 and line = $2").bind(batch_id).bind(h.line);
    journal_entry e;
    e.batch_id = batch_id;
    e.what = "plc.disarm";
    all.push_back(journal_statement(h.line, e));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::vector<domain::batch>> store::to_disarm(const std::string& line)
{
    pg::statement s("select " + batch_columns + " from mo_batch b where b.line = $1 and b.state = 'cancelling' and not b.disarmed order by b.batch_no");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    std::vector<domain::batch> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(batch_of(r, i));
    co_return out;
}

asio::awaitable<bool> store::ask_cancel(const hold& h, std::int64_t batch_id, journal_entry entry, std::optional<as_seen> seen)
{
    // A parked finish is given up with it; otherwise it would be due again before the cancel.
    auto deed = act_on_batch(h.line, std::move(entry), batch_id, "update mo_batch set version = version + 1 where id = $2 and line = $1 and state in ('held', 'lost', 'parked')" + seen_sql(seen),
                             "gone as (update odoo_outbox o set state = 'discarded', last_error = 'cancelled by a person' from b where o.batch_id = b.id and o.kind in ('finish', 'consumption') and o.state in ('due', 'parked')), "
                             "cancel as (insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version) select b.line, b.odoo_db, b.odoo_id, b.mo_id, b.id, 'cancel', b.version from b" + open_conflict +
                             "do update set state = 'due', next_at = now(), tries = 0, version = excluded.version, batch_id = excluded.batch_id)");
    co_return co_await act(pool_, h, batch_id, std::move(deed));
}

asio::awaitable<bool> store::retry_batch(const hold& h, std::int64_t batch_id, journal_entry entry, std::optional<as_seen> seen)
{
    entry.batch_id = batch_id;
    auto all = lock_statements(h.line, batch_id);
    const auto deed = all.size();
    // One that is due at this moment is being worked on: there is nothing to hurry. The clock, not this transaction's start:
    // another retry may have committed in between.
    all.push_back(journaled(h.line, entry, "update odoo_outbox set state = 'due', tries = 0, next_at = now() where batch_id = $2 and line = $1 and (state = 'parked' or kind in ('finish', 'cancel') and state = 'due' and "
                                           "next_at > clock_timestamp()) and exists (select from mo_batch where id = $2 and line = $1" + seen_sql(seen) + ")"));
    all.emplace_back("update mo_batch b set state = case when exists (select from odoo_outbox f where f.batch_id = b.id and f.kind = 'finish' and f.state in ('due', 'sending')) then 'completed' else 'held' end, "
                     "reason = '' where b.id = $1 and b.line = $2 and b.state = 'parked' and exists (select from odoo_outbox o where o.batch_id = b.id and o.kind in ('finish', 'cancel') and o.state in ('due', 'sending'))" + seen_sql(seen))
        .bind(batch_id).bind(h.line);
    all.emplace_back(resolve_parked_sql("(select * from mo_batch where id = $1 and line = $2)")).bind(batch_id).bind(h.line);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("act.retried");
    co_return r[deed].at(0, 0).as_int64() > 0;
}

asio::awaitable<bool> store::complete_batch(const hold& h, std::int64_t batch_id, const core::decimal& produced, const domain::silo_kg& actual, journal_entry entry, std::optional<as_seen> seen)
{
    boost::json::object payload;
    payload["actual"] = kg_json(actual);
    payload["weight"] = produced.to_string();
    payload["produced"] = produced.to_string();
    auto deed = act_on_batch(h.line, std::move(entry), batch_id, "update mo_batch set state = 'completed', reason = '', version = version + 1, actual_weight_quantity_finished_goods = $7::numeric, status_manufacturing = true, "
                             "update_odoo = false, done_marked = false, last_changed_at = now(), completed_at = now() where id = $2 and line = $1 and state in ('held', 'lost', 'parked')" + seen_sql(seen) + " and "
                             // A cancel on its way could end the order under the new figures.
                             "not exists (select from odoo_outbox x where x.batch_id = $2 and x.kind = 'cancel' and x.state = 'sending')",
                             "c as (insert into mo_batch_consumption (batch_id, line, silo, actual) select b.id, b.line, x.key::int, x.value::numeric from b, jsonb_each_text($8::jsonb) x on conflict (batch_id, silo) do update "
                             "set actual = excluded.actual), "
                             "gone as (update odoo_outbox o set state = 'discarded', last_error = 'completed by a person' from b where o.batch_id = b.id and o.kind in ('consumption', 'cancel') and o.state in ('due', 'parked')), "
                             "finish as (insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, payload, version) select b.line, b.odoo_db, b.odoo_id, b.mo_id, b.id, 'finish', $9::jsonb, b.version from b" + open_conflict +
                             "do update set payload = excluded.payload, version = excluded.version, batch_id = excluded.batch_id, finish_values = null, state = 'due', next_at = now(), tries = 0), "
                             "alerts as (update alert a set state = 'resolved', resolved_at = now() from b where a.line = b.line and a.kind in ('delivery_parked', 'held', 'lost', 'implausible') and a.subject = b.mo_id and a.state <> 'resolved')");
    deed.bind(produced).bind(kg_json(actual)).bind(boost::json::value(payload));
    co_return co_await act(pool_, h, batch_id, std::move(deed));
}

asio::awaitable<bool> store::reset_batch(const hold& h, std::int64_t batch_id, int version, const std::string& notes, journal_entry entry)
{
    const auto guard = fmt::format(" and state in ('held', 'lost', 'parked') and version = {} and not {} and not exists (select from odoo_outbox x where x.batch_id = {} and x.state = 'sending')", version,
                                   accepted_sql(std::to_string(batch_id)), batch_id);
    auto all = lock_statements(h.line, batch_id);
    for (auto& s : archive_statements(h.line, batch_id, domain::history_status::reset, notes, guard, std::move(entry), std::nullopt)) all.push_back(std::move(s));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.back().at(0, 0).as_int64() == 1;
}

}  // namespace batchbridge::store
