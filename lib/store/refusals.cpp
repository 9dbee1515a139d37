// Orders of Odoo that were refused: what persons see of them, and the retry they may ask for.
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

namespace {

const std::string refusal_columns = "line, odoo_db, odoo_id, mo_id, reason, first_at, last_at, retry_at";

refusal_entry refusal_of(const pg::result& r, std::size_t i)
{
    refusal_entry e;
    e.line = r.at(i, "line").text();
    e.odoo_db = r.at(i, "odoo_db").text();
    e.odoo_id = r.at(i, "odoo_id").as_int64();
    e.mo_id = r.at(i, "mo_id").text();
    e.reason = r.at(i, "reason").text();
    e.first = r.at(i, "first_at").as_time();
    e.last = r.at(i, "last_at").as_time();
    e.retry = r.at(i, "retry_at").as_time();
    return e;
}

}  // namespace

asio::awaitable<std::vector<refusal_entry>> store::refusals(const std::string& odoo_db, const std::string& line, std::int64_t after, int limit)
{
    pg::statement s("select " + refusal_columns + " from order_refusal where odoo_db = $1 and ($2::text = '' or line = $2) and odoo_id > $3 order by odoo_id limit $4");
    s.bind(odoo_db).bind(line).bind(after).bind(limit);
    const auto r = co_await read_one(pool_, s);
    std::vector<refusal_entry> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out.push_back(refusal_of(r, i));
    co_return out;
}

asio::awaitable<std::optional<refusal_entry>> store::refusal_of_order(const std::string& odoo_db, std::int64_t odoo_id)
{
    pg::statement s("select " + refusal_columns + " from order_refusal where odoo_db = $1 and odoo_id = $2");
    s.bind(odoo_db).bind(odoo_id);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    co_return refusal_of(r, 0);
}

asio::awaitable<bool> store::retry_refusal(const hold& h, const refusal_entry& seen, journal_entry entry)
{
    entry.mo_id = seen.mo_id;
    domain::order_identity order;
    order.odoo_db = seen.odoo_db;
    order.odoo_id = seen.odoo_id;
    entry.order = std::move(order);
    std::vector<pg::statement> all;
    // The clock, not this transaction's start: another retry may have committed in between.
    all.push_back(journaled(h.line, entry, "update order_refusal set retry_at = now() where line = $1 and odoo_db = $3 and odoo_id = $4 and retry_at > clock_timestamp()"));
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return r.front().at(0, 0).as_int64() == 1;
}

}  // namespace batchbridge::store
