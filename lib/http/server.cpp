#include "http/server.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/json/serialize.hpp>

namespace batchbridge::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;

server_response server_response::json(unsigned status, const boost::json::value& v)
{
    server_response r;
    r.status = status;
    r.body = boost::json::serialize(v);
    return r;
}

server_response server_response::error(unsigned status, const std::string& text)
{
    boost::json::object o;
    o["error"] = text;
    return json(status, o);
}

server::server(asio::any_io_executor executor, server_limits limits, handler h, asio::ssl::context* tls)
    : executor_(executor), limits_(limits), handler_(std::move(h)), tls_(tls), acceptor_(executor), connections_(executor, [](const std::string&, std::exception_ptr) {})
{
}

void server::listen(const std::string& host, std::uint16_t port)
{
    const auto target = fmt::format("{}:{}", host, port);
    try {
        const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host);
        const tcp::endpoint endpoint(address, port);
        acceptor_.open(endpoint.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind(endpoint);
        acceptor_.listen();
    } catch (const boost::system::system_error& e) {
        throw core::error(core::error_kind::unavailable, "listen", target, e.code().message());
    }
}

std::uint16_t server::port() const
{
    return acceptor_.local_endpoint().port();
}

void server::stop()
{
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    connections_.cancel();
}

asio::awaitable<void> server::run()
{
    std::exception_ptr failure;
    while (!stopping_) {
        auto socket = std::make_shared<tcp::socket>(executor_);
        boost::system::error_code ec;
        try {
            co_await acceptor_.async_accept(*socket, asio::redirect_error(asio::use_awaitable, ec));
        } catch (...) {
            failure = std::current_exception();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (failure || stopping_ || state.cancelled() != asio::cancellation_type::none) break;
        if (ec) {
            // Out of descriptors, mostly: do not spin.
            asio::steady_timer pause(executor_, std::chrono::milliseconds(100));
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
            continue;
        }
        if (connections_.size() >= limits_.connections) continue;   // dropped: the socket closes
        connections_.spawn("connection", [this, socket]() { return serve(socket); });
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    connections_.cancel();
    co_await connections_.join();
}

asio::awaitable<void> server::serve(std::shared_ptr<tcp::socket> socket)
{
    boost::system::error_code ignored;
    socket->set_option(tcp::no_delay(true), ignored);
    if (tls_ != nullptr) {
        beast::ssl_stream<beast::tcp_stream> stream(beast::tcp_stream(std::move(*socket)), *tls_);
        beast::get_lowest_layer(stream).expires_after(limits_.read_deadline);
        boost::system::error_code ec;
        co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
        if (!ec) co_await talk(stream);
    } else {
        beast::tcp_stream stream(std::move(*socket));
        co_await talk(stream);
    }
}

template <class Stream>
asio::awaitable<void> server::talk(Stream& stream)
{
    auto& lowest = beast::get_lowest_layer(stream);
    beast::flat_buffer buffer(limits_.header_bytes + 65536);
    bool keep = true;
    while (keep && !stopping_) {
        bhttp::request_parser<bhttp::string_body> parser;
        parser.header_limit(limits_.header_bytes);
        parser.body_limit(limits_.body_bytes);
        lowest.expires_after(limits_.read_deadline);
        boost::system::error_code ec;
        co_await bhttp::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
        server_response answer;
        unsigned version = 11;
        bool head = false;
        if (ec) {
            if (ec == bhttp::error::header_limit) answer = server_response::error(431, "the request header is too large");
            else if (ec == bhttp::error::body_limit) answer = server_response::error(413, "the request body is too large");
            else if (ec.category() == bhttp::make_error_code(bhttp::error::bad_method).category() && ec != bhttp::error::end_of_stream && ec != bhttp::error::partial_message)
                answer = server_response::error(400, "this is not an HTTP request: " + ec.message());
            else break;
            answer.keep_alive = false;
        } else {
            const auto request = parser.release();
            version = request.version();
            head = request.method() == bhttp::verb::head;
            lowest.expires_never();
            std::exception_ptr failure;
            try {
                answer = co_await handler_(request);
            } catch (...) {
                failure = std::current_exception();
            }
            if (failure) {
                if (core::is_cancellation(failure)) break;
                core::log::warning({}, "{} {} failed: {}", std::string(request.method_string()), std::string(request.target()), core::describe(failure));
                answer = server_response::error(500, "internal error; the log says more");
            }
            keep = request.keep_alive() && answer.keep_alive;
        }
        if (ec) keep = false;
        if (answer.end == server_response::ending::close_silently) break;
        if (answer.end == server_response::ending::reset) {
            boost::system::error_code ignored;
            lowest.socket().set_option(asio::socket_base::linger(true, 0), ignored);
            lowest.socket().close(ignored);
            co_return;
        }
        bhttp::response<bhttp::string_body> response(bhttp::int_to_status(answer.status), version);
        response.result(answer.status);
        response.set(bhttp::field::content_type, answer.content_type);
        response.set(bhttp::field::cache_control, "no-store");
        if (!answer.www_authenticate.empty()) response.set(bhttp::field::www_authenticate, answer.www_authenticate);
        for (const auto& [name, value] : answer.headers) response.set(name, value);
        response.keep_alive(keep);
        response.body() = std::move(answer.body);
        response.prepare_payload();
        if (head) response.body().clear();   // its length is said all the same
        lowest.expires_after(limits_.write_deadline);
        if (answer.end == server_response::ending::half) {
            auto text = fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", answer.status, response.body().size(),
                                    response.body().substr(0, response.body().size() / 2));
            co_await asio::async_write(stream, asio::buffer(text), asio::redirect_error(asio::use_awaitable, ec));
            break;
        }
        boost::system::error_code write_error;
        co_await bhttp::async_write(stream, response, asio::redirect_error(asio::use_awaitable, write_error));
        if (write_error) break;
    }
    boost::system::error_code ignored;
    lowest.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace batchbridge::http
