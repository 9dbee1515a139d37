#pragma once

#include "http/server.hpp"
#include "tasks/service.hpp"

namespace batchbridge::web {

// /healthz: the loop turns.
http::server_response health();
// /readyz: 200 once configuration, database and migrations are good; each dependency with state, last error, since when.
http::server_response readiness(tasks::service& service);

}  // namespace batchbridge::web
