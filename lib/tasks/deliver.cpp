#include "tasks/deliver.hpp"

#include "core/backoff.hpp"
#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "domain/component_mapping.hpp"

#include <boost/json/serialize.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::call_outcome;
using domain::delivery_kind;
using domain::order_state;

namespace {

constexpr auto first_retry = std::chrono::seconds(1);
constexpr auto configuration_retry = std::chrono::seconds(60);

boost::json::value moves_json(const std::vector<domain::move_value>& moves)
{
    boost::json::array out;
    for (const auto& m : moves) {
        boost::json::object one;
        one["move_id"] = m.move_id;
        one["quantity"] = m.quantity.to_string();
        if (m.silo != 0) one["silo"] = m.silo;
        out.push_back(std::move(one));
    }
    return out;
}

boost::json::value finish_json(const domain::finish_values& v)
{
    boost::json::object out;
    out["produced"] = v.produced.to_string();
    out["produced_from"] = v.produced_from;
    out["moves"] = moves_json(v.moves);
    return out;
}

// The absolute totals per silo of the version that is being sent; a newer version has its own row content, and
// begin_attempt refuses the older one.
std::optional<domain::silo_kg> totals_of(const boost::json::value& payload)
{
    const auto* object = payload.if_object();
    const auto* actual = object != nullptr ? object->if_contains("actual") : nullptr;
    if (actual == nullptr || !actual->is_object()) return std::nullopt;
    domain::silo_kg out;
    for (const auto& [silo, kg] : actual->get_object()) {
        const auto amount = kg.is_string() ? core::decimal::parse(kg.get_string()) : std::nullopt;
        if (!amount) return std::nullopt;
        out[std::stoi(std::string(silo))] = *amount;
    }
    return out;
}

// The produced quantity of a completion by hand, kg.
std::optional<core::decimal> given_by_a_person(const boost::json::value& payload)
{
    const auto* object = payload.if_object();
    const auto* produced = object != nullptr ? object->if_contains("produced") : nullptr;
    return produced != nullptr && produced->is_string() ? core::decimal::parse(produced->get_string()) : std::nullopt;
}

// One delivery's state while it is worked on.
struct work {
    line& l;
    store::delivery d;
    core::log::fields about;

    environment& env() const { return l.env(); }
};

// How a call ended that did not end well; empty = it went well.
struct failed_call {
    call_outcome outcome;
    domain::error_class decision;
    std::string text;
    core::error_kind kind;
};

failed_call failure_of(const odoo::error& e)
{
    failed_call f{e.outcome(), e.decision(), e.what(), e.kind()};
    return f;
}

// After an unclear write the row also waits until ODOO_UNCLEAR_WAIT after the start of the attempt: store::due_deliveries sees to
// that, by the database's clock, for every row of the order.
asio::awaitable<delivery_end> back_off(work& w, const failed_call& f)
{
    auto& env = w.env();
    const core::backoff_limits pace{first_retry, env.config.odoo_retry_max};
    auto delay = core::backoff_delay(pace, static_cast<unsigned>(w.d.tries) + 1, core::random_unit());
    // A certificate that was refused is one as well, though nothing was sent.
    if (f.outcome != call_outcome::unclear && domain::decide_delivery(f.decision) == domain::delivery_step::wait_for_configuration) {
        delay = configuration_retry;
        const bool news = co_await env.store.wait_for_configuration(w.l.hold(), w.d, delay, f.text);
        if (news)
            core::log::error(w.about, "Odoo refuses us, deliveries wait: {}. Check user, password or key and rights", f.text);
        co_return f.outcome == call_outcome::rejected ? delivery_end::settled : delivery_end::unreachable;
    }
    co_await env.store.retry_later(w.l.hold(), w.d, delay, f.text);
    if (f.outcome == call_outcome::unclear)
        core::log::warning(w.about, "{} unclear, nothing more is sent for this order until {} after it was begun: {}", domain::to_string(w.d.kind),
                           core::to_string(env.config.odoo_unclear_wait), f.text);
    else
        core::log::info(w.about, "{} will be repeated: {}", domain::to_string(w.d.kind), f.text);
    // Odoo without its database answers and is of no use: that too is for the breaker to find out.
    const bool answers = f.outcome == call_outcome::rejected && f.decision != domain::error_class::retry;
    co_return answers ? delivery_end::settled : delivery_end::unreachable;
}

asio::awaitable<delivery_end> park(work& w, const std::string& reason)
{
    auto& env = w.env();
    const bool parked = co_await env.store.park(w.l.hold(), w.d, reason);
    // Otherwise it has a newer version, which will be judged by itself.
    if (parked)
        core::log::error(w.about, "{} parked until a person acts (retry, complete or discard it): {}", domain::to_string(w.d.kind), reason);
    w.l.rows_changed();
    co_return delivery_end::settled;
}

// A no to a write that repeating does not change.
bool parks(const failed_call& f)
{
    return f.outcome == call_outcome::rejected && domain::decide_delivery(f.decision) == domain::delivery_step::park;
}

// A failed read of the order, or a failed call that leaves no doubt.
asio::awaitable<delivery_end> settle_failure(work& w, const failed_call& f)
{
    if (f.outcome != call_outcome::rejected) co_return co_await back_off(w, f);
    switch (domain::decide_delivery(f.decision)) {
    case domain::delivery_step::park: co_return co_await park(w, f.text);
    case domain::delivery_step::back_off:
    case domain::delivery_step::wait_for_configuration:
    case domain::delivery_step::gone: break;
    }
    co_return co_await back_off(w, f);
}

asio::awaitable<std::optional<failed_call>> read_order(work& w, std::optional<domain::order>& out)
{
    try {
        out = co_await w.env().erp.read_order(w.d.odoo_id);
        // After a restore of Odoo an id is given again: what we know belongs to another order.
        if (!out || !w.d.order_created || out->id.create_date == *w.d.order_created) co_return std::nullopt;
        failed_call other{call_outcome::rejected, domain::error_class::park, {}, core::error_kind::rejected};
        other.text = fmt::format("Odoo's order {} is another one by now: {} created {}, ours was created {}. Was Odoo restored? Nothing is sent for it", w.d.odoo_id, out->name, core::to_iso(out->id.create_date),
                                 core::to_iso(*w.d.order_created));
        co_return other;
    } catch (const odoo::error& e) {
        auto f = failure_of(e);
        // A read without an answer has changed nothing: nobody need wait for what may come of it.
        if (f.outcome == call_outcome::unclear) f.outcome = call_outcome::not_sent;
        co_return f;
    }
}

enum class attempt_result { done, moved_on, failed };

// The heart of exactly once: the attempt is committed, then the bytes are sent, then the outcome is committed.
// `call` is made at most once. The attempt's id is kept in `attempt` so that `delivered` can close it.
asio::awaitable<attempt_result> attempt_call(work& w, std::string_view name, boost::json::value values,
                                             std::function<asio::awaitable<std::string>()> call, std::optional<failed_call>& failed,
                                             std::string& answer)
{
    auto& store = w.env().store;
    const auto attempt = co_await store.begin_attempt(w.l.hold(), w.d, name, values);
    if (!attempt) co_return attempt_result::moved_on;
    BATCHBRIDGE_CRASH_POINT("odoo.attempt_committed");
    std::exception_ptr other;
    try {
        answer = co_await call();
    } catch (const odoo::error& e) {
        failed = failure_of(e);
    } catch (...) {
        other = std::current_exception();
    }
    // Cancelled, or a fault of ours: whether bytes went out is not known, so the attempt stays unclear.
    if (other) std::rethrow_exception(other);
    BATCHBRIDGE_CRASH_POINT("odoo.answered");
    const auto outcome = failed ? failed->outcome : call_outcome::ok;
    const std::string& text = failed ? failed->text : answer;
    co_await store.end_attempt(w.l.hold(), *attempt, outcome, text);
    co_return failed ? attempt_result::failed : attempt_result::done;
}

void wake_archiver(line& l)
{
    if (auto* t = l.task(task_names::process_completed)) t->wake();
    l.rows_changed();
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
    if (!fresh) co_return co_await archive_cancelled(w, "the order was deleted in Odoo; the material was used");
    if (fresh->state == order_state::cancel) co_return co_await archive_cancelled(w, "the order is cancelled in Odoo; the material was used");

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
            if (failed->outcome == call_outcome::rejected && domain::decide_delivery(failed->decision) != domain::delivery_step::back_off) {
                // Before a rejected write parks, the order is read once.
                if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
                if (!fresh) co_return co_await archive_cancelled(w, "the order was deleted in Odoo; the material was used");
                if (fresh->state == order_state::cancel)
                    co_return co_await archive_cancelled(w, "the order is cancelled in Odoo; the material was used");
                if (fresh->state == order_state::done) co_return co_await judge_done(w, *fresh, *values, "done meanwhile");
            }
            co_return co_await settle_failure(w, *failed);
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
        if (result == attempt_result::failed && (failed->outcome != call_outcome::rejected ||
                                                 domain::decide_delivery(failed->decision) == domain::delivery_step::back_off))
            co_return co_await settle_failure(w, *failed);
        BATCHBRIDGE_CRASH_POINT("finish.marked");
    }

    // Step 3: only the read-back counts.
    if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
    if (!fresh) co_return co_await archive_cancelled(w, "the order was deleted in Odoo; the material was used");
    if (fresh->state == order_state::done) co_return co_await judge_done(w, *fresh, *values, "verified");
    if (fresh->state == order_state::cancel) co_return co_await archive_cancelled(w, "the order is cancelled in Odoo; the material was used");
    if (!env.config.mark_done) {
        const auto wrong = domain::differences(*fresh, *values);
        if (wrong.empty()) co_return co_await finished(w, false, fmt::format("{} {} booked, not marked done (MARK_DONE=false)", values->produced.to_string(), fresh->uom));
        co_return co_await park(w, fmt::format("Odoo did not keep what was written: {}", fmt::join(wrong, "; ")));
    }
    if (failed) co_return co_await settle_failure(w, *failed);
    co_return co_await park(w, fmt::format("button_mark_done answered '{}' and the order is still '{}'", answer, domain::to_string(fresh->state)));
}

asio::awaitable<delivery_end> drop_consumption(work& w, const char* kind, const std::string& why)
{
    store::alert_note alert;
    alert.kind = kind;
    alert.subject = w.d.mo_id;
    alert.text = fmt::format("{}: {}", w.d.mo_id, why);
    auto& env = w.env();
    const bool news = co_await env.store.drop_consumption(w.l.hold(), w.d, alert);
    if (news)
        core::log::warning(w.about, "live consumption dropped: {}", why);
    co_return delivery_end::settled;
}

asio::awaitable<delivery_end> deliver_consumption(work& w)
{
    auto& env = w.env();
    if (!w.d.batch || w.d.batch->state == domain::batch_state::completed) {
        co_await env.store.discard(w.l.hold(), w.d, "the batch has completed; its finish carries the totals");
        co_return delivery_end::settled;
    }
    std::optional<domain::order> fresh;
    // A live value is never worth parking for a bad answer: the finish is what counts.
    if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
    if (!fresh) co_return co_await drop_consumption(w, "order_gone", "the order was deleted in Odoo while the PLC makes it");
    switch (fresh->state) {
    case order_state::done: co_return co_await drop_consumption(w, "order_done_elsewhere", "the order is done in Odoo while the PLC makes it");
    case order_state::cancel: co_return co_await drop_consumption(w, "order_cancelled", "the order is cancelled in Odoo while the PLC makes it");
    case order_state::confirmed:
    case order_state::progress:
    case order_state::to_close: break;
    case order_state::draft:
    case order_state::unknown: co_return co_await park(w, fmt::format("the order is in state '{}' in Odoo", domain::to_string(fresh->state)));
    }
    const auto totals = totals_of(w.d.payload);
    if (!totals) co_return co_await park(w, "the stored totals cannot be read: a fault of batchbridge, please report it");
    const auto moves = domain::consumption_values(w.l.map(), *fresh, *totals);
    const bool there = std::all_of(moves.begin(), moves.end(), [&](const domain::move_value& m) {
        return std::any_of(fresh->components.begin(), fresh->components.end(),
                           [&](const domain::component& c) { return c.move_id == m.move_id && c.picked && c.quantity == m.quantity; });
    });
    if (!there) {
        std::optional<failed_call> failed;
        std::string answer;
        std::function<asio::awaitable<std::string>()> call = [&env, &w, &moves]() -> asio::awaitable<std::string> {
            co_await env.erp.write_consumption(w.d.odoo_id, moves);
            co_return "true";
        };
        auto json = moves_json(moves);
        const auto result = co_await attempt_call(w, "write_consumption", std::move(json), call, failed, answer);
        if (result == attempt_result::moved_on) co_return delivery_end::settled;
        if (result == attempt_result::failed && !parks(*failed)) co_return co_await settle_failure(w, *failed);
        if (result == attempt_result::failed) {
            // Before a rejected write parks, the order is read once.
            if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
            if (!fresh) co_return co_await drop_consumption(w, "order_gone", "the order was deleted in Odoo while the PLC makes it");
            if (fresh->state == order_state::done) co_return co_await drop_consumption(w, "order_done_elsewhere", "the order is done in Odoo while the PLC makes it");
            if (fresh->state == order_state::cancel) co_return co_await drop_consumption(w, "order_cancelled", "the order is cancelled in Odoo while the PLC makes it");
            co_return co_await settle_failure(w, *failed);
        }
    }
    co_await env.store.delivered(w.l.hold(), w.d, false, env.config.odoo_live_interval, std::nullopt, there ? "already there" : "");
    core::log::debug(w.about, "live consumption delivered, version {}", w.d.version);
    co_return delivery_end::settled;
}

asio::awaitable<delivery_end> deliver_cancel(work& w)
{
    auto& env = w.env();
    std::optional<domain::order> fresh;
    if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
    std::string how = "cancelled in Odoo";
    if (!fresh) {
        how = "deleted in Odoo";
    } else if (fresh->state == order_state::done) {
        co_return co_await park(w, "the order is done in Odoo, it cannot be cancelled any more");
    } else if (fresh->state != order_state::cancel) {
        std::optional<failed_call> failed;
        std::string answer;
        std::function<asio::awaitable<std::string>()> call = [&env, &w]() -> asio::awaitable<std::string> {
            co_await env.erp.cancel(w.d.odoo_id);
            co_return "true";
        };
        const auto result = co_await attempt_call(w, "action_cancel", boost::json::object{}, call, failed, answer);
        if (result == attempt_result::moved_on) co_return delivery_end::settled;
        if (result == attempt_result::failed && !parks(*failed)) co_return co_await settle_failure(w, *failed);
        // Only the read-back counts; before a rejected write parks, the order is read once as well.
        if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
        if (fresh && fresh->state == order_state::done) co_return co_await park(w, "the order is done in Odoo, it cannot be cancelled any more");
        if (fresh && fresh->state != order_state::cancel && failed) co_return co_await settle_failure(w, *failed);
        if (fresh && fresh->state != order_state::cancel)
            co_return co_await park(w, fmt::format("action_cancel was answered and the order is still '{}'", domain::to_string(fresh->state)));
    }
    co_await env.store.cancelled_in_odoo(w.l.hold(), w.d, how);
    core::log::info(w.about, "order {}", how);
    wake_archiver(w.l);
    co_return delivery_end::settled;
}

}  // namespace

asio::awaitable<delivery_end> deliver(line& l, store::delivery d)
{
    work w{l, std::move(d), {}};
    w.about = l.about("dispatcher", w.d.batch_id, w.d.mo_id);
    switch (w.d.kind) {
    case delivery_kind::finish: co_return co_await deliver_finish(w);
    case delivery_kind::consumption: co_return co_await deliver_consumption(w);
    case delivery_kind::cancel: co_return co_await deliver_cancel(w);
    case delivery_kind::maintenance_request:
    case delivery_kind::note:
    case delivery_kind::webhook: break;
    }
    co_return co_await park(w, fmt::format("this version does not send {}", domain::to_string(w.d.kind)));
}

}  // namespace batchbridge::tasks
