#include "domain/slot_follow.hpp"

#include "domain/state_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace batchbridge::domain {

using clock = std::chrono::steady_clock;

namespace {

constexpr int equal_reads_for_failure = 3;
constexpr int cycles_for_held = 3;
constexpr int cycles_for_lost = 3;
constexpr auto time_for_lost = std::chrono::seconds(30);
constexpr int quiet_cycles_for_cancelled = 2;

long seconds_since(clock::time_point since, clock::time_point now)
{
    return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
}

void count(batch_memory& memory, verdict v, bool fresh, clock::time_point now)
{
    if (v != memory.last) {
        memory.last = v;
        memory.same = 1;
        memory.since = now;
        return;
    }
    // Foreign orders are counted over accepted cycles, whatever else moves in the slot; the others need an unchanged picture.
    memory.same = fresh && v != verdict::foreign ? 1 : memory.same + 1;
}

bool gone_for_good(const batch_memory& memory, clock::time_point now)
{
    return memory.same >= cycles_for_lost && now - memory.since >= time_for_lost;
}

// Taken out, and its order is not gone in Odoo: what the PLC makes of it all the same is booked like any other batch.
bool comes_back(const batch& b)
{
    const auto reason = take_out_reason_from(b.reason);
    return b.state == batch_state::cancelling && reason && ordinary_when_dosed(*reason);
}

void on_foreign(const batch& b, const judgement& j, const follow_input& in, batch_memory& memory, follow_result& out)
{
    if (!gone_for_good(memory, in.now)) return;
    if (b.state == batch_state::cancelling) {
        memory.gone = true;
        return;
    }
    // A slot that shows nothing is a PLC that lost its memory (plc_reset), or one that clears its slots: only a batch that was
    // being made, and whose recipe still stands, is lost by that.
    if (j.reading.empty() && (!in.recipe_stands || b.state != batch_state::running)) return;
    if (b.state == batch_state::lost || b.state == batch_state::held) return;
    // Only a batch that the PLC had begun, or whose load it has taken, can be lost; before that the slot shows the past.
    // So it does after it, as long as what was made there before is still being made or changed.
    if (b.state != batch_state::running && (!in.load_taken || in.shows_past)) return;
    row_change change;
    change.state = batch_state::lost;
    const auto shows = j.reading.empty() ? std::string("nothing") : fmt::format("order '{}'", j.reading.mo_id);
    change.reason = fmt::format("slot {} shows {} since {} s", b.slot, shows, seconds_since(memory.since, in.now));
    change.keep_picture = true;
    out.alerts.push_back({"lost", b.mo_id, change.reason + "; a person completes it with the right figures", true});
    out.change = std::move(change);
}

void on_refuse(const batch& b, const judgement& j, bool first, batch_memory& memory, follow_result& out)
{
    if (first) out.alerts.push_back({"implausible", b.mo_id, fmt::format("slot {} refused, nothing of it is stored: {}", b.slot, j.why), false});
    // Also of a held row: it ended after all, and the PLC waits for its acknowledgement.
    if (!j.reading.ended() || memory.same < cycles_for_held) return;
    row_change change;
    if (b.state == batch_state::cancelling && !comes_back(b)) {
        // What is being taken out ends by its own rule, with what is stored; the PLC has its acknowledgement all the same.
        if (std::exchange(memory.implausible, true)) return;
        memory.gone = true;
        change.state = b.state;
        change.reason = b.reason;
        change.keep_picture = true;
        change.acknowledge = true;
        out.change = std::move(change);
        return;
    }
    change.state = batch_state::held;
    change.reason = "the final figures are implausible: " + j.why;
    change.acknowledge = true;
    out.alerts.push_back({"held", b.mo_id, change.reason, true});
    out.change = std::move(change);
}

void on_fail(const batch& b, const judgement& j, batch_memory& memory, follow_result& out)
{
    const bool held = b.state == batch_state::held;
    if (memory.same < equal_reads_for_failure || (held && !j.changed_values)) return;
    row_change change;
    change.values_changed = j.changed_values;
    change.acknowledge = true;
    if (b.state == batch_state::cancelling && !(comes_back(b) && j.reading.any_actual())) {
        // Its end is decided by why it was taken out; what was dosed and how the PLC ended it are kept.
        change.state = b.state;
        change.reason = b.reason;
        if (j.changed_values) out.change = std::move(change);
        return;
    }
    change.state = batch_state::held;
    change.reason = "the PLC reports that this batch failed (status_operation = 1)";
    // A held row is what its slot says, also when that is still a failure: the last of it may fall after the status.
    if (!held) out.alerts.push_back({"held", b.mo_id, change.reason, true});
    out.change = std::move(change);
}

void on_update(const batch& b, const judgement& j, const follow_input& in, follow_result& out)
{
    row_change change;
    change.state = b.state;
    change.reason = b.reason;
    change.values_changed = j.changed_values;
    const bool any = j.reading.any_actual();
    if (b.state == batch_state::cancelling && !(comes_back(b) && any && !in.slot_taken)) {
        if (j.changed_values) out.change = std::move(change);
        return;
    }
    // A held or lost row is again what its slot says.
    if (any) change.state = batch_state::running;
    else if (b.state == batch_state::held || b.state == batch_state::lost) change.state = batch_state::loaded;
    if (in.slot_taken && !is_unfinished(b.state)) change.state = b.state;
    if (change.state != b.state) change.reason.clear();
    if (!j.changed_values && change.state == b.state) return;
    if (j.changed_values && any && in.live) change.owe = row_change::delivery::consumption;
    out.change = std::move(change);
}

void on_complete(const batch& b, const judgement& j, follow_result& out)
{
    row_change change;
    change.acknowledge = true;
    if (b.state == batch_state::cancelling && !(comes_back(b) && j.reading.any_actual())) {
        change.state = b.state;
        change.reason = b.reason;
        change.values_changed = j.changed_values;
        if (j.changed_values) out.change = std::move(change);
        return;
    }
    change.state = batch_state::completed;
    change.values_changed = true;
    change.owe = row_change::delivery::finish;
    if (j.both_status) out.alerts.push_back({"both_status", b.mo_id, fmt::format("{} ended with both status words set; taken as completed", b.mo_id), false});
    out.change = std::move(change);
}

}  // namespace

follow_result follow_slot(const plant_map& map, const batch& b, const words& image, const words& stale, const follow_input& in, batch_memory& memory)
{
    follow_result out;
    auto j = judge_slot(map, b, image, stale);
    const bool first = j.what != memory.last;
    // A picture for which a batch was held is dealt with: the alert about that takes over, with the reason.
    if ((memory.last == verdict::refuse || in.told_implausible) && j.what != verdict::refuse) out.resolved.emplace_back("implausible");
    // A load that the PLC has not taken yet has no figures: what the slot shows is an earlier run of the order.
    if (in.load_open && j.what != verdict::foreign) j.what = verdict::unchanged;
    count(memory, j.what, in.fresh, in.now);
    switch (j.what) {
    case verdict::unchanged: break;
    case verdict::foreign: on_foreign(b, j, in, memory, out); break;
    case verdict::refuse: on_refuse(b, j, first, memory, out); break;
    case verdict::fail: on_fail(b, j, memory, out); break;
    case verdict::update: on_update(b, j, in, out); break;
    case verdict::complete: on_complete(b, j, out); break;
    }
    out.reading = std::move(j.reading);
    return out;
}

std::optional<taken_out> end_of_cancelling(const batch& b, bool load_busy, batch_memory& memory)
{
    const bool dosed = std::any_of(b.actual.begin(), b.actual.end(), [](const auto& a) { return !a.second.is_zero(); });
    taken_out end{};
    if (dosed || memory.implausible) {
        // The PLC made it all the same: its end waits for the PLC's, or for the slot to move on without one.
        if (!b.status_manufacturing && !b.status_operation && !memory.gone) return std::nullopt;
        end.status = history_status::cancelled;
        end.material_used = true;
        end.notes = fmt::format("taken out ({}), but the PLC had already dosed it: material was used", b.reason);
        return end;
    }
    // A figure that cannot be is a figure all the same.
    if (load_busy || !b.disarmed || memory.last == verdict::refuse) {
        memory.quiet = 0;
        return std::nullopt;
    }
    if (++memory.quiet < quiet_cycles_for_cancelled) return std::nullopt;
    end.status = end_of(take_out_reason_from(b.reason).value_or(take_out_reason::cancelled));
    end.notes = b.reason;
    return end;
}

}  // namespace batchbridge::domain
