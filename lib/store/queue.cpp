#include "store/rows.hpp"

#include <algorithm>

namespace batchbridge::store {

namespace asio = boost::asio;
namespace json = boost::json;

asio::awaitable<std::vector<domain::batch>> store::batches(const std::string& line)
{
    pg::statement s("select " + batch_columns + " from mo_batch b where b.line = $1 order by b.id");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    std::vector<domain::batch> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(batch_of(r, i));
    co_return out;
}

asio::awaitable<std::optional<domain::batch>> store::batch(std::int64_t id)
{
    pg::statement s("select " + batch_columns + " from mo_batch b where b.id = $1");
    s.bind(id);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    co_return batch_of(r, 0);
}

asio::awaitable<std::optional<domain::load>> store::open_load(const std::string& line)
{
    pg::statement s("select " + load_columns + " from plc_load l where l.line = $1 and l.state in ('staged', 'arming') order by l.number desc limit 1");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    co_return load_of(r, 0);
}

asio::awaitable<std::vector<domain::load>> store::loads_in_use(const std::string& line)
{
    pg::statement s("select " + load_columns + " from plc_load l where l.line = $1 and (l.state in ('staged', 'arming') or l.id in (select load from mo_batch where line = $1) or l.number = (select max(number) from plc_load "
                    "where line = $1 and state <> 'withdrawn')) order by l.number");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    std::vector<domain::load> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(load_of(r, i));
    co_return out;
}

namespace {

json::value images_json(const std::map<int, domain::words>& images)
{
    json::object out;
    for (const auto& [slot, words] : images) out[std::to_string(slot)] = words_json(words);
    return out;
}

// Which of these orders are in a queue, or excluded by history.
pg::statement taken_statement(const std::vector<staged_order>& orders)
{
    json::array ids;
    for (const auto& o : orders) {
        json::object one;
        one["db"] = o.order.source.id.odoo_db;
        one["id"] = o.order.source.id.odoo_id;
        one["at"] = std::chrono::duration_cast<std::chrono::microseconds>(o.order.source.id.create_date.time_since_epoch()).count();
        ids.push_back(std::move(one));
    }
    pg::statement s("select w.db, w.id, w.at from jsonb_to_recordset($1::jsonb) as w(db text, id bigint, at bigint) where exists (select from mo_batch b where "
                    "(b.odoo_db, b.odoo_id, b.odoo_create_date) = (w.db, w.id, timestamptz 'epoch' + w.at * interval '1 microsecond')) or exists (select from mo_histories h where "
                    "h.status <> 'reset' and (h.odoo_db, h.odoo_id, h.odoo_create_date) = (w.db, w.id, timestamptz 'epoch' + w.at * interval '1 microsecond'))");
    s.bind(json::value(std::move(ids)));
    return s;
}

}  // namespace

asio::awaitable<std::variant<staged, stage_conflict>> store::stage_load(const hold& h, const std::map<int, domain::words>& images, const std::vector<staged_order>& orders)
{
    std::vector<pg::statement> all;
    all.emplace_back("insert into plc_load (line, number, state, images) values ($1, (select coalesce(max(number), 0) + 1 from plc_load where line = $1), 'staged', $2)")
        .bind(h.line).bind(images_json(images));
    all.emplace_back("select assert_line_free($1)").bind(h.line);
    // Two lines may want the same orders: written in one order everywhere they wait for each other and never deadlock.
    std::vector<const staged_order*> sorted;
    sorted.reserve(orders.size());
    for (const auto& o : orders) sorted.push_back(&o);
    std::sort(sorted.begin(), sorted.end(), [](const staged_order* x, const staged_order* y) { return x->order.source.id < y->order.source.id; });
    for (const auto* wanted : sorted) {
        const auto& o = *wanted;
        const auto& src = o.order.source;
        auto& b = all.emplace_back("insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, batch_no, load, state, bom_id, finished_goods, quantity_goods, plan) "
                                   "select $1::text, $2::text, $3::bigint, $4::timestamptz, $5::text, $6::text, $7::int, (select id from plc_load where line = $1 and state = 'staged'), 'queued', $8::text, $9::text, $10::numeric, $11::jsonb");
        b.bind(h.line).bind(src.id.odoo_db).bind(src.id.odoo_id).bind(src.id.create_date).bind(src.name).bind(o.order_key).bind(o.slot);
        b.bind(src.bom).bind(src.product_code.empty() ? src.product_name : src.product_code).bind(o.order.kg).bind(plan_json(domain::plan_of(src)));
        // The run in a statement of its own: the insert may have waited for the reset that it follows, and did not see it.
        all.emplace_back("update mo_batch b set run = h.last + 1 from (select max(run) as last from mo_histories where (odoo_db, odoo_id, odoo_create_date) = ($2, $3, $4)) h where "
                         "(b.odoo_db, b.odoo_id, b.odoo_create_date) = ($2, $3, $4) and b.line = $1 and h.last is not null")
            .bind(h.line).bind(src.id.odoo_db).bind(src.id.odoo_id).bind(src.id.create_date);
        auto& c = all.emplace_back("insert into mo_batch_consumption (batch_id, line, silo, planned) select b.id, b.line, x.key::int, x.value::numeric from mo_batch b, "
                                   "jsonb_each_text($5::jsonb) x where (b.odoo_db, b.odoo_id, b.odoo_create_date) = ($2, $3, $4) and b.line = $1");
        c.bind(h.line).bind(src.id.odoo_db).bind(src.id.odoo_id).bind(src.id.create_date).bind(kg_json(o.order.planned));
        all.emplace_back("delete from order_refusal where odoo_db = $1 and odoo_id = $2").bind(src.id.odoo_db).bind(src.id.odoo_id);
        all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $1 and kind = 'order_refused' and subject = $2 and state <> 'resolved'")
            .bind(h.line).bind(src.name);
        all.emplace_back("select assert_not_archived($1, $2, $3)").bind(src.id.odoo_db).bind(src.id.odoo_id).bind(src.id.create_date);
    }
    std::string refused;
    try {
        co_await fenced_pipeline(pool_, h, std::move(all));
    } catch (const pg::error& e) {
        // 23505 unique_violation: somebody else has the order, or the line an open load; BB002 and BB003 are ours (the schema).
        if (e.peer_code() != "23505" && e.peer_code() != "BB002" && e.peer_code() != "BB003") throw;
        refused = e.peer_code();
    }
    if (!refused.empty()) {
        stage_conflict conflict;
        if (refused != "BB002") {
            const auto s = taken_statement(orders);
            const auto r = co_await read_one(pool_, s);
            for (std::size_t i = 0; i < r.rows(); ++i) {
                domain::order_identity id;
                id.odoo_db = r.at(i, 0).text();
                id.odoo_id = r.at(i, 1).as_int64();
                id.create_date = core::utc_time(std::chrono::microseconds(r.at(i, 2).as_int64()));
                conflict.taken.push_back(std::move(id));
            }
        }
        co_return conflict;
    }
    staged out;
    auto load = co_await open_load(h.line);
    if (!load) throw pg::error(core::error_kind::internal, "stage load", h.line, "the staged load cannot be found");
    out.load = std::move(*load);
    for (auto& b : co_await batches(h.line))
        if (b.load == out.load.id) out.batches.push_back(std::move(b));
    std::sort(out.batches.begin(), out.batches.end(), [](const domain::batch& x, const domain::batch& y) { return x.slot < y.slot; });
    co_return out;
}

asio::awaitable<void> store::begin_withdrawal(const hold& h, std::int64_t load_id)
{
    std::vector<pg::statement> all;
    all.emplace_back("update plc_load set withdraw_since = coalesce(withdraw_since, now()) where id = $1 and line = $2 and state = 'arming'").bind(load_id).bind(h.line);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::optional<domain::load>> store::restage(const hold& h, std::int64_t load_id, bool was_offered)
{
    std::vector<pg::statement> all;
    all.emplace_back("with l as (update plc_load set state = 'withdrawn', withdraw_since = null, changed_at = now() where id = $1 and line = $2 returning number) update alert set state = 'resolved', resolved_at = now() "
                     "from l where alert.line = $2 and alert.kind = 'load_not_taken' and alert.subject = 'load ' || l.number and alert.state <> 'resolved'")
        .bind(load_id).bind(h.line);
    all.emplace_back("insert into plc_load (line, number, state, images, after_withdrawal) select o.line, (select max(number) + 1 from plc_load where line = o.line), 'staged', o.images, o.after_withdrawal or $2::boolean "
                     "from plc_load o where o.id = $1 and exists (select from mo_batch b where b.load = $1 and b.state in ('queued', 'loading', 'loaded'))")
        .bind(load_id).bind(was_offered);
    // Two steps, since the slot index is checked row by row: first out of the way, then to the new places.
    all.emplace_back("update mo_batch set batch_no = batch_no + 100000 where load = $1 and state in ('queued', 'loading', 'loaded')").bind(load_id);
    all.emplace_back("update mo_batch b set batch_no = n.place, load = (select id from plc_load where line = b.line and state = 'staged'), state = 'queued' from (select id, row_number() over "
                     "(order by batch_no) as place from mo_batch where load = $1 and state in ('queued', 'loading', 'loaded')) n where n.id = b.id")
        .bind(load_id);
    journal_entry e;
    e.what = "plc.withdraw";
    e.answer = was_offered ? "the offer was withdrawn before the PLC took it" : "the load was staged anew before it was armed";
    all.push_back(journal_statement(h.line, e));
    co_await fenced_pipeline(pool_, h, std::move(all));
    co_return co_await open_load(h.line);
}

asio::awaitable<bool> store::arm_load(const hold& h, std::int64_t load_id, const std::vector<std::int64_t>& batch_ids, const journal_entry& entry)
{
    std::vector<pg::statement> all;
    // Locked while they are compared: an order that is being taken out at this very moment is waited for, and seen.
    all.push_back(journaled(h.line, entry, "update plc_load set state = 'arming', changed_at = now() where id = $10 and line = $1 and state in ('staged', 'arming') and withdraw_since is null and (select array_agg(x.id order by x.id) "
                                           "from (select id from mo_batch where load = $10 and state in ('queued', 'loading', 'loaded') order by id for update) x) = $11::bigint[] and not exists (select from plc_duty where line = $1 and done_at is null) and not exists (select from line where line = $1 and paused)"));
    auto ids = batch_ids;
    std::sort(ids.begin(), ids.end());
    all.back().bind(load_id).bind(pg::array_of(ids));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().at(0, 0).as_int64() == 1;
}

asio::awaitable<void> store::set_load_state(const hold& h, std::int64_t load_id, domain::load_state state, std::optional<domain::batch_state> batches_state)
{
    std::vector<pg::statement> all;
    // Only an open load moves: whoever comes late with an older picture of it moves nothing back.
    all.emplace_back("with l as (update plc_load set changed_at = case when state = $2 then changed_at else now() end, state = $2, withdraw_since = case when $2 = 'arming' then withdraw_since end where id = $1 and line = $3 "
                     "and state in ('staged', 'arming') returning number), a as (update alert set state = 'resolved', resolved_at = now() from l where $2 in ('taken', 'withdrawn') and alert.line = $3 and "
                     "alert.kind = 'load_not_taken' and alert.subject = 'load ' || l.number and alert.state <> 'resolved') update mo_batch set state = coalesce($4::text, mo_batch.state) from l where mo_batch.load = $1 and "
                     "mo_batch.state in ('queued', 'loading', 'loaded') and $4::text is not null")
        .bind(load_id).bind(domain::to_string(state)).bind(h.line);
    if (batches_state) all.back().bind(domain::to_string(*batches_state));
    else all.back().bind_null();
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<void> store::withdraw_loads(const hold& h)
{
    std::vector<pg::statement> all;
    all.emplace_back("with l as (update plc_load set state = 'withdrawn', withdraw_since = null, changed_at = now() where line = $1 and state <> 'withdrawn' and (state in ('staged', 'arming') or id in (select load from mo_batch "
                     "where line = $1) or number = (select max(number) from plc_load where line = $1)) returning number) update alert set state = 'resolved', resolved_at = now() from l where alert.line = $1 and "
                     "alert.kind = 'load_not_taken' and alert.subject = 'load ' || l.number and alert.state <> 'resolved'")
        .bind(h.line);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

asio::awaitable<std::set<std::string>> store::known_orders(const std::string& line, const std::vector<std::string>& keys)
{
    std::set<std::string> out;
    if (keys.empty()) co_return out;
    pg::statement s("select k from unnest($2::text[]) k where exists (select from mo_batch where line = $1 and (order_key = k or mo_id = k)) or exists (select from mo_histories where line = $1 "
                    "and (order_key = k or mo_id = k))");
    s.bind(line).bind(pg::array_of(keys));
    const auto r = co_await read_one(pool_, s);
    for (std::size_t i = 0; i < r.rows(); ++i) out.insert(r.at(i, 0).text());
    co_return out;
}

asio::awaitable<std::vector<std::int64_t>> store::excluded_orders(const std::string& odoo_db)
{
    pg::statement s("select odoo_id from mo_batch where odoo_db = $1 union select odoo_id from order_refusal where odoo_db = $1 and retry_at > now() union select odoo_id from mo_histories where "
                    "odoo_db = $1 and still_open "
                    // Still confirmed in Odoo for no other reason than that it has not heard of its end.
                    "union select odoo_id from odoo_outbox where odoo_db = $1 and kind = 'cancel' and state in ('due', 'sending')");
    s.bind(odoo_db);
    const auto r = co_await read_one(pool_, s);
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(r.at(i, 0).as_int64());
    co_return out;
}

asio::awaitable<std::vector<domain::order_identity>> store::flag_archived(const hold& h, const std::vector<domain::order_identity>& orders)
{
    std::vector<domain::order_identity> out;
    if (orders.empty()) co_return out;
    json::array ids;
    for (const auto& o : orders) {
        json::object one;
        one["db"] = o.odoo_db;
        one["id"] = o.odoo_id;
        one["at"] = o.create_date.time_since_epoch().count();
        ids.push_back(std::move(one));
    }
    std::vector<pg::statement> all;
    // History excludes an order on every line.
    auto& s = all.emplace_back("with wanted as (select w.db, w.id, w.at, timestamptz 'epoch' + w.at * interval '1 microsecond' as t from jsonb_to_recordset($1::jsonb) as w(db text, id bigint, at bigint)), "
                    "flagged as (update mo_histories h set still_open = true from wanted w where h.status <> 'reset' and (h.odoo_db, h.odoo_id, h.odoo_create_date) = (w.db, w.id, w.t) "
                    "returning h.line, h.mo_id, w.db, w.id, w.at), "
                    // In the same statement: what is flagged is not fetched again, and nobody would be told of it later.
                    "told as (insert into alert (line, kind, subject, text) select distinct on (line, mo_id) line, 'archived_but_open', mo_id, mo_id || ' (Odoo id ' || id || ') is in history here and still confirmed in Odoo: "
                    "restored or reopened? It is not made again' from flagged order by line, mo_id, id on conflict (line, kind, subject) where state <> 'resolved' do update set count = alert.count + 1, last_at = now(), "
                    "text = excluded.text) select distinct db, id, at from flagged");
    s.bind(json::value(std::move(ids)));
    const auto results = co_await fenced_pipeline(pool_, h, std::move(all));
    const auto& r = results.front();
    for (std::size_t i = 0; i < r.rows(); ++i) {
        domain::order_identity id;
        id.odoo_db = r.at(i, 0).text();
        id.odoo_id = r.at(i, 1).as_int64();
        id.create_date = core::utc_time(std::chrono::microseconds(r.at(i, 2).as_int64()));
        out.push_back(std::move(id));
    }
    co_return out;
}

}  // namespace batchbridge::store
