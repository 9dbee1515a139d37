// The cancel of an order in Odoo, after a person asked for it here.
#include "core/crash_point.hpp"
#include "tasks/delivery_work.hpp"

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::order_state;

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
        if (result == attempt_result::failed && !is_final(*failed)) co_return co_await settle_failure(w, *failed);
        // Only the read-back counts, after a no as well.
        if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
        if (fresh && fresh->state == order_state::done) co_return co_await park(w, "the order is done in Odoo, it cannot be cancelled any more");
        if (fresh && fresh->state != order_state::cancel && failed) co_return co_await settle_final(w, *failed, *fresh, {});
        if (fresh && fresh->state != order_state::cancel)
            co_return co_await park(w, fmt::format("action_cancel was answered and the order is still '{}'", domain::to_string(fresh->state)));
    }
    BATCHBRIDGE_CRASH_POINT("cancel.verified");
    co_await env.store.cancelled_in_odoo(w.l.hold(), w.d, how);
    BATCHBRIDGE_CRASH_POINT("cancel.recorded");
    core::log::info(w.about, "order {}", how);
    wake_archiver(w.l);
    co_return delivery_end::settled;
}

}  // namespace batchbridge::tasks
