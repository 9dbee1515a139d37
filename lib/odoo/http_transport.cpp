#include "odoo/http_transport.hpp"

#include "core/deadline.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "http/date.hpp"
#include "odoo/order_json.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t longest_text = 400;

http::client_options without_hook(http::client_options o)
{
    o.before_send = nullptr;
    o.lease = nullptr;
    return o;
}

}  // namespace

bool is_verified(const std::string& version)
{
    return version.starts_with("18.0") || version.starts_with("19.0");
}

transport_options transport_options::from(const core::config& c)
{
    transport_options o;
    o.http.base_url = c.odoo_url;
    o.http.ca_file = c.odoo_ca_file;
    o.http.verify = c.odoo_tls_verify;
    o.http.connect_timeout = c.odoo_connect_timeout;
    o.http.max_response = c.odoo_max_response;
    o.db = c.odoo_db;
    o.user = c.odoo_username;
    o.secret_is_key = !c.odoo_api_key.empty() && c.api != core::odoo_api::scada;
    o.secret = o.secret_is_key ? c.odoo_api_key : c.odoo_password;
    o.write_unverified = c.odoo_unverified_version;
    o.read_timeout = c.odoo_timeout;
    o.write_timeout = c.odoo_write_timeout;
    // Ten failed session logins lock the address out for a minute, the right password too (a07).
    if (c.api == core::odoo_api::scada) o.refused_pause = std::chrono::seconds(90);
    return o;
}

http_transport::http_transport(protocol speaks, asio::any_io_executor executor, transport_options options)
    : speaks_(speaks), options_(std::move(options)), calls_(executor, options_.http), opening_(executor, without_hook(options_.http)),
      target_("odoo " + calls_.target()), login_lock_(executor)
{
}

http_transport::time_point http_transport::limit_for(purpose why) const
{
    return steady_clock::now() + (why == purpose::write ? options_.write_timeout : options_.read_timeout);
}

std::string http_transport::who() const
{
    return options_.user.empty() ? "the API key's user" : options_.user;
}

std::string http_transport::clean(std::string text) const
{
    std::vector<std::string> secrets{options_.secret.value, tried_secret_};
    if (session_) secrets.push_back(session_->secret);
    // "session_id=abc": the id alone is as good as the whole.
    if (session_) secrets.push_back(session_->cookie.substr(session_->cookie.find('=') + 1));
    for (const auto& s : secrets) {
        if (s.empty()) continue;
        for (auto at = text.find(s); at != std::string::npos; at = text.find(s, at + 3)) text.replace(at, s.size(), "***");
    }
    text = core::clean_utf8(text);
    return text.size() > longest_text ? std::string(core::utf8_prefix(text, longest_text)) + ".." : text;
}

bool http_transport::stale() const
{
    return !info_ || options_.now() - detected_ >= options_.detect_again;
}

void http_transport::assume(server_info info)
{
    info.protocol = to_string(speaks_);
    seen_version_ = info.version;
    info_ = std::move(info);
    detected_ = options_.now();
}

void http_transport::renew_cookie(unsigned generation, std::string cookie)
{
    if (session_ && session_->generation == generation) session_->cookie = std::move(cookie);
}

bool http_transport::may_write(const server_info& info) const
{
    return info.verified || options_.write_unverified;
}

error http_transport::from_http(const http::error& e, const std::string& operation) const
{
    const auto outcome = e.sent() ? call_outcome::unclear : call_outcome::not_sent;
    const auto decision = e.configuration() ? error_class::configuration : error_class::retry;
    return {e.kind(), outcome, decision, operation, target_, fmt::format("{}: {}", e.operation(), e.reason())};
}

error http_transport::from_fault(const answer& a, const std::string& operation) const
{
    const auto decision = classify(speaks_, a.status, a.name);
    std::string reason = clean(a.message.empty() ? "no text" : a.message);
    if (decision == error_class::new_key)
        reason += options_.secret_is_key ? "; the API key is wrong or has expired (ODOO_API_KEY), or the user is archived"
                                         : "; the password is wrong or was changed (ODOO_PASSWORD), or the user is archived";
    if (decision == error_class::retry) reason += "; the database is missing or down (ODOO_DB), or was too busy";
    const auto kind = decision == error_class::retry ? error_kind::unavailable : error_kind::rejected;
    return {kind, call_outcome::rejected, decision, operation, target_, std::move(reason), clean(a.name)};
}

error http_transport::from_foreign(const answer& a, unsigned status, const std::string& operation, purpose why)
{
    // 502, 503, 504: Odoo restarts behind its proxy. 404: the path is gone. It may be another version by now.
    const bool changed = status == 404 ? speaks_ != protocol::session : status >= 300 && status < 400;
    if (status >= 500 || changed) info_.reset();
    const auto decision = classify(speaks_, status, "");
    const auto code = std::to_string(status);
    // Whoever answered, a write may have reached Odoo all the same.
    if (why == purpose::write || decision == error_class::retry)
        return {error_kind::protocol, call_outcome::unclear, error_class::retry, operation, target_, a.reason, code};
    const auto* advice = speaks_ == protocol::json2 && status == 404 ? "; check ODOO_DB and ODOO_URL, and that this is Odoo 19" : "; check ODOO_URL";
    return {error_kind::rejected, call_outcome::rejected, decision, operation, target_, a.reason + advice, code};
}

error http_transport::refused_login(const std::string& operation, bool key) const
{
    return {error_kind::rejected, call_outcome::rejected, key ? error_class::new_key : error_class::configuration, operation, target_,
            fmt::format("the login of '{}' in database '{}' was refused; check ODOO_USERNAME and {}", options_.user, options_.db,
                        key ? "ODOO_API_KEY (keys expire)" : "ODOO_PASSWORD")};
}

error http_transport::lost_again(const std::string& operation) const
{
    return {error_kind::unavailable, call_outcome::not_sent, error_class::retry, operation, target_, "the connection was lost again"};
}

// JSON from Odoo's address that makes no sense as an answer to this call.
error http_transport::nonsense(const std::string& operation, const std::string& reason) const
{
    return {error_kind::protocol, call_outcome::unclear, error_class::retry, operation, target_, reason};
}

error http_transport::opening(const error& e)
{
    auto outcome = e.outcome();
    auto decision = e.decision();
    if (outcome == call_outcome::unclear || decision == error_class::retry) outcome = call_outcome::not_sent;
    if (outcome == call_outcome::rejected && decision != error_class::new_key) decision = error_class::configuration;
    return {e.kind(), outcome, decision, e.operation(), e.target(), e.reason(), e.peer_code()};
}

void http_transport::note_clock(const http::response& r)
{
    const auto theirs = http::parse_date(r.header("Date"));
    if (theirs) clock_ahead_ = std::chrono::duration_cast<core::duration>(*theirs - std::chrono::floor<std::chrono::seconds>(core::utc_now()));
    else clock_ahead_.reset();
}

asio::awaitable<http::response> http_transport::exchange(http::request request, const std::string& operation, purpose why, time_point limit)
{
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
        // It may come back as another version.
        if (!e.sent() && e.kind() != error_kind::cancelled) info_.reset();
    }
    if (failed) throw *failed;
    note_clock(response);
    co_return response;
}

asio::awaitable<answer> http_transport::post_envelope(const std::string& path, const std::string& operation, purpose why, json::object params,
                                                      std::vector<std::pair<std::string, std::string>> headers, time_point limit, http::response* raw,
                                                      bool need_envelope)
{
    const auto id = ++next_id_;
    json::object body;
    body["jsonrpc"] = "2.0";
    body["method"] = "call";
    body["id"] = id;
    body["params"] = std::move(params);
    http::request request;
    request.method = "POST";
    request.target = path;
    request.content_type = "application/json";
    request.headers = std::move(headers);
    request.body = json::serialize(body);
    auto response = co_await exchange(std::move(request), operation, why, limit);
    auto a = normalise(response.status, response.content_type, response.body);
    if (a.what == answer::kind::foreign) throw from_foreign(a, response.status, operation, why);
    if (need_envelope && a.what == answer::kind::value && !a.enveloped)
        throw nonsense(operation, "JSON, but no JSON-RPC answer (a proxy? a wrong address?)");
    // The id is null when Odoo could not read the request's, or when the session had expired.
    if (!a.id.is_null() && a.id != json::value(id)) throw nonsense(operation, "the answer belongs to another request");
    if (raw != nullptr) *raw = std::move(response);
    co_return a;
}

asio::awaitable<std::optional<server_info>> http_transport::ask_json_version(time_point limit)
{
    const std::string operation = "GET /json/version";
    http::request request;
    request.target = "/json/version";
    const auto response = co_await exchange(std::move(request), operation, purpose::open, limit);
    const auto a = normalise_bare(response.status, response.content_type, response.body);
    // A proxy in front of an Odoo that is down. An Odoo without this path redirects (18) or has no such page.
    if (response.status >= 500 || response.status == 429) throw from_foreign(a, response.status, operation, purpose::open);
    const auto* o = a.what == answer::kind::value ? a.value.if_object() : nullptr;
    const auto* version = o != nullptr ? o->if_contains("version") : nullptr;
    if (version == nullptr || !version->is_string()) co_return std::nullopt;
    server_info info;
    info.version = clean(std::string(version->get_string()));
    info.verified = is_verified(info.version);
    co_return info;
}

asio::awaitable<server_info> http_transport::ask_common_version(time_point limit)
{
    const std::string operation = "common.version";
    json::object params;
    params["service"] = "common";
    params["method"] = "version";
    params["args"] = json::array{};
    const auto a = co_await post_envelope("/jsonrpc", operation, purpose::open, std::move(params), {}, limit);
    if (a.what == answer::kind::fault) throw from_fault(a, operation);
    const auto* o = a.value.if_object();
    const auto* version = o != nullptr ? o->if_contains("server_version") : nullptr;
    if (version == nullptr || !version->is_string()) throw nonsense(operation, "no server_version in the answer: is this an Odoo?");
    server_info info;
    info.version = clean(std::string(version->get_string()));
    info.verified = is_verified(info.version);
    co_return info;
}

asio::awaitable<void> http_transport::log_in(time_point limit)
{
    const auto secret = options_.secret.current();
    if (refused_ && refused_->secret == secret && steady_clock::now() < refused_->until) throw refused_->what;
    refused_.reset();
    tried_secret_ = secret;
    std::optional<error> refused;
    session made;
    try {
        made = co_await login(secret, limit);
    } catch (const refused_secret& e) {
        refused = e.what;
    }
    if (refused) {
        refused_ = refusal{*refused, secret, steady_clock::now() + options_.refused_pause};
        throw *refused;
    }
    made.secret = secret;
    made.generation = ++generation_;
    session_ = std::move(made);
    core::log::info({}, "Odoo {}: version {}, logged in to database {} as {} (uid {}) by {}", calls_.target(), info_ ? info_->version : "?", options_.db,
                    who(), session_->uid, to_string(speaks_));
}

asio::awaitable<http_transport::session> http_transport::ready(time_point limit)
{
    if (!stale() && session_) co_return *session_;
    std::optional<error> failed;
    try {
        // One logs in, the others wait for it.
        const auto guard = co_await core::with_deadline(limit - steady_clock::now(), login_lock_.lock());
        if (stale()) {
            auto info = co_await detect(limit);
            assume(std::move(info));
        }
        if (!session_) co_await log_in(limit);
    } catch (const core::timed_out&) {
        failed = error(error_kind::timeout, call_outcome::not_sent, error_class::retry, "log in", target_, "the login of another call takes too long");
    } catch (const error& e) {
        failed = opening(e);
    }
    if (failed) throw *failed;
    co_return *session_;
}

asio::awaitable<json::value> http_transport::with_session(const std::string& operation, purpose why,
                                                          std::function<asio::awaitable<answer>(const session&)> once, time_point limit)
{
    for (bool again = false;; again = true) {
        const auto s = co_await ready(limit);
        // Another call may have lost the server while this one's login lasted: then nobody knows what it will be.
        if (why == purpose::write && !info_) throw lost_again(operation);
        if (why == purpose::write && !may_write(*info_))
            throw error(error_kind::rejected, call_outcome::rejected, error_class::configuration, operation, target_,
                        fmt::format("Odoo {} is not a version this program was verified with (18, 19), nothing is written to it; "
                                    "ODOO_UNVERIFIED_VERSION=true allows it",
                                    info_->version));
        auto a = co_await once(s);
        if (a.what == answer::kind::value) co_return std::move(a.value);
        const auto e = from_fault(a, operation);
        if (e.decision() != error_class::new_key) throw e;
        if (session_ && session_->generation == s.generation) {
            session_.reset();
            info_.reset();
        }
        if (again) throw e;
    }
}

asio::awaitable<json::value> http_transport::ask(call c, time_point limit)
{
    // `c` lives in this frame for as long as the sending takes.
    std::function<asio::awaitable<answer>(const session&)> once = [this, &c, limit](const session& s) { return send(c, s, limit); };
    const auto operation = c.operation();
    co_return co_await with_session(operation, c.why, std::move(once), limit);
}

asio::awaitable<server_info> http_transport::open(time_point limit)
{
    co_await ready(limit);
    // A concurrent call may just have lost the server again.
    if (!info_) throw lost_again("connect");
    auto info = *info_;
    info.clock_ahead = clock_ahead_;
    co_return info;
}

}  // namespace batchbridge::odoo
