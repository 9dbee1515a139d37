#include "odoo/jsonrpc_transport.hpp"

#include "odoo/order_json.hpp"

#include <fmt/format.h>

#include <limits>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using domain::error_class;

jsonrpc_transport::jsonrpc_transport(asio::any_io_executor executor, transport_options options)
    : http_transport(protocol::jsonrpc, std::move(executor), std::move(options))
{
}

asio::awaitable<server_info> jsonrpc_transport::detect(time_point limit)
{
    return ask_common_version(limit);
}

asio::awaitable<http_transport::session> jsonrpc_transport::login(const std::string& secret, time_point limit)
{
    const std::string operation = "common.authenticate";
    json::object params;
    params["service"] = "common";
    params["method"] = "authenticate";
    json::array args;
    args.emplace_back(options().db);
    args.emplace_back(options().user);
    args.emplace_back(secret);
    args.emplace_back(json::object{});
    params["args"] = std::move(args);
    const auto a = co_await post_envelope("/jsonrpc", operation, purpose::open, std::move(params), {}, limit);
    if (a.what == answer::kind::fault) {
        const auto e = from_fault(a, operation);
        if (e.decision() == error_class::retry) throw e;
        throw refused_secret{e};
    }
    // A wrong password is `false`, not an error (a02).
    if (a.value.is_bool() && !a.value.get_bool()) throw refused_secret{refused_login(operation, options().secret_is_key)};
    if (!a.value.is_int64() || a.value.get_int64() <= 0 || a.value.get_int64() > std::numeric_limits<int>::max())
        throw nonsense(operation, fmt::format("the answer is {}, expected a user id or false", kind_of(a.value)));
    session s;
    s.uid = static_cast<int>(a.value.get_int64());
    co_return s;
}

asio::awaitable<answer> jsonrpc_transport::send(const call& c, const session& s, time_point limit)
{
    json::array args;
    args.emplace_back(options().db);
    args.emplace_back(s.uid);
    args.emplace_back(s.secret);
    args.emplace_back(c.model);
    args.emplace_back(c.method);
    args.emplace_back(c.by_position());
    args.emplace_back(c.keyword);
    json::object params;
    params["service"] = "object";
    params["method"] = "execute_kw";
    params["args"] = std::move(args);
    const auto operation = c.operation();
    co_return co_await post_envelope("/jsonrpc", operation, c.why, std::move(params), {}, limit);
}

}  // namespace batchbridge::odoo
