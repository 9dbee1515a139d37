// What persons see and decide about single deliveries.
#include "core/crash_point.hpp"
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

namespace {

const std::string entry_columns = "o.id, o.line, o.odoo_db, o.odoo_id, o.mo_id, coalesce(o.batch_id, 0) as batch_id, o.kind, o.state, o.version, o.tries, o.payload, o.last_error, o.created_at, o.next_at, o.sent_at";

outbox_entry entry_of(const pg::result& r, std::size_t i)
{
    outbox_entry e;
    e.id = r.at(i, "id").as_int64();
    e.line = r.at(i, "line").text();
    e.odoo_db = r.at(i, "odoo_db").text();
    e.odoo_id = r.at(i, "odoo_id").as_int64();
    e.mo_id = r.at(i, "mo_id").text();
    e.batch_id = r.at(i, "batch_id").as_int64();
    e.kind = domain::delivery_kind_from(r.at(i, "kind").text()).value();
    e.state = domain::delivery_state_from(r.at(i, "state").text()).value();
    e.version = r.at(i, "version").as_int();
    e.tries = r.at(i, "tries").as_int();
    e.payload = r.at(i, "payload").as_json();
    e.last_error = r.at(i, "last_error").text();
    e.created = r.at(i, "created_at").as_time();
    e.next = r.at(i, "next_at").as_time();
    if (const auto sent = r.at(i, "sent_at"); !sent.is_null()) e.sent = sent.as_time();
    return e;
}

// Who and why, about this delivery.
void about(journal_entry& entry, const outbox_entry& e)
{
    entry.batch_id = e.batch_id;
    entry.mo_id = e.mo_id;
    domain::order_identity order;
    order.odoo_db = e.odoo_db;
    order.odoo_id = e.odoo_id;
    entry.order = std::move(order);
    boost::json::object values;
    values["outbox"] = e.id;
    values["kind"] = domain::to_string(e.kind);
    entry.values = std::move(values);
}

}  // namespace

asio::awaitable<std::vector<outbox_entry>> store::outbox(const outbox_filter& f)
{
    std::vector<std::string> states;
    for (const auto s : f.states) states.emplace_back(domain::to_string(s));
    pg::statement s("select " + entry_columns + " from odoo_outbox o where o.id > $1 and ($2::text = '' or o.line = $2) and ($3::text = '' or o.kind = $3) and ($4::bigint = 0 or o.batch_id = $4) and o.state = any($5::text[]) "
                    "order by o.id limit $6");
    s.bind(f.after).bind(f.line).bind(f.kind ? domain::to_string(*f.kind) : std::string_view()).bind(f.batch).bind(pg::array_of(states)).bind(f.limit);
    const auto r = co_await read_one(pool_, s);
    std::vector<outbox_entry> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(entry_of(r, i));
    co_return out;
}

asio::awaitable<std::optional<outbox_entry>> store::outbox_by_id(std::int64_t id)
{
    pg::statement s("select " + entry_columns + " from odoo_outbox o where o.id = $1");
    s.bind(id);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    co_return entry_of(r, 0);
}

asio::awaitable<bool> store::retry_delivery(const hold& h, const outbox_entry& seen, journal_entry entry)
{
    about(entry, seen);
    auto all = lock_statements(h.line, seen.batch_id);
    const auto deed = all.size();
    // One that is due at this moment is being worked on. The clock, not this transaction's start: another retry may have
    // committed in between.
    all.push_back(journaled(h.line, entry, "update odoo_outbox set state = 'due', tries = 0, next_at = now() where id = $10 and line = $1 and version = $11 and (state = 'parked' or state = 'due' and next_at > clock_timestamp())"));
    all.back().bind(seen.id).bind(seen.version);
    all.emplace_back(resolve_parked_sql("(select * from odoo_outbox where id = $1 and line = $2)")).bind(seen.id).bind(h.line);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("act.delivery_retried");
    co_return r[deed].at(0, 0).as_int64() > 0;
}

asio::awaitable<bool> store::discard_delivery(const hold& h, const outbox_entry& seen, journal_entry entry)
{
    const auto reason = entry.answer;
    about(entry, seen);
    auto all = lock_statements(h.line, seen.batch_id);
    const auto deed = all.size();
    all.push_back(journaled(h.line, entry, "update odoo_outbox set state = 'discarded', last_error = $8 where id = $10 and line = $1 and version = $11 and state in ('due', 'parked') and kind <> 'finish'"));
    all.back().bind(seen.id).bind(seen.version);
    all.emplace_back(resolve_parked_sql("(select * from odoo_outbox where id = $1 and line = $2)")).bind(seen.id).bind(h.line);
    all.push_back(resolve_configuration(h.line));
    if (seen.kind == domain::delivery_kind::cancel) {
        // A batch whose parked cancel is given up is what it was before: held, until a person completes or cancels it.
        const std::string idle = "id = {} and line = {} and state = 'parked' and not exists (select from odoo_outbox o where o.batch_id = {} and o.kind in ('finish', 'cancel') and o.state in ('due', 'sending', 'parked')) and exists "
                                 "(select from odoo_outbox o where o.id = {} and o.state = 'discarded')";
        alert_note alert;
        alert.kind = "held";
        alert.subject = seen.mo_id;
        alert.text = fmt::format("{}: its cancel was given up ({}); a person completes or cancels it", seen.mo_id, reason);
        all.push_back(alert_statement(h.line, alert, "exists (select from mo_batch where " + fmt::format(fmt::runtime(idle), "$5", "$1", "$5", "$6") + ")"));
        all.back().bind(seen.batch_id).bind(seen.id);
        all.emplace_back("update mo_batch set state = 'held', reason = $4 where " + fmt::format(fmt::runtime(idle), "$1", "$2", "$1", "$3")).bind(seen.batch_id).bind(h.line).bind(seen.id).bind("its cancel was given up: " + reason);
    }
    BATCHBRIDGE_CRASH_POINT("act.delivery_discarding");
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("act.delivery_discarded");
    co_return r[deed].at(0, 0).as_int64() > 0;
}

asio::awaitable<bool> store::discard_finish(const hold& h, const outbox_entry& finish, const as_seen& batch, core::duration unclear_wait, journal_entry entry)
{
    const auto reason = entry.answer;
    about(entry, finish);
    const auto same = seen_sql(batch);
    auto all = lock_statements(h.line, finish.batch_id);
    all.emplace_back("update odoo_outbox o set state = 'discarded', last_error = $5 where o.id = $1 and o.line = $2 and o.version = $3 and o.kind = 'finish' and o.state in ('due', 'parked') and not " + unclear_sql("o", "$6") + " and exists (select from mo_batch where "
                     "id = $4 and line = $2 and state in ('completed', 'parked')" + same + ")")
        .bind(finish.id).bind(h.line).bind(finish.version).bind(finish.batch_id).bind(reason).bind(interval_of(unclear_wait));
    // Whoever else ends this finish gives its batch another version, or takes it away.
    const auto guard = fmt::format("{} and state in ('completed', 'parked') and exists (select from odoo_outbox where id = {} and version = {} and state = 'discarded')", same, finish.id, finish.version);
    for (auto& s : archive_statements(h.line, finish.batch_id, domain::history_status::discarded, reason, guard, std::move(entry), std::nullopt)) all.push_back(std::move(s));
    BATCHBRIDGE_CRASH_POINT("act.discarding");
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("act.discarded");
    co_return r.back().at(0, 0).as_int64() == 1;
}

}  // namespace batchbridge::store
