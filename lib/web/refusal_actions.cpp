#include "web/refusal_actions.hpp"

#include "core/log.hpp"

namespace batchbridge::web {

namespace asio = boost::asio;
using http::server_response;

namespace {

constexpr std::string_view shape = R"({"reason": text, "who": text}, both optional)";

asio::awaitable<server_response> retry(tasks::line& l, const store::refusal_entry& seen, const act_body& body)
{
    const bool done = co_await l.env().store.retry_refusal(l.hold(), seen, entry_of(body, "api.retry-refusal"));
    if (!done) co_return server_response::error(409, "it is due already: it is fetched with the next orders");
    if (auto* sync = l.task(tasks::task_names::auto_sync_mo)) sync->wake();
    core::log::info(l.about("api", 0, seen.mo_id), "retry of the refused order asked for by {}{}", body.who, body.reason.empty() ? "" : ": " + body.reason);
    co_return accepted("refusal", seen.odoo_id, "retry");
}

}  // namespace

asio::awaitable<std::optional<server_response>> change_refusal(tasks::service& service, const path_parts& path, const http::server_request& request)
{
    if (path.size() != 3 || path[0] != "refusals" || path[2] != "retry") co_return std::nullopt;
    const auto id = id_of(path[1]);
    if (!id) co_return bad_id("refusal");
    const auto read = read_act(request, shape, {}, reason_rule::optional);
    if (const auto* refusal = std::get_if<server_response>(&read)) co_return *refusal;
    const auto& body = std::get<act_body>(read);
    auto& env = service.env();
    const auto seen = co_await env.store.refusal_of_order(env.config.odoo_db, *id);
    if (!seen) co_return server_response::error(404, fmt::format("no refused order with the Odoo id {}", *id));
    const line_act act = [&seen, &body](tasks::line& l) { return retry(l, *seen, body); };
    co_return co_await on_line(service, seen->line, act);
}

}  // namespace batchbridge::web
