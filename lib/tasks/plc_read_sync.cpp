#include "tasks/plc_read_sync.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "tasks/slot_picture.hpp"

#include <algorithm>
#include <utility>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using domain::batch_state;

namespace {

constexpr auto liveness_flush = std::chrono::seconds(10);
constexpr int torn_cycles_for_alert = 3;
constexpr auto recipe_look = std::chrono::seconds(30);
constexpr auto recipe_look_when_empty = std::chrono::seconds(5);
constexpr auto patience_for_taking = std::chrono::minutes(10);

store::batch_change change_of(const domain::batch& b, const domain::row_change& c, const domain::slot_reading& reading, const domain::words& image)
{
    store::batch_change out;
    out.batch_id = b.id;
    out.version = b.version;
    out.state = c.state;
    out.reason = c.reason;
    out.raw = c.keep_picture ? b.raw : image;
    out.values_changed = c.values_changed;
    out.state_changed = c.state != b.state;
    out.actual = c.values_changed ? reading.quantities : b.actual;
    out.weight = c.values_changed ? reading.weight : b.weight;
    out.status_manufacturing = c.values_changed ? reading.status_manufacturing == 1 : b.status_manufacturing;
    out.status_operation = c.values_changed ? reading.status_operation == 1 : b.status_operation;
    out.acknowledge = c.acknowledge;
    switch (c.owe) {
    case domain::row_change::delivery::none: break;
    case domain::row_change::delivery::consumption: out.owe = store::batch_change::delivery::consumption; break;
    case domain::row_change::delivery::finish: out.owe = store::batch_change::delivery::finish; break;
    }
    return out;
}

bool is_refusal(std::exception_ptr e)
{
    try {
        std::rethrow_exception(e);
    } catch (const core::error& x) {
        return x.kind() == core::error_kind::rejected;
    } catch (...) {
        return false;
    }
}

}  // namespace

asio::awaitable<void> plc_read_sync::reload()
{
    auto& store = line_.env().store;
    const auto version = line_.rows_version();
    rows_ = co_await store.batches(line_.name());
    loads_ = co_await store.loads_in_use(line_.name());
    duties_ = co_await store.open_duties(line_.name());
    // What was seen of a batch goes with its row; a batch of another load has another slot.
    std::map<std::int64_t, batch_watch> still;
    for (const auto& b : rows_) {
        const auto known = watched_.find(b.id);
        if (known != watched_.end() && known->second.load == b.load) still[b.id] = known->second;
        else still[b.id].load = b.load;
    }
    watched_ = std::move(still);
    kept_state_.clear();
    strangers_.rows_changed();
    co_await strangers_.load_told();
    co_await load_told();
    rows_version_ = version;
}

asio::awaitable<void> plc_read_sync::load_told()
{
    if (told_before_) co_return;
    const std::vector<std::string> kinds{"implausible", "recipe_gone", "duty_open"};
    const auto open = co_await line_.env().store.open_alerts(line_.name(), kinds);
    for (const auto& a : open) (a.kind == "implausible" ? implausible_told_ : a.kind == "recipe_gone" ? missing_told_ : duties_told_).insert(a.subject);
    told_before_ = true;
}

store::journal_entry plc_read_sync::about_slot(const std::string& what, int slot, const domain::batch& b, const std::string& answer) const
{
    store::journal_entry e;
    e.batch_id = b.id;
    e.mo_id = b.mo_id;
    e.what = what;
    e.answer = answer;
    if (const auto known = slots_.find(slot); known != slots_.end() && !known->second.picture.empty()) e.values = picture_json(line_.map(), known->second.picture);
    return e;
}

domain::load* plc_read_sync::load_of(const domain::batch& b)
{
    const auto it = std::find_if(loads_.begin(), loads_.end(), [&](const domain::load& l) { return l.id == b.load; });
    return it == loads_.end() ? nullptr : &*it;
}

domain::load* plc_read_sync::open_load()
{
    const auto it = std::find_if(loads_.begin(), loads_.end(), [](const domain::load& l) { return l.state == domain::load_state::staged || l.state == domain::load_state::arming; });
    return it == loads_.end() ? nullptr : &*it;
}

asio::awaitable<void> plc_read_sync::look_at_offer()
{
    auto* load = open_load();
    if (load == nullptr || load->state != domain::load_state::arming || load->withdrawing) co_return;
    const auto first = std::find_if(rows_.begin(), rows_.end(), [&](const domain::batch& b) { return b.load == load->id && b.slot == 1; });
    if (first == rows_.end()) co_return;
    const auto image = co_await line_.device().read_slot(plc::area::write, 1);
    const auto stands = domain::judge_offer(domain::decode_slot(line_.map(), image), first->order_key);
    const std::string subject = fmt::format("load {}", load->number);
    if (stands == domain::offer::not_armed) {
        // Being armed at this moment, or not armed because of a crash: the loader's matter. Offered for certain and gone: the PLC's.
        const bool offered = std::none_of(rows_.begin(), rows_.end(), [&](const domain::batch& b) { return b.load == load->id && (b.state == batch_state::queued || b.state == batch_state::loading); });
        // The PLC takes nothing while slot 1 is empty, whatever the other slots hold.
        if (offered) look_at_recipes_ = offer_gone_ = true;
        else if (auto* sync = line_.task(task_names::auto_sync_mo)) sync->wake();
    }
    if (stands == domain::offer::offered && late_offer_told_ != load->id && core::utc_now() - load->changed >= patience_for_taking) {
        late_offer_told_ = load->id;
        store::alert_text late{"load_not_taken", subject, fmt::format("load {} is offered to the PLC since {} and not taken: is the PLC running, and waiting for recipes? (One that waits for an acknowledgement, status_read_data = 1 of an ended batch, shows it as 0)", load->number, core::to_iso(load->changed))};
        core::log::warning(line_.about(task_names::plc_read_sync), "{}", late.text);
        findings_.raised.push_back(std::move(late));
    }
    if (stands != domain::offer::taken) co_return;
    BATCHBRIDGE_CRASH_POINT("load.seen_taken");
    // After a crash right behind the arming its batches still say loading.
    co_await line_.env().store.set_load_state(line_.hold(), load->id, domain::load_state::taken, batch_state::loaded);
    load->state = domain::load_state::taken;
    for (auto& b : rows_)
        if (b.load == load->id && (b.state == batch_state::queued || b.state == batch_state::loading)) b.state = batch_state::loaded;
    findings_.resolved.push_back({"load_not_taken", subject, {}});
    core::log::info(line_.about(task_names::plc_read_sync), "the PLC has taken load {}", load->number);
}

asio::awaitable<void> plc_read_sync::look_for_reset()
{
    const auto connections = line_.device().connections();
    const bool look = look_at_recipes_ || reset_ || connections != connections_seen_ || now_() - looked_ >= recipe_look;
    const bool offer_gone = std::exchange(offer_gone_, false);
    // Whoever writes to the PLC at this moment, or has done so since the rows were read, makes it look as it should not: the
    // next cycle is soon.
    if (!look || line_.plc_writes().locked() || rows_version_ != line_.rows_version()) co_return;
    look_at_recipes_ = false;
    looked_ = now_();
    // What the PLC must still know: the batches that were offered to it and are not made, of the newest load.
    std::vector<const domain::batch*> expected;
    for (const auto& b : rows_) {
        const auto* load = load_of(b);
        // Withdrawn with its batch still here: start-over has cleared the recipes.
        if (load == nullptr || load->withdrawing || load->state == domain::load_state::withdrawn || load != &loads_.back()) continue;
        // Blanked by us, and made by the PLC all the same.
        if (b.disarmed) continue;
        if (b.state == batch_state::loaded || b.state == batch_state::running) expected.push_back(&b);
    }
    bool gone = !expected.empty();
    stands_.clear();
    std::vector<const domain::batch*> missing;
    if (gone) {
        const auto write = co_await line_.device().read_all(plc::area::write);
        if (line_.plc_writes().locked() || rows_version_ != line_.rows_version()) {
            look_at_recipes_ = true;
            co_return;
        }
        for (const auto* b : expected) {
            const bool named = domain::decode_slot(line_.map(), write.at(static_cast<std::size_t>(b->slot - 1))).mo_id == b->order_key;
            if (named) stands_.insert(b->id);
            else missing.push_back(b);
        }
        // One waiting order missing beside the names of finished ones is an order removed, not a memory lost.
        const bool blank = std::all_of(write.begin(), write.end(), [&](const domain::words& w) { return domain::decode_slot(line_.map(), w).empty(); });
        const bool one_removed = !blank && missing.size() == 1 && missing.front()->state == batch_state::loaded;
        gone = offer_gone || (stands_.empty() && !one_removed);
    }
    looked_well_ = now_();
    // The recipe of an older load's batch, revived while the next load has the WRITE slots, is nowhere to be seen, nor is that of
    // one that was made after it was taken out: its slot speaks for itself.
    if (!gone)
        for (const auto& b : rows_)
            if (const auto* load = load_of(b); load != nullptr && (load != &loads_.back() || b.disarmed) && b.state == batch_state::running) stands_.insert(b.id);
    connections_seen_ = connections;
    tell_missing(gone ? std::vector<const domain::batch*>() : missing);
    const auto about = line_.about(task_names::plc_read_sync);
    if (gone && !reset_) {
        store::alert_text text{"plc_reset", "plc", fmt::format("the PLC has forgotten the recipes of the present load ({} order(s) unfinished): the line is paused, nothing is loaded. Look at the PLC; when what it made is clear, use start-over",
                                                               expected.size())};
        core::log::error(about, "{}", text.text);
        line_.pause("the PLC has forgotten its recipes (plc_reset)");
        for (const auto* b : expected) findings_.journal.push_back(about_slot("plc.reset", b->slot, *b, text.text));
        findings_.raised.push_back(std::move(text));
    } else if (!gone && (reset_ || !line_.paused_why().empty() || !looked_once_)) {
        if (reset_) core::log::info(about, "the PLC's recipes are settled: the line goes on");
        line_.pause({});
        findings_.resolved.push_back({"plc_reset", "plc", {}});
    }
    reset_ = gone;
    looked_once_ = true;
}

void plc_read_sync::tell_missing(const std::vector<const domain::batch*>& missing)
{
    std::set<std::string> names;
    for (const auto* b : missing) {
        // One that is being made has its recipe in hand; one that waits will be skipped.
        const auto* load = load_of(*b);
        if (b->state != batch_state::loaded || load == nullptr || load->state != domain::load_state::taken) continue;
        names.insert(b->mo_id);
        if (missing_told_.contains(b->mo_id)) continue;
        store::alert_text text{"recipe_gone", b->mo_id, fmt::format("WRITE slot {} no longer names {}, though nobody here took it out: the PLC will skip it. Cancel or reset the order", b->slot, b->mo_id)};
        core::log::error(line_.about(task_names::plc_read_sync, b->id, b->mo_id), "{}", text.text);
        findings_.journal.push_back(about_slot("plc.recipe_gone", b->slot, *b, text.text));
        findings_.raised.push_back(std::move(text));
    }
    for (const auto& name : missing_told_)
        if (!names.contains(name)) findings_.resolved.push_back({"recipe_gone", name, {}});
    missing_told_ = std::move(names);
}

asio::awaitable<bool> plc_read_sync::observe_slot(int slot, const std::vector<const domain::batch*>& batches)
{
    auto& state = slots_[slot];
    state.fresh = false;
    // After a start: what was stored of the newest batch, or what the slot showed before its load, or before the newest one.
    if (state.picture.empty()) {
        if (!loads_.empty())
            if (const auto before = loads_.back().images.find(slot); before != loads_.back().images.end()) state.picture = before->second;
        for (const auto* b : batches) {
            const auto* load = load_of(*b);
            const auto stale = load != nullptr ? load->images.find(slot) : std::map<int, domain::words>::const_iterator{};
            if (!b->raw.empty()) state.picture = b->raw;
            else if (load != nullptr && stale != load->images.end()) state.picture = stale->second;
        }
    }
    const auto seen = co_await line_.device().observe(slot, state.picture);
    const std::string subject = fmt::format("slot {}", slot);
    if (seen.what == plc::observation::kind::inconsistent) {
        not_read_well(slot, "gives no consistent picture");
        co_return false;
    }
    if (state.inconsistent >= torn_cycles_for_alert) good_again_.push_back(slot);
    // Also at the first one after a start: the alert may be of the process before.
    if (state.inconsistent >= torn_cycles_for_alert || !state.seen_well) findings_.resolved.push_back({"slot_inconsistent", subject, {}});
    state.inconsistent = 0;
    state.seen_well = true;
    state.fresh = seen.what == plc::observation::kind::accepted;
    if (state.fresh) state.picture = seen.image;
    co_return !state.picture.empty();
}

void plc_read_sync::not_read_well(int slot, const std::string& why)
{
    auto& state = slots_[slot];
    state.fresh = false;
    if (++state.inconsistent != torn_cycles_for_alert) return;
    bad_since_now_[why].push_back(slot);
    findings_.raised.push_back({"slot_inconsistent", fmt::format("slot {}", slot), fmt::format("slot {} {}, for {} cycles; its old data stays", slot, why, state.inconsistent)});
}

void plc_read_sync::log_slots()
{
    const auto about = line_.about(task_names::plc_read_sync);
    for (const auto& [why, slots] : bad_since_now_)
        core::log::warning(about, "READ slot {} {}, for {} cycles; the old data stays", fmt::join(slots, ", "), why, torn_cycles_for_alert);
    if (!good_again_.empty()) core::log::info(about, "READ slot {} gives a consistent picture again", fmt::join(good_again_, ", "));
    bad_since_now_.clear();
    good_again_.clear();
}

std::optional<store::batch_change> plc_read_sync::follow(const domain::batch& b)
{
    static const domain::words none;
    const auto& state = slots_[b.slot];
    // Its cancel is on its way and it has these figures: nothing is new until the slot, or the row, moves.
    if (kept_state_.contains(b.id) && state.picture == b.raw) return std::nullopt;
    const auto* load = load_of(b);
    const auto* stale = &none;
    if (load != nullptr)
        if (const auto it = load->images.find(b.slot); it != load->images.end()) stale = &it->second;
    domain::follow_input in;
    in.fresh = state.fresh;
    in.load_taken = load != nullptr && load->state == domain::load_state::taken;
    in.load_open = load != nullptr && (load->state == domain::load_state::staged || load->state == domain::load_state::arming);
    in.live = line_.env().config.task2_odoo_sync;
    // What was seen before the slot went blank proves nothing: the PLC may have lost its memory with it.
    in.recipe_stands = stands_.contains(b.id) && now_() - looked_well_ <= std::max<core::duration>(2 * recipe_look_when_empty, 2 * cycle_limit());
    in.slot_taken = std::any_of(rows_.begin(), rows_.end(), [&](const domain::batch& o) { return o.id != b.id && o.slot == b.slot && domain::is_unfinished(o.state); });
    in.shows_past = strangers_.is_past(domain::decode_slot(line_.map(), state.picture).mo_id, rows_);
    in.told_implausible = implausible_told_.contains(b.mo_id);
    in.now = now_();
    const auto seen = domain::follow_slot(line_.map(), b, state.picture, *stale, in, watched_[b.id].memory);
    const auto about = line_.about(task_names::plc_read_sync, b.id, b.mo_id);
    if (in.load_taken && domain::is_unfinished(b.state) && seen.reading.empty() && now_() - looked_ >= recipe_look_when_empty) look_at_recipes_ = true;
    std::optional<store::batch_change> out;
    if (seen.change) out = change_of(b, *seen.change, seen.reading, state.picture);
    if (out) out->picture = picture_json(line_.map(), state.picture);
    for (const auto& a : seen.alerts) {
        if (a.serious) core::log::error(about, "{}: {}", a.kind, a.text);
        else core::log::warning(about, "{}: {}", a.kind, a.text);
        if (a.kind == "implausible") implausible_told_.insert(a.subject);
        store::alert_text text{a.kind, a.subject, a.text};
        if (out) {
            out->alerts.push_back(std::move(text));
            continue;
        }
        // With a change it is journaled by that.
        findings_.journal.push_back(about_slot("plc." + a.kind, b.slot, b, a.text));
        findings_.raised.push_back(std::move(text));
    }
    for (const auto& kind : seen.resolved) {
        implausible_told_.erase(b.mo_id);
        findings_.resolved.push_back({kind, b.mo_id, {}});
    }
    return out;
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

void plc_read_sync::apply(const store::batch_change& change, bool state_kept)
{
    for (auto& b : rows_) {
        if (b.id != change.batch_id) continue;
        if (!state_kept) {
            b.state = change.state;
            b.reason = change.reason;
        }
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

asio::awaitable<bool> plc_read_sync::end_cancelling()
{
    auto& env = line_.env();
    bool any = false;
    for (const auto& b : rows_) {
        if (b.state != batch_state::cancelling) continue;
        // Only a cycle that has seen the slot says anything about it.
        if (unread_.contains(b.slot)) continue;
        if (const auto seen = slots_.find(b.slot); seen == slots_.end() || seen->second.inconsistent > 0) continue;
        const auto* load = load_of(b);
        // The load it belongs to is still to be settled with the PLC.
        const bool open = load != nullptr && (load->state == domain::load_state::staged || load->state == domain::load_state::arming);
        if (open && (load->withdrawing || load->after_withdrawal)) continue;
        const bool load_busy = std::any_of(rows_.begin(), rows_.end(), [&](const domain::batch& o) {
            return o.load == b.load && o.id != b.id && domain::is_unfinished(o.state);
        });
        const auto end = domain::end_of_cancelling(b, load_busy, watched_[b.id].memory);
        if (!end) continue;
        const auto about = line_.about(task_names::plc_read_sync, b.id, b.mo_id);
        BATCHBRIDGE_CRASH_POINT("cancelling.ending");
        if (end->material_used) {
            co_await env.store.raise_alert(line_.hold(), "dosed_after_cancel", b.mo_id, fmt::format("{}: {}", b.mo_id, end->notes));
            core::log::error(about, "{}", end->notes);
        }
        if (co_await env.store.archive(line_.hold(), b.id, end->status, end->notes, std::nullopt))
            core::log::info(about, "archived as {}", domain::to_string(end->status));
        BATCHBRIDGE_CRASH_POINT("cancelling.archived");
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

asio::awaitable<std::exception_ptr> plc_read_sync::offer_refused()
{
    try {
        co_await look_at_offer();
    } catch (const plc::error& e) {
        if (e.kind() != core::error_kind::rejected) throw;
        co_return std::current_exception();
    }
    co_return nullptr;
}

asio::awaitable<std::exception_ptr> plc_read_sync::read_slots(pass& p)
{
    std::exception_ptr refused;
    for (int slot = 1; slot <= line_.map().slots.count; ++slot) unread_.insert(slot);
    try {
        // Apart from the first read, so that a slot is not passed over for a connection that was not there.
        if (!line_.device().connected()) co_await line_.device().connect();
        refused = co_await offer_refused();
        std::map<int, std::vector<const domain::batch*>> by_slot;
        for (int slot = 1; slot <= line_.map().slots.count; ++slot) by_slot[slot];
        for (const auto& b : rows_) {
            // A queued batch is not in the PLC yet; what its slot shows is the past.
            if (!domain::is_followed(b.state) || b.state == batch_state::queued || b.state == batch_state::loading) continue;
            by_slot[b.slot].push_back(&b);
        }
        std::vector<std::pair<int, std::vector<const domain::batch*>>> round(by_slot.begin(), by_slot.end());
        turn_.begin(round, [](const auto& r) { return r.first; }, clock::now(), cycle_limit());
        int first_refused = 0;
        for (const auto& [slot, batches] : round) {
            if (turn_.cut() || !turn_.next(slot, clock::now())) continue;
            unread_.erase(slot);
            bool good = false;
            try {
                good = co_await observe_slot(slot, batches);
            } catch (const plc::error& e) {
                // An exception answer is about this slot, not about the others (field.md, row 4).
                if (e.kind() != core::error_kind::rejected) throw;
                // The same one as long as it stands, whatever slot comes first in this round.
                if (first_refused == 0 || slot < first_refused) refused = std::current_exception();
                first_refused = first_refused == 0 ? slot : std::min(slot, first_refused);
                not_read_well(slot, "is refused: " + e.reason());
                continue;
            }
            if (good) p.pictures[slot] = &slots_[slot].picture;
            for (const auto* b : batches) {
                p.seen.push_back(b->id);
                if (!good) continue;
                if (auto change = follow(*b)) p.changes.push_back(std::move(*change));
            }
        }
        if (turn_.time_for_more()) co_await look_for_reset();
        tell_pace(round.size());
        line_.plc_answers();
    } catch (const plc::error&) {
        refused = std::current_exception();
        line_.note_plc(refused);
    }
    log_slots();
    co_return refused;
}

core::duration plc_read_sync::cycle_limit() const
{
    return std::max<core::duration>(3 * line_.config().timeout, line_.env().config.plc_read_sync.interval);
}

void plc_read_sync::tell_pace(std::size_t slots)
{
    const auto news = turn_.end();
    if (!news) return;
    const auto about = line_.about(task_names::plc_read_sync);
    if (*news == domain::turn::news::late) {
        store::alert_text slow{"plc_slow", "plc", fmt::format("the PLC answers slowly: {} of {} slots were read in {}; each cycle goes on where the one before stopped", turn_.done(), slots, core::to_string(cycle_limit()))};
        core::log::warning(about, "{}", slow.text);
        findings_.raised.push_back(std::move(slow));
        slow_told_ = true;
    } else {
        if (std::exchange(slow_told_, false)) core::log::info(about, "the PLC answers in time again");
        // Also of a process before.
        findings_.resolved.push_back({"plc_slow", "plc", {}});
    }
}

asio::awaitable<bool> plc_read_sync::store_changes(const pass& p)
{
    auto& env = line_.env();
    if (!p.changes.empty()) {
        BATCHBRIDGE_CRASH_POINT("read.before_commit");
        const auto result = co_await env.store.record_cycle(line_.hold(), p.changes, p.seen, env.config.odoo_live_interval);
        BATCHBRIDGE_CRASH_POINT("read.committed");
        flushed_ = now_();
        bool owed = false, completed = false;
        for (const auto& c : p.changes) {
            if (result.not_applied.contains(c.batch_id)) {
                forget();
                continue;
            }
            const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const domain::batch& b) { return b.id == c.batch_id; });
            if (!result.kept_state.contains(c.batch_id)) log_change(*row, c);
            else kept_state_.insert(c.batch_id);
            owed = owed || c.owe != store::batch_change::delivery::none;
            completed = completed || c.acknowledge;
            apply(c, result.kept_state.contains(c.batch_id));
        }
        if (completed) duties_ = co_await env.store.open_duties(line_.name());
        if (owed) env.deliveries.set();
    } else if (!p.seen.empty() && now_() - flushed_ >= liveness_flush) {
        co_await env.store.touch_read(line_.hold(), p.seen);
        flushed_ = now_();
    }
    co_return !p.changes.empty();
}

asio::awaitable<void> plc_read_sync::store_findings(const pass& p)
{
    // What another one did to the rows meanwhile is looked at with them, in the next cycle.
    if (rows_version_ == line_.rows_version()) {
        const slot_strangers::view now{rows_, loads_, duties_};
        co_await strangers_.look(p.pictures, now, now_(), findings_);
    }
    if (findings_.empty()) co_return;
    const bool owed = !findings_.duties.empty();
    co_await line_.env().store.record_findings(line_.hold(), findings_);
    findings_ = {};
    if (owed) duties_ = co_await line_.env().store.open_duties(line_.name());
}

asio::awaitable<void> plc_read_sync::stop_reading()
{
    for (auto& [slot, state] : slots_) {
        if (state.inconsistent >= torn_cycles_for_alert) findings_.resolved.push_back({"slot_inconsistent", fmt::format("slot {}", slot), {}});
        state.inconsistent = 0;
    }
    if (reset_) findings_.resolved.push_back({"plc_reset", "plc", {}});
    if (std::exchange(slow_told_, false)) {
        findings_.resolved.push_back({"plc_slow", "plc", {}});
        turn_ = {};
    }
    tell_missing({});
    if (!duties_told_.empty()) tell_late_duties();
    if (!findings_.empty()) {
        co_await line_.env().store.record_findings(line_.hold(), findings_);
        findings_ = {};
    }
    if (reset_) line_.pause({});
    reset_ = false;
}

void plc_read_sync::wake_loader_when_free(bool busy)
{
    if (was_busy_ && !busy)
        if (auto* sync = line_.task(task_names::auto_sync_mo)) sync->wake();
    was_busy_ = busy;
}

asio::awaitable<run_result> plc_read_sync::cycle()
{
    if (rows_version_ != line_.rows_version()) co_await reload();

    const auto* open = open_load();
    const bool withdrawing = open != nullptr && open->withdrawing;
    const bool followed = std::any_of(rows_.begin(), rows_.end(), [](const domain::batch& b) { return domain::is_followed(b.state); });
    if (!followed && duties_.empty() && !withdrawing && !strangers_.telling()) {
        co_await stop_reading();
        wake_loader_when_free(false);
        co_return run_result::skipped("no batch in the PLC and no acknowledgement owed");
    }
    const bool cancelling = withdrawing || std::any_of(rows_.begin(), rows_.end(), [](const domain::batch& b) { return b.state == batch_state::cancelling; });
    was_busy_ = true;

    pass found;
    const auto failure = co_await read_slots(found);
    // What was read before a failure is as good as ever.
    bool changed = co_await store_changes(found);
    co_await store_findings(found);
    // What the PLC refused is told by this run; what is owed to it goes on.
    if (failure && !is_refusal(failure)) std::rethrow_exception(failure);

    std::exception_ptr refused = failure;
    try {
        changed = co_await work_off_duties() || changed;
    } catch (const plc::error& e) {
        if (e.kind() != core::error_kind::rejected) throw;
        refused = std::current_exception();
    }
    changed = co_await cancel_failed() || changed;
    if (cancelling) {
        // What is refused of one order holds up no other that is out already.
        try {
            changed = co_await take_out_step(line_, withdrawal_) || changed;
        } catch (const plc::error& e) {
            if (e.kind() != core::error_kind::rejected) throw;
            refused = std::current_exception();
        }
        changed = co_await end_cancelling() || changed;
    }
    if (!line_.plc_in_use_beside(task_names::plc_read_sync)) co_await line_.device().end_cycle();
    if (refused) std::rethrow_exception(refused);
    wake_loader_when_free(!duties_.empty() || std::any_of(rows_.begin(), rows_.end(), [](const domain::batch& b) { return domain::is_unfinished(b.state) || b.state == batch_state::cancelling; }));
    run_result r;
    r.changed = changed;
    r.detail = fmt::format("{} slot(s) read, {} changed", found.pictures.size(), found.changes.size());
    co_return r;
}

}  // namespace batchbridge::tasks
