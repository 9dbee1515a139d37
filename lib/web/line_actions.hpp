// POST lines/{line}/..: runs and switches of its tasks, pause and resume, start-over.
#pragma once

#include "web/act.hpp"

namespace batchbridge::web {

// nullopt: no such route.
boost::asio::awaitable<std::optional<http::server_response>> change_line(tasks::service& service, const path_parts& path, const http::server_request& request);

}  // namespace batchbridge::web
