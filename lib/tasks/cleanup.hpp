// Task 6: prunes what nobody needs any more. History is never pruned.
#pragma once

#include "tasks/line.hpp"

namespace batchbridge::tasks {

boost::asio::awaitable<run_result> cleanup(line& l);

}  // namespace batchbridge::tasks
