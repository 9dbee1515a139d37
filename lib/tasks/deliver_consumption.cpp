// A live value: absolute totals of an order that the PLC is still making. Never to an order that has ended.
#include "core/crash_point.hpp"
#include "tasks/delivery_work.hpp"

#include "domain/component_mapping.hpp"

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::order_state;

namespace {

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

asio::awaitable<std::optional<delivery_end>> ended_elsewhere(work& w, const std::optional<domain::order>& fresh)
{
    if (!fresh) co_return co_await drop_consumption(w, "order_cancelled", "the order was deleted in Odoo while the PLC makes it");
    if (fresh->state == order_state::done) co_return co_await drop_consumption(w, "order_done_elsewhere", "the order is done in Odoo while the PLC makes it");
    if (fresh->state == order_state::cancel) co_return co_await drop_consumption(w, "order_cancelled", "the order is cancelled in Odoo while the PLC makes it");
    co_return std::nullopt;
}

}  // namespace

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
    if (auto ended = co_await ended_elsewhere(w, fresh)) co_return *ended;
    if (fresh->state != order_state::confirmed && fresh->state != order_state::progress && fresh->state != order_state::to_close)
        co_return co_await park(w, fmt::format("the order is in state '{}' in Odoo", domain::to_string(fresh->state)));
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
        if (result == attempt_result::failed) {
            if (!is_final(*failed)) co_return co_await settle_failure(w, *failed);
            if (auto f = co_await read_order(w, fresh)) co_return co_await settle_failure(w, *f);
            if (auto ended = co_await ended_elsewhere(w, fresh)) co_return *ended;
            co_return co_await settle_final(w, *failed, *fresh, moves);
        }
    }
    BATCHBRIDGE_CRASH_POINT("consumption.written");
    co_await env.store.delivered(w.l.hold(), w.d, false, env.config.odoo_live_interval, std::nullopt, there ? "already there" : "");
    BATCHBRIDGE_CRASH_POINT("consumption.recorded");
    core::log::debug(w.about, "live consumption delivered, version {}", w.d.version);
    co_return delivery_end::settled;
}

}  // namespace batchbridge::tasks
