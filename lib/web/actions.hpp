// The changes: runs and switches of tasks, and what a person decides about a batch.
#pragma once

#include "http/server.hpp"
#include "tasks/service.hpp"

namespace batchbridge::web {

// `path` is split behind /api/v1/; nullopt: no such route. The caller has checked the token.
boost::asio::awaitable<std::optional<http::server_response>> change(tasks::service& service, const std::vector<std::string>& path, const http::server_request& request);

}  // namespace batchbridge::web
