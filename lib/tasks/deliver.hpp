// One delivery, from the read of the order's state to the row's end. Each step is durable before the next begins.
#pragma once

#include "tasks/line.hpp"

namespace batchbridge::tasks {

enum class delivery_end {
    settled,        // sent, discarded, parked or moved on: Odoo answered
    unreachable     // Odoo did not answer: the breaker should probe
};

// Throws pg::error and fenced; everything Odoo can do ends as a value.
boost::asio::awaitable<delivery_end> deliver(line& l, store::delivery d);

}  // namespace batchbridge::tasks
