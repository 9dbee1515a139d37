#include "tasks/start_over.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "tasks/slot_picture.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::batch_state;

std::string settled_read_slot(int slot)
{
    return fmt::format("start_over.read.{}", slot);
}

std::string picture_text(const domain::words& w)
{
    return fmt::format("{}", fmt::join(w, ","));
}

namespace {

// A PLC that had looked at a WRITE slot right before it was zeroed shows by then what it makes of it.
constexpr auto settle = std::chrono::seconds(1);
constexpr int tries = 5;

// What the READ area shows once the recipes are gone, by order key: batches with an actual that are not from before the load.
struct shown_batch {
    int slot = 0;
    domain::slot_reading reading;
};
using shown_batches = std::map<std::string, shown_batch>;

asio::awaitable<shown_batches> look_at_read_area(line& l, const std::string& who)
{
    auto& store = l.env().store;
    const auto& map = l.map();
    const auto loads = co_await store.loads_in_use(l.name());
    shown_batches out;
    for (int slot = 1; slot <= map.slots.count; ++slot) {
        domain::words image;
        try {
            image = co_await l.device().read_slot(plc::area::read, slot);
        } catch (const plc::error& e) {
            // About this slot only; its row is judged by what is stored.
            if (e.kind() != core::error_kind::rejected) throw;
            core::log::warning(l.about("start_over"), "READ slot {} cannot be read: {}; its batch is judged by what is stored", slot, e.what());
            continue;
        }
        auto reading = domain::decode_slot(map, image);
        if (reading.empty() || !reading.any_actual()) continue;
        // It does not keep the next load away (unknown_in_plc): a person has looked.
        if (!reading.ended()) co_await store.put_setting(l.hold(), settled_read_slot(slot), picture_text(image), who);
        // What the newest load found in the slots is not its own.
        if (is_stale(map, loads.empty() ? nullptr : &loads.back(), slot, image)) continue;
        const auto order = reading.mo_id;
        out.emplace(order, shown_batch{slot, std::move(reading)});
    }
    co_return out;
}

bool ends_with_start_over(const domain::batch& b)
{
    return domain::is_unfinished(b.state) || b.state == batch_state::lost || b.state == batch_state::cancelling;
}

// A person has asked for its cancel, which ends it. Given up here it would be fetched and made again.
asio::awaitable<bool> waits_for_its_cancel(line& l, const domain::batch& b)
{
    if (b.state != batch_state::lost) co_return false;
    const auto stands = co_await l.env().store.standing_of(b.id);
    co_return stands && stands->facts.cancel;
}

std::string figures(const domain::slot_reading& r)
{
    std::vector<std::string> parts;
    for (const auto& [silo, kg] : r.quantities)
        if (!kg.is_zero()) parts.push_back(fmt::format("silo {}: {} kg", silo, kg.to_string()));
    return fmt::format("{}", fmt::join(parts, ", "));
}

// True: archived. False: the row is not any more as it was read.
asio::awaitable<bool> give_up(line& l, const domain::batch& b, const shown_batches& shown, const std::string& who, const std::string& why, started_over& out)
{
    const auto seen = shown.find(b.order_key);
    const bool stored = std::any_of(b.actual.begin(), b.actual.end(), [](const auto& a) { return !a.second.is_zero(); });
    const bool dosed = stored || seen != shown.end();
    auto status = dosed ? domain::history_status::failed : domain::history_status::reset;
    if (!dosed && b.state == batch_state::cancelling) status = domain::end_of(domain::take_out_reason_from(b.reason).value_or(domain::take_out_reason::cancelled));
    store::journal_entry entry;
    entry.mo_id = b.mo_id;
    entry.what = "api.start-over";
    entry.answer = why;
    entry.who = who;
    std::string notes = "start-over: " + why;
    if (seen != shown.end()) {
        const auto text = fmt::format("READ slot {} showed {}{}", seen->second.slot, figures(seen->second.reading), seen->second.reading.ended() ? ", ended" : "");
        notes += "; " + text;
        boost::json::object values;
        values["shown"] = text;
        entry.values = std::move(values);
    }
    std::optional<store::alert_note> alert;
    if (dosed) {
        alert.emplace();
        alert->kind = "started_over";
        alert->subject = b.mo_id;
        alert->text = fmt::format("{}: material was dosed and the batch was given up ({}); book it in Odoo by hand", b.mo_id, notes);
    }
    store::as_seen guard;
    guard.state = b.state;
    guard.version = b.version;
    const bool archived = co_await l.env().store.archive(l.hold(), b.id, status, notes, std::move(entry), alert, guard);
    if (!archived) co_return false;
    BATCHBRIDGE_CRASH_POINT("start_over.given_up");
    if (alert) core::log::error(l.about("start_over", b.id, b.mo_id), "{}", alert->text);
    (dosed ? out.failed : out.reset) += 1;
    co_return true;
}

// The read cycle goes on meanwhile: a row that it changed is looked at again, one that it completed is left alone.
asio::awaitable<void> give_up_all(line& l, const shown_batches& shown, const std::string& who, const std::string& why, started_over& out)
{
    for (int i = 0; i < tries; ++i) {
        bool moved = false;
        const auto rows = co_await l.env().store.batches(l.name());
        for (const auto& b : rows) {
            if (!ends_with_start_over(b)) continue;
            const bool cancelled = co_await waits_for_its_cancel(l, b);
            if (cancelled) continue;
            const bool archived = co_await give_up(l, b, shown, who, why, out);
            moved = moved || !archived;
        }
        if (!moved) co_return;
    }
    throw core::error(core::error_kind::unavailable, "start-over", "line " + l.name(), "batches keep changing under it; ask again");
}

}  // namespace

asio::awaitable<started_over> start_over(line& l, std::string who, std::string why)
{
    auto& store = l.env().store;
    const auto lock = co_await l.plc_writes().lock();
    co_await l.device().clear_recipes();
    BATCHBRIDGE_CRASH_POINT("start_over.cleared");
    store::journal_entry cleared;
    cleared.what = "plc.start_over";
    cleared.answer = why;
    cleared.who = who;
    const std::vector<store::journal_entry> entries{cleared};
    co_await store.journal(l.hold(), entries);
    BATCHBRIDGE_CRASH_POINT("start_over.journaled");
    asio::steady_timer timer(l.env().executor);
    timer.expires_after(settle);
    co_await timer.async_wait(asio::use_awaitable);
    const auto shown = co_await look_at_read_area(l, who);
    started_over out;
    co_await give_up_all(l, shown, who, why, out);
    // Also a taken one that a held row belongs to: if that doses on, the PLC has not forgotten its recipe, we have cleared it.
    co_await store.withdraw_loads(l.hold());
    BATCHBRIDGE_CRASH_POINT("start_over.withdrawn");
    const std::vector<store::alert_text> over{{"plc_reset", "plc", {}}, {"withdrawn_load_taken", "load", {}}, {"unknown_in_plc", "plc", {}}};
    co_await store.record_alerts(l.hold(), {}, over);
    l.pause({});
    l.rows_changed();
    core::log::warning(l.about("start_over"), "started over by {}: {} order(s) are fetched again, {} are failed with what was dosed ({})", who, out.reset, out.failed, why);
    for (const auto* name : {task_names::auto_sync_mo, task_names::plc_read_sync})
        if (auto* t = l.task(name)) t->wake();
    co_return out;
}

}  // namespace batchbridge::tasks
