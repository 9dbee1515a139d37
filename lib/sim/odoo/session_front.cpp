#include "sim/odoo/session_front.hpp"

#include <boost/json/parse.hpp>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

// As far as a client can want it; a real one is 3 kB (a10).
json::object session_info(const odoo_options& o)
{
    json::object context;
    context["lang"] = "en_US";
    context["tz"] = false;
    context["uid"] = o.uid;
    json::object out;
    out["uid"] = o.uid;
    out["is_system"] = false;
    out["is_admin"] = false;
    out["is_public"] = false;
    out["is_internal_user"] = true;
    out["user_context"] = std::move(context);
    out["db"] = json::value(o.db);
    out["server_version"] = json::value(o.version);
    out["server_version_info"] = version_info(o.version);
    out["name"] = json::value(o.user);
    out["username"] = json::value(o.user);
    return out;
}

}  // namespace

std::optional<session_request> session_body(const http::server_request& request)
{
    if (request.method() != boost::beast::http::verb::post || !request[boost::beast::http::field::content_type].starts_with("application/json")) return std::nullopt;
    boost::system::error_code ec;
    const auto body = json::parse(request.body(), ec);
    if (ec || !body.is_object()) return std::nullopt;
    session_request out;
    if (const auto* id = body.get_object().if_contains("id")) out.id = *id;
    if (const auto* params = body.get_object().if_contains("params"); params != nullptr && params->is_object()) out.params = params->get_object();
    return out;
}

void session_shapes(odoo_call& c, const odoo_model& model, const json::value& id, bool bare)
{
    c.answer = [id, bare](json::value result) {
        if (bare) return odoo_json(200, result);
        auto out = envelope(id);
        if (!result.is_null()) out["result"] = std::move(result);
        return odoo_json(200, out);
    };
    c.refuse = [&model, id](const odoo_fault& f) {
        // Without a session Odoo does not come to know the request's id (a14).
        auto out = envelope(f.name == "odoo.http.SessionExpiredException" ? json::value(nullptr) : id);
        out["error"] = error_member(model.options(), f);
        return odoo_json(f.status != 0 ? f.status : 200, out);
    };
    c.database_down = not_found_page;   // h42
}

front_result session_front::read(const http::server_request& request, const std::string& path)
{
    const auto body = session_body(request);
    if (!body) return odoo_page(400, "<!doctype html><title>400 Bad Request</title>");
    odoo_call c;
    c.protocol = "session";
    session_shapes(c, model_, body->id);
    const auto cookie = odoo_sessions::cookie_of(request);
    if (path == "/web/session/authenticate") {
        c.method = "authenticate";
        auto opened = std::make_shared<std::string>();
        c.run = [this, opened, params = body->params](const call_facts&) -> json::value {
            *opened = sessions_.open(model_.options(), params);
            return session_info(model_.options());
        };
        c.answer = [opened, inner = c.answer](json::value result) {
            auto r = inner(std::move(result));
            r.headers.emplace_back("Set-Cookie", odoo_sessions::set_cookie(*opened));
            return r;
        };
        return c;
    }
    if (path == "/web/session/destroy") {
        c.method = "destroy";
        c.run = [this, cookie](const call_facts&) -> json::value {
            sessions_.close(cookie);
            return nullptr;
        };
        return c;
    }
    if (!path.starts_with("/web/dataset/call_kw")) return not_found_page();
    const auto text = [&](const char* key) {
        const auto* v = body->params.if_contains(key);
        return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
    };
    c.model = text("model");
    c.method = text("method");
    const auto* args = body->params.if_contains("args");
    const auto* keywords = body->params.if_contains("kwargs");
    fill_execute(c, model_, args != nullptr && args->is_array() ? args->get_array() : json::array{},
                 keywords != nullptr && keywords->is_object() ? keywords->get_object() : json::object{});
    c.run = [this, cookie, inner = c.run](const call_facts& facts) {
        sessions_.check(model_.options(), cookie);
        return inner(facts);
    };
    return c;
}

}  // namespace batchbridge::sim
