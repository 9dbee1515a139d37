// POST refusals/{id}/retry: a refused order is fetched again at once. Its id is the order's id in Odoo.
#pragma once

#include "web/act.hpp"

namespace batchbridge::web {

// nullopt: no such route.
boost::asio::awaitable<std::optional<http::server_response>> change_refusal(tasks::service& service, const path_parts& path, const http::server_request& request);

}  // namespace batchbridge::web
