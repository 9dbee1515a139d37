#include "tasks/slot_strangers.hpp"

#include "core/log.hpp"
#include "tasks/slot_picture.hpp"

#include <algorithm>
#include <cstdio>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::batch_state;
using domain::known_order;

namespace {

bool is_over(batch_state s)
{
    return s == batch_state::completed || s == batch_state::parked;
}

known_order ended(const domain::batch& b)
{
    known_order out;
    out.what = known_order::kind::ended;
    out.batch_id = b.id;
    out.mo_id = b.mo_id;
    out.slot = b.slot;
    out.ended_by_plc = true;
    out.actual = b.actual;
    out.weight = b.weight;
    out.raw = b.raw;
    return out;
}

known_order ended(const store::ended_order& o)
{
    known_order out;
    out.what = known_order::kind::ended;
    out.batch_id = o.batch_id;
    out.mo_id = o.mo_id;
    out.slot = o.slot;
    out.ended_by_plc = o.ended_by_plc;
    out.actual = o.actual;
    out.weight = o.weight;
    out.raw = o.raw;
    return out;
}

const domain::load* load_of(const domain::batch& b, const std::vector<domain::load>& loads)
{
    const auto it = std::find_if(loads.begin(), loads.end(), [&](const domain::load& l) { return l.id == b.load; });
    return it == loads.end() ? nullptr : &*it;
}

bool is_open(const domain::load* l)
{
    return l != nullptr && (l->state == domain::load_state::staged || l->state == domain::load_state::arming);
}

}  // namespace

bool slot_strangers::is_past(const std::string& order_key, const std::vector<domain::batch>& rows) const
{
    const auto known = history_.find(order_key);
    if (known != history_.end() && known->second) return true;
    return std::any_of(rows.begin(), rows.end(), [&](const domain::batch& b) { return b.order_key == order_key && !domain::is_unfinished(b.state); });
}

slot_strangers::in_rows slot_strangers::find(int slot, const domain::words& picture, const domain::slot_reading& shown, const view& v) const
{
    in_rows out;
    for (const auto& b : v.rows) {
        if (b.order_key != shown.mo_id) continue;
        if (b.slot != slot || b.slot != shown.batch_no) {
            out.elsewhere = &b;
            continue;
        }
        const auto* load = load_of(b, v.loads);
        // A load that the PLC has not taken says nothing about its slots; an image from before it is of an earlier run.
        if (is_over(b.state)) out.over = ended(b);
        else if (is_open(load) || b.state == batch_state::queued || b.state == batch_state::loading || is_stale(line_.map(), load, slot, picture)) out.to_come = true;
        // What stands there of a held batch, or of one that is being taken out, has been dealt with.
        else if ((b.state == batch_state::held || b.state == batch_state::cancelling) && !b.raw.empty() && domain::same_content(line_.map(), b.raw, picture)) out.over = ended(b);
        else out.followed = true;
    }
    return out;
}

std::optional<known_order> slot_strangers::identify(const domain::slot_reading& shown, const in_rows& found) const
{
    if (found.followed) return std::nullopt;
    if (found.over) return found.over;
    const auto known = history_.find(shown.mo_id);
    if (known != history_.end() && known->second) return ended(*known->second);
    if (found.to_come) return std::nullopt;
    known_order out;
    out.mo_id = shown.mo_id;
    if (found.elsewhere != nullptr) {
        out.what = known_order::kind::elsewhere;
        out.batch_id = found.elsewhere->id;
        out.mo_id = found.elsewhere->mo_id;
        out.slot = found.elsewhere->slot;
    }
    return out;
}

bool slot_strangers::telling() const
{
    return std::any_of(told_.begin(), told_.end(), [](const auto& slot) { return !slot.second.empty(); });
}

asio::awaitable<void> slot_strangers::load_told()
{
    if (known_told_) co_return;
    const std::vector<std::string> kinds{"unknown_order", "misplaced_order", "changed_after_end", "doses_again", "acknowledgement_lost"};
    const auto open = co_await line_.env().store.open_alerts(line_.name(), kinds);
    for (const auto& a : open) {
        int slot = 0;
        if (std::sscanf(a.subject.c_str(), "slot %d ", &slot) == 1) told_[slot].emplace(a.kind, a.subject);
    }
    known_told_ = true;
}

asio::awaitable<void> slot_strangers::look(const std::map<int, const domain::words*>& pictures, view v, time_point now, store::cycle_findings& out)
{
    std::vector<std::string> ask;
    std::map<int, in_rows> found;
    std::map<int, domain::slot_reading> shown;
    for (const auto& [slot, picture] : pictures) {
        const auto& r = shown[slot] = domain::decode_slot(line_.map(), *picture);
        if (r.empty()) continue;
        const auto& f = found[slot] = find(slot, *picture, r, v);
        if (!f.followed && !f.over && !history_.contains(r.mo_id)) ask.push_back(r.mo_id);
    }
    if (!ask.empty()) {
        auto ended_runs = co_await line_.env().store.ended_orders(line_.name(), ask);
        for (const auto& key : ask) {
            const auto it = ended_runs.find(key);
            history_[key] = it == ended_runs.end() ? std::nullopt : std::optional(it->second);
        }
    }
    for (const auto& [slot, picture] : pictures) {
        const auto known = found.contains(slot) ? identify(shown.at(slot), found.at(slot)) : std::nullopt;
        if (known) {
            judge(slot, *picture, *known, v, now, out);
        } else {
            memory_.erase(slot);
            tell(slot, *picture, 0, {}, {}, out);
        }
    }
}

void slot_strangers::judge(int slot, const domain::words& picture, const known_order& known, const view& v, time_point now, store::cycle_findings& out)
{
    domain::stranger_input in;
    in.slot = slot;
    in.stale = !v.loads.empty() && is_stale(line_.map(), &v.loads.back(), slot, picture);
    in.now = now;
    const auto order_key = domain::decode_slot(line_.map(), picture).mo_id;
    const bool owed = std::any_of(v.duties.begin(), v.duties.end(), [&](const store::duty& d) { return d.slot == slot && d.mo_id == order_key; });
    // Where the PLC may come to the next batch at any moment, what stands there now is not touched: the flag could be that
    // batch's when the write arrives. It has had its acknowledgement before that was loaded.
    const bool next_may_come = std::any_of(v.loads.begin(), v.loads.end(), [](const domain::load& l) { return l.state == domain::load_state::arming; }) ||
                               std::any_of(v.rows.begin(), v.rows.end(), [&](const domain::batch& b) { return b.slot == slot && (b.state == batch_state::loaded || b.state == batch_state::running); });
    auto& memory = memory_[slot];
    const auto before = memory;
    auto result = domain::judge_stranger(line_.map(), picture, known, in, memory);
    tell(slot, picture, known.batch_id, known.mo_id, result.alerts, out);
    if (!result.owes_acknowledgement) return;
    if (owed || next_may_come) {
        memory.acknowledged = before.order == memory.order ? before.acknowledged : 0;
        memory.owed_at = before.owed_at;
        return;
    }
    store::duty d;
    d.slot = slot;
    d.mo_id = order_key;
    d.batch_id = known.batch_id;
    out.duties.push_back(std::move(d));
    store::journal_entry e;
    e.batch_id = known.batch_id;
    e.mo_id = known.mo_id;
    e.what = "plc.acknowledge_again";
    e.values = picture_json(line_.map(), picture);
    e.answer = fmt::format("slot {} shows the ended order without its acknowledgement (status_read_data = 1)", slot);
    core::log::info(line_.about(task_names::plc_read_sync, known.batch_id, known.mo_id), "{}: it is owed again", e.answer);
    out.journal.push_back(std::move(e));
}

void slot_strangers::tell(int slot, const domain::words& picture, std::int64_t batch_id, const std::string& mo_id, const std::vector<domain::alert_note>& alerts, store::cycle_findings& out)
{
    auto& told = told_[slot];
    std::set<alert_key> now;
    for (const auto& a : alerts) {
        now.emplace(a.kind, a.subject);
        if (told.contains({a.kind, a.subject})) continue;
        out.raised.push_back({a.kind, a.subject, a.text});
        store::journal_entry e;
        e.batch_id = batch_id;
        e.mo_id = mo_id;
        e.what = "plc." + a.kind;
        e.values = picture_json(line_.map(), picture);
        e.answer = a.text;
        out.journal.push_back(std::move(e));
        const auto about = line_.about(task_names::plc_read_sync, batch_id, mo_id);
        if (a.serious) core::log::error(about, "{}: {}", a.kind, a.text);
        else core::log::warning(about, "{}: {}", a.kind, a.text);
    }
    for (const auto& [kind, subject] : told)
        if (!now.contains({kind, subject})) out.resolved.push_back({kind, subject, {}});
    told = std::move(now);
}

}  // namespace batchbridge::tasks
