#include "tasks/start_over.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"

#include <algorithm>

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

asio::awaitable<started_over> start_over(line& l, std::string who, std::string why)
{
    auto& store = l.env().store;
    const auto lock = co_await l.plc_writes().lock();
    // What the READ slots show now is settled by this: it does not keep the next load away (unknown_in_plc).
    const auto shown = co_await l.device().read_all(plc::area::read);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto reading = domain::decode_slot(l.map(), shown[i]);
        if (reading.empty() || !reading.any_actual() || reading.ended()) continue;
        co_await store.put_setting(l.name(), settled_read_slot(static_cast<int>(i) + 1), picture_text(shown[i]), who);
    }
    co_await l.device().clear_recipes();
    BATCHBRIDGE_CRASH_POINT("start_over.cleared");
    store::journal_entry cleared;
    cleared.what = "plc.start_over";
    cleared.answer = why;
    cleared.who = who;
    const std::vector<store::journal_entry> entries{cleared};
    co_await store.journal(l.hold(), entries);
    started_over out;
    const auto rows = co_await store.batches(l.name());
    for (const auto& b : rows) {
        if (!domain::is_unfinished(b.state) && b.state != batch_state::lost && b.state != batch_state::cancelling) continue;
        const bool dosed = std::any_of(b.actual.begin(), b.actual.end(), [](const auto& a) { return !a.second.is_zero(); });
        auto status = dosed ? domain::history_status::failed : domain::history_status::reset;
        if (!dosed && b.state == batch_state::cancelling && b.reason != "reset") status = b.reason == "discarded" ? domain::history_status::discarded : domain::history_status::cancelled;
        store::journal_entry entry;
        entry.mo_id = b.mo_id;
        entry.what = "api.start-over";
        entry.answer = why;
        entry.who = who;
        if (dosed) {
            const auto text = fmt::format("{}: material was dosed and the batch was given up by start-over ({}); book it in Odoo by hand", b.mo_id, why);
            co_await store.raise_alert(l.hold(), "started_over", b.mo_id, text);
            core::log::error(l.about("start_over", b.id, b.mo_id), "{}", text);
        }
        if (!co_await store.archive(l.hold(), b.id, status, "start-over: " + why, std::move(entry))) continue;
        (dosed ? out.failed : out.reset) += 1;
    }
    // Also a taken one that a held row belongs to: if that doses on, the PLC has not forgotten its recipe, we have cleared it.
    co_await store.withdraw_loads(l.hold());
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
