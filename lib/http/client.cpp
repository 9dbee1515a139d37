#include "http/client.hpp"

#include "core/crash_point.hpp"
#include "core/deadline.hpp"
#include "http/url.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <optional>

namespace batchbridge::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using core::error_kind;
using tcp = asio::ip::tcp;

client_options client_options::plain(std::string url)
{
    client_options o;
    o.base_url = std::move(url);
    return o;
}

bool same_name(std::string_view a, std::string_view b) noexcept
{
    return beast::iequals(beast::string_view(a.data(), a.size()), beast::string_view(b.data(), b.size()));
}

std::string response::header(std::string_view name) const
{
    for (const auto& [key, value] : headers)
        if (same_name(key, name)) return value;
    return {};
}

std::optional<std::string> ca_file_fault(const std::string& path)
{
    boost::system::error_code ec;
    asio::ssl::context(asio::ssl::context::tls_client).load_verify_file(path, ec);
    if (!ec) return std::nullopt;
    return ec.message();
}

struct client::impl {
    impl(asio::any_io_executor ex, client_options o)
        : executor(std::move(ex)), options(std::move(o)), url(parse_base_url(options.base_url))
    {
        boost::system::error_code ec;
        asio::ip::make_address(url.host, ec);
        host_is_address = !ec;
        if (!options.resolver) options.resolver = system_resolve;
        if (url.secure) open_tls_context();
    }

    asio::any_io_executor executor;
    client_options options;
    base_url url;
    bool host_is_address = false;
    std::optional<asio::ssl::context> tls;

    // What happens during one request, seen from outside when its deadline cuts it off.
    struct progress {
        const char* step = "resolve";
        bool sent = false;
        std::uint64_t lease = 0;     // when the request began
    };

    void open_tls_context()
    {
        tls.emplace(asio::ssl::context::tls_client);
        boost::system::error_code ec;
        tls->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, ec);
        if (!options.verify) {
            tls->set_verify_mode(asio::ssl::verify_none);
            return;
        }
        if (options.ca_file.empty()) {
            tls->set_default_verify_paths(ec);
        } else {
            tls->load_verify_file(options.ca_file, ec);
        }
        if (ec) {
            throw core::error(error_kind::internal, "read the CA file", options.ca_file.empty() ? "system certificates" : options.ca_file,
                              ec.message() + "; it must be a readable file of PEM certificates");
        }
        tls->set_verify_mode(asio::ssl::verify_peer);
    }

    asio::awaitable<void> connect(beast::tcp_stream& stream, progress& p)
    {
        std::string fault;
        endpoints where;
        try {
            where = co_await resolve(url.host, url.port, options.resolver);
        } catch (const boost::system::system_error&) {
            throw;  // our own cancellation
        } catch (const std::exception& e) {
            fault = e.what();
        }
        if (!fault.empty())
            throw error(error_kind::unavailable, false, false, p.step, url.name, fmt::format("host name '{}' not found: {}", url.host, fault));
        p.step = "connect";
        boost::system::error_code ec;
        co_await stream.async_connect(where, asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
        if (ec) throw error(error_kind::unavailable, false, false, p.step, url.name, ec.message());
        stream.socket().set_option(tcp::no_delay(true), ec);
    }

    // OpenSSL's own host check, so that a refusal has a text of its own ("hostname mismatch").
    void expect_host(SSL* ssl) const
    {
        auto* parameters = SSL_get0_param(ssl);
        X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const int ok = host_is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, url.host.c_str())
                                       : X509_VERIFY_PARAM_set1_host(parameters, url.host.c_str(), url.host.size());
        if (ok != 1) throw error(error_kind::internal, false, true, "TLS handshake", url.name, "the host name cannot be checked");
    }

    asio::awaitable<void> handshake(beast::ssl_stream<beast::tcp_stream>& stream, progress& p)
    {
        p.step = "TLS handshake";
        SSL* ssl = stream.native_handle();
        if (options.verify) expect_host(ssl);
        // SNI carries names only (RFC 6066, section 3).
        if (!host_is_address) SSL_set_tlsext_host_name(ssl, url.host.c_str());
        boost::system::error_code ec;
        co_await stream.async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
        if (!ec) co_return;
        const long verdict = SSL_get_verify_result(ssl);
        if (options.verify && verdict != X509_V_OK) {
            throw error(error_kind::unavailable, false, true, p.step, url.name,
                        fmt::format("the certificate is not accepted: {}; check the host name and the CA file", X509_verify_cert_error_string(verdict)));
        }
        throw error(error_kind::unavailable, false, false, p.step, url.name, ec.message());
    }

    bhttp::request<bhttp::string_body> to_wire(const request& r) const
    {
        bhttp::request<bhttp::string_body> out;
        out.method_string(r.method);
        const auto path = url.prefix + r.target;
        out.target(path.empty() ? "/" : path);
        out.version(11);
        out.set(bhttp::field::host, url.host_header);
        out.set(bhttp::field::user_agent, "batchbridge");
        out.set(bhttp::field::connection, "close");
        if (!r.content_type.empty()) out.set(bhttp::field::content_type, r.content_type);
        for (const auto& [key, value] : r.headers) out.set(key, value);
        out.body() = r.body;
        // Never chunked: Odoo 19 reads a chunked body as empty. A GET without body needs no length.
        if (!r.body.empty() || (r.method != "GET" && r.method != "HEAD")) out.content_length(r.body.size());
        return out;
    }

    template <class Stream>
    asio::awaitable<response> talk(Stream& stream, const request& r, progress& p)
    {
        const auto out = to_wire(r);
        p.step = "send";
        const bool same_lease = !options.lease || options.lease() == p.lease;
        if (!same_lease || (options.before_send && !options.before_send()))
            throw error(error_kind::cancelled, false, false, p.step, url.name, "not allowed to send (any more)");
        p.sent = true;
        boost::system::error_code ec;
        co_await bhttp::async_write(stream, out, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) fail(ec, p);
        BATCHBRIDGE_CRASH_POINT("http.sent");
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
        for (const auto& field : message.base()) in.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
        in.body = std::move(message.body());
        co_return in;
    }

    [[noreturn]] void fail(boost::system::error_code ec, const progress& p) const
    {
        static const auto& not_http = bhttp::make_error_code(bhttp::error::bad_method).category();
        if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
        auto kind = error_kind::protocol;
        std::string reason;
        if (ec == bhttp::error::body_limit) {
            reason = fmt::format("the answer is larger than {} bytes", options.max_response);
        } else if (ec == bhttp::error::partial_message || ec == asio::ssl::error::stream_truncated) {
            reason = "the answer ended too early";
        } else if (ec == bhttp::error::end_of_stream) {
            kind = error_kind::unavailable;
            reason = "the connection was closed without an answer";
        } else if (ec.category() == not_http) {
            reason = "the answer is not HTTP: " + ec.message();
        } else {
            kind = error_kind::unavailable;
            reason = ec.message();
        }
        throw error(kind, true, false, p.step, url.name, reason);
    }

    asio::awaitable<void> open(beast::ssl_stream<beast::tcp_stream>& stream, progress& p)
    {
        co_await connect(beast::get_lowest_layer(stream), p);
        co_await handshake(stream, p);
    }

    // The stream is dropped, not shut down, at the end: the peer's answer is complete, or the connection is of no use.
    asio::awaitable<response> once(const request& r, progress& p)
    {
        if (url.secure) {
            beast::ssl_stream<beast::tcp_stream> stream(executor, *tls);
            co_await core::with_deadline(options.connect_timeout, open(stream, p));
            co_return co_await talk(stream, r, p);
        }
        beast::tcp_stream stream(executor);
        co_await core::with_deadline(options.connect_timeout, connect(stream, p));
        co_return co_await talk(stream, r, p);
    }
};

client::client(asio::any_io_executor executor, client_options options) : impl_(std::make_shared<impl>(std::move(executor), std::move(options)))
{
}

client::~client() = default;

const std::string& client::target() const noexcept
{
    return impl_->url.name;
}

asio::awaitable<response> client::send(const request& r)
{
    const auto keep = impl_;
    impl::progress p;
    if (keep->options.lease) p.lease = keep->options.lease();
    const auto started = std::chrono::steady_clock::now();
    try {
        co_return co_await core::with_deadline(r.deadline, keep->once(r, p));
    } catch (const core::timed_out&) {
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        throw error(error_kind::timeout, p.sent, false, p.step, keep->url.name, fmt::format("no end within {} ms", took.count()));
    }
}

}  // namespace batchbridge::http
