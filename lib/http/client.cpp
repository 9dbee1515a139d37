#include "http/client.hpp"

#include "core/config.hpp"
#include "core/deadline.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include <netdb.h>

#include <optional>
#include <thread>

namespace batchbridge::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp = asio::ip::tcp;
using endpoints = std::vector<tcp::endpoint>;

namespace {

// getaddrinfo cannot be cancelled (style guide, section 12): it runs on a detached thread that owns what it touches, so
// that a deadline can leave it behind.
struct resolution {
    std::optional<endpoints> found;
    std::string fault;
};

endpoints system_resolve(const std::string& host, const std::string& port)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_UNSPEC;
    addrinfo* list = nullptr;
    const int rc = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    if (rc != 0) throw std::runtime_error(::gai_strerror(rc));
    endpoints out;
    for (auto* a = list; a != nullptr; a = a->ai_next) {
        tcp::endpoint e;
        if (a->ai_addrlen > e.capacity()) continue;
        std::memcpy(e.data(), a->ai_addr, a->ai_addrlen);
        e.resize(a->ai_addrlen);
        out.push_back(e);
    }
    ::freeaddrinfo(list);
    return out;
}

}  // namespace

client_options client_options::plain(std::string url)
{
    client_options o;
    o.base_url = std::move(url);
    return o;
}

struct client::impl {
    impl(asio::any_io_executor ex, client_options o) : executor(std::move(ex)), options(std::move(o))
    {
        const auto url = boost::urls::parse_uri(options.base_url);
        if (!url || url->host().empty() || (url->scheme() != "http" && url->scheme() != "https")) throw std::invalid_argument("not an http(s) URL: " + core::without_credentials(options.base_url));
        secure = url->scheme() == "https";
        host = std::string(url->host_address());
        port = url->has_port() && !std::string(url->port()).empty() ? std::string(url->port()) : secure ? "443" : "80";
        prefix = std::string(url->encoded_path());
        while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
        host_header = std::string(url->encoded_host()) + (url->has_port() ? ":" + port : "");
        name = fmt::format("{}://{}{}", secure ? "https" : "http", host_header, prefix);
        if (!options.resolver) options.resolver = system_resolve;
        if (secure) {
            tls.emplace(asio::ssl::context::tls_client);
            boost::system::error_code ec;
            if (options.ca_file.empty()) tls->set_default_verify_paths(ec);
            else tls->load_verify_file(options.ca_file, ec);
            if (ec) throw core::error(core::error_kind::internal, "read CA file", options.ca_file, ec.message());
            tls->set_verify_mode(options.verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
        }
    }

    asio::any_io_executor executor;
    client_options options;
    bool secure = false;
    std::string host, port, prefix, host_header, name;
    std::optional<asio::ssl::context> tls;

    // What happens during one request, seen from outside when its deadline cuts it off.
    struct progress {
        const char* step = "resolve";
        bool sent = false;
    };

    asio::awaitable<endpoints> resolve()
    {
        boost::system::error_code ec;
        const auto literal = asio::ip::make_address(host, ec);
        if (!ec) {
            endpoints one;
            one.emplace_back(literal, static_cast<std::uint16_t>(std::stoi(port)));
            co_return one;
        }
        auto shared = std::make_shared<resolution>();
        auto done = std::make_shared<asio::steady_timer>(executor, std::chrono::steady_clock::time_point::max());
        auto work = asio::make_work_guard(executor);
        std::thread([shared, done, work, lookup = options.resolver, h = host, p = port]() mutable {
            resolution local;
            try {
                local.found = lookup(h, p);
            } catch (const std::exception& e) {
                local.fault = e.what();
            }
            auto ex = work.get_executor();
            asio::post(ex, [shared, done, local = std::move(local)]() mutable {
                *shared = std::move(local);
                done->cancel();
            });
            work.reset();
        }).detach();
        co_await done->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (shared->found && !shared->found->empty()) co_return std::move(*shared->found);
        if (!shared->found && shared->fault.empty()) throw boost::system::system_error(asio::error::operation_aborted);
        throw error(core::error_kind::unavailable, false, false, "resolve", name, fmt::format("host name '{}' not found: {}", host, shared->fault));
    }

    asio::awaitable<void> connect(beast::tcp_stream& stream, progress& p)
    {
        const auto where = co_await resolve();
        p.step = "connect";
        boost::system::error_code ec;
        co_await stream.async_connect(where, asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
        if (ec) throw error(core::error_kind::unavailable, false, false, "connect", name, ec.message());
        stream.socket().set_option(tcp::no_delay(true), ec);
    }

    asio::awaitable<void> handshake(beast::ssl_stream<beast::tcp_stream>& stream, progress& p)
    {
        p.step = "TLS handshake";
        if (options.verify) stream.set_verify_callback(asio::ssl::host_name_verification(host));
        SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
        boost::system::error_code ec;
        co_await stream.async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
        if (!ec) co_return;
        const bool certificate = SSL_get_verify_result(stream.native_handle()) != X509_V_OK;
        throw error(core::error_kind::unavailable, false, certificate, "TLS handshake", name,
                    certificate ? fmt::format("the certificate is not accepted: {} (ODOO_CA_FILE, host name?)", X509_verify_cert_error_string(SSL_get_verify_result(stream.native_handle())))
                                : ec.message());
    }

    template <class Stream>
    asio::awaitable<response> talk(Stream& stream, const request& r, progress& p)
    {
        bhttp::request<bhttp::string_body> out;
        out.method_string(r.method);
        const auto path = prefix + r.target;
        out.target(path.empty() ? "/" : path);
        out.version(11);
        out.set(bhttp::field::host, host_header);
        out.set(bhttp::field::user_agent, "batchbridge");
        out.set(bhttp::field::connection, "close");
        if (!r.content_type.empty()) out.set(bhttp::field::content_type, r.content_type);
        for (const auto& [key, value] : r.headers) out.set(key, value);
        out.body() = r.body;
        if (!r.body.empty()) out.content_length(r.body.size());
        p.step = "send";
        if (options.before_send && !options.before_send()) throw error(core::error_kind::cancelled, false, false, "send", name, "this process does not hold its lines (any more)");
        p.sent = true;
        boost::system::error_code ec;
        co_await bhttp::async_write(stream, out, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) fail(ec, p);
        p.step = "read the answer";
        beast::flat_buffer buffer;
        bhttp::response_parser<bhttp::string_body> parser;
        parser.body_limit(options.max_response);
        co_await bhttp::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) fail(ec, p);
        response in;
        auto message = parser.release();
        in.status = message.result_int();
        in.content_type = std::string(message[bhttp::field::content_type]);
        in.body = std::move(message.body());
        co_return in;
    }

    [[noreturn]] void fail(boost::system::error_code ec, const progress& p)
    {
        if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
        if (ec == bhttp::error::body_limit) throw error(core::error_kind::protocol, true, false, p.step, name, fmt::format("the answer is larger than {} bytes", options.max_response));
        if (ec == bhttp::error::partial_message || ec == bhttp::error::end_of_stream || ec == asio::ssl::error::stream_truncated)
            throw error(core::error_kind::protocol, true, false, p.step, name, "the answer ended too early");
        if (ec.category() == bhttp::make_error_code(bhttp::error::bad_method).category())
            throw error(core::error_kind::protocol, true, false, p.step, name, "the answer is not HTTP: " + ec.message());
        throw error(core::error_kind::unavailable, true, false, p.step, name, ec.message());
    }

    asio::awaitable<response> once(const request& r, progress& p)
    {
        if (secure) {
            beast::ssl_stream<beast::tcp_stream> stream(executor, *tls);
            auto opening = [this, &stream, &p]() -> asio::awaitable<void> {
                co_await connect(beast::get_lowest_layer(stream), p);
                co_await handshake(stream, p);
            };
            co_await core::with_deadline(options.connect_timeout, opening());
            co_return co_await talk(stream, r, p);
        }
        beast::tcp_stream stream(executor);
        co_await core::with_deadline(options.connect_timeout, connect(stream, p));
        co_return co_await talk(stream, r, p);
    }
};

client::client(asio::any_io_executor executor, client_options options) : impl_(std::make_shared<impl>(std::move(executor), std::move(options))) {}

client::~client() = default;

const std::string& client::target() const noexcept
{
    return impl_->name;
}

asio::awaitable<response> client::send(const request& r)
{
    auto keep = impl_;
    impl::progress p;
    const auto started = std::chrono::steady_clock::now();
    try {
        co_return co_await core::with_deadline(r.deadline, keep->once(r, p));
    } catch (const core::timed_out&) {
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        throw error(core::error_kind::timeout, p.sent, false, p.step, keep->name, fmt::format("no end within {} ms", took.count()));
    }
}

}  // namespace batchbridge::http
