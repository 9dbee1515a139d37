#include "odoo/session_transport.hpp"

#include "odoo/order_json.hpp"

#include <fmt/format.h>

#include <limits>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;

namespace {

constexpr const char* unknown_version = "unknown";

// "session_id=abc" out of the Set-Cookie headers; empty: there is none.
std::string cookie_of(const http::response& r)
{
    for (const auto& [name, value] : r.headers)
        if (http::same_name(name, "Set-Cookie") && value.starts_with("session_id=")) return value.substr(0, value.find(';'));
    return {};
}

std::vector<std::pair<std::string, std::string>> with_cookie(const std::string& cookie)
{
    std::vector<std::pair<std::string, std::string>> out;
    if (!cookie.empty()) out.emplace_back("Cookie", cookie);
    return out;
}

}  // namespace

session_transport::session_transport(asio::any_io_executor executor, transport_options options)
    : http_transport(protocol::session, std::move(executor), std::move(options))
{
}

// /jsonrpc may be closed where only the module's endpoints are meant to be used.
asio::awaitable<server_info> session_transport::detect(time_point limit)
{
    server_info info;
    try {
        info = co_await ask_common_version(limit);
    } catch (const error& e) {
        if (e.peer_code() != "404" && e.outcome() != call_outcome::rejected) throw;
        info.version = unknown_version;
    }
    co_return info;
}

// The module's endpoints hide the version; only one that is known and foreign is not written to.
bool session_transport::may_write(const server_info& info) const
{
    return http_transport::may_write(info) || info.version == unknown_version;
}

asio::awaitable<http_transport::session> session_transport::login_at(const std::string& path, const std::string& secret, time_point limit)
{
    json::object params;
    params["db"] = options().db;
    params["login"] = options().user;
    params["password"] = secret;
    http::response raw;
    const auto a = co_await post_envelope(path, path, purpose::open, std::move(params), {}, limit, &raw, false);
    if (a.what == answer::kind::fault) {
        const auto e = from_fault(a, path);
        if (e.decision() == error_class::retry) throw e;
        throw refused_secret{e};
    }
    const auto* o = a.value.if_object();
    const auto* uid = o != nullptr ? o->if_contains("uid") : nullptr;
    if (o == nullptr) throw nonsense(path, fmt::format("the answer is {}, expected an object with uid", kind_of(a.value)));
    if (uid == nullptr || !uid->is_int64() || uid->get_int64() <= 0 || uid->get_int64() > std::numeric_limits<int>::max())
        throw refused_secret{refused_login(path, false)};
    session s;
    s.uid = static_cast<int>(uid->get_int64());
    s.cookie = cookie_of(raw);
    if (const auto* id = o->if_contains("session_id"); s.cookie.empty() && id != nullptr && id->is_string() && !id->get_string().empty())
        s.cookie = "session_id=" + std::string(id->get_string());
    if (s.cookie.empty()) throw nonsense(path, "the login was accepted, but no session_id came back");
    co_return s;
}

asio::awaitable<http_transport::session> session_transport::login(const std::string& secret, time_point limit)
{
    bool missing = false;
    session s;
    try {
        s = co_await login_at("/api/scada/authenticate", secret, limit);
    } catch (const error& e) {
        if (e.peer_code() != "404" && e.peer_code() != "405") throw;
        missing = true;
    }
    if (missing) s = co_await login_at("/web/session/authenticate", secret, limit);
    co_return s;
}

asio::awaitable<answer> session_transport::post_with_cookie(const std::string& path, const std::string& operation, purpose why, json::object params,
                                                            const session& s, time_point limit, bool need_envelope)
{
    http::response raw;
    auto a = co_await post_envelope(path, operation, why, std::move(params), with_cookie(s.cookie), limit, &raw, need_envelope);
    if (auto cookie = cookie_of(raw); !cookie.empty() && cookie != s.cookie && a.what == answer::kind::value) renew_cookie(s.generation, std::move(cookie));
    co_return a;
}

asio::awaitable<answer> session_transport::send(const call& c, const session& s, time_point limit)
{
    json::object params;
    params["model"] = c.model;
    params["method"] = c.method;
    params["args"] = c.by_position();
    params["kwargs"] = c.keyword;
    const auto operation = c.operation();
    const auto path = fmt::format("/web/dataset/call_kw/{}/{}", c.model, c.method);
    co_return co_await post_with_cookie(path, operation, c.why, std::move(params), s, limit, true);
}

asio::awaitable<json::value> session_transport::post(const std::string& path, purpose why, json::object params, time_point limit)
{
    std::function<asio::awaitable<answer>(const session&)> once = [this, &path, why, &params, limit](const session& s) {
        return post_with_cookie(path, path, why, params, s, limit, false);
    };
    co_return co_await with_session(path, why, std::move(once), limit);
}

}  // namespace batchbridge::odoo
