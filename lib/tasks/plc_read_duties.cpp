// What the read cycle owes after it has stored what it saw: acknowledgements to the PLC, and ON_PLC_FAILURE=cancel.
#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "tasks/plc_read_sync.hpp"

#include <algorithm>
#include <utility>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using domain::batch_state;

namespace {

constexpr auto patience_for_duty = std::chrono::minutes(1);

bool same_figures(const domain::batch& b, const domain::slot_reading& r)
{
    const auto stored = [&b](int silo) {
        const auto it = b.actual.find(silo);
        return it == b.actual.end() ? core::decimal() : it->second;
    };
    const bool quantities = std::all_of(r.quantities.begin(), r.quantities.end(), [&](const auto& q) { return q.second == stored(q.first); });
    return quantities && r.weight == b.weight && (r.status_manufacturing == 1) == b.status_manufacturing && (r.status_operation == 1) == b.status_operation;
}

}  // namespace

asio::awaitable<bool> plc_read_sync::work_off_duties()
{
    if (duties_.empty() && !duties_told_.empty()) tell_late_duties();   // over, but the process before could not say it
    if (duties_.empty() || !line_.env().config.plc_writes || !line_.may_write()) co_return false;
    auto& store = line_.env().store;
    // Never waits for a load that is being written: the next cycle is soon.
    const auto lock = line_.plc_writes().try_lock();
    if (!lock) co_return false;
    // The loader has had the lock meanwhile: what it armed may put another batch into a slot at any moment.
    if (rows_version_ != line_.rows_version()) co_return false;
    duties_ = co_await store.open_duties(line_.name());
    bool done = false;
    std::vector<store::duty> left;
    std::exception_ptr refused;
    duty_turn_.begin(duties_, [](const store::duty& d) { return d.id; }, clock::now(), cycle_limit());
    for (const auto& d : duties_) {
        if (duty_turn_.cut() || !duty_turn_.next(d.id, clock::now())) {
            left.push_back(d);
            continue;
        }
        std::exception_ptr failure;
        auto end = duty_end::open;
        try {
            end = co_await work_off(d);
        } catch (const plc::error& e) {
            // An exception answer is about this slot: the others have theirs all the same.
            if (e.kind() != core::error_kind::rejected) throw;
            failure = std::current_exception();
        }
        if (failure) refused = failure;
        if (end == duty_end::open) left.push_back(d);
        else done = true;
    }
    duty_turn_.end();
    duties_ = std::move(left);
    tell_late_duties();
    // A staged load may have waited for the last of them.
    if (done && duties_.empty() && open_load() != nullptr)
        if (auto* sync = line_.task(task_names::auto_sync_mo)) sync->wake();
    if (refused) std::rethrow_exception(refused);
    co_return done;
}

void plc_read_sync::tell_late_duties()
{
    std::map<std::int64_t, owed_duty> still;
    for (const auto& d : duties_) {
        const auto known = owed_.find(d.id);
        auto& o = still[d.id];
        if (known != owed_.end()) o = known->second;
        else o.since = now_();
        o.subject = fmt::format("slot {} {}", d.slot, d.mo_id);
        o.told = o.told || duties_told_.contains(o.subject);
        if (o.told || now_() - o.since < patience_for_duty) continue;
        o.told = true;
        duties_told_.insert(o.subject);
        store::alert_text text{"duty_open", o.subject, fmt::format("slot {}: the PLC does not keep the acknowledgement of {} (status_read_data = 1); nothing is loaded before it does", d.slot, d.mo_id)};
        core::log::warning(line_.about(task_names::plc_read_sync, d.batch_id, d.mo_id), "{}", text.text);
        findings_.raised.push_back(std::move(text));
    }
    std::erase_if(duties_told_, [&](const std::string& subject) {
        const bool over = std::none_of(still.begin(), still.end(), [&](const auto& o) { return o.second.subject == subject; });
        if (over) findings_.resolved.push_back({"duty_open", subject, {}});
        return over;
    });
    owed_ = std::move(still);
}

asio::awaitable<plc_read_sync::duty_end> plc_read_sync::work_off(const store::duty& d)
{
    static const domain::words nothing_known;
    auto& store = line_.env().store;
    const auto seen = co_await line_.device().observe(d.slot, nothing_known);
    if (seen.what == plc::observation::kind::inconsistent) co_return duty_end::open;
    const auto shown = domain::decode_slot(line_.map(), seen.image);
    auto step = domain::decide_duty(shown, d.mo_id);
    const char* how = step == domain::duty_step::dropped ? "dropped" : shown.mo_id == d.mo_id ? "acknowledged" : "slot moved on";
    if (step == domain::duty_step::write) {
        if (!may_acknowledge(d, seen.image)) co_return duty_end::open;
        BATCHBRIDGE_CRASH_POINT("duty.before");
        const bool reads_back = co_await line_.device().acknowledge(d.slot);
        BATCHBRIDGE_CRASH_POINT("duty.after");
        if (!reads_back) co_return duty_end::open;
        how = "acknowledged";
    }
    co_await store.close_duty(line_.hold(), d.id, how);
    BATCHBRIDGE_CRASH_POINT("duty.closed");
    co_return duty_end::closed;
}

bool plc_read_sync::may_acknowledge(const store::duty& d, const domain::words& image) const
{
    bool ours = false;
    for (const auto& b : rows_) {
        ours = ours || b.id == d.batch_id;
        if (b.slot != d.slot) continue;
        const bool moves = b.state == batch_state::held || b.state == batch_state::lost || b.state == batch_state::running;
        const bool known = b.raw.empty() || domain::same_content(line_.map(), image, b.raw) || same_figures(b, domain::decode_slot(line_.map(), image));
        if (b.order_key == d.mo_id && moves && !known) return false;
        if (b.order_key != d.mo_id && (b.state == batch_state::loaded || b.state == batch_state::running)) return false;
    }
    return ours || std::none_of(loads_.begin(), loads_.end(), [](const domain::load& l) { return l.state == domain::load_state::arming; });
}

asio::awaitable<bool> plc_read_sync::cancel_failed()
{
    auto& env = line_.env();
    if (env.config.on_plc_failure != core::plc_failure_policy::cancel) co_return false;
    bool any = false;
    for (const auto& b : rows_) {
        if (b.state != batch_state::held) asked_to_cancel_.erase(b.id);
        // Once per process: after a restart it is asked again, which does no harm.
        if (b.state != batch_state::held || !b.status_operation || b.status_manufacturing || asked_to_cancel_.contains(b.id)) continue;
        store::journal_entry entry;
        entry.mo_id = b.mo_id;
        entry.what = "policy.cancel";
        entry.answer = b.reason;
        entry.who = "ON_PLC_FAILURE=cancel";
        if (co_await env.store.ask_cancel(line_.hold(), b.id, std::move(entry))) {
            BATCHBRIDGE_CRASH_POINT("policy.cancel_asked");
            core::log::warning(line_.about(task_names::plc_read_sync, b.id, b.mo_id), "is cancelled in Odoo too (ON_PLC_FAILURE=cancel)");
            env.deliveries.set();
            line_.rows_changed();   // it has a new version
            any = true;
            asked_to_cancel_.insert(b.id);
        }
    }
    co_return any;
}

}  // namespace batchbridge::tasks
