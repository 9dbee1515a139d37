#include "tasks/dispatcher.hpp"

#include "core/backoff.hpp"
#include "core/log.hpp"
#include "tasks/deliver.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::delivery_kind;

namespace {

constexpr int rows_per_round = 50;   // of each kind
constexpr auto longest_wait = std::chrono::seconds(30);
constexpr auto database_pause = std::chrono::seconds(1);
constexpr auto drain_step = std::chrono::milliseconds(200);   // 5 calls/s after an outage
constexpr auto first_retry = std::chrono::seconds(1);
constexpr auto longest_without_database = std::chrono::seconds(5);
constexpr auto held_off_poll = std::chrono::seconds(1);       // while rows that the database calls due have to wait all the same
constexpr auto not_sent_yet = delivery_kind::webhook;   // by this version: its rows stay due, in nobody's way
constexpr std::size_t many_setbacks = 200;
constexpr core::backoff_limits probe_pace{std::chrono::seconds(1), std::chrono::seconds(30)};

bool database_away(std::exception_ptr e)
{
    try {
        std::rethrow_exception(e);
    } catch (const pg::error& x) {
        return pg::is_away(x);
    } catch (...) {
        return false;
    }
}

// Odoo itself said no to the probe, and not because its database is down: it is there. What it says no to is found, told and
// waited for by each delivery.
bool answered(std::exception_ptr e)
{
    try {
        std::rethrow_exception(e);
    } catch (const odoo::error& x) {
        return x.outcome() == domain::call_outcome::rejected && x.decision() != domain::error_class::retry;
    } catch (...) {
        return false;
    }
}

// How many calls to Odoo a delivery makes, as long as all goes well.
int calls_of(delivery_kind k)
{
    switch (k) {
    case delivery_kind::finish: return 4;
    case delivery_kind::cancel: return 3;
    case delivery_kind::consumption: return 2;
    case delivery_kind::maintenance_request: return 3;
    case delivery_kind::note: return 2;
    case delivery_kind::webhook: break;
    }
    return 1;
}

bool is_fenced(std::exception_ptr e)
{
    try {
        std::rethrow_exception(e);
    } catch (const store::fenced&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace

dispatcher::dispatcher(environment& env, const std::vector<std::unique_ptr<line>>& lines)
    : env_(env), lines_(lines),
      calls_(env.executor,
             [](const std::string& name, std::exception_ptr e) {
                 core::log::error({{}, "dispatcher", {}, {}}, "delivery {} ended: {}", name, core::describe(e));
             }),
      ended_(env.executor)
{
}

void dispatcher::stop()
{
    stopping_ = true;
    env_.deliveries.set();
}

line* dispatcher::line_of(const std::string& name) const
{
    for (const auto& l : lines_)
        if (l->name() == name) return l.get();
    return nullptr;
}

std::vector<std::string> dispatcher::active_lines() const
{
    std::vector<std::string> out;
    for (const auto& l : lines_)
        if (l->may_write()) out.push_back(l->name());
    return out;
}

bool dispatcher::admits(const store::delivery& d) const
{
    const auto flying = static_cast<int>(orders_.size()) + others_;
    const int limit = env_.config.odoo_max_connections;
    if (orders_.contains(d.odoo_id)) return false;
    if (flying >= limit) return false;
    if (d.kind == delivery_kind::finish) return finishes_ == 0;
    // One connection is kept free from consumption, if there is more than one.
    if (d.kind == delivery_kind::consumption) return consumptions_ < std::max(1, limit - 1);
    return true;
}

bool dispatcher::may_call() const noexcept
{
    return !stopping_ && !suspect_ && !open_ && static_cast<int>(orders_.size()) + others_ < env_.config.odoo_max_connections && (!draining_ || clock::now() >= next_drain_);
}

void dispatcher::begin_call()
{
    ++others_;
    if (draining_) next_drain_ = clock::now() + drain_step;
}

void dispatcher::end_call(bool answered)
{
    --others_;
    if (answered) env_.board.up("odoo");
    else suspect_ = true;
    env_.deliveries.set();
}

asio::awaitable<void> dispatcher::deliver_one(store::delivery d, line& l)
{
    std::exception_ptr failure;
    auto end = delivery_end::settled;
    try {
        auto copy = d;
        end = co_await deliver(l, std::move(copy));
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && !core::is_cancellation(failure)) {
        std::exception_ptr cut_off;
        try {
            co_await put_off(d, l, failure);
        } catch (...) {
            cut_off = std::current_exception();
        }
        if (cut_off) core::log::debug(l.about("dispatcher", d.batch_id, d.mo_id), "not put off: {}", core::describe(cut_off));
    }
    orders_.erase(d.odoo_id);
    if (d.kind == delivery_kind::finish) --finishes_;
    if (d.kind == delivery_kind::consumption) --consumptions_;
    if (end == delivery_end::unreachable) suspect_ = true;
    else if (!failure) env_.board.up("odoo");
    if (!failure) setbacks_.erase(d.id);
    ended_.set();
    env_.deliveries.set();
}

// Not Odoo's fault, so nothing was decided about the row: it is still due. It waits in the database, where a person sees
// it, or at least here; it never comes round again at once.
asio::awaitable<void> dispatcher::put_off(const store::delivery& d, line& l, std::exception_ptr failure)
{
    const auto about = l.about("dispatcher", d.batch_id, d.mo_id);
    const auto text = core::describe(failure);
    const bool away = database_away(failure), fenced = is_fenced(failure);
    // Of rows that ended in another way.
    if (setbacks_.size() > many_setbacks) std::erase_if(setbacks_, [](const auto& s) { return clock::now() - s.second.last > std::chrono::hours(1); });
    auto& s = setbacks_[d.id];
    ++s.failures;
    const core::backoff_limits pace{first_retry, away || fenced ? longest_without_database : env_.config.odoo_retry_max};
    const auto delay = core::backoff_delay(pace, std::max(s.failures, static_cast<unsigned>(d.tries) + 1), core::random_unit());
    s.last = clock::now();
    s.not_before = s.last + delay;
    if (away || fenced) {
        if (away) note_database(env_, failure);
        // Nothing else may be writing for the line.
        if (fenced) l.note_fenced(failure);
        core::log::debug(about, "delivery interrupted: {}", text);
        co_return;
    }
    if (!s.told)
        core::log::error(about,
                         "{} of {} failed, and not because of Odoo: {}. It is tried again, at growing intervals, and the others go on. If this does not end "
                         "by itself, see to the cause; a fault of batchbridge please report",
                         domain::to_string(d.kind), d.mo_id, text);
    s.told = true;
    std::exception_ptr unstored;
    try {
        co_await env_.store.retry_later(l.hold(), d, delay, text);
    } catch (...) {
        unstored = std::current_exception();
    }
    auto& now = setbacks_[d.id];
    if (!unstored) {
        now.not_before = {};
    } else if (database_away(unstored)) {
        note_database(env_, unstored);
    } else if (!core::is_cancellation(unstored) && !now.told_unstored) {
        core::log::error(about, "{} of {}: that it waits cannot be stored: {}", domain::to_string(d.kind), d.mo_id, core::describe(unstored));
        now.told_unstored = true;
    }
}

void dispatcher::round_failed(std::exception_ptr failure)
{
    if (core::is_cancellation(failure)) return;
    if (database_away(failure)) {
        note_database(env_, failure);
        return;
    }
    const auto text = core::describe(failure);
    if (text != round_fault_)
        core::log::error({{}, "dispatcher", {}, {}}, "the deliveries that are due cannot be read, nothing is sent to Odoo: {}. A fault of batchbridge, please report it", text);
    round_fault_ = text;
}

asio::awaitable<void> dispatcher::probe_until_closed()
{
    const core::log::fields about{{}, "dispatcher", {}, {}};
    unsigned failures = 0;
    while (!stopping_) {
        std::exception_ptr failure;
        try {
            co_await env_.erp.probe();
        } catch (...) {
            failure = std::current_exception();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        if (!failure || answered(failure)) {
            env_.board.up("odoo");
            if (open_) {
                core::log::info(about, "breaker closed: Odoo answers again, the backlog is sent at 5 calls/s");
                draining_ = true;
            }
            open_ = suspect_ = false;
            co_return;
        }
        env_.board.down("odoo", core::describe(failure));
        if (!open_) {
            open_ = true;
            core::log::warning(about, "breaker open: nothing is sent to Odoo until a probe succeeds");
        }
        // stop() sets the event as well.
        const auto next = clock::now() + core::backoff_delay(probe_pace, ++failures, core::random_unit());
        while (!stopping_ && clock::now() < next) co_await env_.deliveries.wait_until(next);
    }
}

asio::awaitable<void> dispatcher::round()
{
    // A backlog goes out row by row, each by a look of its own: what an older look showed may be under way or unclear by now.
    if (draining_ && clock::now() < next_drain_) {
        asio::steady_timer pause(env_.executor, next_drain_);
        co_await pause.async_wait(asio::use_awaitable);
        if (stopping_ || suspect_) co_return;
    }
    const auto lines = active_lines();
    if (lines.empty()) {
        co_await env_.deliveries.wait_until(clock::now() + std::chrono::milliseconds(200));
        co_return;
    }
    const auto rows = co_await env_.store.due_deliveries(lines, env_.config.odoo_db, env_.config.odoo_unclear_wait, rows_per_round, not_sent_yet);
    round_fault_.clear();
    bool held_off = false;
    if (rows.empty()) draining_ = false;
    for (const auto& row : rows) {
        if (stopping_ || suspect_) break;
        auto* l = line_of(row.line);
        if (l == nullptr || !l->may_write()) continue;
        if (const auto s = setbacks_.find(row.id); s != setbacks_.end() && s->second.not_before > clock::now()) {
            held_off = true;
            continue;
        }
        if (!admits(row)) {
            held_off = true;
            continue;
        }
        orders_.insert(row.odoo_id);
        if (row.kind == delivery_kind::finish) ++finishes_;
        if (row.kind == delivery_kind::consumption) ++consumptions_;
        // Owned by the group's callable, which outlives the coroutine's frame.
        auto copy = std::make_shared<store::delivery>(row);
        calls_.spawn(fmt::format("{} {}", domain::to_string(row.kind), row.mo_id), [this, copy, l]() { return deliver_one(*copy, *l); });
        if (draining_) {
            next_drain_ = clock::now() + drain_step * calls_of(row.kind);
            co_return;
        }
    }
    if (suspect_) co_return;
    auto wait = clock::duration(longest_wait);
    if (held_off) {
        // Others become due meanwhile, while a call may take a minute.
        wait = held_off_poll;
    } else {
        const auto next = co_await env_.store.next_delivery_in(lines, env_.config.odoo_db, env_.config.odoo_unclear_wait, not_sent_yet);
        // A row in flight is not offered again; ask again when one ended.
        if (next) wait = std::min<clock::duration>(wait, std::max<clock::duration>(*next, std::chrono::milliseconds(orders_.empty() ? 10 : 250)));
    }
    co_await env_.deliveries.wait_until(clock::now() + wait);
}

asio::awaitable<void> dispatcher::run()
{
    asio::steady_timer timer(env_.executor);
    std::exception_ptr cancelled;
    while (!stopping_ && !cancelled) {
        std::exception_ptr failure;
        try {
            if (suspect_ || open_)
                co_await probe_until_closed();
            else
                co_await round();
        } catch (...) {
            failure = std::current_exception();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            cancelled = failure ? failure : std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
            break;
        }
        if (failure) {
            round_failed(failure);
            timer.expires_after(database_pause);
            boost::system::error_code ignored;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }
    // The calls live in this object: they must end before it does. After a cancel they are cut off, and an attempt that
    // was cut off stays unclear, which is the truth.
    if (cancelled) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        calls_.cancel();
        co_await calls_.join();
        std::rethrow_exception(cancelled);
    }
    std::exception_ptr interrupted;
    try {
        co_await calls_.join();
    } catch (...) {
        interrupted = std::current_exception();
    }
    if (interrupted) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        calls_.cancel();
        co_await calls_.join();
    }
}

}  // namespace batchbridge::tasks
