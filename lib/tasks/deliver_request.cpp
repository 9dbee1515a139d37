// A failure of the plant as a maintenance request in Odoo. Nothing there prevents a second one: each carries a key, and is looked
// for before it is created, also after a create whose end is not known (design section 5).
#include "core/crash_point.hpp"
#include "tasks/delivery_work.hpp"

#include <boost/json/object.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

std::string text_of(const json::object& o, std::string_view name)
{
    const auto* v = o.if_contains(name);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

// As core::to_iso writes it.
std::optional<core::utc_time> time_of(std::string text)
{
    if (text.size() < 19 || text[10] != 'T') return std::nullopt;
    text[10] = ' ';
    return core::from_odoo(text.substr(0, 19));
}

// The row's payload (store_failure) as a request; nullopt: it holds no key, so it could not be told from another.
std::optional<odoo::maintenance_request> request_of(const json::value& payload)
{
    const auto* o = payload.if_object();
    if (o == nullptr) return std::nullopt;
    odoo::maintenance_request r;
    r.key = text_of(*o, "key");
    r.equipment_code = text_of(*o, "equipment_code");
    if (r.key.empty() || r.equipment_code.empty()) return std::nullopt;
    const auto what = text_of(*o, "description");
    const auto when = text_of(*o, "failure_date");
    r.title = fmt::format("{}: {}", r.equipment_code, what.empty() ? "failure" : what);
    r.at = time_of(when).value_or(core::utc_now());
    r.urgent = text_of(*o, "severity") != "low";
    r.description = fmt::format("Equipment {} of line {}: {}\nFailed at {}", r.equipment_code, text_of(*o, "line"), what, when);
    if (text_of(*o, "time_source") == "receipt") r.description += " (time of receipt: the PLC gave no valid time)";
    return r;
}

json::value values_of(const odoo::maintenance_request& r)
{
    json::object out;
    out["key"] = r.key;
    out["title"] = r.title;
    out["equipment_code"] = r.equipment_code;
    if (r.equipment_id) out["equipment_id"] = *r.equipment_id;
    out["at"] = core::to_iso(r.at);
    return out;
}

std::optional<failed_call> read_failure(const odoo::error& e)
{
    auto f = failure_of(e);
    // A read without an answer has changed nothing.
    if (f.outcome == domain::call_outcome::unclear) f.outcome = domain::call_outcome::not_sent;
    return f;
}

asio::awaitable<std::optional<failed_call>> look_for(work& w, odoo::maintenance_request& r, std::optional<std::int64_t>& there)
{
    try {
        there = co_await w.env().erp.find_request(r.key);
        if (!there) r.equipment_id = co_await w.env().erp.find_equipment(r.equipment_code);
        co_return std::nullopt;
    } catch (const odoo::error& e) {
        co_return read_failure(e);
    }
}

}  // namespace

asio::awaitable<delivery_end> deliver_request(work& w)
{
    auto& env = w.env();
    auto request = request_of(w.d.payload);
    if (!request) co_return co_await park(w, "the stored failure cannot be read: a fault of batchbridge, please report it");
    std::optional<std::int64_t> there;
    if (auto f = co_await look_for(w, *request, there)) co_return co_await settle_failure(w, *f);
    BATCHBRIDGE_CRASH_POINT("request.looked_for");
    store::equipment_found equipment;
    if (there) {
        co_await env.store.requested(w.l.hold(), w.d, *there, fmt::format("request {} was in Odoo already", *there), equipment);
        core::log::info(w.about, "maintenance request {} was in Odoo already", *there);
        co_return delivery_end::settled;
    }
    equipment.code = request->equipment_code;
    equipment.known = request->equipment_id.has_value();
    if (!equipment.known) {
        equipment.advice = fmt::format("Odoo shows no equipment with the serial number {}: the maintenance request is made without it. Either there is none (create it, or correct its serial number), or the user {} does "
                                       "not see it, which Odoo does not tell apart (give it the group Equipment Manager, or make it a follower of the equipment)",
                                       request->equipment_code, env.config.odoo_username);
        request->description += fmt::format("\nOdoo showed no equipment with the serial number {}", request->equipment_code);
    }
    std::optional<failed_call> failed;
    std::string answer;
    std::int64_t id = 0;
    std::function<asio::awaitable<std::string>()> call = [&env, &request, &id]() -> asio::awaitable<std::string> {
        id = co_await env.erp.create_request(*request);
        co_return fmt::format("request {}", id);
    };
    auto values = values_of(*request);
    const auto result = co_await attempt_call(w, "create_request", std::move(values), call, failed, answer);
    if (result == attempt_result::moved_on) co_return delivery_end::settled;
    if (result == attempt_result::failed && is_final(*failed) && request->equipment_id) {
        // The id was remembered, and the equipment may be gone by now; the client has forgotten it then.
        const auto used = request->equipment_id;
        if (auto f = co_await look_for(w, *request, there)) co_return co_await settle_failure(w, *f);
        if (!there && request->equipment_id != used) co_return co_await back_off(w, *failed);
    }
    if (result == attempt_result::failed) co_return co_await settle_failure(w, *failed);
    BATCHBRIDGE_CRASH_POINT("request.made");
    co_await env.store.requested(w.l.hold(), w.d, id, answer, equipment);
    BATCHBRIDGE_CRASH_POINT("request.recorded");
    core::log::info(w.about, "maintenance request {} made: {}", id, request->title);
    if (!equipment.known) core::log::warning(w.about, "{}", equipment.advice);
    co_return delivery_end::settled;
}

}  // namespace batchbridge::tasks
