#include "odoo/jsonrpc.hpp"

#include "core/deadline.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "odoo/error_table.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <limits>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using std::chrono::steady_clock;

namespace {

constexpr const char* production = "mrp.production";
constexpr const char* order_of_orders = "priority desc, date_start asc, id asc";
constexpr std::size_t longest_text = 400;

json::array one_id(std::int64_t id)
{
    json::array ids;
    ids.emplace_back(id);
    return ids;
}

json::array condition(const char* field, const char* op, json::value value)
{
    json::array c;
    c.emplace_back(field);
    c.emplace_back(op);
    c.emplace_back(std::move(value));
    return c;
}

json::array id_list(const std::vector<std::int64_t>& ids)
{
    json::array out;
    for (const auto id : ids) out.emplace_back(id);
    return out;
}

// "18.0+e-20241005" is 18; "saas~18.3+e" and "20.0" are not verified.
bool is_verified(const std::string& version)
{
    return version.starts_with("18.0") || version.starts_with("19.0");
}

http::client_options without_hook(http::client_options o)
{
    o.before_send = nullptr;
    o.lease = nullptr;
    return o;
}

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

// mrp.production.<method>(positional.., keyword..)
struct jsonrpc::call {
    call(std::string m, purpose w) : method(std::move(m)), why(w) {}

    std::string operation() const { return fmt::format("{}.{}", production, method); }

    std::string method;
    purpose why;
    json::array positional;
    json::object keyword;
};

jsonrpc_options jsonrpc_options::from(const core::config& c)
{
    jsonrpc_options o;
    o.http.base_url = c.odoo_url;
    o.http.ca_file = c.odoo_ca_file;
    o.http.verify = c.odoo_tls_verify;
    o.http.connect_timeout = c.odoo_connect_timeout;
    o.http.max_response = c.odoo_max_response;
    o.db = c.odoo_db;
    o.user = c.odoo_username;
    o.secret_is_key = !c.odoo_api_key.empty();
    o.secret = o.secret_is_key ? c.odoo_api_key : c.odoo_password;
    o.write_unverified = c.odoo_unverified_version;
    o.read_timeout = c.odoo_timeout;
    o.write_timeout = c.odoo_write_timeout;
    return o;
}

jsonrpc::jsonrpc(asio::any_io_executor executor, jsonrpc_options options)
    : options_(std::move(options)), calls_(executor, options_.http), opening_(executor, without_hook(options_.http)),
      target_("odoo " + calls_.target()), login_lock_(executor)
{
}

std::string jsonrpc::clean(std::string text) const
{
    std::vector<std::string> secrets{options_.secret.value};
    if (session_) secrets.push_back(session_->secret);
    for (const auto& s : secrets) {
        if (s.empty()) continue;
        for (auto at = text.find(s); at != std::string::npos; at = text.find(s, at + 3)) text.replace(at, s.size(), "***");
    }
    text = core::clean_utf8(text);
    return text.size() > longest_text ? std::string(core::utf8_prefix(text, longest_text)) + ".." : text;
}

error jsonrpc::from_http(const http::error& e, const std::string& operation) const
{
    const auto outcome = e.sent() ? call_outcome::unclear : call_outcome::not_sent;
    const auto decision = e.configuration() ? error_class::configuration : error_class::retry;
    return {e.kind(), outcome, decision, operation, target_, fmt::format("{}: {}", e.operation(), e.reason())};
}

error jsonrpc::from_fault(const answer& a, const std::string& operation) const
{
    const auto decision = classify(protocol::jsonrpc, 200, a.name);
    std::string reason = clean(a.message.empty() ? "no text" : a.message);
    if (decision == error_class::new_key)
        reason += options_.secret_is_key ? "; the API key is wrong or has expired (ODOO_API_KEY), or the user is archived"
                                         : "; the password is wrong or was changed (ODOO_PASSWORD), or the user is archived";
    if (decision == error_class::retry) reason += "; the database is missing or down (ODOO_DB), or was too busy";
    const auto kind = decision == error_class::retry ? error_kind::unavailable : error_kind::rejected;
    return {kind, call_outcome::rejected, decision, operation, target_, std::move(reason), clean(a.name)};
}

error jsonrpc::from_foreign(const answer& a, unsigned status, const std::string& operation, purpose why)
{
    // 502, 503, 504: Odoo restarts behind its proxy. It may come back as another version.
    if (status >= 500) info_.reset();
    const auto decision = classify(protocol::jsonrpc, status, "");
    const auto code = std::to_string(status);
    // Whoever answered, a write may have reached Odoo all the same.
    if (why == purpose::write || decision == error_class::retry)
        return {error_kind::protocol, call_outcome::unclear, error_class::retry, operation, target_, a.reason, code};
    return {error_kind::rejected, call_outcome::rejected, decision, operation, target_, a.reason + "; check ODOO_URL", code};
}

// JSON from Odoo's address that makes no sense as an answer to this call.
error jsonrpc::nonsense(const std::string& operation, const std::string& reason) const
{
    return {error_kind::protocol, call_outcome::unclear, error_class::retry, operation, target_, reason};
}

// A failure of version or login, as the call sees it that needed them: not a byte of that call was sent. Only a clear no
// keeps its class, so that it waits for a person and never parks.
error jsonrpc::opening(const error& e) const
{
    auto outcome = e.outcome();
    auto decision = e.decision();
    if (outcome == call_outcome::unclear || decision == error_class::retry) outcome = call_outcome::not_sent;
    if (outcome == call_outcome::rejected && decision != error_class::new_key) decision = error_class::configuration;
    return {e.kind(), outcome, decision, e.operation(), e.target(), e.reason(), e.peer_code()};
}

// One request. The answer is Odoo's own (a value or a fault); everything else throws.
asio::awaitable<answer> jsonrpc::post(const std::string& operation, purpose why, json::object params, time_point limit)
{
    const auto id = ++next_id_;
    json::object body;
    body["jsonrpc"] = "2.0";
    body["method"] = "call";
    body["id"] = id;
    body["params"] = std::move(params);
    http::request request;
    request.method = "POST";
    request.target = "/jsonrpc";
    request.content_type = "application/json";
    request.body = json::serialize(body);
    request.deadline = limit - steady_clock::now();
    if (request.deadline <= core::duration::zero())
        throw error(error_kind::timeout, call_outcome::not_sent, error_class::retry, operation, target_, "no time was left after the login");

    http::response response;
    std::optional<error> failed;
    auto& client = why == purpose::open ? opening_ : calls_;
    try {
        response = co_await client.send(request);
    } catch (const http::error& e) {
        failed = from_http(e, operation);
        if (!e.sent() && e.kind() == error_kind::unavailable) info_.reset();
    }
    if (failed) throw *failed;
    auto a = normalise(response.status, response.content_type, response.body);
    if (a.what == answer::kind::foreign) throw from_foreign(a, response.status, operation, why);
    if (a.what == answer::kind::value && !a.enveloped) throw nonsense(operation, "JSON, but no JSON-RPC answer (a proxy? a wrong address?)");
    // The id is null when Odoo could not read the request's.
    if (!a.id.is_null() && a.id != json::value(id)) throw nonsense(operation, "the answer belongs to another request");
    co_return a;
}

asio::awaitable<void> jsonrpc::detect(time_point limit)
{
    const std::string operation = "common.version";
    json::object params;
    params["service"] = "common";
    params["method"] = "version";
    params["args"] = json::array{};
    const auto a = co_await post(operation, purpose::open, std::move(params), limit);
    if (a.what == answer::kind::fault) throw from_fault(a, operation);
    const auto* o = a.value.if_object();
    const auto* version = o != nullptr ? o->if_contains("server_version") : nullptr;
    if (version == nullptr || !version->is_string()) throw nonsense(operation, "no server_version in the answer: is this an Odoo?");
    server_info info;
    info.version = clean(std::string(version->get_string()));
    info.protocol = "jsonrpc";
    info.verified = is_verified(info.version);
    if (info.version != seen_version_) detail_ = detail::full;
    seen_version_ = info.version;
    info_ = std::move(info);
}

asio::awaitable<void> jsonrpc::login(time_point limit)
{
    const std::string operation = "common.authenticate";
    const auto secret = options_.secret.current();
    if (refused_ && refused_->secret == secret && steady_clock::now() < refused_->until) throw refused_->what;
    refused_.reset();

    json::object params;
    params["service"] = "common";
    params["method"] = "authenticate";
    json::array args;
    args.emplace_back(options_.db);
    args.emplace_back(options_.user);
    args.emplace_back(secret);
    args.emplace_back(json::object{});
    params["args"] = std::move(args);
    const auto a = co_await post(operation, purpose::open, std::move(params), limit);

    std::optional<error> refused;
    if (a.what == answer::kind::fault) {
        const auto e = from_fault(a, operation);
        if (e.decision() == error_class::retry) throw e;
        refused = e;
    } else if (a.value.is_bool() && !a.value.get_bool()) {
        refused = error(error_kind::rejected, call_outcome::rejected, options_.secret_is_key ? error_class::new_key : error_class::configuration,
                        operation, target_,
                        fmt::format("the login of '{}' in database '{}' was refused; check ODOO_USERNAME and {}", options_.user, options_.db,
                                    options_.secret_is_key ? "ODOO_API_KEY (keys expire)" : "ODOO_PASSWORD"));
    } else if (!a.value.is_int64() || a.value.get_int64() <= 0 || a.value.get_int64() > std::numeric_limits<int>::max()) {
        throw nonsense(operation, fmt::format("the answer is {}, expected a user id or false", kind_of(a.value)));
    }
    if (refused) {
        refused_ = refusal{*refused, secret, steady_clock::now() + options_.refused_pause};
        throw *refused;
    }
    session s;
    s.uid = static_cast<int>(a.value.get_int64());
    s.secret = secret;
    s.generation = ++generation_;
    session_ = std::move(s);
    core::log::info({}, "Odoo {}: version {}, logged in to database {} as {} (uid {})", calls_.target(), info_ ? info_->version : "?", options_.db,
                    options_.user, session_->uid);
}

asio::awaitable<jsonrpc::session> jsonrpc::ready(time_point limit)
{
    if (info_ && session_) co_return *session_;
    std::optional<error> failed;
    try {
        // One logs in, the others wait for it.
        const auto guard = co_await core::with_deadline(limit - steady_clock::now(), login_lock_.lock());
        if (!info_) co_await detect(limit);
        if (!session_) co_await login(limit);
    } catch (const core::timed_out&) {
        failed = error(error_kind::timeout, call_outcome::not_sent, error_class::retry, "log in", target_, "the login of another call takes too long");
    } catch (const error& e) {
        failed = opening(e);
    }
    if (failed) throw *failed;
    co_return *session_;
}

// Retried once after an AccessDenied: that is said before any method runs, so nothing happened (L-44).
asio::awaitable<json::value> jsonrpc::execute(call c)
{
    const auto limit = steady_clock::now() + (c.why == purpose::write ? options_.write_timeout : options_.read_timeout);
    for (bool again = false;; again = true) {
        const auto s = co_await ready(limit);
        if (c.why == purpose::write && info_ && !info_->verified && !options_.write_unverified)
            throw error(error_kind::rejected, call_outcome::rejected, error_class::configuration, c.operation(), target_,
                        fmt::format("Odoo {} is not a version this program was verified with (18, 19), nothing is written to it; "
                                    "ODOO_UNVERIFIED_VERSION=true allows it",
                                    info_->version));
        json::array args;
        args.emplace_back(options_.db);
        args.emplace_back(s.uid);
        args.emplace_back(s.secret);
        args.emplace_back(production);
        args.emplace_back(c.method);
        args.emplace_back(c.positional);
        args.emplace_back(c.keyword);
        json::object params;
        params["service"] = "object";
        params["method"] = "execute_kw";
        params["args"] = std::move(args);
        auto a = co_await post(c.operation(), c.why, std::move(params), limit);
        if (a.what == answer::kind::value) co_return std::move(a.value);
        const auto e = from_fault(a, c.operation());
        if (e.decision() != error_class::new_key) throw e;
        if (session_ && session_->generation == s.generation) {
            session_.reset();
            info_.reset();
        }
        if (again) throw e;
    }
}

// A call with a specification. When Odoo answers that a field is wrong (builtins.ValueError, h15b), fewer are asked for,
// step by step. Only a success with fewer proves that the specification was to blame, and not the domain (h14).
asio::awaitable<json::value> jsonrpc::execute_detailed(call c)
{
    std::optional<error> first;
    for (auto asked = detail_;; asked = static_cast<detail>(static_cast<int>(asked) + 1)) {
        c.keyword["specification"] = order_specification(asked);
        std::optional<error> failed;
        json::value out;
        try {
            out = co_await execute(c);
        } catch (const error& e) {
            failed = e;
        }
        if (!failed) {
            if (first) {
                detail_ = asked;
                core::log::warning({}, "{}. Asking for fewer fields of orders from now on: stock locations, scrap marks or roundings may be missing", first->what());
            }
            co_return out;
        }
        if (!first) first = failed;
        if (failed->peer_code() != "builtins.ValueError") throw *failed;
        if (asked == last_detail) throw *first;
    }
}

asio::awaitable<server_info> jsonrpc::connect()
{
    co_await ready(steady_clock::now() + options_.read_timeout);
    // A concurrent call may just have lost the server again.
    if (!info_) throw error(error_kind::unavailable, call_outcome::not_sent, error_class::retry, "connect", target_, "the connection was lost again");
    co_return *info_;
}

asio::awaitable<void> jsonrpc::probe()
{
    call c("search_read", purpose::open);
    json::array domain;
    domain.emplace_back(condition("state", "=", "confirmed"));
    c.positional.emplace_back(std::move(domain));
    json::array fields;
    fields.emplace_back("id");
    c.keyword["fields"] = std::move(fields);
    c.keyword["limit"] = 1;
    const auto operation = c.operation();
    const auto answer = co_await execute(std::move(c));
    if (!answer.is_array()) throw nonsense(operation, fmt::format("the answer is {}, expected a list", kind_of(answer)));
}

asio::awaitable<fetch_answer> jsonrpc::fetch_confirmed(const fetch_request& what)
{
    call c("web_search_read", purpose::read);
    json::array domain;
    domain.emplace_back(condition("state", "=", "confirmed"));
    if (what.date_start_until) domain.emplace_back(condition("date_start", "<=", json::string(core::to_odoo(*what.date_start_until))));
    if (!what.exclude_ids.empty()) domain.emplace_back(condition("id", "not in", id_list(what.exclude_ids)));
    // Last, so that a term of it that takes too many operands fails in Odoo and swallows none of ours.
    for (const auto& term : what.domain) domain.push_back(term);
    c.positional.emplace_back(std::move(domain));
    c.keyword["order"] = order_of_orders;
    c.keyword["limit"] = what.limit;
    c.keyword["offset"] = 0;
    const auto operation = c.operation();
    const auto value = co_await execute_detailed(std::move(c));
    const auto* records = records_of(value);
    if (records == nullptr) throw nonsense(operation, fmt::format("the answer is {}, expected {{length, records}}", kind_of(value)));
    fetch_answer out;
    const auto* length = value.get_object().if_contains("length");
    out.matches = length != nullptr && length->is_int64() ? length->get_int64() : static_cast<std::int64_t>(records->size());
    for (const auto& record : *records) out.orders.push_back(parse_order(record, options_.db));
    co_return out;
}

asio::awaitable<std::optional<domain::order>> jsonrpc::read_order(std::int64_t odoo_id)
{
    call c("web_read", purpose::read);
    c.positional.emplace_back(one_id(odoo_id));
    const auto operation = c.operation();
    const auto value = co_await execute_detailed(std::move(c));
    const auto* records = value.if_array();
    if (records == nullptr || records->size() > 1)
        throw nonsense(operation, fmt::format("the answer is {}, expected a list of one order or none", kind_of(value)));
    // A deleted order is an empty list, not an error (h02c).
    if (records->empty()) co_return std::nullopt;
    auto parsed = parse_order(records->front(), options_.db);
    if (const auto* bad = std::get_if<domain::malformed_order>(&parsed))
        throw error(error_kind::protocol, call_outcome::rejected, error_class::our_bug, operation, target_, fmt::format("order {}: {}", odoo_id, bad->reason));
    auto& order = std::get<domain::order>(parsed);
    if (order.id.odoo_id != odoo_id) throw nonsense(operation, fmt::format("asked for order {}, got {}", odoo_id, order.id.odoo_id));
    co_return std::move(order);
}

asio::awaitable<std::vector<domain::order>> jsonrpc::read_orders(const std::vector<std::int64_t>& ids)
{
    std::vector<domain::order> out;
    if (ids.empty()) co_return out;
    call c("web_search_read", purpose::read);
    json::array domain;
    domain.emplace_back(condition("id", "in", id_list(ids)));
    c.positional.emplace_back(std::move(domain));
    c.keyword["order"] = "id asc";
    c.keyword["limit"] = ids.size();
    const auto operation = c.operation();
    const auto value = co_await execute_detailed(std::move(c));
    const auto* records = records_of(value);
    if (records == nullptr) throw nonsense(operation, fmt::format("the answer is {}, expected {{length, records}}", kind_of(value)));
    for (const auto& record : *records) {
        auto parsed = parse_order(record, options_.db);
        if (auto* order = std::get_if<domain::order>(&parsed)) {
            out.push_back(std::move(*order));
            continue;
        }
        // Leaving it out would say that it was deleted.
        const auto& bad = std::get<domain::malformed_order>(parsed);
        if (bad.odoo_id == 0) throw nonsense(operation, "a record without a usable id: " + bad.reason);
        core::log::warning({}, "Odoo order {} (id {}) cannot be read: {}", bad.name, bad.odoo_id, bad.reason);
        domain::order unknown;
        unknown.id.odoo_db = options_.db;
        unknown.id.odoo_id = bad.odoo_id;
        if (bad.create_date) unknown.id.create_date = *bad.create_date;
        unknown.name = bad.name;
        out.push_back(std::move(unknown));
    }
    co_return out;
}

asio::awaitable<void> jsonrpc::write_moves(std::int64_t odoo_id, json::object values)
{
    call c("write", purpose::write);
    c.positional.emplace_back(one_id(odoo_id));
    c.positional.emplace_back(std::move(values));
    const auto operation = c.operation();
    const auto value = co_await execute(std::move(c));
    if (value.is_null() || (value.is_bool() && value.get_bool())) co_return;
    throw nonsense(operation, fmt::format("the answer is {}, expected true", kind_of(value)));
}

asio::awaitable<void> jsonrpc::write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves)
{
    json::object values;
    values["move_raw_ids"] = move_commands(moves);
    co_await write_moves(odoo_id, std::move(values));
}

asio::awaitable<void> jsonrpc::write_final(std::int64_t odoo_id, const domain::finish_values& v)
{
    json::object values;
    values["qty_producing"] = v.produced.to_double();
    values["move_raw_ids"] = move_commands(v.moves);
    co_await write_moves(odoo_id, std::move(values));
}

asio::awaitable<std::string> jsonrpc::mark_done(std::int64_t odoo_id, const domain::finish_values&, core::utc_time)
{
    call c("button_mark_done", purpose::write);
    c.positional.emplace_back(one_id(odoo_id));
    json::object context;
    for (const auto* key : {"skip_consumption", "skip_backorder", "skip_redirection"}) context[key] = true;
    c.keyword["context"] = std::move(context);
    const auto value = co_await execute(std::move(c));
    co_return clean(describe_action(value));
}

asio::awaitable<void> jsonrpc::cancel(std::int64_t odoo_id)
{
    call c("action_cancel", purpose::write);
    c.positional.emplace_back(one_id(odoo_id));
    co_await execute(std::move(c));
}

// The next commits fill these in.
asio::awaitable<std::optional<std::int64_t>> jsonrpc::find_equipment(const std::string&)
{
    throw nonsense("find_equipment", "not implemented");
    co_return std::nullopt;
}

asio::awaitable<std::optional<std::int64_t>> jsonrpc::find_request(const std::string&)
{
    throw nonsense("find_request", "not implemented");
    co_return std::nullopt;
}

asio::awaitable<std::int64_t> jsonrpc::create_request(const maintenance_request&)
{
    throw nonsense("create_request", "not implemented");
    co_return 0;
}

asio::awaitable<void> jsonrpc::post_note(std::int64_t, const std::string&)
{
    throw nonsense("post_note", "not implemented");
    co_return;
}

asio::awaitable<std::vector<finding>> jsonrpc::check()
{
    throw nonsense("check", "not implemented");
    co_return std::vector<finding>{};
}

}  // namespace batchbridge::odoo
