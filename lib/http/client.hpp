// One HTTP request under one deadline, from resolving the name to the last byte of the answer. A connection per request:
// Odoo closes after each answer anyway, and a fresh connection never carries a late answer to another request.
#pragma once

#include "core/error.hpp"
#include "core/time.hpp"

#include "http/client_resolve.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batchbridge::http {

class error : public core::error {
public:
    error(core::error_kind kind, bool sent, bool configuration, std::string operation, std::string target, std::string reason)
        : core::error(kind, std::move(operation), std::move(target), std::move(reason)), sent_(sent), configuration_(configuration)
    {
    }
    // False: not one byte of the request was written (resolve, connect, TLS, before_send). True: the peer may have got the
    // request, so its outcome is unknown.
    bool sent() const noexcept { return sent_; }
    // The certificate was refused: retrying does not help.
    bool configuration() const noexcept { return configuration_; }

private:
    bool sent_, configuration_;
};

struct client_options {
    static client_options plain(std::string base_url);

    std::string base_url;                  // http(s)://host[:port][/prefix], no trailing slash
    std::string ca_file;                   // empty: the system's
    bool verify = true;
    core::duration connect_timeout = std::chrono::seconds(3);   // resolve + connect + TLS, inside the request's deadline
    std::uint64_t max_response = 16ULL << 20;   // bytes of body
    // Asked right before the first byte of a request; false: kind cancelled, nothing sent.
    std::function<bool()> before_send;
    // Asked when a request begins and right before its first byte; another answer by then is a no as well. A request that was
    // begun under one lease and took its time to connect is not sent under the next.
    std::function<std::uint64_t()> lease;
    // For tests; called on a thread of its own. Default: getaddrinfo.
    resolver_function resolver;
};

// Why `path` cannot be client_options::ca_file; nullopt when it can.
std::optional<std::string> ca_file_fault(const std::string& path);

struct request {
    std::string method = "GET";
    std::string target;                    // appended to the base URL's path
    std::string body, content_type;
    std::vector<std::pair<std::string, std::string>> headers;
    core::duration deadline = std::chrono::seconds(15);   // resolve to last byte
};

struct response {
    unsigned status = 0;
    std::string content_type, body;
    std::vector<std::pair<std::string, std::string>> headers;   // as they came, repeated ones too
    // The first of that name, letter case ignored; empty: there is none.
    std::string header(std::string_view name) const;
};
// Header names, letter case ignored.
bool same_name(std::string_view a, std::string_view b) noexcept;

// Owner's thread only; any number of requests at a time.
class client {
public:
    // Throws std::invalid_argument for a URL that cannot be used, core::error for a CA file that cannot be read.
    client(boost::asio::any_io_executor executor, client_options options);
    ~client();
    // Throws http::error: unavailable (not reached, refused, reset, certificate), timeout (deadline or connect timeout),
    // protocol (not HTTP, truncated, over the limit), cancelled (before_send said no). Any status is an answer. Cancelling
    // the caller ends it with operation_aborted and drops the connection. `r` must live until then.
    boost::asio::awaitable<response> send(const request& r);
    // Without credentials: "odoo.example:8069".
    const std::string& target() const noexcept;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace batchbridge::http
