#include "sim/odoo/odoo_call.hpp"

#include "sim/odoo/odoo_domain.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace batchbridge::sim {

namespace json = boost::json;
using http::server_response;

server_response odoo_json(unsigned status, const json::value& body)
{
    auto r = server_response::json(status, body);
    r.content_type = "application/json; charset=utf-8";
    r.keep_alive = false;
    return r;
}

server_response odoo_page(unsigned status, std::string body)
{
    server_response r;
    r.status = status;
    r.content_type = "text/html; charset=utf-8";
    r.body = std::move(body);
    r.keep_alive = false;
    return r;
}

server_response not_found_page()
{
    return odoo_page(404, "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL "
                          "manually please check your spelling and try again.</p>\n");
}

json::array version_info(const std::string& version)
{
    const auto series = version.substr(0, version.find('+'));
    const auto dot = series.find('.');
    json::array info;
    for (const auto& part : {series.substr(0, dot), dot == std::string::npos ? std::string("0") : series.substr(dot + 1)}) {
        const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
        info.push_back(digits ? json::value(std::stoi(part)) : json::value(part));
    }
    info.push_back(0);
    info.push_back("final");
    info.push_back(0);
    info.push_back("");
    return info;
}

json::object version_answer(const std::string& version)
{
    json::object o;
    o["server_version"] = json::value(version);
    o["server_version_info"] = version_info(version);
    o["server_serie"] = json::value(version.substr(0, version.find('+')));
    o["protocol_version"] = 1;
    return o;
}

json::object envelope(const json::value& id)
{
    json::object out;
    out["jsonrpc"] = "2.0";
    out["id"] = id;
    return out;
}

json::object error_member(const odoo_options& o, const odoo_fault& f)
{
    const bool expired = f.name == "odoo.http.SessionExpiredException";
    json::array arguments;
    arguments.push_back(json::value(f.what()));
    json::object data;
    data["name"] = json::value(f.name);
    if (!o.is_19()) data["debug"] = "(server traceback)";
    data["message"] = json::value(f.what());
    data["arguments"] = std::move(arguments);
    data["context"] = json::object{};
    if (o.is_19()) data["debug"] = "(server traceback)";
    json::object e;
    e["code"] = expired ? 100 : o.is_19() ? 0 : 200;
    e["message"] = expired ? "Odoo Session Expired" : "Odoo Server Error";
    e["data"] = std::move(data);
    return e;
}

odoo_fault database_missing(const std::string& name)
{
    return {"psycopg2.OperationalError", fmt::format("connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  database \"{}\" does not exist\n", name)};
}

odoo_fault database_unreachable()
{
    return {"psycopg2.OperationalError", "connection to server at \"127.0.0.1\", port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n"};
}

void name_orders(odoo_call& c, const json::array& ids, const json::value* domain)
{
    c.writes = odoo_model::written_order(c.model, c.method, ids);
    c.values = c.method == "write" || c.method == "web_save";
    if (c.model != "mrp.production") return;
    const auto add = [&](const json::array& all) {
        for (const auto& id : all)
            if (id.is_int64()) c.orders.push_back(id.get_int64());
    };
    add(ids);
    c.order = c.writes != 0 ? c.writes : c.orders.size() == 1 ? c.orders[0] : 0;
    if (domain != nullptr && domain->is_array()) add(ids_named(domain->get_array()));
}

void fill_execute(odoo_call& c, odoo_model& model, const json::array& args, const json::object& keywords)
{
    // What it names can be told even of a call that Odoo refuses.
    try {
        const auto a = positional(c.model, c.method, args, keywords);
        name_orders(c, a.ids, a.find("domain"));
    } catch (const std::exception&) {
        c.orders.clear();
    }
    c.run = [&model, args, keywords, name = c.model, method = c.method](const call_facts& facts) -> json::value {
        const auto a = odoo_model::knows(name) ? positional(name, method, args, keywords) : odoo_arguments{};
        auto out = model.execute(name, method, a, facts);
        // One record given by position is answered by its id alone (g01); a note likewise (e06).
        const auto* values = a.find("vals_list");
        const bool one = (method == "create" && values != nullptr && values->is_object()) || method == "message_post";
        if (one && out.is_array() && out.get_array().size() == 1) return out.get_array()[0];
        return out;
    };
}

}  // namespace batchbridge::sim
