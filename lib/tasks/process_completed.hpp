// Task 3: completed batches that Odoo has acknowledged -> history.
#pragma once

#include "tasks/line.hpp"

namespace batchbridge::tasks {

boost::asio::awaitable<run_result> process_completed(line& l);

}  // namespace batchbridge::tasks
