// POST outbox/{id}/retry|discard: what a person decides about a delivery that is parked or waits.
#pragma once

#include "web/act.hpp"

namespace batchbridge::web {

// nullopt: no such route.
boost::asio::awaitable<std::optional<http::server_response>> change_outbox(tasks::service& service, const path_parts& path, const http::server_request& request);

}  // namespace batchbridge::web
