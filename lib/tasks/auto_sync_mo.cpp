#include "tasks/auto_sync_mo.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "domain/component_mapping.hpp"
#include "domain/slot_read.hpp"
#include "tasks/load_plc.hpp"
#include "tasks/slot_picture.hpp"
#include "tasks/start_over.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;

namespace {

constexpr auto refusal_wait = std::chrono::minutes(10);
constexpr int stage_tries = 5;
constexpr auto until_a_person_settles_it = std::chrono::hours(24 * 365 * 50);
constexpr const char* domain_alert = "order_domain";

// A line is free when nothing of the last load is left to be made, owed or loaded.
std::string busy_reason(const std::vector<domain::batch>& rows, const std::vector<store::duty>& duties)
{
    std::size_t unfinished = 0, cancelling = 0;
    for (const auto& b : rows) {
        unfinished += domain::is_unfinished(b.state) ? 1 : 0;
        cancelling += b.state == domain::batch_state::cancelling ? 1 : 0;
    }
    if (unfinished > 0) return fmt::format("{} batch(es) of the present load are unfinished", unfinished);
    if (cancelling > 0) return fmt::format("{} batch(es) are being taken out of the PLC", cancelling);
    if (!duties.empty()) return fmt::format("{} acknowledgement(s) are owed to the PLC", duties.size());
    return {};
}

struct plc_picture {
    std::map<int, domain::words> images;   // READ, per slot: the load's stale images
    std::string not_ready;                 // empty: a load may be written
    std::map<std::string, std::string> made;   // order key -> where and how much: ended in a READ slot, and we know nothing of it
    std::set<std::string> made_since;          // of these, what was not there yet when the newest load was staged
    domain::slot_reading offer;                // WRITE slot 1
};

asio::awaitable<plc_picture> look_at_plc(line& l)
{
    const auto& map = l.map();
    auto& store = l.env().store;
    const auto read = co_await l.device().read_all(plc::area::read);
    const auto write = co_await l.device().read_all(plc::area::write);
    l.plc_answers();
    const auto settings = co_await store.settings(l.name());
    std::vector<domain::slot_reading> shown_read, shown_write;
    std::vector<std::string> names;
    plc_picture out;
    for (std::size_t i = 0; i < read.size(); ++i) {
        const auto settled = settings.find(settled_read_slot(static_cast<int>(i) + 1));
        const bool passed_over = settled != settings.end() && settled->second == picture_text(read[i]);
        shown_read.push_back(passed_over ? domain::slot_reading{} : domain::decode_slot(map, read[i]));
        shown_write.push_back(domain::decode_slot(map, write[i]));
        if (!shown_read.back().empty()) names.push_back(shown_read.back().mo_id);
        if (!shown_write.back().empty()) names.push_back(shown_write.back().mo_id);
        out.images[static_cast<int>(i) + 1] = read[i];
    }
    out.offer = shown_write.front();
    const auto known = co_await store.known_orders(l.name(), names);
    const auto loads = co_await store.loads_in_use(l.name());
    for (std::size_t i = 0; i < shown_read.size(); ++i) {
        const auto& r = shown_read[i];
        if (r.empty() || !r.ended() || !r.any_actual() || known.contains(r.mo_id)) continue;
        core::decimal dosed;
        for (const auto& [silo, kg] : r.quantities) dosed += kg;
        out.made[r.mo_id] = fmt::format("READ slot {}, {} kg dosed", i + 1, dosed.to_string());
        // What stood there before our first load is another program's matter.
        if (!loads.empty() && !is_stale(map, &loads.back(), static_cast<int>(i) + 1, read[i])) out.made_since.insert(r.mo_id);
    }
    const auto verdict =
        domain::judge_load(map, shown_read, shown_write, [&known](const std::string& order) { return known.contains(order); });
    if (!verdict.unknown.empty()) {
        std::vector<std::string> parts;
        for (const auto& u : verdict.unknown)
            parts.push_back(fmt::format("{} slot {}: '{}'", u.in_write_area ? "WRITE" : "READ", u.slot, u.order));
        out.not_ready = fmt::format("the PLC holds orders we do not know and that are not ended: {}", fmt::join(parts, ", "));
        if (co_await store.raise_alert(l.hold(), "unknown_in_plc", "plc", out.not_ready))
            core::log::error(l.about(task_names::auto_sync_mo),
                             "nothing is loaded: {}. It ends when the PLC has ended them, or by start-over", out.not_ready);
    } else {
        co_await store.resolve_alert(l.hold(), "unknown_in_plc", "plc");
        if (!verdict.ready) out.not_ready = "the PLC has not taken the previous load yet (ready word is 0)";
    }
    co_return out;
}

struct collected {
    std::vector<domain::mapped_order> orders;
    std::size_t not_ours = 0;
    std::vector<std::string> refused;
};

domain::order_identity identity_of(const domain::malformed_order& m, const std::string& odoo_db)
{
    domain::order_identity id;
    id.odoo_db = odoo_db;
    id.odoo_id = m.odoo_id;
    if (m.create_date) id.create_date = *m.create_date;
    return id;
}

class wrong_domain_error : public core::error {
    using core::error::error;
};

// A fetch that failed. Odoo says a wrong domain as builtins.ValueError, and so it does other faults of a request; with a domain
// of the configuration in it, that is to be looked at first. Throws in any case.
asio::awaitable<void> wrong_domain(line& l, std::exception_ptr fault)
{
    std::string text;
    try {
        std::rethrow_exception(fault);
    } catch (const odoo::error& e) {
        if (e.peer_code() == "builtins.ValueError" && !l.config().order_domain.empty()) text = e.what();
    }
    if (text.empty()) std::rethrow_exception(fault);
    text = fmt::format("Odoo does not understand the line's order domain, no order is fetched until ODOO_ORDER_DOMAIN (or order_domain in LINES_FILE) is corrected: {}", text);
    const bool news = co_await l.env().store.raise_alert(l.hold(), domain_alert, "odoo", text);
    if (news) core::log::error(l.about(task_names::auto_sync_mo), "{}", text);
    throw wrong_domain_error(core::error_kind::rejected, "fetch orders", "line " + l.name(), text);
}

// Fetches until the free slots are filled or Odoo has no more; refuses what cannot be made.
asio::awaitable<collected> collect_orders(line& l, int wanted)
{
    auto& env = l.env();
    const auto about = l.about(task_names::auto_sync_mo);
    collected out;
    odoo::fetch_request ask;
    ask.domain = l.config().order_domain;
    if (env.config.sync_horizon)
        ask.date_start_until = core::utc_now() + std::chrono::duration_cast<std::chrono::microseconds>(*env.config.sync_horizon);
    ask.exclude_ids = co_await env.store.excluded_orders(env.config.odoo_db);
    domain::mapping_rules rules;
    rules.unmapped = env.config.unmapped_components;
    if (env.config.expected_batch_max_kg) rules.expected_batch_max_kg = core::decimal::parse(*env.config.expected_batch_max_kg);

    // Records without a usable id cannot be excluded: the answer has to be longer by as many, or they would hide the others.
    int nameless = 0;
    while (static_cast<int>(out.orders.size()) < wanted) {
        ask.limit = wanted + nameless;
        const auto excluded_before = ask.exclude_ids.size();
        int nameless_now = 0;
        odoo::fetch_answer answer;
        std::exception_ptr fault;
        try {
            answer = co_await env.erp.fetch_confirmed(ask);
        } catch (const odoo::error&) {
            fault = std::current_exception();
        }
        if (fault) co_await wrong_domain(l, fault);   // throws
        env.board.up("odoo");
        if (!l.config().order_domain.empty() && out.orders.empty() && out.refused.empty()) co_await env.store.resolve_alert(l.hold(), domain_alert, "odoo");
        const std::size_t received = answer.orders.size();
        std::size_t left_out = 0;
        std::vector<store::refusal> refused;
        std::vector<domain::order_identity> seen;
        const auto refuse = [&](const domain::order_identity& id, const std::string& name, const std::string& reason) {
            store::refusal r;
            r.order = id;
            r.mo_id = name;
            r.reason = reason;
            refused.push_back(std::move(r));
            out.refused.push_back(name);
            core::log::warning(l.about(task_names::auto_sync_mo, 0, name), "order refused (Odoo id {}): {}", id.odoo_id, reason);
        };
        for (const auto& item : answer.orders) {
            if (const auto* o = std::get_if<domain::order>(&item)) seen.push_back(o->id);
        }
        const auto archived = co_await env.store.flag_archived(l.hold(), seen);
        for (auto& item : answer.orders) {
            if (auto* bad = std::get_if<domain::malformed_order>(&item)) {
                ++left_out;
                if (bad->odoo_id > 0) ask.exclude_ids.push_back(bad->odoo_id);
                else if (++nameless_now <= nameless) continue;   // told already
                refuse(identity_of(*bad, env.config.odoo_db), bad->name.empty() ? fmt::format("id {}", bad->odoo_id) : bad->name, bad->reason);
                continue;
            }
            auto& o = std::get<domain::order>(item);
            // What comes beyond the free slots stays in Odoo; what comes twice is one order.
            if (static_cast<int>(out.orders.size()) >= wanted) break;
            if (std::find(ask.exclude_ids.begin(), ask.exclude_ids.end(), o.id.odoo_id) != ask.exclude_ids.end()) continue;
            ask.exclude_ids.push_back(o.id.odoo_id);
            if (std::find(archived.begin(), archived.end(), o.id) != archived.end()) {
                ++left_out;
                core::log::warning(l.about(task_names::auto_sync_mo, 0, o.name),
                                   "is in history here and still confirmed in Odoo (restored? reopened?); not made again");
                continue;
            }
            auto mapped = domain::map_order(l.map(), o, rules);
            if (auto* r = std::get_if<domain::refused_order>(&mapped)) {
                ++left_out;
                refuse(r->id, r->name, r->reason);
            } else if (std::holds_alternative<domain::not_ours>(mapped)) {
                ++left_out;
                ++out.not_ours;
            } else {
                auto& m = std::get<domain::mapped_order>(mapped);
                // What this plant's Odoo cannot be told about, it is not asked to make.
                const auto why = env.erp.refuses(m);
                if (why.empty()) {
                    out.orders.push_back(std::move(m));
                } else {
                    ++left_out;
                    refuse(m.source.id, m.source.name, why);
                }
            }
        }
        if (!refused.empty()) {
            // Told first: once it is recorded, it is not asked for again for a while, and what failed in between would be told to
            // nobody.
            for (const auto& r : refused)
                co_await env.store.raise_alert(l.hold(), "order_refused", r.mo_id, fmt::format("{}: {}", r.mo_id, r.reason));
            BATCHBRIDGE_CRASH_POINT("refusal.told");
            co_await env.store.record_refusals(l.hold(), refused, refusal_wait);
            BATCHBRIDGE_CRASH_POINT("refusal.recorded");
        }
        if (left_out == 0 || received < static_cast<std::size_t>(ask.limit)) break;
        // Nothing new to leave out, and no longer an answer to ask for: the next one would be the same.
        if (ask.exclude_ids.size() == excluded_before && nameless_now <= nameless) break;
        nameless = std::max(nameless, nameless_now);
    }
    if (!out.orders.empty() || !out.refused.empty())
        core::log::info(about, "Odoo: {} order(s) to make, {} refused, {} without a silo component", out.orders.size(), out.refused.size(),
                        out.not_ours);
    co_return out;
}

// Stages what is left after orders that another line or session took meanwhile were removed.
asio::awaitable<std::optional<store::staged>> stage(line& l, const std::map<int, domain::words>& images,
                                                    std::vector<domain::mapped_order> orders)
{
    for (int attempt = 0; attempt < stage_tries && !orders.empty(); ++attempt) {
        std::vector<store::staged_order> rows;
        int slot = 0;
        for (const auto& o : orders) {
            store::staged_order row;
            row.order = o;
            row.slot = ++slot;
            row.order_key = domain::order_key_of(l.map(), o.source);
            rows.push_back(std::move(row));
        }
        auto result = co_await l.env().store.stage_load(l.hold(), images, rows);
        l.rows_changed();
        if (auto* done = std::get_if<store::staged>(&result)) co_return std::move(*done);
        const auto& taken = std::get<store::stage_conflict>(result).taken;
        if (taken.empty()) co_return std::nullopt;
        std::erase_if(orders, [&](const domain::mapped_order& o) {
            return std::find(taken.begin(), taken.end(), o.source.id) != taken.end();
        });
    }
    co_return std::nullopt;
}

// A failover or a restore of PostgreSQL may have lost a whole load, which the PLC has made since: its slots are the only ones
// that still know, and the next load overwrites them.
asio::awaitable<void> leave_out_made(line& l, const plc_picture& picture, std::vector<domain::mapped_order>& orders)
{
    std::vector<store::refusal> refused;
    for (const auto& o : orders) {
        const auto made = picture.made.find(domain::order_key_of(l.map(), o.source));
        if (made == picture.made.end()) continue;
        store::refusal r;
        r.order = o.source.id;
        r.mo_id = o.source.name;
        r.reason = fmt::format("the PLC has made it already ({}) and the database knows nothing of it: did a failover or a restore lose it? It is not made again; finish it in Odoo by hand", made->second);
        core::log::error(l.about(task_names::auto_sync_mo, 0, r.mo_id), "order refused (Odoo id {}): {}", r.order.odoo_id, r.reason);
        refused.push_back(std::move(r));
    }
    if (refused.empty()) co_return;
    auto& store = l.env().store;
    for (const auto& r : refused) co_await store.raise_alert(l.hold(), "order_refused", r.mo_id, fmt::format("{}: {}", r.mo_id, r.reason));
    co_await store.record_refusals(l.hold(), refused, until_a_person_settles_it);
    std::erase_if(orders, [&refused](const domain::mapped_order& o) {
        return std::any_of(refused.begin(), refused.end(), [&o](const store::refusal& r) { return r.order == o.source.id; });
    });
}

asio::awaitable<void> wait_for_write_right(line& l)
{
    asio::steady_timer timer(l.env().executor);
    while (!l.may_write()) {
        if (!l.held()) throw core::error(core::error_kind::cancelled, "load", "line " + l.name(), "the line is no longer held");
        timer.expires_after(std::chrono::milliseconds(50));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

run_result result_of(const load_outcome& o)
{
    run_result r;
    r.changed = o.changed;
    r.detail = o.detail;
    switch (o.what) {
    case load_outcome::kind::offered:
    case load_outcome::kind::taken:
    case load_outcome::kind::withdrawn: break;
    case load_outcome::kind::not_verified: r.what = run_result::kind::unavailable; break;
    case load_outcome::kind::withdrawing:
    case load_outcome::kind::lost_by_plc:
    case load_outcome::kind::waiting: r = run_result::waiting(o.detail); break;
    case load_outcome::kind::stopped: r.what = run_result::kind::failed; break;
    }
    return r;
}

run_result paused_by_person(const line& l)
{
    return run_result::waiting("the line is paused by a person: " + *l.person_pause());
}

// An order that has had live values is in progress in Odoo and not fetched any more: nobody else would name it. Open until a
// person has seen to it.
asio::awaitable<void> tell_made(line& l, const plc_picture& picture)
{
    if (picture.made_since.empty()) co_return;
    auto& store = l.env().store;
    std::set<std::string> told;
    const std::vector<std::string> kinds{"order_refused", "made_unknown"};
    const auto open = co_await store.open_alerts(l.name(), kinds);
    for (const auto& a : open) told.insert(a.subject);
    for (const auto& order : picture.made_since) {
        if (told.contains(order)) continue;
        const auto text = fmt::format("{}: the PLC has made it ({}) and the database knows nothing of it: did a failover or a restore lose it? Look at it in Odoo: what is still in progress there is finished by hand", order, picture.made.at(order));
        co_await store.raise_alert(l.hold(), "made_unknown", order, text);
        core::log::error(l.about(task_names::auto_sync_mo, 0, order), "{}", text);
    }
}

// A failover or a restore of PostgreSQL may have lost what came after the staging: then the PLC has this load in hand, or is at
// work on another one, and writing it again would have its orders made twice. nullopt: it has not, write.
asio::awaitable<std::optional<run_result>> staged_and_overtaken(line& l, const domain::load& load)
{
    auto& store = l.env().store;
    const auto picture = co_await look_at_plc(l);
    const auto rows = co_await store.batches(l.name());
    bool offered = false, taken = false, echoed = false;
    for (const auto& b : rows) {
        if (b.load != load.id || !domain::is_unfinished(b.state)) continue;
        if (b.slot == 1) {
            const auto stands = domain::judge_offer(picture.offer, b.order_key);
            offered = stands == domain::offer::offered;
            taken = stands == domain::offer::taken;
        }
        const auto image = picture.images.find(b.slot);
        // An earlier run of the order may have left its name in the WRITE slot: only a new picture of it proves the taking.
        echoed = echoed || (image != picture.images.end() && !is_stale(l.map(), &load, b.slot, image->second) && domain::decode_slot(l.map(), image->second).mo_id == b.order_key);
    }
    if (offered || (taken && echoed)) {
        const auto text = fmt::format("load {} was not armed as far as the database knows, and the PLC has {} it: did a failover or a restore lose that? It is not written again", load.number, offered ? "been offered" : "taken");
        core::log::warning(l.about(task_names::auto_sync_mo), "{}", text);
        co_await store.set_load_state(l.hold(), load.id, offered ? domain::load_state::arming : domain::load_state::taken, domain::batch_state::loaded);
        l.rows_changed();
        run_result r;
        r.changed = true;
        r.detail = text;
        co_return r;
    }
    if (!picture.not_ready.empty()) co_return run_result::waiting(picture.not_ready);
    co_return std::nullopt;
}

// What is to be done before anything is fetched; nullopt: nothing, the line is free. The caller holds plc_writes().
asio::awaitable<std::optional<run_result>> finish_present_load(line& l)
{
    auto& store = l.env().store;
    for (;;) {
        auto open = co_await store.open_load(l.name());
        if (!open) {
            const auto rows = co_await store.batches(l.name());
            const auto busy = busy_reason(rows, co_await store.open_duties(l.name()));
            if (busy.empty()) co_return std::nullopt;
            co_return run_result::skipped(busy);
        }
        // Slots are blanked and offers withdrawn by the read cycle.
        if (open->withdrawing) co_return run_result::waiting(fmt::format("load {} is being withdrawn", open->number));
        if (!(co_await store.to_disarm(l.name())).empty()) co_return run_result::waiting(fmt::format("orders are being taken out of load {}", open->number));
        if (open->state == domain::load_state::staged) {
            if (auto overtaken = co_await staged_and_overtaken(l, *open)) co_return std::move(*overtaken);
        }
        const auto outcome = co_await continue_load(l, std::move(*open));
        // Nothing of it was left: the line may be free.
        if (outcome.what != load_outcome::kind::withdrawn) co_return result_of(outcome);
    }
}

}  // namespace

asio::awaitable<run_result> auto_sync_mo(line& l)
{
    auto& env = l.env();
    if (!env.config.plc_writes) co_return run_result::skipped("PLC_WRITES is not true");
    if (!l.paused_why().empty()) co_return run_result::waiting("the line is paused: " + l.paused_why());
    co_await l.look_at_person_pause();
    if (l.person_pause()) co_return paused_by_person(l);
    co_await wait_for_write_right(l);
    plc_picture before;
    {
        const auto lock = co_await l.plc_writes().lock();
        if (auto present = co_await finish_present_load(l)) co_return std::move(*present);
        // Asked before Odoo is: a PLC that is not ready needs no orders.
        before = co_await look_at_plc(l);
        if (!before.not_ready.empty()) co_return run_result::waiting(before.not_ready);
    }
    // Without the lock: a slow Odoo keeps nobody from writing to the PLC.
    collected found;
    std::string wrong;
    try {
        found = co_await collect_orders(l, std::min(env.config.sync_batch_limit, l.map().slots.count));
    } catch (const wrong_domain_error& e) {
        wrong = e.reason();
    }
    // Only a restart with another domain helps: not repeated like something that may be over soon.
    if (!wrong.empty()) co_return run_result::skipped(wrong);
    if (found.orders.empty()) {
        co_await tell_made(l, before);
        run_result r;
        r.changed = !found.refused.empty();
        r.detail = fmt::format("no order to make ({} refused, {} without a silo component)", found.refused.size(), found.not_ours);
        co_return r;
    }
    BATCHBRIDGE_CRASH_POINT("sync.fetched");

    const auto lock = co_await l.plc_writes().lock();
    // The line and the PLC again, as they are now: Odoo may have taken its time, and these images say what is stale.
    if (auto present = co_await finish_present_load(l)) co_return std::move(*present);
    const auto picture = co_await look_at_plc(l);
    if (!picture.not_ready.empty()) co_return run_result::waiting(picture.not_ready);
    // Paused while Odoo was asked: the orders stay there.
    if (l.person_pause()) co_return paused_by_person(l);
    co_await leave_out_made(l, picture, found.orders);
    co_await tell_made(l, picture);
    if (found.orders.empty()) co_return run_result::skipped("the PLC has made the orders already");
    auto staged = co_await stage(l, picture.images, std::move(found.orders));
    if (!staged) co_return run_result::skipped("the orders were taken by another line or session meanwhile");
    for (const auto& b : staged->batches)
        core::log::info(l.about(task_names::auto_sync_mo, b.id, b.mo_id), "queued for slot {}, {} kg planned", b.slot, b.planned_kg.to_string());
    BATCHBRIDGE_CRASH_POINT("sync.staged");
    co_return result_of(co_await continue_load(l, std::move(staged->load)));
}

}  // namespace batchbridge::tasks
