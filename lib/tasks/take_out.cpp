#include "tasks/take_out.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "tasks/load_plc.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;

namespace {

constexpr auto settle = std::chrono::seconds(1);

// Slot 1 of an offered load is blank now: an offer the PLC can no longer see.
asio::awaitable<void> withdraw_offer(line& l, const domain::load& load)
{
    asio::steady_timer timer(l.env().executor, settle);
    co_await timer.async_wait(asio::use_awaitable);
    if (co_await l.device().read_ready() == 1) {
        co_await l.env().store.set_load_state(l.hold(), load.id, domain::load_state::taken, domain::batch_state::loaded, std::nullopt);
        l.rows_changed();
        co_return;
    }
    auto again = co_await l.env().store.restage(l.hold(), load.id);
    l.rows_changed();
    if (!again) {
        core::log::info(l.about("take_out"), "load {} is withdrawn, nothing of it is left", load.number);
        co_return;
    }
    core::log::info(l.about("take_out"), "load {} is withdrawn; its other orders are offered again as load {}", load.number, again->number);
    // Read once more right before the new load is armed: 1 = the PLC took the old one after all.
    if (co_await l.device().read_ready() == 1) {
        const auto text = fmt::format("the PLC took load {} while it was being withdrawn; look at the PLC and use start-over", load.number);
        co_await l.env().store.raise_alert(l.name(), "load_not_taken", "withdrawn", text);
        core::log::error(l.about("take_out"), "{}", text);
        co_return;
    }
    co_await continue_load(l, std::move(*again));
}

}  // namespace

asio::awaitable<bool> take_out_cancelling(line& l)
{
    auto& store = l.env().store;
    if (!l.env().config.plc_writes || !l.may_write()) co_return false;
    const auto lock = co_await l.plc_writes().lock();
    // The rows as they are now that nobody else writes to the PLC.
    const auto waiting = co_await store.to_disarm(l.name());
    bool done = false;
    for (const auto& b : waiting) {
        const auto open = co_await store.open_load(l.name());
        const bool mine = open && open->id == b.load;
        const auto image = co_await l.device().read_slot(plc::area::write, b.slot);
        const auto shown = domain::decode_slot(l.map(), image);
        // Another load may use the slot by now: only our own order is blanked.
        const bool ours = shown.mo_id == b.order_key;
        if (ours) {
            co_await l.device().disarm(b.slot);
            BATCHBRIDGE_CRASH_POINT("take_out.disarmed");
        }
        co_await store.disarmed(l.hold(), b.id);
        l.rows_changed();
        done = true;
        core::log::info(l.about("take_out", b.id, b.mo_id), "slot {} {} ({})", b.slot, ours ? "blanked in the PLC" : "did not hold the order", b.reason);
        if (mine && (b.slot == 1 || open->state == domain::load_state::staged)) co_await withdraw_offer(l, *open);
    }
    co_return done;
}

}  // namespace batchbridge::tasks
