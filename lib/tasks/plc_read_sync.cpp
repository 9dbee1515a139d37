#include "tasks/plc_read_sync.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "tasks/take_out.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using domain::batch_state;

namespace {

constexpr auto liveness_flush = std::chrono::seconds(10);
constexpr int torn_cycles_for_alert = 3;
constexpr int equal_reads_for_failure = 3;
constexpr int cycles_for_held = 3;
constexpr int cycles_for_lost = 3;
constexpr auto time_for_lost = std::chrono::seconds(30);
constexpr int quiet_cycles_for_cancelled = 2;

domain::history_status end_of(const std::string& reason)
{
    if (reason == "reset") return domain::history_status::reset;
    if (reason == "discarded") return domain::history_status::discarded;
    return domain::history_status::cancelled;
}

}  // namespace

asio::awaitable<void> plc_read_sync::reload()
{
    auto& store = line_.env().store;
    const auto version = line_.rows_version();
    rows_ = co_await store.batches(line_.name());
    load_ = co_await store.current_load(line_.name());
    duties_ = co_await store.open_duties(line_.name());
    // What a slot was seen to show belongs to the order that was in it.
    for (const auto& b : rows_) {
        if (!domain::is_followed(b.state)) continue;
        auto& s = slots_[b.slot];
        const auto owner = fmt::format("{}#{}", b.id, b.run);
        if (s.order == owner) continue;
        s = slot_state{};
        s.order = owner;
    }
    rows_version_ = version;
}

asio::awaitable<void> plc_read_sync::look_at_offer()
{
    if (!load_ || load_->state != domain::load_state::arming) co_return;
    const auto first = std::find_if(rows_.begin(), rows_.end(), [this](const domain::batch& b) { return b.load == load_->id && b.slot == 1; });
    const auto image = co_await line_.device().read_slot(plc::area::write, 1);
    const auto shown = domain::decode_slot(line_.map(), image);
    if (shown.empty() || shown.status_read_data != 1) co_return;
    if (first != rows_.end() && shown.mo_id != first->order_key) co_return;
    // After a crash right behind the arming its batches still say loading.
    co_await line_.env().store.set_load_state(line_.hold(), load_->id, domain::load_state::taken, batch_state::loaded, std::nullopt);
    load_->state = domain::load_state::taken;
    for (auto& b : rows_)
        if (b.load == load_->id && (b.state == batch_state::queued || b.state == batch_state::loading)) b.state = batch_state::loaded;
    core::log::info(line_.about(task_names::plc_read_sync), "the PLC has taken load {}", load_->number);
}

asio::awaitable<std::optional<store::batch_change>> plc_read_sync::look_at_slot(const domain::batch& b,
                                                                                std::vector<std::function<asio::awaitable<void>()>>& notes)
{
    auto& env = line_.env();
    const auto about = line_.about(task_names::plc_read_sync, b.id, b.mo_id);
    auto& state = slots_[b.slot];
    static const domain::words none;
    const auto* stale = &none;
    if (load_ && load_->id == b.load) {
        const auto it = load_->images.find(b.slot);
        if (it != load_->images.end()) stale = &it->second;
    }
    const domain::words& known = !state.picture.empty() ? state.picture : (!b.raw.empty() ? b.raw : *stale);
    const auto seen = co_await line_.device().observe(b.slot, known);
    const std::string subject = fmt::format("slot {}", b.slot);
    const auto alert = [&env, this](std::string kind, std::string who, std::string text) {
        return [&env, name = line_.name(), kind = std::move(kind), who = std::move(who), text = std::move(text)]() -> asio::awaitable<void> {
            co_await env.store.raise_alert(name, kind, who, text);
        };
    };
    if (seen.what == plc::observation::kind::inconsistent) {
        if (++state.inconsistent == torn_cycles_for_alert) {
            const auto text = fmt::format("slot {} gave no consistent picture for {} cycles; its old data stays", b.slot, state.inconsistent);
            core::log::warning(about, "{}", text);
            notes.push_back(alert("slot_inconsistent", subject, text));
        }
        co_return std::nullopt;
    }
    if (state.inconsistent >= torn_cycles_for_alert)
        notes.push_back([&env, name = line_.name(), subject]() -> asio::awaitable<void> {
            co_await env.store.resolve_alert(name, "slot_inconsistent", subject);
        });
    state.inconsistent = 0;
    const bool fresh = seen.what == plc::observation::kind::accepted;
    if (fresh) state.picture = seen.image;
    const domain::words& image = fresh || !state.picture.empty() ? state.picture : known;
    if (image.empty()) co_return std::nullopt;

    const auto j = domain::judge_slot(line_.map(), b, image, *stale);
    if (fresh || j.what != state.verdict) {
        if (j.what != state.verdict) state.verdict_since = clock::now();
        // Foreign orders are counted over accepted cycles, whatever else moves in the slot.
        state.same_verdict = j.what == domain::verdict::foreign && state.verdict == j.what ? state.same_verdict + 1 : 1;
        state.verdict = j.what;
    } else {
        ++state.same_verdict;
    }

    store::batch_change change;
    change.batch_id = b.id;
    change.version = b.version;
    change.state = b.state;
    change.reason = b.reason;
    change.raw = image;
    change.actual = j.reading.quantities;
    change.weight = j.reading.weight;
    change.status_manufacturing = j.reading.status_manufacturing == 1;
    change.status_operation = j.reading.status_operation == 1;

    switch (j.what) {
    case domain::verdict::unchanged: co_return std::nullopt;
    case domain::verdict::foreign: {
        if (j.reading.empty() || b.state == batch_state::lost || b.state == batch_state::cancelling || b.state == batch_state::held)
            co_return std::nullopt;
        // Only a batch that the PLC had begun, or whose load it has taken, can be lost; before that the slot shows the past.
        if (b.state != batch_state::running && !(load_ && load_->id == b.load && load_->state == domain::load_state::taken)) co_return std::nullopt;
        if (state.same_verdict < cycles_for_lost || clock::now() - state.verdict_since < time_for_lost) co_return std::nullopt;
        change.state = batch_state::lost;
        change.reason = fmt::format("slot {} shows order '{}' since {} s", b.slot, j.reading.mo_id,
                                    std::chrono::duration_cast<std::chrono::seconds>(clock::now() - state.verdict_since).count());
        change.raw = b.raw;
        change.actual = b.actual;
        change.weight = b.weight;
        change.status_manufacturing = b.status_manufacturing;
        change.status_operation = b.status_operation;
        core::log::error(about, "lost: {}. A person completes it with the right figures", change.reason);
        notes.push_back(alert("lost", b.mo_id, change.reason));
        co_return change;
    }
    case domain::verdict::refuse: {
        if (state.same_verdict == 1) {
            core::log::warning(about, "slot {} refused, nothing of it is stored: {}", b.slot, j.why);
            notes.push_back(alert("implausible", b.mo_id, j.why));
        }
        // What is being taken out ends by its own rule.
        if (!j.reading.ended() || state.same_verdict != cycles_for_held || b.state == batch_state::held || b.state == batch_state::cancelling) co_return std::nullopt;
        change.state = batch_state::held;
        change.reason = "the final figures are implausible: " + j.why;
        change.actual = b.actual;
        change.weight = b.weight;
        change.status_manufacturing = b.status_manufacturing;
        change.status_operation = b.status_operation;
        change.acknowledge = true;
        core::log::error(about, "held: {}", change.reason);
        notes.push_back(alert("held", b.mo_id, change.reason));
        co_return change;
    }
    case domain::verdict::fail: {
        if (state.same_verdict < equal_reads_for_failure) co_return std::nullopt;
        if (b.state == batch_state::held) co_return std::nullopt;
        if (b.state == batch_state::cancelling) {
            // Its end is decided by why it was taken out; what was dosed and how the PLC ended it are kept.
            change.values_changed = j.changed_values;
            change.acknowledge = true;
            if (!j.changed_values) co_return std::nullopt;
            co_return change;
        }
        change.state = batch_state::held;
        change.reason = "the PLC reports that this batch failed (status_operation = 1)";
        change.values_changed = j.changed_values;
        change.acknowledge = true;
        core::log::error(about, "held: {}", change.reason);
        notes.push_back(alert("held", b.mo_id, change.reason));
        co_return change;
    }
    case domain::verdict::update: {
        change.values_changed = j.changed_values;
        // A held or lost row is again what its slot says; a cancelling one keeps its end, with what was dosed.
        if (b.state == batch_state::cancelling) {
            if (!j.changed_values) co_return std::nullopt;
            co_return change;
        }
        const bool any = j.reading.any_actual();
        if (any) change.state = batch_state::running;
        else if (b.state == batch_state::held || b.state == batch_state::lost) change.state = batch_state::loaded;
        if (change.state != b.state) change.reason.clear();
        if (!j.changed_values && change.state == b.state) co_return std::nullopt;
        if (j.changed_values && any && env.config.task2_odoo_sync) change.owe = store::batch_change::delivery::consumption;
        co_return change;
    }
    case domain::verdict::complete: {
        if (b.state == batch_state::cancelling) {
            change.values_changed = j.changed_values;
            change.acknowledge = true;
            if (!j.changed_values) co_return std::nullopt;
            co_return change;
        }
        change.state = batch_state::completed;
        change.reason.clear();
        change.values_changed = true;
        change.owe = store::batch_change::delivery::finish;
        change.acknowledge = true;
        if (j.both_status) {
            const auto text = fmt::format("{} ended with both status words set; taken as completed", b.mo_id);
            core::log::warning(about, "{}", text);
            notes.push_back(alert("both_status", b.mo_id, text));
        }
        co_return change;
    }
    }
    co_return std::nullopt;
}

void plc_read_sync::log_change(const domain::batch& b, const store::batch_change& change)
{
    const auto about = line_.about(task_names::plc_read_sync, b.id, b.mo_id);
    core::decimal total;
    for (const auto& [silo, kg] : change.actual) total += kg;
    if (change.state != b.state)
        core::log::info(about, "{} -> {}, {} kg dosed", domain::to_string(b.state), domain::to_string(change.state), total.to_string(2));
    else
        core::log::debug(about, "{} kg dosed", total.to_string(2));
}

void plc_read_sync::apply(const store::batch_change& change)
{
    for (auto& b : rows_) {
        if (b.id != change.batch_id) continue;
        b.state = change.state;
        b.reason = change.reason;
        b.raw = change.raw;
        if (!change.values_changed) continue;
        b.actual = change.actual;
        b.weight = change.weight;
        b.status_manufacturing = change.status_manufacturing;
        b.status_operation = change.status_operation;
        b.update_odoo = false;
        ++b.version;
    }
}

asio::awaitable<bool> plc_read_sync::work_off_duties()
{
    if (duties_.empty() || !line_.env().config.plc_writes || !line_.may_write()) co_return false;
    auto& store = line_.env().store;
    const auto lock = co_await line_.plc_writes().lock();
    duties_ = co_await store.open_duties(line_.name());
    bool done = false;
    std::vector<store::duty> left;
    for (const auto& d : duties_) {
        const auto image = co_await line_.device().read_slot(plc::area::read, d.slot);
        const auto shown = domain::decode_slot(line_.map(), image);
        auto step = domain::decide_duty(shown, d.mo_id);
        const char* how = "slot moved on";
        if (step == domain::duty_step::write) {
            BATCHBRIDGE_CRASH_POINT("duty.before");
            if (co_await line_.device().acknowledge(d.slot)) {
                step = domain::duty_step::fulfilled;
                how = "acknowledged";
            }
            BATCHBRIDGE_CRASH_POINT("duty.after");
        } else if (step == domain::duty_step::fulfilled && shown.mo_id == d.mo_id) {
            how = "acknowledged";
        }
        if (step == domain::duty_step::write) {
            left.push_back(d);
            continue;
        }
        co_await store.close_duty(line_.hold(), d.id, step == domain::duty_step::dropped ? "dropped" : how);
        done = true;
    }
    duties_ = std::move(left);
    co_return done;
}

asio::awaitable<bool> plc_read_sync::cancel_failed()
{
    auto& env = line_.env();
    if (env.config.on_plc_failure != core::plc_failure_policy::cancel) co_return false;
    bool any = false;
    for (const auto& b : rows_) {
        // Once per process: after a restart it is asked again, which does no harm.
        if (b.state != batch_state::held || !b.status_operation || b.status_manufacturing || asked_to_cancel_.contains(b.id)) continue;
        store::journal_entry entry;
        entry.mo_id = b.mo_id;
        entry.what = "policy.cancel";
        entry.answer = b.reason;
        entry.who = "ON_PLC_FAILURE=cancel";
        if (co_await env.store.ask_cancel(line_.hold(), b.id, std::move(entry))) {
            core::log::warning(line_.about(task_names::plc_read_sync, b.id, b.mo_id), "is cancelled in Odoo too (ON_PLC_FAILURE=cancel)");
            env.deliveries.set();
            any = true;
        }
        asked_to_cancel_.insert(b.id);
    }
    co_return any;
}

asio::awaitable<bool> plc_read_sync::end_cancelling()
{
    auto& env = line_.env();
    bool any = false;
    for (const auto& b : rows_) {
        if (b.state != batch_state::cancelling) continue;
        auto& s = slots_[b.slot];
        const bool load_busy = std::any_of(rows_.begin(), rows_.end(), [&](const domain::batch& o) {
            return o.load == b.load && o.id != b.id && domain::is_unfinished(o.state);
        });
        bool dosed = false;
        for (const auto& [silo, kg] : b.actual) dosed = dosed || !kg.is_zero();
        if (load_busy) continue;
        if (dosed) {
            // The PLC made it all the same: its end waits for the PLC's, and says so.
            if (!b.status_manufacturing && !b.status_operation) continue;
        } else if (++s.quiet < quiet_cycles_for_cancelled) {
            continue;
        }
        const auto waiting = co_await env.store.to_disarm(line_.name());
        if (!dosed && std::any_of(waiting.begin(), waiting.end(), [&](const domain::batch& w) { return w.id == b.id; })) continue;
        const auto status = dosed ? domain::history_status::cancelled : end_of(b.reason);
        const std::string notes = dosed ? "taken out, but the PLC had already dosed it: material was used" : b.reason;
        if (dosed) {
            co_await env.store.raise_alert(line_.name(), "dosed_after_cancel", b.mo_id, fmt::format("{}: {}", b.mo_id, notes));
            core::log::error(line_.about(task_names::plc_read_sync, b.id, b.mo_id), "{}", notes);
        }
        if (co_await env.store.archive(line_.hold(), b.id, status, notes, std::nullopt))
            core::log::info(line_.about(task_names::plc_read_sync, b.id, b.mo_id), "archived as {}", domain::to_string(status));
        line_.rows_changed();
        any = true;
    }
    co_return any;
}

asio::awaitable<run_result> plc_read_sync::run()
{
    try {
        co_return co_await cycle();
    } catch (...) {
        // What was committed is not certain, so nothing cached is: read the rows again.
        forget();
        throw;
    }
}

asio::awaitable<run_result> plc_read_sync::cycle()
{
    auto& env = line_.env();
    const std::string plc = "plc " + line_.name();
    if (rows_version_ != line_.rows_version()) co_await reload();

    std::vector<const domain::batch*> followed;
    bool cancelling = false;
    for (const auto& b : rows_) {
        if (domain::is_followed(b.state)) followed.push_back(&b);
        cancelling = cancelling || b.state == batch_state::cancelling;
    }
    if (followed.empty() && duties_.empty()) {
        if (was_busy_) {
            was_busy_ = false;
            if (auto* sync = line_.task(task_names::auto_sync_mo)) sync->wake();
        }
        co_return run_result::skipped("no batch in the PLC and no acknowledgement owed");
    }
    was_busy_ = true;

    std::vector<store::batch_change> changes;
    std::vector<std::int64_t> seen;
    std::vector<std::function<asio::awaitable<void>()>> notes;
    bool changed = false;
    std::exception_ptr failure;
    try {
        co_await look_at_offer();
        for (const auto* b : followed) {
            // A queued batch is not in the PLC yet; what its slot shows is the past.
            if (b->state == batch_state::queued || b->state == batch_state::loading) continue;
            auto change = co_await look_at_slot(*b, notes);
            seen.push_back(b->id);
            if (change) changes.push_back(std::move(*change));
        }
        env.board.up(plc);
    } catch (const plc::error& e) {
        if (e.kind() != core::error_kind::cancelled) env.board.down(plc, e.what());
        failure = std::current_exception();
    }
    // What was read before a failure is as good as ever.
    if (!changes.empty()) {
        BATCHBRIDGE_CRASH_POINT("read.before_commit");
        const auto result = co_await env.store.record_cycle(line_.hold(), changes, seen, env.config.odoo_live_interval);
        BATCHBRIDGE_CRASH_POINT("read.committed");
        flushed_ = clock::now();
        bool owed = false, completed = false;
        for (const auto& c : changes) {
            if (result.not_applied.contains(c.batch_id)) {
                forget();
                continue;
            }
            const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const domain::batch& b) { return b.id == c.batch_id; });
            log_change(*row, c);
            owed = owed || c.owe != store::batch_change::delivery::none;
            completed = completed || c.acknowledge;
            apply(c);
        }
        changed = true;
        if (completed) duties_ = co_await env.store.open_duties(line_.name());
        if (owed) env.deliveries.set();
    } else if (!seen.empty() && clock::now() - flushed_ >= liveness_flush) {
        co_await env.store.touch_read(line_.hold(), seen);
        flushed_ = clock::now();
    }
    for (auto& note : notes) co_await note();
    if (failure) std::rethrow_exception(failure);

    changed = co_await work_off_duties() || changed;
    changed = co_await cancel_failed() || changed;
    if (cancelling) {
        changed = co_await take_out_cancelling(line_) || changed;
        changed = co_await end_cancelling() || changed;
    }
    const bool busy = !duties_.empty() || std::any_of(rows_.begin(), rows_.end(), [](const domain::batch& b) { return domain::is_unfinished(b.state) || b.state == batch_state::cancelling; });
    if (was_busy_ && !busy) {
        was_busy_ = false;
        if (auto* sync = line_.task(task_names::auto_sync_mo)) sync->wake();
    }
    run_result r;
    r.changed = changed;
    r.detail = fmt::format("{} slot(s) read, {} changed", seen.size(), changes.size());
    co_return r;
}

}  // namespace batchbridge::tasks
