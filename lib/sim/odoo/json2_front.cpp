#include "sim/odoo/json2_front.hpp"

#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <cctype>
#include <map>

namespace batchbridge::sim {

namespace json = boost::json;
using http::server_response;

namespace {

// odoo19.md, section 2. Everything else is Python's own and a 500.
unsigned status_of(const std::string& name)
{
    static const std::map<std::string_view, unsigned> known{
        {"werkzeug.exceptions.BadRequest", 400}, {"werkzeug.exceptions.Unauthorized", 401},   {"odoo.exceptions.AccessError", 403},
        {"odoo.exceptions.AccessDenied", 403},   {"odoo.exceptions.MissingError", 404},       {"werkzeug.exceptions.NotFound", 404},
        {"odoo.exceptions.UserError", 422},      {"odoo.exceptions.ValidationError", 422},    {"werkzeug.exceptions.UnprocessableEntity", 422}};
    const auto it = known.find(name);
    return it == known.end() ? 500 : it->second;
}

server_response refusal(const odoo_fault& f)
{
    const auto status = f.status != 0 ? f.status : status_of(f.name);
    json::array arguments;
    arguments.push_back(json::value(f.what()));
    if (f.name.starts_with("werkzeug.")) arguments.push_back(status);
    json::object out;
    out["name"] = json::value(f.name);
    out["message"] = json::value(f.what());
    out["arguments"] = std::move(arguments);
    out["context"] = json::object{};
    out["debug"] = "(server traceback)";
    auto r = odoo_json(status, out);
    if (status == 401) r.www_authenticate = "Bearer";
    return r;
}

server_response no_database()
{
    return odoo_page(404, "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the requested URL was not found in the server-wide "
                          "controllers.</p>\n<p>Please verify the hostname, <a href=/web/login>login</a> and try again.</p>\n\n<!-- Alternatively, use the X-Odoo-Database header. -->\n");
}

server_response server_error()
{
    return odoo_page(500, "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was "
                          "unable to complete your request. Either the server is overloaded or there is an error in the application.</p>\n");
}

server_response wrong_type()
{
    auto r = odoo_page(415, "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n<h1>Unsupported Media Type</h1>\n<p>Request inferred type is compatible with "
                            "[&#39;http&#39;] but &#39;/json/2/&lt;__model__&gt;/&lt;__method__&gt;&#39; is type=&#39;json2&#39;.<br><br>Please verify the Content-Type request header and "
                            "try again.</p>\n");
    r.headers.emplace_back("Accept", "application/json");
    return r;
}

// "bearer KEY", in any case; nullopt: none, or another scheme.
std::optional<std::string> bearer(std::string_view header)
{
    constexpr std::string_view scheme = "bearer ";
    if (header.size() <= scheme.size()) return std::nullopt;
    for (std::size_t i = 0; i < scheme.size(); ++i)
        if (std::tolower(static_cast<unsigned char>(header[i])) != scheme[i]) return std::nullopt;
    return std::string(header.substr(scheme.size()));
}

}  // namespace

json::value json2_front::run(const std::string& model, const std::string& method, const json::object& body, const call_facts& facts)
{
    if (!odoo_model::knows(model)) throw odoo_fault("werkzeug.exceptions.NotFound", fmt::format("the model '{}' does not exist", model));
    if (method.starts_with('_')) throw private_method(model_.options(), model, method);
    if (!odoo_model::knows(model, method, model_.options())) throw odoo_fault("werkzeug.exceptions.NotFound", fmt::format("The method '{}.{}' does not exist", model, method));
    return model_.execute(model, method, named(model, method, body), facts);
}

front_result json2_front::read(const http::server_request& request)
{
    const auto& o = model_.options();
    if (!o.is_19()) return not_found_page();
    // The database comes before everything else (a_wrong_db_wrong_key).
    const auto database = request["X-Odoo-Database"];
    if (!o.plain_db.empty() && database == o.plain_db) return server_error();
    if (database.empty() ? o.several_databases : database != o.db) return no_database();

    odoo_call c;
    c.protocol = "json2";
    c.answer = [](const json::value& result) { return odoo_json(200, result); };
    c.refuse = refusal;
    c.database_down = server_error;   // measured as an HTML 500 when there is no connection to be had

    const std::string path(request.target().substr(0, request.target().find('?')));
    const auto rest = path.size() > 8 ? path.substr(8) : std::string();
    const auto slash = rest.find('/');
    if (request.method() != boost::beast::http::verb::post || slash == std::string::npos) {
        c.run = [](const call_facts&) -> json::value { throw odoo_fault("werkzeug.exceptions.NotFound", "Did you mean POST /json/2/<model>/<method>?"); };
        return c;
    }
    if (!request[boost::beast::http::field::content_type].starts_with("application/json")) return wrong_type();
    c.model = rest.substr(0, slash);
    c.method = rest.substr(slash + 1);
    // Chunked: the body is ignored, the method runs without arguments (h_chunked_request_body).
    const std::string text = request.chunked() ? std::string() : request.body();
    boost::system::error_code ec;
    const auto parsed = text.empty() ? json::value(json::object{}) : json::parse(text, ec);
    // What is no object counts as no arguments (h_json_array).
    const auto body = !ec && parsed.is_object() ? parsed.get_object() : json::object{};
    json::array ids;
    if (const auto* v = body.if_contains("ids")) {
        if (v->is_array()) ids = v->get_array();
        else ids.push_back(*v);
    }
    name_orders(c, ids, body.if_contains("domain"));
    const auto key = bearer(request[boost::beast::http::field::authorization]);
    c.run = [this, key, body, broken = static_cast<bool>(ec), length = text.size(), model = c.model, method = c.method](const call_facts& facts) {
        const auto& now = model_.options();
        if (!key) throw odoo_fault("werkzeug.exceptions.Unauthorized", "User not authenticated, use an API Key with a Bearer Authorization header.");
        if (now.archived || now.api_key.empty() || *key != now.api_key) throw odoo_fault("werkzeug.exceptions.Unauthorized", "Invalid apikey");
        if (broken)
            throw odoo_fault("werkzeug.exceptions.BadRequest", fmt::format("could not parse the body as json: Expecting value: line 1 column {} (char {})", length + 1, length));
        return run(model, method, body, facts);
    };
    return c;
}

}  // namespace batchbridge::sim
