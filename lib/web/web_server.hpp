// The service's HTTP face: health, readiness, lists, and the changes a person may ask for (design section 9).
#pragma once

#include "http/server.hpp"
#include "tasks/service.hpp"

namespace batchbridge::web {

class web_server {
public:
    explicit web_server(tasks::service& service);
    // Binds HTTP_LISTEN; throws core::error.
    void listen();
    std::uint16_t port() const { return server_.port(); }
    // Serves until stop().
    void start();
    void stop();

private:
    boost::asio::awaitable<http::server_response> route(const http::server_request& request);
    boost::asio::awaitable<http::server_response> read(const http::server_request& request, std::string_view page);
    boost::asio::awaitable<http::server_response> write(const http::server_request& request, std::string_view page);
    bool may_change(const http::server_request& request, http::server_response& refusal) const;
    bool may_read(const http::server_request& request, http::server_response& refusal) const;

    tasks::service& service_;
    http::server server_;
};

}  // namespace batchbridge::web
