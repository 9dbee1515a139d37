// What the order watch reads and applies. An answer that one of our own attempts has overtaken changes nothing: the transaction
// begins with assert_not_overtaken (the schema).
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

const char* const overtaken = "BB004";

std::optional<domain::planned_amount> amount_of(const json::value& v)
{
    const auto* pair = v.if_array();
    if (pair == nullptr || pair->size() != 2 || !pair->at(0).is_string() || !pair->at(1).is_string()) return std::nullopt;
    const auto quantity = core::decimal::parse(pair->at(0).get_string());
    if (!quantity) return std::nullopt;
    return domain::planned_amount{*quantity, std::string(pair->at(1).get_string())};
}

json::value amount_json(const domain::planned_amount& a)
{
    json::array out;
    out.emplace_back(a.quantity.to_string());
    out.emplace_back(a.uom);
    return out;
}

// nullopt: not one of ours, so nothing is compared.
std::optional<domain::order_plan> plan_from(const json::value& v)
{
    const auto* o = v.if_object();
    const auto* product = o != nullptr ? o->if_contains("product") : nullptr;
    const auto* moves = o != nullptr ? o->if_contains("moves") : nullptr;
    if (product == nullptr || moves == nullptr || !moves->is_object()) return std::nullopt;
    domain::order_plan out;
    const auto amount = amount_of(*product);
    if (!amount) return std::nullopt;
    out.product = *amount;
    for (const auto& [id, planned] : moves->get_object()) {
        const auto one = amount_of(planned);
        if (!one) return std::nullopt;
        out.moves[std::stoll(std::string(id))] = *one;
    }
    return out;
}

}  // namespace

json::value plan_json(const domain::order_plan& p)
{
    json::object moves;
    for (const auto& [id, amount] : p.moves) moves[std::to_string(id)] = amount_json(amount);
    json::object out;
    out["product"] = amount_json(p.product);
    out["moves"] = std::move(moves);
    return out;
}

asio::awaitable<watch_picture> store::watched(const std::vector<std::string>& lines, const std::string& odoo_db)
{
    watch_picture out;
    // The mark before the rows: what begins in between counts as begun since.
    pg::statement mark("select clock_timestamp(), coalesce(max(id), 0) from odoo_attempt");
    const auto at = co_await read_one(pool_, mark);
    out.mark.at = at.at(0, 0).as_time();
    out.mark.attempt = at.at(0, 1).as_int64();
    const std::string open = "(select o.state from odoo_outbox o where o.batch_id = b.id and o.kind = '{}' and o.state in ('due', 'sending', 'parked') limit 1)";
    pg::statement s("select " + batch_columns + ", b.plan, b.odoo_event, " + fmt::format(fmt::runtime(open), "finish") + " as finish, " + fmt::format(fmt::runtime(open), "cancel") +
                    " as cancel from mo_batch b where b.line = any($1::text[]) and b.odoo_db = $2 order by b.id");
    s.bind(pg::array_of(lines)).bind(odoo_db);
    const auto r = co_await read_one(pool_, s);
    for (std::size_t i = 0; i < r.rows(); ++i) {
        const auto state_of = [&r, i](const char* column) {
            const auto f = r.at(i, column);
            return f.is_null() ? std::nullopt : domain::delivery_state_from(f.text());
        };
        watched_batch w;
        w.batch = batch_of(r, i);
        w.facts = domain::facts_of(w.batch, false, state_of("finish"), state_of("cancel"));
        if (const auto f = r.at(i, "plan"); !f.is_null()) w.plan = plan_from(f.as_json());
        w.told = r.at(i, "odoo_event").text();
        out.batches.push_back(std::move(w));
    }
    pg::statement h("select line, id, odoo_id, odoo_create_date, mo_id from mo_histories where still_open and line = any($1::text[]) and odoo_db = $2 order by id desc limit 200");
    h.bind(pg::array_of(lines)).bind(odoo_db);
    const auto ended = co_await read_one(pool_, h);
    for (std::size_t i = 0; i < ended.rows(); ++i) {
        still_open_order o;
        o.line = ended.at(i, 0).text();
        o.history_id = ended.at(i, 1).as_int64();
        o.order.odoo_db = odoo_db;
        o.order.odoo_id = ended.at(i, 2).as_int64();
        o.order.create_date = ended.at(i, 3).as_time();
        o.mo_id = ended.at(i, 4).text();
        out.still_open.push_back(std::move(o));
    }
    co_return out;
}

asio::awaitable<bool> store::apply_watched(const hold& h, const watch_mark& mark, const watched_batch& w, core::duration unclear_wait, const watch_finding& found)
{
    using step = domain::table_decision::step;
    const auto id = w.batch.id;
    journal_entry e;
    e.batch_id = id;
    e.order = w.batch.order;
    e.mo_id = w.batch.mo_id;
    e.what = fmt::format("watch.{}", domain::to_string(found.event));
    e.answer = found.why;
    json::object values;
    values["decision"] = domain::to_string(found.decision.what);
    e.values = std::move(values);

    std::vector<pg::statement> all;
    all.emplace_back("select assert_not_overtaken($1, $2, $3, $4, $5, $6::interval)")
        .bind(id).bind(domain::to_string(w.batch.state)).bind(w.batch.version).bind(mark.at).bind(mark.attempt).bind(interval_of(unclear_wait));
    const auto drop = [&] {
        // No attempt for the order is open: what is `sending` has no bytes on their way.
        all.emplace_back("update odoo_outbox set state = 'discarded', last_error = $3 where batch_id = $1 and line = $2 and kind = 'consumption' and state in ('due', 'sending', 'parked')").bind(id).bind(h.line).bind(found.why);
        all.push_back(resolve_configuration(h.line));
    };
    switch (found.decision.what) {
    case step::take_out:
        drop();
        // A new version, so that what a read cycle derived from the row as it was does not bring it back.
        all.emplace_back("update mo_batch set state = 'cancelling', reason = $3, disarmed = false, version = version + 1 where id = $1 and line = $2").bind(id).bind(h.line).bind(domain::to_string(found.decision.reason.value()));
        break;
    case step::drop_consumption: drop(); break;
    case step::due_now:
        all.emplace_back("update mo_batch set state = 'completed', reason = '' where id = $1 and line = $2 and state = 'parked'").bind(id).bind(h.line);
        all.emplace_back("update odoo_outbox set state = 'due', tries = 0, next_at = now() where batch_id = $1 and line = $2 and kind = 'finish' and state in ('due', 'sending', 'parked')").bind(id).bind(h.line);
        all.emplace_back(resolve_parked_sql("(select * from mo_batch where id = $1 and line = $2)")).bind(id).bind(h.line);
        break;
    case step::archive_cancelled:
        // Its own cancel, if it is parked: there is nothing to cancel any more.
        all.emplace_back("update odoo_outbox set state = 'discarded', last_error = $3 where batch_id = $1 and line = $2 and kind = 'cancel' and state = 'parked'").bind(id).bind(h.line).bind(found.why);
        for (auto& s : archive_statements(h.line, id, domain::history_status::cancelled, found.why, "", e, found.alert)) all.push_back(std::move(s));
        break;
    case step::nothing:
    case step::conflict:
    case step::cancel_in_odoo:
    case step::archive_discarded:
    case step::archive_reset:
    case step::complete:
    case step::step0_decides:
    case step::alert: break;
    }
    if (found.decision.what != step::archive_cancelled) {
        all.emplace_back("update mo_batch set odoo_event = $3, plan = coalesce($4::jsonb, plan) where id = $1 and line = $2").bind(id).bind(h.line).bind(found.told);
        if (found.plan) all.back().bind(plan_json(*found.plan));
        else all.back().bind_null();
        all.push_back(journal_statement(h.line, e));
        if (found.alert) all.push_back(alert_statement(h.line, *found.alert, "true"));
    }
    bool late = false;
    try {
        co_await fenced_pipeline(pool_, h, std::move(all));
    } catch (const pg::error& x) {
        if (x.peer_code() != overtaken) throw;
        late = true;
    }
    co_return !late;
}

asio::awaitable<void> store::not_open_any_more(const hold& h, const still_open_order& o)
{
    std::vector<pg::statement> all;
    all.emplace_back("update mo_histories set still_open = false where id = $1 and line = $2").bind(o.history_id).bind(h.line);
    all.emplace_back("update alert set state = 'resolved', resolved_at = now() where line = $1 and kind = 'archived_but_open' and subject = $2 and state <> 'resolved'").bind(h.line).bind(o.mo_id);
    co_await fenced_pipeline(pool_, h, std::move(all));
}

}  // namespace batchbridge::store
