#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

asio::awaitable<int> store::sweep_completed(const hold& h)
{
    // Read first: the sweep should find nothing, and nothing is then written.
    pg::statement look("select count(*) from mo_batch b where b.line = $1 and b.state = 'completed' and not exists (select from odoo_outbox o where o.batch_id = b.id and o.kind = 'finish' and "
                       "o.state <> 'discarded')");
    look.bind(h.line);
    const auto found = co_await read_one(pool_, look);
    if (found.at(0, 0).as_int64() == 0) co_return 0;
    std::vector<pg::statement> all;
    all.emplace_back("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, payload, version) select b.line, b.odoo_db, b.odoo_id, b.mo_id, b.id, 'finish', jsonb_build_object('actual', "
                     "(select coalesce(jsonb_object_agg(c.silo::text, c.actual::text), '{}') from mo_batch_consumption c where c.batch_id = b.id), 'weight', "
                     "b.actual_weight_quantity_finished_goods::text), b.version from mo_batch b where b.line = $1 and b.state = 'completed' and not exists (select from odoo_outbox o where "
                     "o.batch_id = b.id and o.kind = 'finish' and o.state <> 'discarded') on conflict do nothing")
        .bind(h.line);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return static_cast<int>(r[0].affected());
}

asio::awaitable<std::vector<domain::batch>> store::archivable(const std::string& line, bool mark_done)
{
    pg::statement s("select " + batch_columns + " from mo_batch b where b.line = $1 and b.state = 'completed' and b.update_odoo and (b.done_marked or not $2::boolean) order by b.id");
    s.bind(line).bind(mark_done);
    const auto r = co_await read_one(pool_, s);
    std::vector<domain::batch> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(batch_of(r, i));
    co_return out;
}

asio::awaitable<bool> store::archive(const hold& h, std::int64_t batch_id, domain::history_status status, const std::string& notes, std::optional<journal_entry> entry)
{
    std::vector<pg::statement> all;
    // The batch first, here as everywhere, then its deliveries: two transactions that lock in one order cannot deadlock.
    all.emplace_back("select from mo_batch where id = $1 and line = $2 for update").bind(batch_id).bind(h.line);
    // A cancel that Odoo has not yet seen outlives the row: the order must still be cancelled there. Not one that is to be made again.
    all.emplace_back("update odoo_outbox set state = case when kind = 'finish' and $3 = 'completed' then 'sent' else 'discarded' end, last_error = 'the batch was archived as ' || $3 where batch_id = $1 and state in "
                     "('due', 'sending', 'parked') and (kind in ('finish', 'consumption') or kind = 'cancel' and $3 = 'reset') and exists (select from mo_batch where id = $1 and line = $2)")
        .bind(batch_id).bind(h.line).bind(domain::to_string(status));
    all.emplace_back("insert into mo_histories (line, batch_id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, status, notes, bom_id, finished_goods, quantity_goods, "
                     "actual_weight_quantity_finished_goods, status_manufacturing, status_operation, update_odoo, done_marked, last_read_from_plc, last_changed_at, completed_at, created_at) "
                     "select line, id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, $3::text, $4::text, bom_id, finished_goods, quantity_goods, "
                     "actual_weight_quantity_finished_goods, status_manufacturing, status_operation, update_odoo, done_marked, last_read_from_plc, last_changed_at, completed_at, created_at "
                     "from mo_batch where id = $1 and line = $2")
        .bind(batch_id).bind(h.line).bind(domain::to_string(status)).bind(notes);
    all.emplace_back("insert into mo_histories_consumption (history_id, line, silo, planned, actual) select h.id, c.line, c.silo, c.planned, c.actual from mo_batch_consumption c join mo_histories h on "
                     "h.batch_id = c.batch_id where c.batch_id = $1 and c.line = $2")
        .bind(batch_id).bind(h.line);
    // An order's live deliveries are folded to first, last and count.
    all.emplace_back("with j as (select id, row_number() over (order by id) as up, row_number() over (order by id desc) as down, count(*) over () as n from journal where batch_id = $1 and what = "
                     "'odoo.write_consumption'), folded as (update journal set count = j.n - 1 from j where journal.id = j.id and j.down = 1 and j.n > 2) delete from journal using j where journal.id = j.id and "
                     "j.up > 1 and j.down > 1")
        .bind(batch_id);
    if (entry) {
        entry->batch_id = batch_id;
        all.push_back(journaled(h.line, *entry, "delete from mo_batch where id = $2 and line = $1"));
    } else {
        all.emplace_back("with gone as (delete from mo_batch where id = $1 and line = $2 returning 1) select count(*) from gone").bind(batch_id).bind(h.line);
    }
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.back().at(0, 0).as_int64() == 1;
}

}  // namespace batchbridge::store
