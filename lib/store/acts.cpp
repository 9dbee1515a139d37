// What persons ask for. Each is journaled with who, in the transaction that does it.
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

asio::awaitable<bool> store::ask_take_out(const hold& h, std::int64_t batch_id, const std::string& reason, journal_entry entry)
{
    std::vector<pg::statement> all;
    all.emplace_back("update mo_batch set state = 'cancelling', reason = $3, disarmed = false where id = $1 and line = $2 and state in ('queued', 'loading', 'loaded')").bind(batch_id).bind(h.line).bind(reason);
    all.emplace_back("update odoo_outbox set state = 'discarded', last_error = 'taken out' where batch_id = $1 and kind = 'consumption' and state in ('due', 'parked')").bind(batch_id);
    if (reason == "cancelled")
        all.emplace_back("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version) select line, odoo_db, odoo_id, mo_id, id, 'cancel', version from mo_batch where id = $1 and line = $2 and "
                         "state = 'cancelling' on conflict do nothing")
            .bind(batch_id).bind(h.line);
    entry.batch_id = batch_id;
    all.push_back(journal_statement(h.line, entry));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().affected() == 1;
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

asio::awaitable<void> store::ask_cancel(const hold& h, std::int64_t batch_id, journal_entry entry)
{
    std::vector<pg::statement> all;
    // A parked finish is given up with it; otherwise it would be due again before the cancel.
    all.emplace_back("update odoo_outbox set state = 'discarded', last_error = 'cancelled by a person' where batch_id = $1 and kind in ('finish', 'consumption') and state in ('due', 'parked')").bind(batch_id);
    all.emplace_back("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version) select line, odoo_db, odoo_id, mo_id, id, 'cancel', version from mo_batch where id = $1 and line = $2 on conflict "
                     "(odoo_db, odoo_id, kind) where kind in ('finish', 'cancel', 'consumption') and state in ('due', 'sending', 'parked') do update set state = 'due', next_at = now(), tries = 0")
        .bind(batch_id).bind(h.line);
    entry.batch_id = batch_id;
    all.push_back(journal_statement(h.line, entry));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<bool> store::retry_batch(const hold& h, std::int64_t batch_id, journal_entry entry)
{
    std::vector<pg::statement> all;
    all.emplace_back("update odoo_outbox o set state = 'due', tries = 0, next_at = now() where o.batch_id = $1 and o.line = $2 and o.kind in ('finish', 'cancel') and o.state in ('due', 'sending', 'parked')").bind(batch_id).bind(h.line);
    all.emplace_back("update mo_batch b set state = case when status_manufacturing then 'completed' else 'held' end, reason = '' where b.id = $1 and b.line = $2 and b.state = 'parked' and exists (select from "
                     "odoo_outbox o where o.batch_id = b.id and o.kind in ('finish', 'cancel') and o.state = 'due')")
        .bind(batch_id).bind(h.line);
    all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $2 and kind = 'delivery_parked' and subject = (select mo_id from mo_batch where id = $1) and state <> 'resolved'").bind(batch_id).bind(h.line);
    entry.batch_id = batch_id;
    all.push_back(journal_statement(h.line, entry));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().affected() > 0;
}

asio::awaitable<bool> store::complete_batch(const hold& h, std::int64_t batch_id, const core::decimal& produced, const domain::silo_kg& actual, journal_entry entry)
{
    std::vector<pg::statement> all;
    all.emplace_back("update mo_batch set state = 'completed', reason = '', version = version + 1, actual_weight_quantity_finished_goods = $3, status_manufacturing = true, update_odoo = false, "
                     "done_marked = false, last_changed_at = now(), completed_at = now() where id = $1 and line = $2 and state in ('held', 'lost', 'parked')")
        .bind(batch_id).bind(h.line).bind(produced);
    all.emplace_back("insert into mo_batch_consumption (batch_id, line, silo, actual) select b.id, b.line, x.key::int, x.value::numeric from mo_batch b, jsonb_each_text($3::jsonb) x where b.id = $1 and b.line = $2 and "
                     "b.state = 'completed' on conflict (batch_id, silo) do update set actual = excluded.actual")
        .bind(batch_id).bind(h.line).bind(kg_json(actual));
    all.emplace_back("update odoo_outbox set state = 'discarded', last_error = 'completed by a person' where batch_id = $1 and kind in ('consumption', 'cancel') and state in ('due', 'parked')").bind(batch_id);
    boost::json::object payload;
    payload["actual"] = kg_json(actual);
    payload["weight"] = produced.to_string();
    all.emplace_back("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, payload, version) select line, odoo_db, odoo_id, mo_id, id, 'finish', $3::jsonb, version from mo_batch where id = $1 and line = $2 and "
                     "state = 'completed' on conflict (odoo_db, odoo_id, kind) where kind in ('finish', 'cancel', 'consumption') and state in ('due', 'sending', 'parked') do update set payload = excluded.payload, "
                     "version = excluded.version, finish_values = null, state = 'due', next_at = now(), tries = 0")
        .bind(batch_id).bind(h.line).bind(boost::json::value(payload));
    entry.batch_id = batch_id;
    all.push_back(journal_statement(h.line, entry));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().affected() == 1;
}

}  // namespace batchbridge::store
