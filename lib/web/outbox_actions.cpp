#include "web/outbox_actions.hpp"

#include "core/log.hpp"

namespace batchbridge::web {

namespace asio = boost::asio;
using domain::action;
using domain::delivery_kind;
using domain::delivery_state;
using http::server_response;
using store::standing;
using step = domain::table_decision::step;

namespace {

constexpr std::string_view retry_shape = R"({"reason": text, "who": text}, both optional)";
constexpr std::string_view discard_shape = R"({"reason": text, "who": text}, who optional)";
constexpr const char* changed = "the delivery changed meanwhile; look again";
constexpr const char* due_already = "it is due already, or changed meanwhile; look again";

server_response conflict(const std::string& why)
{
    return server_response::error(409, why);
}

// Why nothing can be done about it now; empty: something can.
std::string not_open(const store::outbox_entry& e)
{
    switch (e.state) {
    case delivery_state::sent: return "it has reached Odoo";
    case delivery_state::discarded: return "it was given up: " + e.last_error;
    case delivery_state::sending: return "it is being sent at this moment: ask again when that has ended";
    case delivery_state::due:
    case delivery_state::parked: break;
    }
    return {};
}

store::as_seen seen_of(const domain::batch& b)
{
    store::as_seen seen;
    seen.state = b.state;
    seen.version = b.version;
    return seen;
}

asio::awaitable<server_response> retry(tasks::line& l, const store::outbox_entry& e, const act_body& body)
{
    auto& store = l.env().store;
    const auto& db = l.env().config.odoo_db;
    if (e.odoo_db != db) co_return conflict(fmt::format("it is for the Odoo database {} and ODOO_DB is {}: it is not sent", e.odoo_db, db));
    const bool ends_batch = e.kind == delivery_kind::finish || e.kind == delivery_kind::cancel;
    std::optional<standing> stands;
    if (ends_batch && e.batch_id != 0) stands = co_await store.standing_of(e.batch_id);
    bool done = false;
    if (stands && stands->batch.state == domain::batch_state::parked) {
        const auto decision = domain::decide_action(action::retry, stands->facts);
        if (decision.what == step::conflict) co_return conflict(decision.why);
        auto entry = entry_of(body, "api.retry");
        entry.order = stands->batch.order;
        entry.mo_id = e.mo_id;
        const auto seen = seen_of(stands->batch);
        done = co_await store.retry_batch(l.hold(), e.batch_id, std::move(entry), seen);
    } else {
        auto entry = entry_of(body, "api.retry");
        done = co_await store.retry_delivery(l.hold(), e, std::move(entry));
    }
    if (!done) co_return conflict(due_already);
    co_return accepted("outbox", e.id, "retry");
}

asio::awaitable<server_response> discard(tasks::line& l, const store::outbox_entry& e, const act_body& body)
{
    auto& store = l.env().store;
    auto entry = entry_of(body, "api.discard");
    bool done = false;
    if (e.kind == delivery_kind::finish) {
        const auto unclear_wait = l.env().config.odoo_unclear_wait;
        const auto stands = co_await store.standing_of(e.batch_id, unclear_wait);
        if (!stands) co_return conflict("its batch is no longer in the queue");
        const auto decision = domain::decide_action(action::discard, stands->facts);
        if (decision.what == step::conflict) co_return conflict(decision.why);
        const auto seen = seen_of(stands->batch);
        done = co_await store.discard_finish(l.hold(), e, seen, unclear_wait, std::move(entry));
    } else {
        done = co_await store.discard_delivery(l.hold(), e, std::move(entry));
    }
    if (!done) co_return conflict(changed);
    co_return accepted("outbox", e.id, "discard");
}

asio::awaitable<server_response> act(tasks::line& l, std::int64_t id, bool again, const act_body& body)
{
    // Also when the answer to a commit is lost.
    struct rows_are_read_again {
        tasks::line& l;
        explicit rows_are_read_again(tasks::line& x) : l(x) {}
        ~rows_are_read_again() { l.rows_changed(); }
    } const read_again(l);
    const auto e = co_await l.env().store.outbox_by_id(id);
    if (!e) co_return conflict(changed);
    if (const auto why = not_open(*e); !why.empty()) co_return conflict(why);
    server_response answer;
    if (again) answer = co_await retry(l, *e, body);
    else answer = co_await discard(l, *e, body);
    if (answer.status != 202) co_return answer;
    l.env().deliveries.set();
    if (auto* reader = l.task(tasks::task_names::plc_read_sync)) reader->wake();
    core::log::info(l.about("api", e->batch_id, e->mo_id), "{} of its {} asked for by {}{}", again ? "retry" : "discard", domain::to_string(e->kind), body.who, body.reason.empty() ? "" : ": " + body.reason);
    co_return answer;
}

}  // namespace

asio::awaitable<std::optional<server_response>> change_outbox(tasks::service& service, const path_parts& path, const http::server_request& request)
{
    if (path.size() != 3 || path[0] != "outbox" || (path[2] != "retry" && path[2] != "discard")) co_return std::nullopt;
    const auto id = id_of(path[1]);
    if (!id) co_return bad_id("delivery");
    const bool again = path[2] == "retry";
    const auto read = again ? read_act(request, retry_shape, {}, reason_rule::optional) : read_act(request, discard_shape, {}, reason_rule::required);
    if (const auto* refusal = std::get_if<server_response>(&read)) co_return *refusal;
    const auto& body = std::get<act_body>(read);
    const auto known = co_await service.env().store.outbox_by_id(*id);
    if (!known) co_return server_response::error(404, fmt::format("no delivery {} in the outbox", *id));
    const line_act on = [&id, again, &body](tasks::line& l) { return act(l, *id, again, body); };
    co_return co_await on_line(service, known->line, on);
}

}  // namespace batchbridge::web
