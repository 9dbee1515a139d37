#include "sim/odoo/odoo_sessions.hpp"

#include "sim/odoo/odoo_call.hpp"

#include <fmt/format.h>

namespace batchbridge::sim {

namespace json = boost::json;
using std::chrono::steady_clock;

std::string odoo_sessions::open(const odoo_options& o, const json::object& params)
{
    const auto text = [&](const char* key) {
        const auto* v = params.if_contains(key);
        return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
    };
    if (text("db") != o.db) throw database_missing(text("db"));
    if (failures_ >= 10) {
        if (steady_clock::now() - last_failure_ < std::chrono::seconds(60)) throw odoo_fault("odoo.exceptions.AccessDenied", "Too many login failures, please wait a bit before trying again.");
        failures_ = 0;
    }
    if (o.archived || text("login") != o.user || text("password") != o.password) {
        ++failures_;
        last_failure_ = steady_clock::now();
        throw odoo_fault("odoo.exceptions.AccessDenied", "Access Denied");
    }
    failures_ = 0;
    auto id = fmt::format("{:084}", next_++);
    open_.insert(id);
    return id;
}

void odoo_sessions::check(const odoo_options& o, const std::string& cookie) const
{
    if (cookie.empty() || o.archived || !open_.contains(cookie)) throw odoo_fault("odoo.http.SessionExpiredException", "Session expired");
}

std::string odoo_sessions::cookie_of(const http::server_request& request)
{
    const std::string header(request[boost::beast::http::field::cookie]);
    constexpr std::string_view name = "session_id=";
    const auto at = header.find(name);
    if (at == std::string::npos) return {};
    const auto from = at + name.size();
    return header.substr(from, header.find(';', from) - from);
}

std::string odoo_sessions::set_cookie(const std::string& id)
{
    return fmt::format("session_id={}; Expires=Tue, 23 Nov 2027 10:47:29 GMT; Max-Age=604800; HttpOnly; Path=/", id);
}

}  // namespace batchbridge::sim
