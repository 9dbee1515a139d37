#include "tasks/take_out.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "tasks/load_plc.hpp"

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using domain::batch_state;
using domain::load_state;

namespace {

constexpr auto settle = std::chrono::seconds(1);

void wake_loader(line& l)
{
    l.rows_changed();
    if (auto* sync = l.task(task_names::auto_sync_mo)) sync->wake();
}

asio::awaitable<void> taken(line& l, const domain::load& load)
{
    co_await l.env().store.set_load_state(l.hold(), load.id, load_state::taken, batch_state::loaded);
    l.rows_changed();
    core::log::info(l.about("take_out"), "the PLC has taken load {}; what is blank it skips", load.number);
}

// Slot 1 of a load in state arming is to be blanked: what does that mean for the load? Updates `open` as it is stored.
asio::awaitable<void> judge_first_slot(line& l, std::optional<domain::load>& open, const domain::slot_reading& shown, const domain::batch& b)
{
    if (!open || open->id != b.load || b.slot != 1 || open->state != load_state::arming || open->withdrawing) co_return;
    switch (domain::judge_offer(shown, b.order_key)) {
    case domain::offer::not_armed: break;   // never armed: the load is staged anew without it
    case domain::offer::offered:
        co_await l.env().store.begin_withdrawal(l.hold(), open->id);
        open->withdrawing = true;
        l.rows_changed();
        BATCHBRIDGE_CRASH_POINT("take_out.withdrawing");
        break;
    case domain::offer::taken:
        co_await taken(l, *open);
        open.reset();
        break;
    }
}

asio::awaitable<void> blank(line& l, std::optional<domain::load>& open, const domain::batch& b)
{
    const auto image = co_await l.device().read_slot(plc::area::write, b.slot);
    const auto shown = domain::decode_slot(l.map(), image);
    co_await judge_first_slot(l, open, shown, b);
    // Another load may use the slot by now: only our own order is blanked. A load that replaces an offer may stand in the
    // PLC under the old numbers still: its orders are looked for in every slot.
    std::vector<int> where;
    if (shown.mo_id == b.order_key) where.push_back(b.slot);
    if (open && open->id == b.load && open->after_withdrawal) {
        where.clear();
        const auto all = co_await l.device().read_all(plc::area::write);
        for (std::size_t i = 0; i < all.size(); ++i)
            if (domain::decode_slot(l.map(), all[i]).mo_id == b.order_key) where.push_back(static_cast<int>(i) + 1);
    }
    BATCHBRIDGE_CRASH_POINT("take_out.blanking");
    for (const int slot : where) co_await l.device().disarm(slot);
    BATCHBRIDGE_CRASH_POINT("take_out.disarmed");
    co_await l.env().store.disarmed(l.hold(), b.id);
    BATCHBRIDGE_CRASH_POINT("take_out.recorded");
    l.rows_changed();
    if (where.empty()) core::log::info(l.about("take_out", b.id, b.mo_id), "slot {} did not hold the order ({})", b.slot, b.reason);
    else core::log::info(l.about("take_out", b.id, b.mo_id), "slot {} blanked in the PLC ({})", fmt::join(where, ", "), b.reason);
}

// A withdrawal that is committed. True when it has ended.
asio::awaitable<bool> go_on_withdrawing(line& l, const domain::load& load, withdrawal_clock& withdrawal)
{
    if (withdrawal.load != load.id) {
        withdrawal.load = load.id;
        withdrawal.blanked = clock::now();
        co_return false;
    }
    if (clock::now() - withdrawal.blanked < settle) co_return false;
    if (co_await l.device().read_ready() == 1) {
        co_await taken(l, load);
        co_return true;
    }
    BATCHBRIDGE_CRASH_POINT("take_out.restaging");
    const auto again = co_await l.env().store.restage(l.hold(), load.id, true);
    BATCHBRIDGE_CRASH_POINT("take_out.restaged");
    if (again) core::log::info(l.about("take_out"), "load {} is withdrawn; its other orders are offered again as load {}", load.number, again->number);
    else core::log::info(l.about("take_out"), "load {} is withdrawn, nothing of it is left", load.number);
    wake_loader(l);
    co_return true;
}

// The caller holds plc_writes(): the rows as they are now that nobody else writes to the PLC.
asio::awaitable<bool> step(line& l, withdrawal_clock& withdrawal)
{
    auto& store = l.env().store;
    auto open = co_await store.open_load(l.name());
    const auto waiting = co_await store.to_disarm(l.name());
    bool done = false;
    std::exception_ptr refused;
    bool offer_stands = false;
    for (const auto& b : waiting) {
        try {
            co_await blank(l, open, b);
            done = true;
        } catch (const plc::error& e) {
            // An exception answer is about this slot: the others are taken out all the same.
            if (e.kind() != core::error_kind::rejected) throw;
            refused = std::current_exception();
            offer_stands = offer_stands || (open && b.load == open->id && b.slot == 1);
        }
    }
    // As long as slot 1 may still stand there, nothing is withdrawn: the second counts from the blanking.
    if (offer_stands) withdrawal = {};
    if (open && open->withdrawing && !offer_stands) {
        done = co_await go_on_withdrawing(l, *open, withdrawal) || done;
    } else if (open && done && !open->withdrawing) {
        // Staged, or never armed: the loader goes on with what is left, from slot 1.
        const auto rows = co_await store.batches(l.name());
        if (open->state == load_state::staged || !rows_of_load(rows, open->id).has_first) wake_loader(l);
    }
    if (refused) std::rethrow_exception(refused);
    co_return done;
}

}  // namespace

asio::awaitable<bool> take_out_step(line& l, withdrawal_clock& withdrawal)
{
    if (!l.env().config.plc_writes || !l.may_write()) co_return false;
    const auto lock = l.plc_writes().try_lock();
    if (!lock) co_return false;
    try {
        co_return co_await step(l, withdrawal);
    } catch (...) {
        // Some of it may be committed: whoever goes on from there must not wait for the next interval.
        wake_loader(l);
        throw;
    }
}

}  // namespace batchbridge::tasks
