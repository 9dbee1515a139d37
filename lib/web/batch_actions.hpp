// POST batches/{id}/retry|complete|cancel|reset: what a person decides about a batch, as the table of states says.
#pragma once

#include "web/act.hpp"

namespace batchbridge::web {

// nullopt: no such route.
boost::asio::awaitable<std::optional<http::server_response>> change_batch(tasks::service& service, const path_parts& path, const http::server_request& request);

}  // namespace batchbridge::web
