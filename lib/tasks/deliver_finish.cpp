// The guarded finish (design section 5): read, write, mark done, read back. Its values are computed once and stored before the
// first write; whatever goes wrong in between, the next try begins at the read.
#include "tasks/delivery_work.hpp"

#include "core/crash_point.hpp"
#include "domain/component_mapping.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::call_outcome;
using domain::order_state;

namespace {

boost::json::value finish_json(const domain::finish_values& v)
{
    boost::json::object out;
    out["produced"] = v.produced.to_string();
    out["produced_from"] = v.produced_from;
    out["moves"] = moves_json(v.moves);
    return out;
}

// The produced quantity of a completion by hand, kg.
std::optional<core::decimal> given_by_a_person(const boost::json::value& payload)
{
    const auto* object = payload.if_object();
    const auto* produced = object != nullptr ? object->if_contains("produced") : nullptr;
    return produced != nullptr && produced->is_string() ? core::decimal::parse(produced->get_string()) : std::nullopt;
}

asio::awaitable<delivery_end> archive_cancelled(work& w, const std::string& why)
{
    auto& env = w.env();
    store::journal_entry entry;
    entry.what = "odoo.state";
    entry.mo_id = w.d.mo_id;
    entry.answer = why;
    store::alert_note alert;
    alert.kind = "order_cancelled";
    alert.subject = w.d.mo_id;
    alert.text = fmt::format("{}: {}", w.d.mo_id, why);
    const bool archived = co_await env.store.archive(w.l.hold(), w.d.batch_id, domain::history_status::cancelled, why, std::move(entry), std::move(alert));
    if (archived)
        core::log::error(w.about, "archived as cancelled: {}", why);
    wake_archiver(w.l);
    co_return delivery_end::settled;
}

// Deleted or cancelled in Odoo: there is nothing to finish.
asio::awaitable<std::optional<delivery_end>> ended_elsewhere(work& w, const std::optional<domain::order>& fresh)
{
    if (!fresh) co_return co_await archive_cancelled(w, "the order was deleted in Odoo; the material was used");
    if (fresh->state == order_state::cancel) co_return co_await archive_cancelled(w, "the order is cancelled in Odoo; the material was used");
    co_return std::nullopt;
}

asio::awaitable<delivery_end> finished(work& w, bool done_marked, const std::string& note)
{
    auto& env = w.env();
    co_await env.store.delivered(w.l.hold(), w.d, done_marked, env.config.odoo_live_interval, std::nullopt, note);
    BATCHBRIDGE_CRASH_POINT("finish.recorded");
    core::log::info(w.about, "finished in Odoo: {}", note);
    wake_archiver(w.l);
    co_return delivery_end::settled;
}

std::string both_sets(const domain::order& o, const domain::finish_values& v)
{
    boost::json::array theirs;
    for (const auto& c : o.components) {
        boost::json::object one;
        one["move_id"] = c.move_id;
        one["quantity"] = c.quantity.to_string();
        theirs.push_back(std::move(one));
    }
    return fmt::format("ours {}, Odoo's produced {} moves {}", boost::json::serialize(finish_json(v)), o.qty_produced.to_string(),
                       boost::json::serialize(theirs));
}

asio::awaitable<std::optional<domain::finish_values>> values_for(work& w, const domain::order& fresh, std::string& refused)
{
    auto& env = w.env();
    const auto attempted = co_await env.store.attempted_values(w.d.odoo_db, w.d.odoo_id, w.d.batch_id);
    domain::finish_rules rules;
    rules.produced = env.config.produced_quantity;
    rules.unmapped = env.config.unmapped_components;
    rules.given_kg = given_by_a_person(w.d.payload);
    const std::function<bool(const domain::move_value&)> ours = [&attempted](const domain::move_value& m) {
        return std::find(attempted.begin(), attempted.end(), m) != attempted.end();
    };
    auto computed = domain::compute_finish(w.l.map(), fresh, *w.d.batch, rules, ours);
    if (auto* no = std::get_if<domain::finish_refused>(&computed)) {
        refused = no->reason;
        co_return std::nullopt;
    }
    co_return std::move(std::get<domain::finish_values>(computed));
}

// After mark done, and for an order that is already done: only the read-back counts.
asio::awaitable<delivery_end> judge_done(work& w, const domain::order& fresh, const domain::finish_values& values, const char* when)
{
    const auto wrong = domain::differences(fresh, values);
    if (wrong.empty()) co_return co_await finished(w, true, fmt::format("{} {} ({})", values.produced.to_string(), fresh.uom, when));
    co_return co_await park(w, fmt::format("the order is done in Odoo with other quantities, nothing is corrected by us: {} [{}]",
                                           fmt::join(wrong, "; "), both_sets(fresh, values)));
}

}  // namespace

asio::awaitable<delivery_end> deliver_finish(work& w)
{
    auto& env = w.env();
    if (!w.d.batch) {
        co_await env.store.discard(w.l.hold(), w.d, "its batch is gone");
        co_return delivery_end::settled;
    }
    // Step 0: where does the order stand?
    std::optional<domain::order> fresh;
    if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
    BATCHBRIDGE_CRASH_POINT("finish.guarded");
    if (auto ended = co_await ended_elsewhere(w, fresh)) co_return *ended;

    std::string refused;
    auto values = w.d.values;
    if (values) {
        // A vanished move makes the stored values meaningless: compute anew.
        const bool vanished = std::any_of(values->moves.begin(), values->moves.end(), [&](const domain::move_value& m) {
            return std::none_of(fresh->components.begin(), fresh->components.end(),
                                [&](const domain::component& c) { return c.move_id == m.move_id; });
        });
        if (vanished && fresh->state != order_state::done) values.reset();
    }
    const bool stored = values.has_value();
    if (!values) values = co_await values_for(w, *fresh, refused);
    if (!values) co_return co_await park(w, refused);
    const bool done = fresh->state == order_state::done;
    if (!done && fresh->state != order_state::confirmed && fresh->state != order_state::progress && fresh->state != order_state::to_close)
        co_return co_await park(w, fmt::format("the order is in state '{}' in Odoo; it can only be finished from confirmed, progress or to_close",
                                               domain::to_string(fresh->state)));
    if (!stored) {
        const bool committed = co_await env.store.set_finish_values(w.l.hold(), w.d, *values);
        if (!committed) co_return delivery_end::settled;
        if (!values->unplanned.empty())
            core::log::warning(w.about, "dosed and booked nowhere, as no component of the order stands for it: {}. Book it in Odoo by hand", domain::describe(values->unplanned));
    }
    BATCHBRIDGE_CRASH_POINT("finish.values");
    if (done) co_return co_await judge_done(w, *fresh, *values, "already done");

    // Step 1, unless an earlier try already left exactly this in Odoo (L-07).
    std::optional<failed_call> failed;
    std::string answer;
    const bool written = stored && fresh->qty_producing == values->produced && domain::differences(*fresh, *values).empty();
    if (!written) {
        auto json = finish_json(*values);
        std::function<asio::awaitable<std::string>()> call = [&env, &w, &values]() -> asio::awaitable<std::string> {
            co_await env.erp.write_final(w.d.odoo_id, *values);
            co_return "true";
        };
        const auto result = co_await attempt_call(w, "write_final", std::move(json), call, failed, answer);
        if (result == attempt_result::moved_on) co_return delivery_end::settled;
        if (result == attempt_result::failed) {
            if (!is_final(*failed)) co_return co_await settle_failure(w, *failed);
            if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
            if (auto ended = co_await ended_elsewhere(w, fresh)) co_return *ended;
            if (fresh->state == order_state::done) co_return co_await judge_done(w, *fresh, *values, "done meanwhile");
            co_return co_await settle_final(w, *failed, *fresh, values->moves);
        }
        BATCHBRIDGE_CRASH_POINT("finish.written");
    }

    // Step 2.
    if (env.config.mark_done) {
        std::function<asio::awaitable<std::string>()> call = [&env, &w, &values]() {
            const auto& changed = w.d.batch->last_changed;
            return env.erp.mark_done(w.d.odoo_id, *values, changed ? *changed : core::utc_now());
        };
        const auto result = co_await attempt_call(w, "button_mark_done", boost::json::object{}, call, failed, answer);
        if (result == attempt_result::moved_on) co_return delivery_end::settled;
        if (result == attempt_result::failed && !is_final(*failed)) co_return co_await settle_failure(w, *failed);
        BATCHBRIDGE_CRASH_POINT("finish.marked");
    }

    // Step 3: only the read-back counts.
    if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
    if (auto ended = co_await ended_elsewhere(w, fresh)) co_return *ended;
    if (fresh->state == order_state::done) co_return co_await judge_done(w, *fresh, *values, "verified");
    if (!env.config.mark_done) {
        const auto wrong = domain::differences(*fresh, *values);
        if (wrong.empty()) co_return co_await finished(w, false, fmt::format("{} {} booked, not marked done (MARK_DONE=false)", values->produced.to_string(), fresh->uom));
        co_return co_await park(w, fmt::format("Odoo did not keep what was written: {}", fmt::join(wrong, "; ")));
    }
    if (failed) co_return co_await settle_final(w, *failed, *fresh, {});
    co_return co_await park(w, fmt::format("button_mark_done answered '{}' and the order is still '{}'", answer, domain::to_string(fresh->state)));
}

}  // namespace batchbridge::tasks
