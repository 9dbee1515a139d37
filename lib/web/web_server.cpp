#include "web/web_server.hpp"

#include "core/error.hpp"
#include "core/log.hpp"
#include "web/actions.hpp"
#include "web/health.hpp"
#include "web/lists.hpp"

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

bool has_token(const http::server_request& request, const std::string& wanted)
{
    const std::string_view header(request[boost::beast::http::field::authorization]);
    constexpr std::string_view scheme = "Bearer ";
    return !wanted.empty() && header.substr(0, scheme.size()) == scheme && same_token(header.substr(scheme.size()), wanted);
}

// Behind /api/v1/; nullopt: not there.
std::optional<path_parts> api_path(std::string_view page)
{
    auto path = split(page);
    if (path.size() < 3 || path[0] != "api" || path[1] != "v1") return std::nullopt;
    path.erase(path.begin(), path.begin() + 2);
    return path;
}

// What a route answers, or throws.
asio::awaitable<server_response> answered(const char* method, std::string_view page, asio::awaitable<std::optional<server_response>> route)
{
    std::exception_ptr failure;
    std::optional<server_response> answer;
    try {
        answer = co_await std::move(route);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        if (core::is_cancellation(failure)) std::rethrow_exception(failure);
        core::log::warning({}, "{} {} failed: {}", method, std::string(page), core::describe(failure));
        co_return server_response::error(503, core::describe(failure));
    }
    if (!answer) co_return server_response::error(404, "no such route");
    co_return std::move(*answer);
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
    if (has_token(request, token.value)) return true;
    refusal = server_response::error(401, "a change needs 'Authorization: Bearer <API_TOKEN>'");
    refusal.www_authenticate = "Bearer";
    return false;
}

bool web_server::may_read(const http::server_request& request, server_response& refusal) const
{
    const auto& c = service_.env().config;
    if (c.api_read_token.empty() || has_token(request, c.api_read_token.value) || has_token(request, c.api_token.value)) return true;
    refusal = server_response::error(401, "reading needs 'Authorization: Bearer <API_READ_TOKEN>'");
    refusal.www_authenticate = "Bearer";
    return false;
}

asio::awaitable<server_response> web_server::read(const http::server_request& request, std::string_view page)
{
    if (page == "/healthz") co_return health();
    if (page == "/readyz") co_return readiness(service_);
    const auto path = api_path(page);
    if (!path) co_return server_response::error(404, "no such page");
    server_response refusal;
    if (!may_read(request, refusal)) co_return refusal;
    const std::string_view target(request.target());
    auto route = look(service_, *path, target);
    co_return co_await answered("GET", page, std::move(route));
}

asio::awaitable<server_response> web_server::write(const http::server_request& request, std::string_view page)
{
    const auto path = api_path(page);
    if (!path) co_return server_response::error(404, "no such route");
    server_response refusal;
    if (!may_change(request, refusal)) co_return refusal;
    auto route = change(service_, *path, request);
    co_return co_await answered("POST", page, std::move(route));
}

asio::awaitable<server_response> web_server::route(const http::server_request& request)
{
    std::string_view page(request.target());
    page = page.substr(0, page.find('?'));
    if (request.method() == verb::get || request.method() == verb::head) co_return co_await read(request, page);
    if (request.method() == verb::post) co_return co_await write(request, page);
    co_return server_response::error(405, "GET and POST are known here");
}

}  // namespace batchbridge::web
