// Keeps the session that carries the lines' locks alive and tells the lines when it is lost.
#pragma once

#include "tasks/environment.hpp"

#include <functional>

namespace batchbridge::tasks {

// Connects, sends a heartbeat every lease_times::heartbeat, reconnects with back-off. `lost` is called when a session
// that was up is gone. Until cancelled.
boost::asio::awaitable<void> keep_lease(environment& env, std::function<void()> lost, std::function<void()> up);

// While PostgreSQL answers and takes no data: tries now and then whether it does again. Until cancelled.
boost::asio::awaitable<void> watch_writes(environment& env);

}  // namespace batchbridge::tasks
