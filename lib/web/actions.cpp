#include "web/actions.hpp"

#include "web/batch_actions.hpp"
#include "web/line_actions.hpp"
#include "web/outbox_actions.hpp"
#include "web/refusal_actions.hpp"

namespace batchbridge::web {

boost::asio::awaitable<std::optional<http::server_response>> change(tasks::service& service, const path_parts& path, const http::server_request& request)
{
    for (auto* route : {&change_line, &change_batch, &change_outbox, &change_refusal}) {
        auto answer = co_await route(service, path, request);
        if (answer) co_return answer;
    }
    co_return std::nullopt;
}

}  // namespace batchbridge::web
