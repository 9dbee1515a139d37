// GET lines, outbox, refusals: lists of {items, next}. `next` is what to send as `after` for the next page, or null.
#pragma once

#include "web/act.hpp"

namespace batchbridge::web {

// nullopt: no such list.
boost::asio::awaitable<std::optional<http::server_response>> look(tasks::service& service, const path_parts& path, std::string_view target);

}  // namespace batchbridge::web
