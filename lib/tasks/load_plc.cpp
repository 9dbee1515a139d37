#include "tasks/load_plc.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"

namespace batchbridge::tasks {

namespace asio = boost::asio;

namespace {

constexpr int verify_tries = 3;

struct pictures {
    std::vector<domain::words> images;   // index 0 = slot 1
    std::vector<domain::batch> batches;  // of the load, still to be made
    std::string slot1_key;
};

pictures encode_load(const domain::plant_map& map, const std::vector<domain::batch>& rows, std::int64_t load_id)
{
    pictures p;
    p.images.assign(static_cast<std::size_t>(map.slots.count), domain::empty_slot(map));
    for (const auto& b : rows) {
        if (b.load != load_id || !domain::is_unfinished(b.state)) continue;
        p.images[static_cast<std::size_t>(b.slot - 1)] = domain::encode_recipe(map, domain::recipe_of(b));
        if (b.slot == 1) p.slot1_key = b.order_key;
        p.batches.push_back(b);
    }
    return p;
}

store::journal_entry load_entry(const domain::load& load, const pictures& p, const char* what)
{
    store::journal_entry e;
    e.what = what;
    boost::json::array orders;
    for (const auto& b : p.batches) {
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
asio::awaitable<bool> write_and_verify(line& l, const pictures& p)
{
    const auto about = l.about(task_names::auto_sync_mo);
    for (int attempt = 1; attempt <= verify_tries; ++attempt) {
        co_await l.device().write_disarmed(p.images);
        BATCHBRIDGE_CRASH_POINT("load.written");
        const auto differences = co_await l.device().verify(p.images);
        if (differences.empty()) {
            co_await l.env().store.resolve_alert(l.name(), "load_verify", "load");
            co_return true;
        }
        core::log::warning(about, "read-back of the load differs, attempt {} of {}: {}", attempt, verify_tries,
                           fmt::join(differences, "; "));
        if (attempt == verify_tries)
            co_await l.env().store.raise_alert(l.name(), "load_verify", "load",
                                               fmt::format("the PLC does not hold what was written: {}", fmt::join(differences, "; ")));
    }
    co_return false;
}

}  // namespace

asio::awaitable<load_outcome> continue_load(line& l, domain::load load)
{
    auto& store = l.env().store;
    const auto& map = l.map();
    const auto about = l.about(task_names::auto_sync_mo);
    const auto rows = co_await store.batches(l.name());
    const auto p = encode_load(map, rows, load.id);
    if (p.batches.empty()) {
        co_await store.set_load_state(l.hold(), load.id, domain::load_state::withdrawn, std::nullopt, std::nullopt);
        l.rows_changed();
        co_return load_outcome{load_outcome::kind::withdrawn, "nothing of the load is left"};
    }

    if (load.state == domain::load_state::arming) {
        // Armed or not? Slot 1 of the WRITE area knows.
        const auto image = co_await l.device().read_slot(plc::area::write, 1);
        const auto shown = domain::decode_slot(map, image);
        if (!shown.empty() && shown.mo_id == p.slot1_key) {
            const bool taken = shown.status_read_data == 1;
            co_await store.set_load_state(l.hold(), load.id, taken ? domain::load_state::taken : domain::load_state::arming,
                                          domain::batch_state::loaded, std::nullopt);
            l.rows_changed();
            co_return load_outcome{taken ? load_outcome::kind::taken : load_outcome::kind::offered,
                                   fmt::format("load {} was armed before{}", load.number, taken ? " and is taken" : "")};
        }
        core::log::info(about, "load {} was not armed before the interruption; it is written again from the stored rows", load.number);
    }

    co_await store.set_load_state(l.hold(), load.id, domain::load_state::staged, domain::batch_state::loading, std::nullopt);
    l.rows_changed();
    BATCHBRIDGE_CRASH_POINT("load.loading");
    if (!co_await write_and_verify(l, p))
        co_return load_outcome{load_outcome::kind::not_verified, fmt::format("load {} could not be verified", load.number)};
    BATCHBRIDGE_CRASH_POINT("load.verified");
    auto arming = load_entry(load, p, "plc.load");
    co_await store.set_load_state(l.hold(), load.id, domain::load_state::arming, std::nullopt, std::move(arming));
    BATCHBRIDGE_CRASH_POINT("load.arming");
    co_await l.device().arm(p.images.front());
    BATCHBRIDGE_CRASH_POINT("load.armed");
    co_await store.set_load_state(l.hold(), load.id, domain::load_state::arming, domain::batch_state::loaded, std::nullopt);
    l.rows_changed();
    core::log::info(about, "load {} with {} order(s) is offered to the PLC", load.number, p.batches.size());
    co_return load_outcome{load_outcome::kind::offered, fmt::format("load {} with {} order(s) offered", load.number, p.batches.size())};
}

}  // namespace batchbridge::tasks
