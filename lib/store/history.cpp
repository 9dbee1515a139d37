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

std::vector<pg::statement> archive_statements(const std::string& line, std::int64_t batch_id, domain::history_status status, const std::string& notes, const std::string& guard,
                                              std::optional<journal_entry> entry, const std::optional<alert_note>& alert)
{
    std::vector<pg::statement> all;
    // The batch first, here as everywhere, then its deliveries: two transactions that lock in one order cannot deadlock.
    all.emplace_back("select from mo_batch where id = $1 and line = $2 for update").bind(batch_id).bind(line);
    // A cancel that Odoo has not yet seen outlives the row: the order must still be cancelled there. Not one that is to be made again.
    all.emplace_back("update odoo_outbox set state = case when kind = 'finish' and $3 = 'completed' then 'sent' else 'discarded' end, last_error = 'the batch was archived as ' || $3 where batch_id = $1 and state in "
                     "('due', 'sending', 'parked') and (kind in ('finish', 'consumption') or kind = 'cancel' and $3 = 'reset') and exists (select from mo_batch where id = $1 and line = $2" + guard + ")")
        .bind(batch_id).bind(line).bind(domain::to_string(status));
    all.emplace_back(resolve_parked_sql("(select * from mo_batch where id = $1 and line = $2" + guard + ")")).bind(batch_id).bind(line);
    all.push_back(resolve_configuration(line));
    // Before the new alert is raised: it may be of these kinds.
    all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $2 and kind in ('held', 'lost', 'implausible', 'order_changed', 'order_done_elsewhere') and state <> 'resolved' and subject = (select mo_id from mo_batch where id = $1 and "
                     "line = $2" + guard + ")")
        .bind(batch_id).bind(line);
    if (alert) {
        all.push_back(alert_statement(line, *alert, "exists (select from mo_batch where id = $5 and line = $1" + guard + ")"));
        all.back().bind(batch_id);
    }
    all.emplace_back("insert into mo_histories (line, batch_id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, status, notes, bom_id, finished_goods, quantity_goods, "
                     "actual_weight_quantity_finished_goods, status_manufacturing, status_operation, update_odoo, done_marked, last_read_from_plc, last_changed_at, completed_at, created_at, raw) "
                     "select line, id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, $3::text, $4::text, bom_id, finished_goods, quantity_goods, "
                     "actual_weight_quantity_finished_goods, status_manufacturing, status_operation, update_odoo, done_marked, last_read_from_plc, last_changed_at, completed_at, created_at, raw "
                     "from mo_batch where id = $1 and line = $2" + guard)
        .bind(batch_id).bind(line).bind(domain::to_string(status)).bind(notes);
    all.emplace_back("insert into mo_histories_consumption (history_id, line, silo, planned, actual) select h.id, c.line, c.silo, c.planned, c.actual from mo_batch_consumption c join mo_histories h on "
                     "h.batch_id = c.batch_id where c.batch_id = $1 and c.line = $2")
        .bind(batch_id).bind(line);
    // An order's live deliveries are folded to first, last and count.
    all.emplace_back("with j as (select id, row_number() over (order by id) as up, row_number() over (order by id desc) as down, count(*) over () as n from journal where batch_id = $1 and what = "
                     "'odoo.write_consumption' and exists (select from mo_histories where batch_id = $1)), folded as (update journal set count = j.n - 1 from j where journal.id = j.id and j.down = 1 and j.n > 2) "
                     "delete from journal using j where journal.id = j.id and j.up > 1 and j.down > 1")
        .bind(batch_id);
    if (entry) {
        entry->batch_id = batch_id;
        all.push_back(journaled(line, *entry, "delete from mo_batch where id = $2 and line = $1" + guard));
    } else {
        all.emplace_back("with gone as (delete from mo_batch where id = $1 and line = $2" + guard + " returning 1) select count(*) from gone").bind(batch_id).bind(line);
    }
    return all;
}

asio::awaitable<bool> store::archive(const hold& h, std::int64_t batch_id, domain::history_status status, const std::string& notes, std::optional<journal_entry> entry,
                                     std::optional<alert_note> alert, std::optional<as_seen> seen)
{
    auto all = archive_statements(h.line, batch_id, status, notes, seen_sql(seen), std::move(entry), alert);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.back().at(0, 0).as_int64() == 1;
}

asio::awaitable<std::map<std::string, ended_order>> store::ended_orders(const std::string& line, const std::vector<std::string>& keys)
{
    pg::statement s("select distinct on (h.order_key) h.order_key, h.batch_id, h.mo_id, h.batch_no, h.status_manufacturing or h.status_operation as ended, h.actual_weight_quantity_finished_goods as weight, h.raw, "
                    "(select coalesce(json_object_agg(c.silo, c.actual::text), '{}') from mo_histories_consumption c where c.history_id = h.id) as actual from mo_histories h where h.line = $1 and "
                    "h.order_key = any($2::text[]) order by h.order_key, h.id desc");
    s.bind(line).bind(pg::array_of(keys));
    const auto r = co_await read_one(pool_, s);
    std::map<std::string, ended_order> out;
    for (std::size_t i = 0; i < r.rows(); ++i) {
        auto& o = out[r.at(i, "order_key").text()];
        o.batch_id = r.at(i, "batch_id").as_int64();
        o.mo_id = r.at(i, "mo_id").text();
        o.slot = r.at(i, "batch_no").as_int();
        o.ended_by_plc = r.at(i, "ended").as_bool();
        o.weight = r.at(i, "weight").as_decimal();
        if (const auto f = r.at(i, "raw"); !f.is_null()) o.raw = words_of(f.as_json());
        o.actual = kg_of(r.at(i, "actual").as_json());
    }
    co_return out;
}

asio::awaitable<bool> store::cancelled_in_odoo(const hold& h, const delivery& d, const std::string& note)
{
    journal_entry e;
    e.batch_id = d.batch_id;
    e.mo_id = d.mo_id;
    e.what = "odoo.cancel";
    e.answer = note;
    // The batch before its delivery.
    std::vector<pg::statement> all;
    all.emplace_back("select from mo_batch where id = $1 and line = $2 for update").bind(d.batch_id).bind(h.line);
    all.push_back(journaled(h.line, e, "update odoo_outbox set state = 'sent', sent_at = now(), tries = 0, last_error = '' where id = $10 and line = $1 and version = $11 and state in ('due', 'sending')"));
    all.back().bind(d.id).bind(d.version);
    all.emplace_back(resolve_parked_sql("(select * from odoo_outbox where id = $1 and line = $2 and state = 'sent')")).bind(d.id).bind(h.line);
    const auto guard = fmt::format(" and state in ('held', 'lost', 'parked') and exists (select from odoo_outbox where id = {} and version = {} and state = 'sent')", d.id, d.version);
    for (auto& s : archive_statements(h.line, d.batch_id, domain::history_status::cancelled, note, guard, std::nullopt, std::nullopt)) all.push_back(std::move(s));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.back().at(0, 0).as_int64() == 1;
}

}  // namespace batchbridge::store
