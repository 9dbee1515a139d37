#include "odoo/mrp.hpp"

#include "core/log.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;

namespace {

constexpr const char* production = "mrp.production";
constexpr const char* order_of_orders = "priority desc, date_start asc, id asc";

const json::array* records_of(const json::value& v)
{
    const auto* o = v.if_object();
    const auto* records = o != nullptr ? o->if_contains("records") : nullptr;
    return records != nullptr ? records->if_array() : nullptr;
}

// What button_mark_done gave back, in words. It proves nothing (odoo18.md, section 6).
std::string describe_action(const json::value& v)
{
    if (const auto* o = v.if_object()) {
        const auto text = [o](const char* field) {
            const auto* f = o->if_contains(field);
            return f != nullptr && f->is_string() ? std::string(f->get_string()) : std::string{};
        };
        if (const auto model = text("res_model"); !model.empty()) return "wizard " + model;
        if (const auto tag = text("tag"); !tag.empty()) return "action " + tag;
        const auto type = text("type");
        return type.empty() ? "an object" : "action " + type;
    }
    return v.is_null() ? "nothing" : kind_of(v);
}

}  // namespace

json::array condition(const char* field, const char* op, json::value value)
{
    json::array c;
    c.emplace_back(field);
    c.emplace_back(op);
    c.emplace_back(std::move(value));
    return c;
}

call search_one(const char* model, json::array domain, purpose why)
{
    call c(model, "search_read", why);
    c.with("domain", std::move(domain));
    json::array fields;
    fields.emplace_back("id");
    c.keyword["fields"] = std::move(fields);
    c.keyword["limit"] = 1;
    return c;
}

json::array id_list(const std::vector<std::int64_t>& ids)
{
    json::array out;
    for (const auto id : ids) out.emplace_back(id);
    return out;
}

std::optional<std::int64_t> one_id_of(const json::value& v)
{
    const auto* list = v.if_array();
    const auto& one = list != nullptr && list->size() == 1 ? list->front() : v;
    if (!one.is_int64() || one.get_int64() <= 0) return std::nullopt;
    return one.get_int64();
}

mrp::mrp(std::unique_ptr<transport> way) : way_(std::move(way))
{
}

error mrp::nonsense(const std::string& operation, const std::string& reason) const
{
    return {error_kind::protocol, call_outcome::unclear, error_class::retry, operation, way_->target(), reason};
}

asio::awaitable<json::value> mrp::ask(call c)
{
    const auto limit = way_->limit_for(c.why);
    co_return co_await way_->ask(std::move(c), limit);
}

// A call with a specification. When Odoo answers that a field is wrong (builtins.ValueError, h15b), fewer are asked for,
// step by step. Only a success with fewer proves that the specification was to blame, and not the domain (h14).
asio::awaitable<json::value> mrp::ask_detailed(call c)
{
    const auto limit = way_->limit_for(c.why);
    co_await way_->open(limit);
    if (way_->version() != detail_version_) detail_ = detail::full;
    detail_version_ = way_->version();
    std::optional<error> first;
    for (auto asked = detail_;; asked = static_cast<detail>(static_cast<int>(asked) + 1)) {
        c.keyword["specification"] = order_specification(asked);
        std::optional<error> failed;
        json::value out;
        try {
            out = co_await way_->ask(c, limit);
        } catch (const error& e) {
            failed = e;
        }
        if (!failed) {
            if (first) {
                detail_ = asked;
                core::log::warning({}, "{}. Asking for fewer fields of orders from now on: scrap marks, stock locations or roundings may be missing", first->what());
            }
            co_return out;
        }
        if (!first) first = failed;
        if (failed->peer_code() != "builtins.ValueError") throw *failed;
        if (asked == last_detail) throw *first;
    }
}

asio::awaitable<server_info> mrp::connect()
{
    co_return co_await way_->open(way_->limit_for(purpose::open));
}

asio::awaitable<void> mrp::probe()
{
    json::array domain;
    domain.emplace_back(condition("state", "=", "confirmed"));
    auto c = search_one(production, std::move(domain), purpose::open);
    const auto operation = c.operation();
    const auto answer = co_await ask(std::move(c));
    if (!answer.is_array()) throw nonsense(operation, fmt::format("the answer is {}, expected a list", kind_of(answer)));
}

asio::awaitable<fetch_answer> mrp::search_orders(json::array domain, std::string order, std::int64_t limit)
{
    call c(production, "web_search_read", purpose::read);
    c.with("domain", std::move(domain));
    c.keyword["order"] = order;
    c.keyword["limit"] = limit;
    c.keyword["offset"] = 0;
    const auto operation = c.operation();
    const auto value = co_await ask_detailed(std::move(c));
    const auto* records = records_of(value);
    if (records == nullptr) throw nonsense(operation, fmt::format("the answer is {}, expected {{length, records}}", kind_of(value)));
    fetch_answer out;
    const auto* length = value.get_object().if_contains("length");
    out.matches = length != nullptr && length->is_int64() ? length->get_int64() : static_cast<std::int64_t>(records->size());
    for (const auto& record : *records) out.orders.push_back(parse_order(record, way_->database()));
    co_return out;
}

asio::awaitable<fetch_answer> mrp::fetch_confirmed(const fetch_request& what)
{
    json::array domain;
    domain.emplace_back(condition("state", "=", "confirmed"));
    if (what.date_start_until) domain.emplace_back(condition("date_start", "<=", json::string(core::to_odoo(*what.date_start_until))));
    if (!what.exclude_ids.empty()) domain.emplace_back(condition("id", "not in", id_list(what.exclude_ids)));
    // Last, so that a term of it that takes too many operands fails in Odoo and swallows none of ours.
    for (const auto& term : what.domain) domain.push_back(term);
    co_return co_await search_orders(std::move(domain), order_of_orders, what.limit);
}

asio::awaitable<std::optional<domain::order>> mrp::read_order(std::int64_t odoo_id)
{
    call c(production, "web_read", purpose::read);
    c.on({odoo_id});
    const auto operation = c.operation();
    const auto value = co_await ask_detailed(std::move(c));
    const auto* records = value.if_array();
    if (records == nullptr || records->size() > 1)
        throw nonsense(operation, fmt::format("the answer is {}, expected a list of one order or none", kind_of(value)));
    // A deleted order is an empty list, not an error (h02c).
    if (records->empty()) co_return std::nullopt;
    auto parsed = parse_order(records->front(), way_->database());
    if (const auto* bad = std::get_if<domain::malformed_order>(&parsed))
        throw error(error_kind::protocol, call_outcome::rejected, error_class::our_bug, operation, way_->target(), fmt::format("order {}: {}", odoo_id, bad->reason));
    auto& order = std::get<domain::order>(parsed);
    if (order.id.odoo_id != odoo_id) throw nonsense(operation, fmt::format("asked for order {}, got {}", odoo_id, order.id.odoo_id));
    co_return std::move(order);
}

asio::awaitable<std::vector<domain::order>> mrp::read_orders(const std::vector<std::int64_t>& ids)
{
    std::vector<domain::order> out;
    if (ids.empty()) co_return out;
    json::array domain;
    domain.emplace_back(condition("id", "in", id_list(ids)));
    const auto found = co_await search_orders(std::move(domain), "id asc", static_cast<std::int64_t>(ids.size()));
    for (const auto& parsed : found.orders) {
        if (const auto* order = std::get_if<domain::order>(&parsed)) {
            out.push_back(*order);
            continue;
        }
        // Leaving it out would say that it was deleted.
        const auto& bad = std::get<domain::malformed_order>(parsed);
        if (bad.odoo_id == 0) throw nonsense("mrp.production.web_search_read", "a record without a usable id: " + bad.reason);
        core::log::warning({}, "Odoo order {} (id {}) cannot be read: {}", bad.name, bad.odoo_id, bad.reason);
        domain::order unknown;
        unknown.id.odoo_db = way_->database();
        unknown.id.odoo_id = bad.odoo_id;
        if (bad.create_date) unknown.id.create_date = *bad.create_date;
        unknown.name = bad.name;
        out.push_back(std::move(unknown));
    }
    co_return out;
}

asio::awaitable<void> mrp::write(std::int64_t odoo_id, json::object values)
{
    call c(production, "write", purpose::write);
    c.on({odoo_id}).with("vals", std::move(values));
    const auto operation = c.operation();
    const auto value = co_await ask(std::move(c));
    if (value.is_null() || (value.is_bool() && value.get_bool())) co_return;
    throw nonsense(operation, fmt::format("the answer is {}, expected true", kind_of(value)));
}

asio::awaitable<void> mrp::write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves)
{
    json::object values;
    values["move_raw_ids"] = move_commands(moves);
    co_await write(odoo_id, std::move(values));
}

asio::awaitable<void> mrp::write_final(std::int64_t odoo_id, const domain::finish_values& v)
{
    json::object values;
    values["qty_producing"] = v.produced.to_double();
    values["move_raw_ids"] = move_commands(v.moves);
    co_await write(odoo_id, std::move(values));
}

asio::awaitable<std::string> mrp::mark_done(std::int64_t odoo_id, const domain::finish_values&, core::utc_time)
{
    call c(production, "button_mark_done", purpose::write);
    c.on({odoo_id});
    json::object context;
    for (const auto* key : {"skip_consumption", "skip_backorder", "skip_redirection"}) context[key] = true;
    c.keyword["context"] = std::move(context);
    const auto value = co_await ask(std::move(c));
    co_return way_->clean(describe_action(value));
}

asio::awaitable<void> mrp::cancel(std::int64_t odoo_id)
{
    call c(production, "action_cancel", purpose::write);
    c.on({odoo_id});
    co_await ask(std::move(c));
}

}  // namespace batchbridge::odoo
