#include "tasks/order_watch.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::odoo_event;
using domain::order_state;
using step = domain::table_decision::step;

namespace {

constexpr auto not_now_pause = std::chrono::milliseconds(500);
constexpr auto offered_pause = std::chrono::minutes(10);
constexpr int many_unanswered = 3;

core::log::fields about_watch()
{
    return {{}, "order_watch", {}, {}};
}

struct happened {
    odoo_event event{};
    std::string what;     // "the order was cancelled in Odoo"
};

// nullopt: nothing that concerns the batch, or not known.
std::optional<happened> what_happened(const store::watched_batch& w, const std::optional<domain::order>& now)
{
    if (!now) return happened{odoo_event::gone, "the order was deleted in Odoo"};
    // Hidden from us, or not understood: that says nothing about it.
    if (now->state == order_state::unknown) return std::nullopt;
    if (now->id.create_date != w.batch.order.create_date)
        return happened{odoo_event::gone, fmt::format("Odoo's order {} is another one by now: {} created {}, ours was created {}. Was Odoo restored?", now->id.odoo_id, now->name, core::to_iso(now->id.create_date),
                                                      core::to_iso(w.batch.order.create_date))};
    switch (now->state) {
    case order_state::cancel: return happened{odoo_event::gone, "the order was cancelled in Odoo"};
    case order_state::done: return happened{odoo_event::done, "the order was set to done in Odoo, not by us"};
    case order_state::confirmed:
    case order_state::progress:
    case order_state::to_close: break;
    case order_state::draft:
    case order_state::unknown: return std::nullopt;
    }
    if (!w.plan) return std::nullopt;
    const auto changed = domain::difference(*w.plan, domain::plan_of(*now));
    if (changed.empty()) return std::nullopt;
    return happened{odoo_event::plan_changed, "the order was changed in Odoo: " + changed};
}

const char* alert_kind(odoo_event e)
{
    switch (e) {
    case odoo_event::gone: return "order_cancelled";
    case odoo_event::done: return "order_done_elsewhere";
    case odoo_event::plan_changed: break;
    }
    return "order_changed";
}

// What a person who reads the alert should know and do.
std::string advice(odoo_event e, step s, domain::batch_state state)
{
    const bool running = state == domain::batch_state::running;
    switch (e) {
    case odoo_event::gone:
        if (running) return "The PLC makes it at this moment; no live values are sent any more. It is archived as cancelled, with what it used, when the PLC ends it";
        return "It is archived as cancelled; what it used is in no order of Odoo";
    case odoo_event::done:
        if (s == step::take_out) return "It is taken out of the PLC and archived as discarded";
        if (running) return "The PLC makes it at this moment; no live values are sent any more. When it has ended, Odoo's quantities are compared with the PLC's, and nothing is corrected by us";
        return "Complete it with the right figures, or settle it in Odoo by hand and cancel it here";
    case odoo_event::plan_changed: break;
    }
    return "The PLC makes it by the recipe it was given; what it doses is booked. Look whether that is what was wanted";
}

}  // namespace

std::optional<store::watch_finding> judge_order(const store::watched_batch& w, const std::optional<domain::order>& now)
{
    auto h = what_happened(w, now);
    if (!h) return std::nullopt;
    store::watch_finding f;
    f.event = h->event;
    f.decision = domain::decide_event(h->event, w.facts);
    if (f.decision.what == step::nothing || f.decision.what == step::step0_decides || f.decision.what == step::conflict) return std::nullopt;
    f.why = h->what;
    f.told = fmt::format("{}:{}", domain::to_string(f.event), domain::to_string(f.decision.what));
    // Another change of the plan is told again: it is compared with the one that was told last.
    if (f.event == odoo_event::plan_changed) f.plan = domain::plan_of(*now);
    else if (f.told == w.told) return std::nullopt;
    // Only confirmed orders are fetched: one that somebody has begun in Odoo would be forgotten without a word.
    const bool forgotten = f.decision.fetched_again && now && now->state != order_state::confirmed;
    if (f.decision.alert || forgotten) {
        store::alert_note alert;
        alert.kind = alert_kind(f.event);
        alert.subject = w.batch.mo_id;
        alert.text = fmt::format("{}: {}. {}", w.batch.mo_id, f.why, advice(f.event, f.decision.what, w.batch.state));
        if (forgotten)
            alert.text = fmt::format("{}: {}. It is taken out of the PLC, and not made again by itself: in Odoo it is '{}', and only confirmed orders are fetched. Make a new order of it, or make it by hand", w.batch.mo_id, f.why,
                                     domain::to_string(now->state));
        f.alert = std::move(alert);
    }
    return f;
}

order_watch::order_watch(environment& env, dispatcher& deliveries, const std::vector<std::unique_ptr<line>>& lines) : env_(env), deliveries_(deliveries), lines_(lines), changed_(env.executor)
{
}

void order_watch::stop()
{
    stopping_ = true;
    changed_.set();
}

void order_watch::wake()
{
    woken_ = true;
    changed_.set();
}

line* order_watch::line_of(const std::string& name) const
{
    for (const auto& l : lines_)
        if (l->name() == name) return l.get();
    return nullptr;
}

asio::awaitable<order_watch::asked> order_watch::ask(const std::function<asio::awaitable<void>()>& call)
{
    if (!deliveries_.may_call()) co_return asked::not_now;
    deliveries_.begin_call();
    std::exception_ptr failure;
    bool answered = true;
    std::string text;
    try {
        co_await call();
    } catch (const odoo::error& e) {
        answered = e.outcome() == domain::call_outcome::rejected && e.decision() != domain::error_class::retry;
        text = e.what();
    } catch (...) {
        failure = std::current_exception();
    }
    deliveries_.end_call(answered && !failure);
    if (failure) std::rethrow_exception(failure);
    if (text.empty()) {
        fault_.clear();
        unanswered_ = 0;
        co_return asked::answered;
    }
    // What is down, the dispatcher says. What gets no answer again and again while Odoo answers the probe, nobody else does.
    unanswered_ = answered ? 0 : unanswered_ + 1;
    if (answered || unanswered_ == many_unanswered) tell(fmt::format("the orders of the queue cannot be looked at in Odoo: {}", text));
    co_return answered ? asked::refused : asked::no_answer;
}

void order_watch::tell(const std::string& fault)
{
    if (fault != fault_) core::log::error(about_watch(), "{}", fault);
    fault_ = fault;
}

// One order that cannot be dealt with never holds up the others.
void order_watch::failed(line& l, const std::exception_ptr& failure, const std::string& mo_id)
{
    if (core::is_cancellation(failure)) std::rethrow_exception(failure);
    if (l.note_fenced(failure) || note_dependency(env_, l.name(), failure)) return;
    tell(fmt::format("what happened to {} in Odoo cannot be dealt with: {}. A fault of batchbridge, please report it", mo_id, core::describe(failure)));
}

asio::awaitable<void> order_watch::judge(line& l, const store::watch_mark& mark, const store::watched_batch& w, const std::map<std::int64_t, domain::order>& answer)
{
    std::optional<domain::order> now;
    const auto it = answer.find(w.batch.order.odoo_id);
    if (it != answer.end()) {
        now = it->second;
    } else {
        // Left out of a list is what is deleted, and also what a rule of Odoo hides from this user: asked for by name, the first
        // is missing and the second is refused.
        const auto id = w.batch.order.odoo_id;
        const std::function<asio::awaitable<void>()> call = [this, &now, id]() -> asio::awaitable<void> { now = co_await env_.erp.read_order(id); };
        const auto read = co_await ask(call);
        if (read != asked::answered) co_return;
    }
    const auto found = judge_order(w, now);
    if (!found || !l.may_write()) co_return;
    bool applied = false;
    std::exception_ptr failure;
    try {
        BATCHBRIDGE_CRASH_POINT("watch.judged");
        applied = co_await env_.store.apply_watched(l.hold(), mark, w, env_.config.odoo_unclear_wait, *found);
    } catch (...) {
        failure = std::current_exception();
    }
    BATCHBRIDGE_CRASH_POINT("watch.applied");
    if (failure) {
        failed(l, failure, w.batch.mo_id);
        co_return;
    }
    const auto about = l.about("order_watch", w.batch.id, w.batch.mo_id);
    if (!applied) {
        core::log::debug(about, "{}: not applied, the order or its batch moved on meanwhile", found->why);
        co_return;
    }
    if (found->alert) core::log::warning(about, "{}", found->alert->text);
    else core::log::info(about, "{} ({})", found->why, domain::to_string(found->decision.what));
    l.rows_changed();
    env_.deliveries.set();
    if (auto* reader = l.task(task_names::plc_read_sync)) reader->wake();
}

asio::awaitable<void> order_watch::judge_still_open(const store::still_open_order& o, const std::map<std::int64_t, domain::order>& answer)
{
    auto* l = line_of(o.line);
    if (l == nullptr || !l->may_write()) co_return;
    const auto it = answer.find(o.order.odoo_id);
    const bool there = it != answer.end();
    if (there && it->second.state == order_state::unknown) co_return;
    if (there && it->second.state == order_state::confirmed && it->second.id.create_date == o.order.create_date) co_return;
    std::exception_ptr failure;
    try {
        co_await env_.store.not_open_any_more(l->hold(), o);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) failed(*l, failure, o.mo_id);
    else core::log::info(l->about("order_watch", 0, o.mo_id), "is in history here and not confirmed in Odoo any more");
}

asio::awaitable<order_watch::looked> order_watch::look()
{
    std::vector<std::string> names;
    for (const auto& l : lines_)
        if (l->may_write()) names.push_back(l->name());
    if (names.empty() || !deliveries_.may_call()) co_return looked::not_now;
    const auto picture = co_await env_.store.watched(names, env_.config.odoo_db);
    std::set<std::int64_t> ids;
    for (const auto& w : picture.batches) ids.insert(w.batch.order.odoo_id);
    for (const auto& o : picture.still_open) ids.insert(o.order.odoo_id);
    if (!ids.empty()) {
        const std::vector<std::int64_t> wanted(ids.begin(), ids.end());
        std::vector<domain::order> orders;
        const std::function<asio::awaitable<void>()> call = [this, &orders, &wanted]() -> asio::awaitable<void> { orders = co_await env_.erp.read_orders(wanted); };
        const auto read = co_await ask(call);
        if (read != asked::answered) co_return read == asked::not_now ? looked::not_now : looked::yes;
        std::map<std::int64_t, domain::order> answer;
        for (auto& o : orders) answer[o.id.odoo_id] = std::move(o);
        for (const auto& w : picture.batches) {
            auto* l = line_of(w.batch.line);
            if (l != nullptr && l->may_write()) co_await judge(*l, picture.mark, w, answer);
        }
        for (const auto& o : picture.still_open) co_await judge_still_open(o, answer);
    }
    for (const auto& l : lines_)
        if (l->may_write()) co_await look_for_work(*l);
    co_return looked::yes;
}

asio::awaitable<bool> order_watch::idle(line& l)
{
    const auto* sync = l.task(task_names::auto_sync_mo);
    if (!env_.config.plc_writes || !l.paused_why().empty() || l.person_pause() || sync == nullptr || !sync->enabled() || sync->running()) co_return false;
    const auto rows = co_await env_.store.batches(l.name());
    if (std::any_of(rows.begin(), rows.end(), [](const domain::batch& b) { return domain::is_unfinished(b.state) || b.state == domain::batch_state::cancelling; })) co_return false;
    const auto load = co_await env_.store.open_load(l.name());
    if (load) co_return false;
    const auto duties = co_await env_.store.open_duties(l.name());
    co_return duties.empty();
}

asio::awaitable<void> order_watch::look_for_work(line& l)
{
    const bool free = co_await idle(l);
    if (!free) co_return;
    if (clock::now() < not_before_[l.name()]) co_return;
    auto& offered = offered_[l.name()];
    std::erase_if(offered, [](const auto& o) { return o.second < clock::now(); });
    odoo::fetch_request what;
    what.domain = l.config().order_domain;
    if (env_.config.sync_horizon) what.date_start_until = core::utc_now() + std::chrono::duration_cast<std::chrono::microseconds>(*env_.config.sync_horizon);
    what.exclude_ids = co_await env_.store.excluded_orders(env_.config.odoo_db);
    for (const auto& o : offered) what.exclude_ids.push_back(o.first);
    what.limit = 1;
    odoo::fetch_answer answer;
    const std::function<asio::awaitable<void>()> call = [this, &answer, &what]() -> asio::awaitable<void> { answer = co_await env_.erp.fetch_confirmed(what); };
    const auto read = co_await ask(call);
    // Refused, a wrong domain perhaps: task 1 says it, and nothing is gained by asking often.
    if (read == asked::refused) not_before_[l.name()] = clock::now() + offered_pause;
    if (read != asked::answered || answer.orders.empty()) co_return;
    for (const auto& item : answer.orders) {
        const auto* o = std::get_if<domain::order>(&item);
        const auto id = o != nullptr ? o->id.odoo_id : std::get<domain::malformed_order>(item).odoo_id;
        offered[id] = clock::now() + offered_pause;
    }
    // Task 1 judges it: what is in history is flagged there, what cannot be made is refused.
    if (auto* sync = l.task(task_names::auto_sync_mo)) sync->wake();
}

asio::awaitable<void> order_watch::run()
{
    while (!stopping_) {
        std::exception_ptr failure;
        auto result = looked::not_now;
        woken_ = false;
        try {
            result = co_await look();
        } catch (...) {
            failure = std::current_exception();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            if (failure) std::rethrow_exception(failure);
            co_return;
        }
        if (failure && !note_dependency(env_, {}, failure)) tell(fmt::format("the orders of the queue cannot be watched: {}", core::describe(failure)));
        if (result == looked::yes) ++looks_;
        const auto pause = result == looked::yes || failure ? clock::duration(env_.config.odoo_watch_interval) : std::min<clock::duration>(env_.config.odoo_watch_interval, not_now_pause);
        const auto until = clock::now() + pause;
        while (!stopping_ && !woken_ && clock::now() < until) co_await changed_.wait_until(until);
    }
}

}  // namespace batchbridge::tasks
