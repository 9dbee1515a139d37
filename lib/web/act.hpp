// What all changes over HTTP have in common: their body, who holds the line, and the answers when that fails.
#pragma once

#include "http/server.hpp"
#include "tasks/service.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace batchbridge::web {

using path_parts = std::vector<std::string>;   // split behind /api/v1/

// The body of a change.
struct act_body {
    boost::json::object fields;
    std::string who = "api", reason;
};

// `shape` is what the caller is told to send; `keys` may stand beside "who" and "reason". Anything wrong with the body is a 400
// that says what.
enum class reason_rule { optional, required };
std::variant<act_body, http::server_response> read_act(const http::server_request& request, std::string_view shape, std::initializer_list<std::string_view> keys, reason_rule rule);
// The same fault as read_act would find.
http::server_response bad_body(std::string_view what, std::string_view shape);

store::journal_entry entry_of(const act_body& body, std::string what);

// A whole number above 0; nullopt: not one.
std::optional<std::int64_t> id_of(std::string_view text);
http::server_response bad_id(std::string_view of);

// Runs `act` for a line that this process holds. 409, naming the holder, when it does not, or when the line is taken from it
// while it acts.
using line_act = std::function<boost::asio::awaitable<http::server_response>(tasks::line&)>;
boost::asio::awaitable<http::server_response> on_line(tasks::service& service, std::string name, const line_act& act);

// 202 {"<what>": id, "accepted": act}
http::server_response accepted(std::string_view what, std::int64_t id, std::string_view act);

}  // namespace batchbridge::web
