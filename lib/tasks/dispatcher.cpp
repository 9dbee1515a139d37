#include "tasks/dispatcher.hpp"

#include "core/backoff.hpp"
#include "core/log.hpp"
#include "tasks/deliver.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using domain::delivery_kind;

namespace {

constexpr int rows_per_round = 50;
constexpr auto longest_wait = std::chrono::seconds(30);
constexpr auto database_pause = std::chrono::seconds(1);
constexpr auto drain_step = std::chrono::milliseconds(200);   // 5 calls/s after an outage
constexpr core::backoff_limits probe_pace{std::chrono::seconds(1), std::chrono::seconds(30)};

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
    const auto flying = static_cast<int>(orders_.size());
    const int limit = env_.config.odoo_max_connections;
    if (orders_.contains(d.odoo_id)) return false;
    if (flying >= limit) return false;
    if (d.kind == delivery_kind::finish) return finishes_ == 0;
    // One connection is kept free from consumption, if there is more than one.
    if (d.kind == delivery_kind::consumption) return consumptions_ < std::max(1, limit - 1);
    return true;
}

asio::awaitable<void> dispatcher::deliver_one(store::delivery d, line& l)
{
    const auto kind = d.kind;
    const auto order = d.odoo_id;
    const auto about = l.about("dispatcher", d.batch_id, d.mo_id);
    std::exception_ptr failure;
    auto end = delivery_end::settled;
    try {
        end = co_await deliver(l, std::move(d));
    } catch (...) {
        failure = std::current_exception();
    }
    orders_.erase(order);
    if (kind == delivery_kind::finish) --finishes_;
    if (kind == delivery_kind::consumption) --consumptions_;
    if (end == delivery_end::unreachable) suspect_ = true;
    else if (!failure) env_.board.up("odoo");
    if (failure && !core::is_cancellation(failure)) {
        note_database(env_, failure);
        core::log::debug(about, "delivery interrupted: {}", core::describe(failure));
    }
    ended_.set();
    env_.deliveries.set();
}

asio::awaitable<void> dispatcher::probe_until_closed()
{
    const core::log::fields about{{}, "dispatcher", {}, {}};
    asio::steady_timer timer(env_.executor);
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
        if (!failure) {
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
        timer.expires_after(core::backoff_delay(probe_pace, ++failures, core::random_unit()));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> dispatcher::round()
{
    const auto lines = active_lines();
    if (lines.empty()) {
        co_await env_.deliveries.wait_until(clock::now() + std::chrono::milliseconds(200));
        co_return;
    }
    const auto rows = co_await env_.store.due_deliveries(lines, env_.config.odoo_db, env_.config.odoo_unclear_wait, rows_per_round);
    bool refused = false;
    if (rows.empty()) draining_ = false;
    for (const auto& row : rows) {
        if (stopping_ || suspect_) break;
        auto* l = line_of(row.line);
        if (l == nullptr || !l->may_write()) continue;
        if (!admits(row)) {
            refused = true;
            continue;
        }
        if (draining_) {
            const auto now = clock::now();
            if (now < next_drain_) {
                asio::steady_timer pause(env_.executor, next_drain_);
                co_await pause.async_wait(asio::use_awaitable);
            }
            next_drain_ = clock::now() + drain_step;
            // The row may have moved on during the pause; begin_attempt checks its version anyway.
        }
        orders_.insert(row.odoo_id);
        if (row.kind == delivery_kind::finish) ++finishes_;
        if (row.kind == delivery_kind::consumption) ++consumptions_;
        // Owned by the group's callable, which outlives the coroutine's frame.
        auto copy = std::make_shared<store::delivery>(row);
        calls_.spawn(fmt::format("{} {}", domain::to_string(row.kind), row.mo_id), [this, copy, l]() { return deliver_one(*copy, *l); });
    }
    if (suspect_) co_return;
    auto wait = clock::duration(longest_wait);
    if (!refused) {
        const auto next = co_await env_.store.next_delivery_in(lines, env_.config.odoo_db, env_.config.odoo_unclear_wait);
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
            note_database(env_, failure);
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
