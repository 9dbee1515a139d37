#include "odoo/scada.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;

namespace {

constexpr const char* list_path = "/api/scada/mo-list-detailed";
constexpr const char* update_path = "/api/scada/mo/update-with-consumptions";
constexpr const char* done_path = "/api/scada/mo/mark-done";
constexpr const char* cancel_path = "/api/scada/mo/cancel";
constexpr const char* failure_path = "/api/scada/equipment-failure";
constexpr std::int64_t largest_page = 100;
constexpr int first_liquid = 114;

// Odoo's empty text is false.
std::string text_of(const json::object& o, const char* field)
{
    const auto* v = o.if_contains(field);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

// "silo101", "lq114"
std::string key_of(int silo)
{
    return fmt::format("{}{}", silo >= first_liquid ? "lq" : "silo", silo);
}

void add_totals(json::object& params, const std::vector<domain::move_value>& moves)
{
    std::map<int, core::decimal> totals;
    for (const auto& m : moves)
        if (m.silo != 0) totals[m.silo] = totals[m.silo] + m.quantity;
    for (const auto& [silo, quantity] : totals)
        if (quantity > core::decimal{}) params[key_of(silo)] = quantity.to_double();
}

std::string list_of_faults(const json::value& errors)
{
    if (errors.is_null() || (errors.is_bool() && !errors.get_bool())) return {};
    if (errors.is_string()) return std::string(errors.get_string());
    const auto* list = errors.if_array();
    if (list == nullptr) return kind_of(errors);
    std::string out;
    for (const auto& e : *list) {
        if (!out.empty()) out += "; ";
        out += e.is_string() ? std::string(e.get_string()) : kind_of(e);
    }
    return out;
}

}  // namespace

scada::scada(asio::any_io_executor executor, transport_options options, bool leave_unmapped)
    : scada(std::make_unique<session_transport>(std::move(executor), std::move(options)).release(), leave_unmapped)
{
}

scada::scada(session_transport* way, bool leave_unmapped) : mrp(std::unique_ptr<transport>(way)), session_(*way), leave_unmapped_(leave_unmapped)
{
}

asio::awaitable<json::object> scada::post(const char* path, purpose why, json::object params)
{
    const std::string operation = path;
    const auto limit = session_.limit_for(why);
    auto value = co_await session_.post(operation, why, std::move(params), limit);
    if (!value.is_object()) throw nonsense(operation, fmt::format("the answer is {}, expected an object", kind_of(value)));
    co_return std::move(value.get_object());
}

error scada::refused(const std::string& operation, const std::string& reason) const
{
    return {error_kind::rejected, call_outcome::rejected, error_class::park, operation, session_.target(), session_.clean(reason)};
}

// L-04: success is a good status and no errors.
void scada::expect_success(const char* path, const json::object& answer) const
{
    const auto status = text_of(answer, "status");
    if (status.empty()) throw nonsense(path, "an answer without a status");
    const auto* errors = answer.if_contains("errors");
    const auto faults = errors != nullptr ? list_of_faults(*errors) : std::string{};
    if (status == "success" && faults.empty()) return;
    auto reason = text_of(answer, "message");
    if (!faults.empty()) reason += (reason.empty() ? "" : ": ") + faults;
    throw refused(path, reason.empty() ? fmt::format("status '{}' without a message", status) : reason);
}

asio::awaitable<fetch_answer> scada::fetch_confirmed(const fetch_request& what)
{
    const std::set<std::int64_t> excluded(what.exclude_ids.begin(), what.exclude_ids.end());
    const auto page = std::min(largest_page, what.limit + static_cast<std::int64_t>(excluded.size()));
    fetch_answer out;
    std::set<std::int64_t> seen;
    for (std::int64_t offset = 0; out.orders.size() < static_cast<std::size_t>(what.limit); offset += page) {
        json::object params;
        params["limit"] = page;
        params["offset"] = offset;
        json::array states;
        states.emplace_back("confirmed");
        params["states"] = std::move(states);
        const auto answer = co_await post(list_path, purpose::read, std::move(params));
        expect_success(list_path, answer);
        const auto* data = answer.if_contains("data");
        const auto* list = data != nullptr ? data->if_array() : nullptr;
        if (list == nullptr) throw nonsense(list_path, "an answer without a list of orders");
        std::vector<std::int64_t> ids;
        bool news = false;
        for (const auto& record : *list) {
            const auto* o = record.if_object();
            const auto* id = o != nullptr ? o->if_contains("mo_id") : nullptr;
            if (id == nullptr || !id->is_int64() || id->get_int64() <= 0) {
                domain::malformed_order bad;
                bad.reason = "an order of the list has no usable mo_id";
                if (o != nullptr) bad.name = text_of(*o, "reference");
                out.orders.emplace_back(std::move(bad));
                continue;
            }
            if (!seen.insert(id->get_int64()).second) continue;
            news = true;
            if (!excluded.contains(id->get_int64())) ids.push_back(id->get_int64());
        }
        const auto missing = static_cast<std::size_t>(what.limit) - std::min(out.orders.size(), static_cast<std::size_t>(what.limit));
        if (!ids.empty() && missing > 0) {
            json::array domain;
            domain.emplace_back(condition("id", "in", id_list(ids)));
            domain.emplace_back(condition("state", "=", "confirmed"));
            if (what.date_start_until) domain.emplace_back(condition("date_start", "<=", json::string(core::to_odoo(*what.date_start_until))));
            auto read = co_await search_orders(std::move(domain), "priority desc, date_start asc, id asc", static_cast<std::int64_t>(missing));
            out.matches += read.matches;
            for (auto& order : read.orders) out.orders.push_back(std::move(order));
        }
        // The last page; or a module that takes no offset and would send this page again and again.
        if (list->size() < static_cast<std::size_t>(page) || !news) break;
    }
    co_return out;
}

asio::awaitable<void> scada::write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves)
{
    json::object params;
    params["mo_id"] = odoo_id;
    add_totals(params, moves);
    const auto answer = co_await post(update_path, purpose::write, std::move(params));
    expect_success(update_path, answer);
}

asio::awaitable<void> scada::write_final(std::int64_t odoo_id, const domain::finish_values& values)
{
    json::object params;
    params["mo_id"] = odoo_id;
    if (values.produced > core::decimal{}) params["quantity"] = values.produced.to_double();
    add_totals(params, values.moves);
    const auto answer = co_await post(update_path, purpose::write, std::move(params));
    expect_success(update_path, answer);
}

asio::awaitable<std::string> scada::mark_done(std::int64_t odoo_id, const domain::finish_values& values, core::utc_time ended)
{
    if (!(values.produced > core::decimal{})) throw refused(done_path, "a produced quantity of 0 cannot be reported; complete the order by hand");
    json::object params;
    params["mo_id"] = odoo_id;
    params["finished_qty"] = values.produced.to_double();
    params["date_end_actual"] = core::to_odoo(ended);
    const auto answer = co_await post(done_path, purpose::write, std::move(params));
    expect_success(done_path, answer);
    const auto message = text_of(answer, "message");
    co_return session_.clean(message.empty() ? "success" : message);
}

asio::awaitable<void> scada::cancel(std::int64_t odoo_id)
{
    json::object params;
    params["mo_id"] = odoo_id;
    const auto answer = co_await post(cancel_path, purpose::write, std::move(params));
    // Cancelled already is what was wanted.
    if (text_of(answer, "mo_state") == "cancel") co_return;
    expect_success(cancel_path, answer);
}

asio::awaitable<std::optional<std::int64_t>> scada::find_request(const std::string& key)
{
    json::array domain;
    domain.emplace_back("|");
    domain.emplace_back(condition("name", "like", json::string(like_pattern(key))));
    domain.emplace_back(condition("description", "like", json::string(like_pattern(key))));
    co_return co_await first_id("maintenance.request", std::move(domain));
}

asio::awaitable<std::int64_t> scada::create_request(const maintenance_request& what)
{
    json::object params;
    params["equipment_code"] = what.equipment_code;
    params["description"] = fmt::format("{} [{}]\n{}", what.title, what.key, what.description);
    params["date"] = core::to_odoo(what.at);
    const auto answer = co_await post(failure_path, purpose::write, std::move(params));
    expect_success(failure_path, answer);
    const auto* data = answer.if_contains("data");
    const auto* o = data != nullptr ? data->if_object() : nullptr;
    const auto* id = o != nullptr ? o->if_contains("id") : nullptr;
    const auto number = id != nullptr ? one_id_of(*id) : std::nullopt;
    if (!number) throw nonsense(failure_path, "success, but no id of the new request");
    co_return *number;
}

std::string scada::refuses(const domain::mapped_order& order) const
{
    std::set<int> used;
    for (const auto& [move, silo] : order.silo_of_move)
        if (!used.insert(silo).second)
            return fmt::format("two components on silo {}: the SCADA module takes one total per silo (ODOO_API=scada); put them together in the recipe", silo);
    if (leave_unmapped_ || order.unmapped.empty()) return {};
    return fmt::format("{} component(s) without a silo: the SCADA module can book silos only (ODOO_API=scada); UNMAPPED_COMPONENTS=leave leaves them to people",
                       order.unmapped.size());
}

}  // namespace batchbridge::odoo
