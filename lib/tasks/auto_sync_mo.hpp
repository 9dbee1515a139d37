// Task 1: confirmed orders of Odoo -> a verified load in the PLC.
#pragma once

#include "tasks/line.hpp"

namespace batchbridge::tasks {

// Continues an open load, else fetches a new one when the line is free. See design section 2, task 1.
boost::asio::awaitable<run_result> auto_sync_mo(line& l);

}  // namespace batchbridge::tasks
