// Looking up a host name in a way that can be given up. getaddrinfo cannot be cancelled (style guide, section 12): it runs
// on a thread of its own, which a deadline simply leaves behind.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <string>
#include <vector>

namespace batchbridge::http {

using endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
// Blocks; throws std::exception with the reason when there is no answer.
using resolver_function = std::function<endpoints(const std::string& host, const std::string& port)>;

endpoints system_resolve(const std::string& host, const std::string& port);

// An address is answered at once, a name by `lookup` on another thread. Throws std::runtime_error with the reason when
// the name is not found, operation_aborted when cancelled: then the thread goes on alone and touches nothing of ours.
boost::asio::awaitable<endpoints> resolve(std::string host, std::string port, resolver_function lookup);

}  // namespace batchbridge::http
