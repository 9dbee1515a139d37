#include "store/rows.hpp"

#include "core/crash_point.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;
namespace json = boost::json;

const std::string batch_columns =
    "b.id, b.line, b.odoo_db, b.odoo_id, b.odoo_create_date, b.mo_id, b.order_key, b.run, b.batch_no, b.load, b.state, b.reason, b.bom_id, b.finished_goods, b.quantity_goods, "
    "b.actual_weight_quantity_finished_goods as weight, b.status_manufacturing, b.status_operation, b.version, b.update_odoo, b.done_marked, b.disarmed, b.raw, b.last_read_from_plc, "
    "b.last_changed_at, "
    "(select coalesce(json_object_agg(c.silo, c.planned::text), '{}') from mo_batch_consumption c where c.batch_id = b.id) as planned_json, "
    "(select coalesce(json_object_agg(c.silo, c.actual::text), '{}') from mo_batch_consumption c where c.batch_id = b.id) as actual_json";

const std::string load_columns = "l.id, l.line, l.number, l.state, l.images, l.withdraw_since is not null as withdrawing, l.after_withdrawal, l.changed_at";

namespace {

constexpr int conflict_tries = 3;

pg::statement fence_of(const hold& h)
{
    pg::statement s("select assert_epoch($1, $2, $3)");
    s.bind(h.line).bind(h.epoch).bind(h.since);
    return s;
}

asio::awaitable<std::vector<pg::result>> run_fenced(pg::pool& pool, const std::vector<pg::statement>& statements)
{
    auto connection = co_await pool.acquire();
    BATCHBRIDGE_CRASH_POINT("commit.before");
    for (int tries = 1;; ++tries) {
        try {
            auto results = co_await connection->pipeline(statements);
            BATCHBRIDGE_CRASH_POINT("commit.after");
            co_return results;
        } catch (const pg::error& e) {
            if (e.peer_code() == "BB001") throw fenced(core::error_kind::rejected, e.operation(), e.target(), e.reason(), e.peer_code());
            if (!pg::is_conflict(e) || tries == conflict_tries) throw;
        }
    }
}

}  // namespace

asio::awaitable<std::vector<pg::result>> fenced_pipeline(pg::pool& pool, const hold& h, std::vector<pg::statement> statements)
{
    statements.insert(statements.begin(), fence_of(h));
    auto results = co_await run_fenced(pool, statements);
    results.erase(results.begin());
    co_return results;
}

asio::awaitable<std::vector<pg::result>> fenced_line_pipeline(pg::pool& pool, const hold& h, std::vector<pg::statement> statements)
{
    pg::statement lock("select from line where line = $1 for update");
    lock.bind(h.line);
    statements.insert(statements.begin(), fence_of(h));
    statements.insert(statements.begin(), std::move(lock));
    auto results = co_await run_fenced(pool, statements);
    results.erase(results.begin(), results.begin() + 2);
    co_return results;
}

asio::awaitable<pg::result> read_one(pg::pool& pool, const pg::statement& s)
{
    auto connection = co_await pool.acquire();
    co_return co_await connection->query(s);
}

json::value words_json(const domain::words& w)
{
    json::array out;
    for (const auto x : w) out.push_back(x);
    return out;
}

domain::words words_of(const json::value& v)
{
    domain::words out;
    for (const auto& x : v.as_array()) out.push_back(static_cast<std::uint16_t>(x.to_number<std::uint16_t>()));
    return out;
}

json::value kg_json(const domain::silo_kg& v)
{
    json::object out;
    for (const auto& [silo, kg] : v) out[std::to_string(silo)] = kg.to_string();
    return out;
}

domain::silo_kg kg_of(const json::value& v)
{
    domain::silo_kg out;
    for (const auto& [silo, kg] : v.as_object())
        if (const auto d = core::decimal::parse(kg.as_string())) out[std::stoi(std::string(silo))] = *d;
    return out;
}

json::value finish_json(const domain::finish_values& v)
{
    json::array moves;
    for (const auto& m : v.moves) {
        json::object one;
        one["move_id"] = m.move_id;
        one["quantity"] = m.quantity.to_string();
        if (m.silo != 0) one["silo"] = m.silo;
        moves.push_back(std::move(one));
    }
    json::object out;
    out["produced"] = v.produced.to_string();
    out["produced_from"] = v.produced_from;
    out["moves"] = std::move(moves);
    if (!v.unplanned.empty()) out["unplanned"] = kg_json(v.unplanned);
    return out;
}

std::vector<domain::move_value> moves_of(const json::value& v)
{
    std::vector<domain::move_value> out;
    for (const auto& m : v.as_array()) {
        domain::move_value one;
        one.move_id = m.at("move_id").to_number<std::int64_t>();
        one.quantity = core::decimal::parse(m.at("quantity").as_string()).value();
        if (const auto* silo = m.as_object().if_contains("silo")) one.silo = silo->to_number<int>();
        out.push_back(one);
    }
    return out;
}

domain::finish_values finish_of(const json::value& v)
{
    domain::finish_values out;
    out.produced = core::decimal::parse(v.at("produced").as_string()).value();
    out.produced_from = std::string(v.at("produced_from").as_string());
    out.moves = moves_of(v.at("moves"));
    if (const auto* unplanned = v.as_object().if_contains("unplanned")) out.unplanned = kg_of(*unplanned);
    return out;
}

std::string interval_of(core::duration d)
{
    return fmt::format("{} milliseconds", std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

domain::batch batch_of(const pg::result& r, std::size_t row)
{
    domain::batch b;
    b.id = r.at(row, "id").as_int64();
    b.line = r.at(row, "line").text();
    b.order.odoo_db = r.at(row, "odoo_db").text();
    b.order.odoo_id = r.at(row, "odoo_id").as_int64();
    b.order.create_date = r.at(row, "odoo_create_date").as_time();
    b.mo_id = r.at(row, "mo_id").text();
    b.order_key = r.at(row, "order_key").text();
    b.run = r.at(row, "run").as_int();
    b.slot = r.at(row, "batch_no").as_int();
    b.load = r.at(row, "load").as_int64();
    b.state = domain::batch_state_from(r.at(row, "state").text()).value();
    b.reason = r.at(row, "reason").text();
    b.bom_id = r.at(row, "bom_id").text();
    b.finished_goods = r.at(row, "finished_goods").text();
    b.planned_kg = r.at(row, "quantity_goods").as_decimal();
    b.weight = r.at(row, "weight").as_decimal();
    b.status_manufacturing = r.at(row, "status_manufacturing").as_bool();
    b.status_operation = r.at(row, "status_operation").as_bool();
    b.version = r.at(row, "version").as_int();
    b.update_odoo = r.at(row, "update_odoo").as_bool();
    b.done_marked = r.at(row, "done_marked").as_bool();
    b.disarmed = r.at(row, "disarmed").as_bool();
    if (const auto f = r.at(row, "raw"); !f.is_null()) b.raw = words_of(f.as_json());
    if (const auto f = r.at(row, "last_read_from_plc"); !f.is_null()) b.last_read = f.as_time();
    if (const auto f = r.at(row, "last_changed_at"); !f.is_null()) b.last_changed = f.as_time();
    b.planned = kg_of(r.at(row, "planned_json").as_json());
    b.actual = kg_of(r.at(row, "actual_json").as_json());
    return b;
}

domain::load load_of(const pg::result& r, std::size_t row)
{
    domain::load l;
    l.id = r.at(row, "id").as_int64();
    l.line = r.at(row, "line").text();
    l.number = r.at(row, "number").as_int();
    l.state = domain::load_state_from(r.at(row, "state").text()).value();
    l.withdrawing = r.at(row, "withdrawing").as_bool();
    l.after_withdrawal = r.at(row, "after_withdrawal").as_bool();
    l.changed = r.at(row, "changed_at").as_time();
    const auto images = r.at(row, "images").as_json();
    for (const auto& [slot, words] : images.as_object()) l.images[std::stoi(std::string(slot))] = words_of(words);
    return l;
}

namespace {

void bind_entry(pg::statement& s, const std::string& line, const journal_entry& e)
{
    s.bind(line).bind(e.batch_id);
    if (e.order) s.bind(e.order->odoo_db).bind(e.order->odoo_id);
    else s.bind_null().bind_null();
    s.bind(e.mo_id).bind(e.what).bind(e.values).bind(e.answer).bind(e.who);
}

// Order and name of a journal row come from its batch where the caller did not say them.
const std::string journal_insert =
    "insert into journal (line, batch_id, odoo_db, odoo_id, mo_id, what, \"values\", answer, who) select $1::text, nullif($2::bigint, 0), coalesce($3::text, (select odoo_db from mo_batch where id = $2)), "
    "coalesce($4::bigint, (select odoo_id from mo_batch where id = $2)), coalesce(nullif($5::text, ''), (select mo_id from mo_batch where id = $2), ''), $6::text, $7::jsonb, $8::text, $9::text";

}  // namespace

pg::statement journal_statement(const std::string& line, const journal_entry& e)
{
    pg::statement s(journal_insert);
    bind_entry(s, line, e);
    return s;
}

pg::statement journaled(const std::string& line, const journal_entry& e, const std::string& act)
{
    pg::statement s("with act as (" + act + " returning 1), noted as (" + journal_insert + " where exists (select from act)) select count(*) from act");
    bind_entry(s, line, e);
    return s;
}

pg::statement alert_statement(const std::string& line, const alert_note& alert, const std::string& condition)
{
    pg::statement s("insert into alert (line, kind, subject, text) select $1::text, $2::text, $3::text, $4::text where " + condition +
                    " on conflict (line, kind, subject) where state <> 'resolved' do update set count = alert.count + 1, last_at = now(), text = excluded.text returning count");
    s.bind(line).bind(alert.kind).bind(alert.subject).bind(alert.text);
    return s;
}

std::string resolve_parked_sql(const std::string& order)
{
    return "update alert a set state = 'resolved', resolved_at = now() from " + order +
           " t where a.line = t.line and a.kind = 'delivery_parked' and a.subject = t.mo_id and a.state <> 'resolved' and not exists (select from odoo_outbox p where p.odoo_db = t.odoo_db and "
           "p.odoo_id = t.odoo_id and p.kind in ('finish', 'cancel', 'consumption') and p.state in ('due', 'sending', 'parked') and p.state = 'parked')";
}

std::string accepted_sql(const std::string& batch_id)
{
    return "exists (select from odoo_attempt a where a.batch_id = " + batch_id + " and a.outcome is distinct from 'rejected' and a.outcome is distinct from 'not_sent')";
}

std::string unclear_sql(const std::string& order, const std::string& wait)
{
    return fmt::format("exists (select from odoo_attempt a where a.odoo_db = {0}.odoo_db and a.odoo_id = {0}.odoo_id and a.outcome is null and a.started_at + {1}::interval > clock_timestamp())", order, wait);
}

std::vector<pg::statement> lock_statements(const std::string& line, std::int64_t batch_id)
{
    std::vector<pg::statement> all;
    all.emplace_back("select from mo_batch where id = $1 and line = $2 for update").bind(batch_id).bind(line);
    all.emplace_back("select from odoo_outbox where batch_id = $1 and line = $2 and state in ('due', 'sending', 'parked') order by id for update").bind(batch_id).bind(line);
    all.emplace_back("select from odoo_attempt where batch_id = $1 and line = $2 and outcome is null order by id for update").bind(batch_id).bind(line);
    return all;
}

std::string seen_sql(const std::optional<as_seen>& seen)
{
    return seen ? fmt::format(" and state = '{}' and version = {}", domain::to_string(seen->state), seen->version) : std::string();
}

const std::string waits_for_configuration = "waits for the configuration: ";

pg::statement resolve_configuration(const std::string& line)
{
    pg::statement s("update alert set state = 'resolved', resolved_at = now() where line = $1 and kind = 'odoo_configuration' and state <> 'resolved' and not exists (select from odoo_outbox o where o.line = $1 and "
                    "o.state in ('due', 'sending') and starts_with(o.last_error, $2))");
    s.bind(line).bind(waits_for_configuration);
    return s;
}

}  // namespace batchbridge::store
