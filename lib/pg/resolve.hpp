// Looking up the host of a connection URI without blocking the loop, in a way that can be given up.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <vector>

namespace batchbridge::pg {

// Numeric addresses of a host name, the system's order; an address is answered at once. getaddrinfo runs on a thread of its
// own, which a cancelled caller leaves behind. Throws std::runtime_error with the reason when there is none,
// operation_aborted when cancelled.
boost::asio::awaitable<std::vector<std::string>> addresses_of(std::string host);

}  // namespace batchbridge::pg
