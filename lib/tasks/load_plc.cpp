#include "tasks/load_plc.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::batch_state;
using domain::load_state;

namespace {

constexpr int verify_tries = 3;

std::vector<domain::words> encode_load(const domain::plant_map& map, const std::vector<domain::batch>& waiting)
{
    std::vector<domain::words> images(static_cast<std::size_t>(map.slots.count), domain::empty_slot(map));
    for (const auto& b : waiting) images.at(static_cast<std::size_t>(b.slot - 1)) = domain::encode_recipe(map, domain::recipe_of(b));
    return images;
}

std::vector<std::int64_t> ids_of(const std::vector<domain::batch>& batches)
{
    std::vector<std::int64_t> out;
    for (const auto& b : batches) out.push_back(b.id);
    std::sort(out.begin(), out.end());
    return out;
}

store::journal_entry load_entry(const domain::load& load, const std::vector<domain::batch>& waiting)
{
    store::journal_entry e;
    e.what = "plc.load";
    boost::json::array orders;
    for (const auto& b : waiting) {
        boost::json::object one;
        one["slot"] = b.slot;
        one["order"] = b.mo_id;
        orders.push_back(std::move(one));
    }
    boost::json::object values;
    values["load"] = load.number;
    values["orders"] = std::move(orders);
    e.values = std::move(values);
    return e;
}

// Steps 1 to 3. True = what the PLC holds is what we meant.
asio::awaitable<bool> write_and_verify(line& l, const std::vector<domain::words>& images)
{
    const auto about = l.about(task_names::auto_sync_mo);
    for (int attempt = 1; attempt <= verify_tries; ++attempt) {
        BATCHBRIDGE_CRASH_POINT("load.writing");
        co_await l.device().write_disarmed(images);
        BATCHBRIDGE_CRASH_POINT("load.written");
        const auto differences = co_await l.device().verify(images);
        if (differences.empty()) {
            co_await l.env().store.resolve_alert(l.hold(), "load_verify", "load");
            co_return true;
        }
        core::log::warning(about, "read-back of the load differs, attempt {} of {}: {}", attempt, verify_tries,
                           fmt::join(differences, "; "));
        if (attempt == verify_tries)
            co_await l.env().store.raise_alert(l.hold(), "load_verify", "load",
                                               fmt::format("the PLC does not hold what was written: {}", fmt::join(differences, "; ")));
    }
    co_return false;
}

// Armed before an interruption, or not? Slot 1 of the WRITE area knows. nullopt: not armed, go on.
asio::awaitable<std::optional<load_outcome>> already_armed(line& l, const domain::load& load, const std::vector<domain::batch>& rows)
{
    const auto first = std::find_if(rows.begin(), rows.end(), [&](const domain::batch& b) { return b.load == load.id && b.slot == 1; });
    if (first == rows.end()) co_return std::nullopt;
    const auto image = co_await l.device().read_slot(plc::area::write, 1);
    const auto stands = domain::judge_offer(domain::decode_slot(l.map(), image), first->order_key);
    if (stands == domain::offer::not_armed) co_return std::nullopt;
    const bool taken = stands == domain::offer::taken;
    load_outcome out{taken ? load_outcome::kind::taken : load_outcome::kind::offered, {}};
    out.detail = taken ? fmt::format("load {} is taken", load.number) : fmt::format("load {} is offered and not yet taken", load.number);
    const bool told = std::none_of(rows.begin(), rows.end(), [&](const domain::batch& b) { return b.load == load.id && (b.state == batch_state::queued || b.state == batch_state::loading); });
    out.changed = taken || !told;
    if (!out.changed) co_return out;
    BATCHBRIDGE_CRASH_POINT("load.found_armed");
    co_await l.env().store.set_load_state(l.hold(), load.id, taken ? load_state::taken : load_state::arming, batch_state::loaded);
    l.rows_changed();
    co_return out;
}

// A load that replaces a withdrawn offer: 1 in the ready word says that the PLC took that offer after all.
asio::awaitable<bool> old_offer_was_taken(line& l, const domain::load& load)
{
    if (!load.after_withdrawal) co_return false;
    if (co_await l.device().read_ready() != 1) {
        co_await l.env().store.resolve_alert(l.hold(), "withdrawn_load_taken", "load");
        co_return false;
    }
    const auto text = fmt::format("the PLC took the load before load {} while it was being withdrawn; load {} is not armed. Look at the PLC: when it has nothing of it in hand, use start-over", load.number,
                                  load.number);
    const bool news = co_await l.env().store.raise_alert(l.hold(), "withdrawn_load_taken", "load", text);
    if (news) core::log::error(l.about(task_names::auto_sync_mo), "{}", text);
    co_return true;
}

load_outcome paused(const line& l, const domain::load& load)
{
    load_outcome out{load_outcome::kind::waiting, fmt::format("load {} waits: the line is paused by a person: {}", load.number, *l.person_pause())};
    return out;
}

}  // namespace

load_rows rows_of_load(const std::vector<domain::batch>& rows, std::int64_t load_id)
{
    load_rows out;
    for (const auto& b : rows) {
        if (b.load != load_id) continue;
        out.begun = out.begun || b.state == batch_state::running;
        if (b.state != batch_state::queued && b.state != batch_state::loading && b.state != batch_state::loaded) continue;
        out.has_first = out.has_first || b.slot == 1;
        out.all_loaded = out.all_loaded && b.state == batch_state::loaded;
        out.waiting.push_back(b);
    }
    return out;
}

asio::awaitable<load_outcome> continue_load(line& l, domain::load load)
{
    auto& store = l.env().store;
    const auto about = l.about(task_names::auto_sync_mo);
    // Each turn writes what the rows say at its start; another turn is needed only when an order was taken out meanwhile.
    for (;;) {
        load_outcome out{load_outcome::kind::withdrawing, fmt::format("load {} is being withdrawn", load.number)};
        if (load.withdrawing) co_return out;
        if (l.person_pause()) co_return paused(l, load);
        const auto rows = co_await store.batches(l.name());
        auto left = rows_of_load(rows, load.id);
        if (left.begun) {
            co_await store.set_load_state(l.hold(), load.id, load_state::taken, batch_state::loaded);
            l.rows_changed();
            out.what = load_outcome::kind::taken;
            out.detail = fmt::format("load {} is taken", load.number);
            co_return out;
        }
        if (left.waiting.empty()) {
            out.what = load_outcome::kind::stopped;
            out.detail = fmt::format("load {} is not ended: the PLC took the withdrawn offer before it", load.number);
            if (co_await old_offer_was_taken(l, load)) co_return out;
            co_await store.set_load_state(l.hold(), load.id, load_state::withdrawn, std::nullopt);
            l.rows_changed();
            out.what = load_outcome::kind::withdrawn;
            out.detail = fmt::format("nothing of load {} is left", load.number);
            co_return out;
        }
        if (load.state == load_state::arming) {
            if (auto armed = co_await already_armed(l, load, rows)) co_return std::move(*armed);
            // It was offered for certain. Whether the PLC took and made it before it forgot, nobody can tell.
            if (left.all_loaded) {
                out.what = load_outcome::kind::lost_by_plc;
                out.detail = fmt::format("load {} was offered and the PLC has forgotten it", load.number);
                co_return out;
            }
            core::log::info(about, "load {} was not armed before the interruption; it is written again from the stored rows", load.number);
            // Slot 1 is blank: nothing is offered, and what is owed to the PLC need not wait for it to be taken.
            if (left.has_first) {
                co_await store.set_load_state(l.hold(), load.id, load_state::staged, batch_state::loading);
                l.rows_changed();
                load.state = load_state::staged;
            }
        }
        if (!left.has_first) {
            auto again = co_await store.restage(l.hold(), load.id, false);
            l.rows_changed();
            if (!again) continue;
            load = std::move(*again);
            continue;
        }
        out.what = load_outcome::kind::stopped;
        out.detail = fmt::format("load {} is not armed: the PLC took the withdrawn offer before it", load.number);
        if (co_await old_offer_was_taken(l, load)) co_return out;

        // A slot that is still to be acknowledged must not get its next batch before.
        out.what = load_outcome::kind::waiting;
        out.detail = fmt::format("load {} waits: acknowledgements are owed to the PLC", load.number);
        if (!(co_await store.open_duties(l.name())).empty()) co_return out;
        co_await store.set_load_state(l.hold(), load.id, load_state::staged, batch_state::loading);
        l.rows_changed();
        load.state = load_state::staged;
        BATCHBRIDGE_CRASH_POINT("load.loading");
        const auto images = encode_load(l.map(), left.waiting);
        if (!co_await write_and_verify(l, images)) {
            out.what = load_outcome::kind::not_verified;
            out.detail = fmt::format("load {} could not be verified", load.number);
            co_return out;
        }
        BATCHBRIDGE_CRASH_POINT("load.verified");
        if (co_await old_offer_was_taken(l, load)) co_return out;
        const auto entry = load_entry(load, left.waiting);
        if (!co_await store.arm_load(l.hold(), load.id, ids_of(left.waiting), entry)) {
            core::log::info(about, "load {} is not armed: while it was written an order was taken out of it, an acknowledgement became owed, or the line was paused; it is looked at again", load.number);
            co_await l.look_at_person_pause();
            continue;
        }
        BATCHBRIDGE_CRASH_POINT("load.arming");
        // Written again from the stored rows when the line goes on.
        if (l.person_pause()) co_return paused(l, load);
        co_await l.device().arm(images.front());
        BATCHBRIDGE_CRASH_POINT("load.armed");
        co_await store.set_load_state(l.hold(), load.id, load_state::arming, batch_state::loaded);
        BATCHBRIDGE_CRASH_POINT("load.offered");
        l.rows_changed();
        core::log::info(about, "load {} with {} order(s) is offered to the PLC", load.number, left.waiting.size());
        out.what = load_outcome::kind::offered;
        out.detail = fmt::format("load {} with {} order(s) offered", load.number, left.waiting.size());
        co_return out;
    }
}

}  // namespace batchbridge::tasks
