#include "odoo/jsonrpc.hpp"

#include "odoo/error_table.hpp"
#include "odoo/order_record.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using domain::call_outcome;
using domain::error_class;

namespace {

http::client_options without_lease(http::client_options o)
{
    o.before_send = nullptr;
    return o;
}

json::value exact(const core::decimal& d)
{
    return d.to_double();
}

json::array move_commands(const std::vector<domain::move_value>& moves)
{
    json::array out;
    for (const auto& m : moves) {
        json::object values;
        values["quantity"] = exact(m.quantity);
        values["picked"] = true;
        // Without it "Produce All" replaces the reported value by the planned one (odoo18.md, section 5).
        values["manual_consumption"] = true;
        json::array one;
        one.push_back(1);
        one.push_back(m.move_id);
        one.push_back(std::move(values));
        out.push_back(std::move(one));
    }
    return out;
}

json::array ids_argument(std::int64_t id)
{
    json::array ids;
    ids.push_back(id);
    json::array out;
    out.push_back(std::move(ids));
    return out;
}

// A database value, shortened and on one line: for logs.
std::string shortened(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (out.size() >= 300) {
            out += "..";
            break;
        }
        out += c == '\n' || c == '\r' ? ' ' : c;
    }
    return out;
}

}  // namespace

jsonrpc::jsonrpc(asio::any_io_executor executor, http::client_options transport, jsonrpc_options options)
    : client_(executor, transport), reader_(executor, without_lease(transport)), options_(std::move(options)), login_(executor)
{
}

json::value jsonrpc::interpret(const http::response& answer, effect e, const std::string& operation) const
{
    const auto& target = client_.target();
    const auto doubtful = e == effect::write ? call_outcome::unclear : call_outcome::not_sent;
    boost::system::error_code ec;
    const auto body = json::parse(answer.body, ec);
    const auto* object = ec ? nullptr : body.if_object();
    const auto* fault = object != nullptr ? object->if_contains("error") : nullptr;
    if (fault != nullptr && fault->is_object()) {
        const auto& f = fault->get_object();
        const auto* data = f.if_contains("data");
        const auto* fields = data != nullptr ? data->if_object() : nullptr;
        const auto* name = fields != nullptr ? fields->if_contains("name") : nullptr;
        const auto* text = fields != nullptr ? fields->if_contains("message") : nullptr;
        if (text == nullptr || !text->is_string()) text = f.if_contains("message");
        const auto* code = f.if_contains("code");
        const std::string exception = name != nullptr && name->is_string() ? std::string(name->get_string()) : "";
        if (!exception.empty()) {
            const int number = code != nullptr && code->is_int64() ? static_cast<int>(code->get_int64()) : 0;
            const auto decision = classify(protocol::jsonrpc, answer.status, exception, number);
            throw error(core::error_kind::rejected, call_outcome::rejected, decision, operation, target, text != nullptr && text->is_string() ? shortened(text->get_string()) : "no message", exception);
        }
    }
    // Odoo's own answer is 200 with a JSON object; anything else comes from in between, or is half of something.
    if (answer.status != 200 || object == nullptr || fault != nullptr || !object->contains("jsonrpc"))
        throw error(core::error_kind::protocol, doubtful, error_class::retry, operation, target,
                    fmt::format("HTTP {} with {} that is not Odoo's answer: {}", answer.status, answer.content_type.empty() ? "a body" : answer.content_type, shortened(answer.body)),
                    fmt::format("HTTP {}", answer.status));
    const auto* result = object->if_contains("result");
    // A method that returns nothing answers with neither result nor error (odoo18.md, section 2).
    return result != nullptr ? *result : json::value();
}

asio::awaitable<json::value> jsonrpc::call(std::string service, std::string method, json::array args, effect e, std::string operation)
{
    json::object params;
    params["service"] = service;
    params["method"] = method;
    params["args"] = std::move(args);
    json::object envelope;
    envelope["jsonrpc"] = "2.0";
    envelope["method"] = "call";
    envelope["id"] = next_id_++;
    envelope["params"] = std::move(params);
    http::request request;
    request.method = "POST";
    request.target = "/jsonrpc";
    request.content_type = "application/json";
    request.body = json::serialize(envelope);
    request.deadline = e == effect::write ? options_.write_timeout : options_.read_timeout;
    try {
        const auto answer = co_await (e == effect::write ? client_ : reader_).send(request);
        co_return interpret(answer, e, operation);
    } catch (const http::error& f) {
        // A read has no effect: whether its bytes went out does not matter.
        const auto outcome = f.sent() && e == effect::write ? call_outcome::unclear : call_outcome::not_sent;
        throw error(f.kind(), outcome, f.configuration() ? error_class::configuration : error_class::retry, operation, f.target(), fmt::format("{}: {}", f.operation(), f.reason()));
    }
}

asio::awaitable<void> jsonrpc::log_in()
{
    if (uid_) co_return;
    const auto turn = co_await login_.lock();
    if (uid_) co_return;
    const auto now = std::chrono::steady_clock::now();
    if (now < refused_until_)
        throw error(core::error_kind::rejected, call_outcome::not_sent, error_class::configuration, "log in", client_.target(), "Odoo refused the login a moment ago; waiting before the next try", "login");
    const auto version = co_await call("common", "version", json::array{}, effect::read, "common.version");
    server_info info;
    info.protocol = "jsonrpc";
    if (const auto* o = version.if_object()) {
        if (const auto* v = o->if_contains("server_version"); v != nullptr && v->is_string()) info.version = std::string(v->get_string());
    }
    int major = 0;
    // "18.0+e-20241005", "saas~18.2": the first number.
    const auto digit = info.version.find_first_of("0123456789");
    if (digit != std::string::npos) std::from_chars(info.version.data() + digit, info.version.data() + info.version.size(), major);
    info.verified = major == 18 || major == 19;

    const auto secret = options_.api_key.empty() ? options_.password.current() : options_.api_key.current();
    json::array args;
    args.push_back(json::value(options_.db));
    args.push_back(json::value(options_.user));
    args.push_back(json::value(secret));
    args.push_back(json::object{});
    const auto uid = co_await call("common", "authenticate", std::move(args), effect::read, "common.authenticate");
    if (!uid.is_int64()) {
        // Refused is `false`, not an error (odoo18.md, section 3).
        refused_until_ = std::chrono::steady_clock::now() + options_.refused_login_pause;
        throw error(core::error_kind::rejected, call_outcome::not_sent, error_class::configuration, "log in", client_.target(),
                    fmt::format("Odoo refuses user '{}' on database '{}': check ODOO_USERNAME, ODOO_PASSWORD or ODOO_API_KEY (keys expire)", options_.user, options_.db), "login");
    }
    credential_ = secret;
    info_ = info;
    uid_ = uid.get_int64();
}

asio::awaitable<json::value> jsonrpc::execute(std::string model, std::string method, json::array positional, json::object keywords, effect e)
{
    const auto operation = model + "." + method;
    // A refused login is met again after one repetition with a fresh login (L-44).
    for (int attempt = 1;; ++attempt) {
        co_await log_in();
        if (e == effect::write && !info_->verified && !options_.write_to_unverified)
            throw error(core::error_kind::rejected, call_outcome::not_sent, error_class::configuration, operation, client_.target(),
                        fmt::format("Odoo version {} was not verified; nothing is written (ODOO_UNVERIFIED_VERSION)", info_->version), "version");
        json::array args;
        args.push_back(json::value(options_.db));
        args.push_back(*uid_);
        args.push_back(json::value(credential_));
        args.push_back(json::value(model));
        args.push_back(json::value(method));
        args.push_back(positional);
        args.push_back(keywords);
        std::exception_ptr denied;
        try {
            co_return co_await call("object", "execute_kw", std::move(args), e, operation);
        } catch (const error& f) {
            if (f.decision() != error_class::new_key || f.outcome() != call_outcome::rejected) throw;
            uid_.reset();
            denied = std::current_exception();
        }
        if (attempt == 2) std::rethrow_exception(denied);
    }
}

asio::awaitable<server_info> jsonrpc::connect()
{
    co_await log_in();
    co_return *info_;
}

asio::awaitable<void> jsonrpc::probe()
{
    json::array none;
    none.push_back(json::array{});
    json::object keywords;
    json::array fields;
    fields.push_back("state");
    keywords["fields"] = std::move(fields);
    keywords["limit"] = 1;
    co_await execute("mrp.production", "search_read", std::move(none), std::move(keywords), effect::read);
}

asio::awaitable<fetch_answer> jsonrpc::fetch_confirmed(const fetch_request& what)
{
    json::array domain;
    domain.push_back(json::parse(R"(["state","=","confirmed"])"));
    for (const auto& term : what.domain) domain.push_back(term);
    if (what.date_start_until) {
        json::array term;
        term.push_back("date_start");
        term.push_back("<=");
        term.push_back(json::value(core::to_odoo(*what.date_start_until)));
        domain.push_back(std::move(term));
    }
    if (!what.exclude_ids.empty()) {
        json::array ids;
        for (const auto id : what.exclude_ids) ids.push_back(id);
        json::array term;
        term.push_back("id");
        term.push_back("not in");
        term.push_back(std::move(ids));
        domain.push_back(std::move(term));
    }
    json::array positional;
    positional.push_back(std::move(domain));
    json::object keywords;
    keywords["specification"] = order_specification();
    keywords["order"] = "priority desc, date_start asc, id asc";
    keywords["limit"] = what.limit;
    keywords["offset"] = 0;
    const auto result = co_await execute("mrp.production", "web_search_read", std::move(positional), std::move(keywords), effect::read);
    fetch_answer out;
    const auto* object = result.if_object();
    const auto* records = object != nullptr ? object->if_contains("records") : nullptr;
    if (records == nullptr || !records->is_array())
        throw error(core::error_kind::protocol, call_outcome::not_sent, error_class::retry, "mrp.production.web_search_read", client_.target(), "the answer holds no records");
    for (const auto& r : records->get_array()) out.orders.push_back(parse_order(r, options_.db));
    if (const auto* n = object->if_contains("length"); n != nullptr && n->is_int64()) out.matches = n->get_int64();
    co_return out;
}

asio::awaitable<std::optional<domain::order>> jsonrpc::read_order(std::int64_t odoo_id)
{
    json::object keywords;
    keywords["specification"] = order_specification();
    const auto result = co_await execute("mrp.production", "web_read", ids_argument(odoo_id), std::move(keywords), effect::read);
    const auto* records = result.if_array();
    if (records == nullptr)
        throw error(core::error_kind::protocol, call_outcome::not_sent, error_class::retry, "mrp.production.web_read", client_.target(), "the answer is no list of records");
    if (records->empty()) co_return std::nullopt;
    auto parsed = parse_order(records->front(), options_.db);
    if (const auto* bad = std::get_if<domain::malformed_order>(&parsed))
        throw error(core::error_kind::rejected, call_outcome::rejected, error_class::our_bug, "mrp.production.web_read", client_.target(), fmt::format("order id {}: {}", odoo_id, bad->reason));
    co_return std::move(std::get<domain::order>(parsed));
}

asio::awaitable<std::vector<domain::order>> jsonrpc::read_orders(const std::vector<std::int64_t>& ids)
{
    json::array list;
    for (const auto id : ids) list.push_back(id);
    json::array term;
    term.push_back("id");
    term.push_back("in");
    term.push_back(std::move(list));
    json::array domain;
    domain.push_back(std::move(term));
    json::array positional;
    positional.push_back(std::move(domain));
    json::object keywords;
    keywords["specification"] = order_specification();
    const auto result = co_await execute("mrp.production", "web_search_read", std::move(positional), std::move(keywords), effect::read);
    std::vector<domain::order> out;
    const auto* object = result.if_object();
    const auto* records = object != nullptr ? object->if_contains("records") : nullptr;
    if (records == nullptr || !records->is_array())
        throw error(core::error_kind::protocol, call_outcome::not_sent, error_class::retry, "mrp.production.web_search_read", client_.target(), "the answer holds no records");
    for (const auto& r : records->get_array()) {
        auto parsed = parse_order(r, options_.db);
        if (auto* o = std::get_if<domain::order>(&parsed)) out.push_back(std::move(*o));
    }
    co_return out;
}

asio::awaitable<void> jsonrpc::write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves)
{
    json::object values;
    values["move_raw_ids"] = move_commands(moves);
    auto args = ids_argument(odoo_id);
    args.push_back(std::move(values));
    co_await execute("mrp.production", "write", std::move(args), json::object{}, effect::write);
}

asio::awaitable<void> jsonrpc::write_final(std::int64_t odoo_id, const domain::finish_values& v)
{
    json::object values;
    values["qty_producing"] = exact(v.produced);
    values["move_raw_ids"] = move_commands(v.moves);
    auto args = ids_argument(odoo_id);
    args.push_back(std::move(values));
    co_await execute("mrp.production", "write", std::move(args), json::object{}, effect::write);
}

asio::awaitable<std::string> jsonrpc::mark_done(std::int64_t odoo_id)
{
    json::object context;
    context["skip_consumption"] = true;
    context["skip_backorder"] = true;
    context["skip_redirection"] = true;
    json::object keywords;
    keywords["context"] = std::move(context);
    const auto result = co_await execute("mrp.production", "button_mark_done", ids_argument(odoo_id), std::move(keywords), effect::write);
    if (const auto* o = result.if_object()) {
        const auto* model = o->if_contains("res_model");
        if (model != nullptr && model->is_string()) co_return "wizard " + std::string(model->get_string());
        const auto* tag = o->if_contains("tag");
        co_return "action " + (tag != nullptr && tag->is_string() ? std::string(tag->get_string()) : std::string("without a name"));
    }
    co_return shortened(json::serialize(result));
}

asio::awaitable<void> jsonrpc::cancel(std::int64_t odoo_id)
{
    co_await execute("mrp.production", "action_cancel", ids_argument(odoo_id), json::object{}, effect::write);
}

}  // namespace batchbridge::odoo
