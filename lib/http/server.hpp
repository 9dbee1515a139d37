// A small HTTP/1.1 server for the service's own interface and for the simulators: limits for everything a client controls.
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace boost::asio::ssl {
class context;
}

namespace batchbridge::http {

struct server_limits {
    std::uint32_t header_bytes = 8192;
    std::uint64_t body_bytes = 64ULL * 1024;
    std::size_t connections = 64;
    std::chrono::milliseconds read_deadline{10000};   // for a whole request, from its first byte or the connection
    std::chrono::milliseconds write_deadline{10000};
};

using server_request = boost::beast::http::request<boost::beast::http::string_body>;

struct server_response {
    enum class ending {
        normal,
        close_silently,   // no answer, the connection is closed (simulators)
        reset,            // no answer, RST
        half              // the head and half of the body, then closed
    };
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    bool keep_alive = true;   // false: Connection: close
    ending end = ending::normal;
    std::string www_authenticate;
    std::vector<std::pair<std::string, std::string>> headers;   // more of them: Date, Set-Cookie, Location

    static server_response json(unsigned status, const boost::json::value& v);
    // {"error": text}
    static server_response error(unsigned status, const std::string& text);
};

class server {
public:
    using handler = std::function<boost::asio::awaitable<server_response>(const server_request&)>;

    // `tls` may be null. Nothing is listening before listen().
    server(boost::asio::any_io_executor executor, server_limits limits, handler h, boost::asio::ssl::context* tls = nullptr);
    // Throws core::error. Port 0: any free one.
    void listen(const std::string& host, std::uint16_t port);
    std::uint16_t port() const;
    // Accepts until cancelled or stop().
    boost::asio::awaitable<void> run();
    // No new connections; open ones are cut. run() ends.
    void stop();

private:
    boost::asio::awaitable<void> serve(std::shared_ptr<boost::asio::ip::tcp::socket> socket);
    template <class Stream>
    boost::asio::awaitable<void> talk(Stream& stream);

    boost::asio::any_io_executor executor_;
    server_limits limits_;
    handler handler_;
    boost::asio::ssl::context* tls_;
    boost::asio::ip::tcp::acceptor acceptor_;
    core::task_group connections_;
    bool stopping_ = false;
};

}  // namespace batchbridge::http
