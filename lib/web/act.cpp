#include "web/act.hpp"

#include "core/log.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>

namespace batchbridge::web {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

namespace {

// The fault of a text of the body; empty: there is none. `out` stays as it is when the key is missing.
std::string read_text(const json::object& o, std::string_view key, std::string& out)
{
    const auto* v = o.if_contains(key);
    if (v == nullptr) return {};
    if (!v->is_string()) return fmt::format("'{}' is no text", key);
    std::string text(v->get_string());
    // PostgreSQL would end the text there.
    if (text.find('\0') != std::string::npos) return fmt::format("'{}' holds a NUL character", key);
    if (!text.empty()) out = std::move(text);
    return {};
}

asio::awaitable<server_response> not_here(tasks::service& service, std::string line)
{
    std::string holder = "nobody";
    for (const auto& l : co_await service.env().store.lines())
        if (l.line == line && !l.holder.empty()) holder = l.holder;
    co_return server_response::error(409, fmt::format("this process does not hold line {}; last taken by {}", line, holder));
}

}  // namespace

server_response bad_body(std::string_view what, std::string_view shape)
{
    return server_response::error(400, fmt::format("{}; expected {}", what, shape));
}

std::variant<act_body, server_response> read_act(const http::server_request& request, std::string_view shape, std::initializer_list<std::string_view> keys, reason_rule rule)
{
    act_body out;
    if (!request.body().empty()) {
        boost::system::error_code ec;
        const auto v = json::parse(request.body(), ec);
        if (ec || !v.is_object()) return server_response::error(400, "the body is no JSON object");
        out.fields = v.get_object();
    }
    for (const auto& [key, value] : out.fields) {
        const std::string_view name(key);
        if (name != "who" && name != "reason" && std::find(keys.begin(), keys.end(), name) == keys.end()) return bad_body(fmt::format("unknown key '{}'", name), shape);
    }
    auto fault = read_text(out.fields, "who", out.who);
    if (fault.empty()) fault = read_text(out.fields, "reason", out.reason);
    if (fault.empty() && rule == reason_rule::required && out.reason.empty()) fault = "'reason' is missing or empty";
    if (!fault.empty()) return bad_body(fault, shape);
    return out;
}

store::journal_entry entry_of(const act_body& body, std::string what)
{
    store::journal_entry e;
    e.what = std::move(what);
    e.answer = body.reason;
    e.who = body.who;
    return e;
}

std::optional<std::int64_t> id_of(std::string_view text)
{
    std::int64_t id = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (ec != std::errc() || end != text.data() + text.size() || id <= 0) return std::nullopt;
    return id;
}

server_response bad_id(std::string_view of)
{
    return server_response::error(400, fmt::format("a {} is named by its id, a whole number", of));
}

asio::awaitable<server_response> on_line(tasks::service& service, std::string name, const line_act& act)
{
    auto* line = service.find_line(name);
    if (line == nullptr || !line->held()) co_return co_await not_here(service, std::move(name));
    std::exception_ptr taken;
    try {
        co_return co_await act(*line);
    } catch (const store::fenced&) {
        taken = std::current_exception();
    }
    line->note_fenced(taken);
    co_return co_await not_here(service, std::move(name));
}

server_response accepted(std::string_view what, std::int64_t id, std::string_view act)
{
    json::object o;
    o[what] = id;
    o["accepted"] = json::value(act);
    return server_response::json(202, o);
}

}  // namespace batchbridge::web
