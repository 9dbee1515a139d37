// Peers for the HTTP client's tests: a loopback server whose every connection runs a script, and a private CA.
#pragma once

#include "http/client.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace peer {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using namespace std::chrono_literals;

// Accepts on 127.0.0.1 and gives each connection to the script.
class listener {
public:
    using script = std::function<asio::awaitable<void>(tcp::socket&)>;

    listener(asio::io_context& ioc, script s);
    unsigned short port() const { return port_; }
    int accepted() const { return *accepted_; }

private:
    unsigned short port_;
    std::shared_ptr<int> accepted_ = std::make_shared<int>(0);
};

// Reads up to the end of the head and of a body with Content-Length; returns all of it.
asio::awaitable<std::string> read_request(tcp::socket& socket);
asio::awaitable<std::string> read_request(asio::ssl::stream<tcp::socket&>& stream);
asio::awaitable<void> write(tcp::socket& socket, std::string text);
asio::awaitable<void> write(asio::ssl::stream<tcp::socket&>& stream, std::string text);
// Until the client goes away.
asio::awaitable<void> hang(tcp::socket& socket);
std::string ok_answer(const std::string& body);

// What one request came to.
struct outcome {
    std::optional<batchbridge::http::response> answer;
    std::optional<batchbridge::http::error> failure;
    std::chrono::milliseconds took{};
};
// Sends one request and runs the loop until it has ended (10 s at most). Throws what is not an http::error.
outcome send(asio::io_context& ioc, batchbridge::http::client& client, const batchbridge::http::request& r);

// A CA and certificates signed by it, made on the spot.
class authority {
public:
    authority();
    ~authority();
    authority(const authority&) = delete;
    authority& operator=(const authority&) = delete;
    // A server context whose certificate is for this DNS name or, with is_address, this IP address.
    asio::ssl::context server_for(const std::string& name, bool is_address = false);
    // The same with a certificate that ran out an hour ago.
    asio::ssl::context expired_server_for(const std::string& name);
    // The CA certificate as a PEM file that lives as long as this object.
    const std::string& ca_file() const { return ca_file_; }

private:
    struct keys;
    std::unique_ptr<keys> keys_;
    std::string ca_file_;
};

// A server context whose certificate nobody signed but itself, and that certificate as PEM.
struct self_signed {
    explicit self_signed(const std::string& name);
    std::string pem;               // before the context, which fills it in
    asio::ssl::context context;
};

}  // namespace peer
