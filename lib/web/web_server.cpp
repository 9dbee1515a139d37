#include "web/web_server.hpp"

#include "core/error.hpp"
#include "core/log.hpp"
#include "web/actions.hpp"
#include "web/health.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <openssl/crypto.h>

namespace batchbridge::web {

namespace asio = boost::asio;
using boost::beast::http::verb;
using http::server_response;

namespace {

std::vector<std::string> split(std::string_view path)
{
    std::vector<std::string> out;
    while (!path.empty()) {
        const auto slash = path.find('/');
        if (slash != 0) out.emplace_back(path.substr(0, slash));
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    return out;
}

// In a time that does not tell how much of it was right.
bool same_token(std::string_view given, const std::string& wanted)
{
    return given.size() == wanted.size() && CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) == 0;
}

}  // namespace

web_server::web_server(tasks::service& service)
    : service_(service), server_(service.env().executor, http::server_limits{}, [this](const http::server_request& r) { return route(r); })
{
}

void web_server::listen()
{
    const auto& c = service_.env().config;
    server_.listen(c.http_host, c.http_port);
    core::log::info({}, "listening on http://{}:{}", c.http_host, server_.port());
}

void web_server::start()
{
    asio::co_spawn(service_.env().executor, server_.run(), asio::detached);
}

void web_server::stop()
{
    server_.stop();
}

bool web_server::may_change(const http::server_request& request, server_response& refusal) const
{
    const auto& token = service_.env().config.api_token;
    if (token.empty()) {
        refusal = server_response::error(403, "no API_TOKEN is configured: nothing can be changed over HTTP");
        return false;
    }
    const std::string_view header(request[boost::beast::http::field::authorization]);
    constexpr std::string_view scheme = "Bearer ";
    if (header.substr(0, scheme.size()) == scheme && same_token(header.substr(scheme.size()), token.value)) return true;
    refusal = server_response::error(401, "a change needs 'Authorization: Bearer <API_TOKEN>'");
    refusal.www_authenticate = "Bearer";
    return false;
}

asio::awaitable<server_response> web_server::route(const http::server_request& request)
{
    std::string_view target(request.target());
    target = target.substr(0, target.find('?'));
    if (request.method() == verb::get || request.method() == verb::head) {
        if (target == "/healthz") co_return health();
        if (target == "/readyz") co_return readiness(service_);
        co_return server_response::error(404, "no such page");
    }
    const auto path = split(target);
    if (request.method() != verb::post) co_return server_response::error(405, "GET and POST are known here");
    if (path.size() < 3 || path[0] != "api" || path[1] != "v1") co_return server_response::error(404, "no such route");
    server_response refusal;
    if (!may_change(request, refusal)) co_return refusal;
    const std::vector<std::string> rest(path.begin() + 2, path.end());
    std::exception_ptr failure;
    std::optional<server_response> answer;
    try {
        answer = co_await change(service_, rest, request);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        if (core::is_cancellation(failure)) std::rethrow_exception(failure);
        core::log::warning({}, "POST {} failed: {}", std::string(target), core::describe(failure));
        co_return server_response::error(503, core::describe(failure));
    }
    if (!answer) co_return server_response::error(404, "no such route");
    co_return std::move(*answer);
}

}  // namespace batchbridge::web
