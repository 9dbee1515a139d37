#include "odoo/json2_transport.hpp"

#include "odoo/order_json.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;

json2_transport::json2_transport(asio::any_io_executor executor, transport_options options)
    : http_transport(protocol::json2, std::move(executor), std::move(options))
{
}

asio::awaitable<server_info> json2_transport::detect(time_point limit)
{
    auto info = co_await ask_json_version(limit);
    if (!info)
        throw error(error_kind::rejected, call_outcome::rejected, error_class::configuration, "GET /json/version", target(),
                    "no version in the answer: this is no Odoo 19 (ODOO_API=json2 needs one; auto and jsonrpc work with 18), or ODOO_URL is wrong");
    co_return std::move(*info);
}

asio::awaitable<answer> json2_transport::post(const std::string& model, const std::string& method, purpose why, json::object arguments,
                                              const std::string& secret, time_point limit)
{
    const auto operation = model + "." + method;
    // They become header lines.
    for (const auto* text : {&secret, &options().db})
        if (std::any_of(text->begin(), text->end(), [](unsigned char ch) { return ch < 0x20 || ch == 0x7f; }))
            throw error(error_kind::rejected, call_outcome::not_sent, error_class::configuration, operation, target(),
                        "ODOO_API_KEY or ODOO_DB holds a line end or another control character");
    http::request request;
    request.method = "POST";
    request.target = fmt::format("/json/2/{}/{}", model, method);
    request.content_type = "application/json";
    request.headers.emplace_back("Authorization", "bearer " + secret);
    request.headers.emplace_back("X-Odoo-Database", options().db);
    // Always an object: Odoo ignores any other body and runs the method without arguments.
    request.body = json::serialize(arguments);
    const auto response = co_await exchange(std::move(request), operation, why, limit);
    auto a = normalise_bare(response.status, response.content_type, response.body);
    if (a.what == answer::kind::foreign) throw from_foreign(a, response.status, operation, why);
    co_return a;
}

// There is no login: this proves key and database, and says who we are.
asio::awaitable<http_transport::session> json2_transport::login(const std::string& secret, time_point limit)
{
    const std::string operation = "res.users.context_get";
    const auto a = co_await post("res.users", "context_get", purpose::open, json::object{}, secret, limit);
    if (a.what == answer::kind::fault) {
        const auto e = from_fault(a, operation);
        if (e.decision() == error_class::new_key) throw refused_secret{e};
        throw e;
    }
    const auto* o = a.value.if_object();
    const auto* uid = o != nullptr ? o->if_contains("uid") : nullptr;
    if (uid == nullptr || !uid->is_int64() || uid->get_int64() <= 0 || uid->get_int64() > std::numeric_limits<int>::max())
        throw nonsense(operation, fmt::format("the answer is {}, expected an object with uid", kind_of(a.value)));
    session s;
    s.uid = static_cast<int>(uid->get_int64());
    co_return s;
}

asio::awaitable<answer> json2_transport::send(const call& c, const session& s, time_point limit)
{
    json::object arguments;
    if (c.ids && !c.ids->empty()) {
        json::array ids;
        for (const auto id : *c.ids) ids.emplace_back(id);
        arguments["ids"] = std::move(ids);
    }
    for (const auto& [name, value] : c.positional) arguments[name] = value;
    for (const auto& [name, value] : c.keyword) arguments[name] = value;
    // create takes a list of records here, and returns a list of ids (g_request_create).
    if (auto* one = arguments.if_contains("vals_list"); one != nullptr && one->is_object()) {
        json::array list;
        list.push_back(*one);
        *one = std::move(list);
    }
    co_return co_await post(c.model, c.method, c.why, std::move(arguments), s.secret, limit);
}

}  // namespace batchbridge::odoo
