#include "tasks/delivery_work.hpp"

#include "core/backoff.hpp"
#include "core/crash_point.hpp"
#include "domain/component_mapping.hpp"

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::call_outcome;

namespace {

constexpr auto first_retry = std::chrono::seconds(1);
constexpr auto configuration_retry = std::chrono::seconds(60);

}  // namespace

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

failed_call failure_of(const odoo::error& e)
{
    failed_call f{e.outcome(), e.decision(), e.what(), e.kind()};
    return f;
}

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
    BATCHBRIDGE_CRASH_POINT("delivery.parking");
    const bool parked = co_await env.store.park(w.l.hold(), w.d, reason);
    BATCHBRIDGE_CRASH_POINT("delivery.parked");
    // Otherwise it has a newer version, which will be judged by itself.
    if (parked)
        core::log::error(w.about, "{} parked until a person acts (retry, complete or discard it): {}", domain::to_string(w.d.kind), reason);
    w.l.rows_changed();
    co_return delivery_end::settled;
}

bool is_final(const failed_call& f)
{
    if (f.outcome != call_outcome::rejected) return false;
    const auto step = domain::decide_delivery(f.decision);
    return step == domain::delivery_step::park || step == domain::delivery_step::gone;
}

asio::awaitable<delivery_end> settle_final(work& w, const failed_call& f, const domain::order& fresh, const std::vector<domain::move_value>& moves)
{
    const bool vanished = std::any_of(moves.begin(), moves.end(), [&](const domain::move_value& m) {
        return std::none_of(fresh.components.begin(), fresh.components.end(), [&](const domain::component& c) { return c.move_id == m.move_id; });
    });
    if (vanished && domain::decide_delivery(f.decision) == domain::delivery_step::gone) co_return co_await back_off(w, f);
    // The order is there and still says no: repeating changes nothing.
    co_return co_await park(w, f.text);
}

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

}  // namespace batchbridge::tasks
