#include "sim/odoo/jsonrpc_front.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace batchbridge::sim {

namespace json = boost::json;

void jsonrpc_front::check_database(const json::array& all) const
{
    if (all.empty()) throw odoo_fault("builtins.IndexError", "list index out of range");
    const auto name = all[0].is_string() ? std::string(all[0].get_string()) : json::serialize(all[0]);
    if (name != model_.options().db) throw database_missing(name);
}

bool jsonrpc_front::good(const json::value& secret) const
{
    const auto& o = model_.options();
    return !o.archived && secret.is_string() && (secret.get_string() == o.password || (!o.api_key.empty() && secret.get_string() == o.api_key));
}

void jsonrpc_front::check_login(const json::array& all) const
{
    check_database(all);
    if (all.size() < 5 || !all[1].is_int64() || all[1].get_int64() != model_.options().uid || !good(all[2])) throw odoo_fault("odoo.exceptions.AccessDenied", "Access Denied");
}

json::value jsonrpc_front::common(const std::string& method, const json::array& all) const
{
    const auto& o = model_.options();
    if (method == "version") return version_answer(o.version);
    check_database(all);
    if (method != "authenticate" && method != "login") throw odoo_fault("builtins.KeyError", method);
    // Refused is false, not an error (a02, a03).
    const bool in = all.size() > 2 && all[1].is_string() && all[1].get_string() == o.user && good(all[2]);
    return in ? json::value(o.uid) : json::value(false);
}

front_result jsonrpc_front::read(const http::server_request& request)
{
    if (!request[boost::beast::http::field::content_type].starts_with("application/json")) return odoo_page(400, "<!doctype html><title>400 Bad Request</title>");
    boost::system::error_code ec;
    const auto body = json::parse(request.body(), ec);
    if (request.method() != boost::beast::http::verb::post || ec) return odoo_page(400, "Invalid JSON data");
    const auto* root = body.if_object();
    if (root == nullptr) return odoo_page(400, "Invalid JSON-RPC data");

    odoo_call c;
    c.protocol = "jsonrpc";
    const auto* given = root->if_contains("id");
    const auto id = given != nullptr ? *given : json::value(nullptr);
    c.answer = [id](json::value result) {
        auto out = envelope(id);
        if (!result.is_null()) out["result"] = std::move(result);   // a method that returns nothing: no member at all (h30)
        return odoo_json(200, out);
    };
    c.refuse = [this, id](const odoo_fault& f) {
        auto out = envelope(id);
        out["error"] = error_member(model_.options(), f);
        return odoo_json(f.status != 0 ? f.status : 200, out);
    };
    c.database_down = [refuse = c.refuse] { return refuse(database_unreachable()); };

    std::string service;
    json::array all;
    if (const auto* params = root->if_contains("params")) {
        try {
            service = std::string(params->at("service").as_string());
            c.method = std::string(params->at("method").as_string());
            all = params->at("args").as_array();
        } catch (const std::exception&) {
            return odoo_page(400, "<!doctype html><title>400 Bad Request</title>");
        }
    }
    if (service == "common") {
        c.run = [this, method = c.method, all](const call_facts&) { return common(method, all); };
    } else if (service == "object") {
        if (all.size() >= 5 && all[3].is_string() && all[4].is_string()) {
            c.model = std::string(all[3].get_string());
            c.method = std::string(all[4].get_string());
            const auto* args = all.size() > 5 ? all[5].if_array() : nullptr;
            const auto* keywords = all.size() > 6 ? all[6].if_object() : nullptr;
            if ((all.size() > 5 && args == nullptr) || (all.size() > 6 && keywords == nullptr)) return odoo_page(400, "<!doctype html><title>400 Bad Request</title>");
            fill_execute(c, model_, args != nullptr ? *args : json::array{}, keywords != nullptr ? *keywords : json::object{});
        } else {
            c.run = [](const call_facts&) -> json::value { throw odoo_fault("builtins.IndexError", "list index out of range"); };
        }
        c.run = [this, all, inner = c.run](const call_facts& facts) {
            check_login(all);
            return inner(facts);
        };
    } else {
        c.run = [service](const call_facts&) -> json::value {
            if (service.empty()) throw odoo_fault("builtins.TypeError", "RPC.jsonrpc() missing 3 required positional arguments: 'service', 'method', and 'args'");
            throw odoo_fault("builtins.KeyError", service);
        };
    }
    return c;
}

}  // namespace batchbridge::sim
