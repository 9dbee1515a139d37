// A note on an order, at most once: Odoo cannot be asked whether it has one. So its row is sent with the commit of the attempt,
// before any byte leaves; only what certainly did not leave us is tried again.
#include "tasks/delivery_work.hpp"

#include "core/backoff.hpp"
#include "core/crash_point.hpp"

#include <boost/json/object.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::call_outcome;

namespace {

std::string text_of(const boost::json::value& payload)
{
    const auto* o = payload.if_object();
    const auto* text = o != nullptr ? o->if_contains("text") : nullptr;
    return text != nullptr && text->is_string() ? std::string(text->get_string()) : std::string();
}

asio::awaitable<std::optional<failed_call>> post(work& w, const std::string& text)
{
    std::exception_ptr other;
    std::optional<failed_call> failed;
    try {
        co_await w.env().erp.post_note(w.d.odoo_id, text);
    } catch (const odoo::error& e) {
        failed = failure_of(e);
    } catch (...) {
        other = std::current_exception();
    }
    // Cancelled, or a fault of ours: it may have left us, and stays sent.
    if (other) std::rethrow_exception(other);
    co_return failed;
}

}  // namespace

asio::awaitable<delivery_end> deliver_note(work& w)
{
    auto& env = w.env();
    const auto text = text_of(w.d.payload);
    if (text.empty()) {
        co_await env.store.discard(w.l.hold(), w.d, "the note has no text");
        co_return delivery_end::settled;
    }
    // Not on another order that got this id since Odoo was restored; one that is gone needs none.
    std::optional<domain::order> fresh;
    const auto f = co_await read_order(w, fresh);
    if (f && !is_final(*f)) co_return co_await settle_failure(w, *f);
    if (f || !fresh) {
        std::string why = "the order was deleted in Odoo";
        if (f) why = f->text;
        co_await env.store.discard(w.l.hold(), w.d, why);
        co_return delivery_end::settled;
    }
    const auto attempt = co_await env.store.begin_note(w.l.hold(), w.d);
    if (!attempt) co_return delivery_end::settled;
    BATCHBRIDGE_CRASH_POINT("odoo.attempt_committed");
    const auto failed = co_await post(w, text);
    BATCHBRIDGE_CRASH_POINT("odoo.answered");
    if (!failed) {
        co_await env.store.end_attempt(w.l.hold(), *attempt, call_outcome::ok, "");
        co_return delivery_end::settled;
    }
    if (failed->outcome == call_outcome::not_sent) {
        const core::backoff_limits pace{std::chrono::seconds(1), env.config.odoo_retry_max};
        const auto delay = core::backoff_delay(pace, static_cast<unsigned>(w.d.tries) + 1, core::random_unit());
        co_await env.store.note_not_sent(w.l.hold(), w.d, *attempt, delay, failed->text);
        co_return delivery_end::unreachable;
    }
    co_await env.store.end_attempt(w.l.hold(), *attempt, failed->outcome, failed->text);
    core::log::warning(w.about, "the note is {} in Odoo, and is not repeated: {}", failed->outcome == call_outcome::unclear ? "perhaps" : "not", failed->text);
    co_return failed->outcome == call_outcome::unclear || failed->decision == domain::error_class::retry ? delivery_end::unreachable : delivery_end::settled;
}

}  // namespace batchbridge::tasks
