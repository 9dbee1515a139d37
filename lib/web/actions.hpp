// The changes: runs and switches of tasks, and what a person decides about lines, batches, deliveries and refused orders.
#pragma once

#include "web/act.hpp"

namespace batchbridge::web {

// nullopt: no such route. The caller has checked the token.
boost::asio::awaitable<std::optional<http::server_response>> change(tasks::service& service, const path_parts& path, const http::server_request& request);

}  // namespace batchbridge::web
