#include "support/catch.hpp"

#include "client_peer.hpp"
#include "http/client.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace batchbridge;
using namespace peer;
using core::error_kind;

namespace {

struct tls_server {
    tls_server(asio::io_context& ioc, asio::ssl::context c)
        : context(std::move(c)), server(ioc, [this](tcp::socket& s) -> asio::awaitable<void> {
              asio::ssl::stream<tcp::socket&> stream(s, context);
              boost::system::error_code ec;
              co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
              if (ec) co_return;
              const auto* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
              sni = name == nullptr ? "" : name;
              request = co_await read_request(stream);
              co_await write(stream, answer);
              // No close_notify: the client must not need one when the length is known.
          })
    {
    }
    asio::ssl::context context;
    std::string sni, request, answer = ok_answer("secret hello");
    listener server;
};

http::client_options to(const tls_server& s, const std::string& host, const std::string& ca_file)
{
    auto o = http::client_options::plain(fmt::format("https://{}:{}", host, s.server.port()));
    o.ca_file = ca_file;
    o.resolver = [port = s.server.port()](const std::string&, const std::string&) -> http::endpoints {
        return {tcp::endpoint(asio::ip::address_v4::loopback(), port)};
    };
    return o;
}

http::request get()
{
    http::request r;
    r.target = "/web/health";
    r.deadline = 5s;
    return r;
}

void check_refused(const outcome& o, const std::string& text)
{
    REQUIRE(o.failure);
    CHECK(o.failure->kind() == error_kind::unavailable);
    CHECK_FALSE(o.failure->sent());
    CHECK(o.failure->configuration());
    CHECK_THAT(o.failure->what(), Catch::Matchers::Contains(text));
}

}  // namespace

TEST_CASE("TLS with a private CA: the host name is sent as SNI and checked")
{
    asio::io_context ioc;
    authority ca;
    tls_server server(ioc, ca.server_for("erp.example"));
    http::client client(ioc.get_executor(), to(server, "erp.example", ca.ca_file()));
    const auto o = peer::send(ioc, client, get());
    REQUIRE(o.answer);
    CHECK(o.answer->body == "secret hello");
    CHECK(server.sni == "erp.example");
    CHECK(server.request.starts_with("GET /web/health HTTP/1.1\r\n"));
}

TEST_CASE("TLS to an address checks the address and sends no SNI")
{
    asio::io_context ioc;
    authority ca;
    tls_server server(ioc, ca.server_for("127.0.0.1", true));
    http::client client(ioc.get_executor(), to(server, "127.0.0.1", ca.ca_file()));
    const auto o = peer::send(ioc, client, get());
    REQUIRE(o.answer);
    CHECK(server.sni.empty());
    http::client v6(ioc.get_executor(), to(server, "localhost", ca.ca_file()));
    check_refused(peer::send(ioc, v6, get()), "mismatch");
}

TEST_CASE("a certificate for another host, and one of an unknown CA, is refused as configuration before anything is sent")
{
    asio::io_context ioc;
    authority ca, other;
    tls_server server(ioc, ca.server_for("erp.example"));
    http::client wrong_name(ioc.get_executor(), to(server, "other.example", ca.ca_file()));
    check_refused(peer::send(ioc, wrong_name, get()), "hostname mismatch");
    http::client wrong_ca(ioc.get_executor(), to(server, "erp.example", other.ca_file()));
    check_refused(peer::send(ioc, wrong_ca, get()), "certificate is not accepted");
    http::client system_ca(ioc.get_executor(), to(server, "erp.example", ""));
    check_refused(peer::send(ioc, system_ca, get()), "certificate is not accepted");
    CHECK(server.request.empty());
}

TEST_CASE("an expired certificate is refused as configuration, and says that it has expired")
{
    asio::io_context ioc;
    authority ca;
    tls_server server(ioc, ca.expired_server_for("erp.example"));
    http::client client(ioc.get_executor(), to(server, "erp.example", ca.ca_file()));
    check_refused(peer::send(ioc, client, get()), "expired");
    CHECK(server.request.empty());
    auto unverified = to(server, "erp.example", "");
    unverified.verify = false;
    http::client careless(ioc.get_executor(), unverified);
    CHECK(peer::send(ioc, careless, get()).answer);
}

TEST_CASE("a self-signed certificate is refused unless it is the CA file itself, and its name is checked then too")
{
    asio::io_context ioc;
    self_signed own("erp.example");
    auto file = (std::filesystem::temp_directory_path() / "batchbridge-self-XXXXXX").string();
    const int fd = ::mkstemp(file.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::ofstream(file) << own.pem;
    tls_server server(ioc, std::move(own.context));
    http::client stranger(ioc.get_executor(), to(server, "erp.example", ""));
    check_refused(peer::send(ioc, stranger, get()), "self-signed certificate");
    CHECK(server.request.empty());
    http::client known(ioc.get_executor(), to(server, "erp.example", file));
    CHECK(peer::send(ioc, known, get()).answer);
    CHECK(server.sni == "erp.example");
    http::client other_name(ioc.get_executor(), to(server, "other.example", file));
    check_refused(peer::send(ioc, other_name, get()), "mismatch");
    std::filesystem::remove(file);
}

TEST_CASE("with verification off any certificate will do")
{
    asio::io_context ioc;
    authority ca;
    tls_server server(ioc, ca.server_for("erp.example"));
    auto options = to(server, "other.example", "");
    options.verify = false;
    http::client client(ioc.get_executor(), options);
    CHECK(peer::send(ioc, client, get()).answer);
}

TEST_CASE("a CA file that cannot be read is a start error that names it")
{
    asio::io_context ioc;
    auto options = http::client_options::plain("https://erp.example");
    options.ca_file = "/no/such/ca.pem";
    CHECK_THROWS_WITH(http::client(ioc.get_executor(), options), Catch::Matchers::Contains("/no/such/ca.pem"));
}

TEST_CASE("L-15 a silent TLS peer and a plain one end within their time, nothing sent")
{
    asio::io_context ioc;
    authority ca;
    listener silent(ioc, [](tcp::socket& s) -> asio::awaitable<void> { co_await hang(s); });
    auto options = http::client_options::plain(fmt::format("https://127.0.0.1:{}", silent.port()));
    options.ca_file = ca.ca_file();
    options.connect_timeout = 150ms;
    http::client client(ioc.get_executor(), options);
    auto o = peer::send(ioc, client, get());
    for (int i = 1; i < 3 && o.took > 200ms; ++i) o = peer::send(ioc, client, get());   // a busy machine
    REQUIRE(o.failure);
    CHECK(o.failure->kind() == error_kind::timeout);
    CHECK_FALSE(o.failure->sent());
    CHECK(o.took >= 149ms);
    CHECK(o.took <= 200ms);
    CHECK_THAT(o.failure->what(), Catch::Matchers::Contains("TLS handshake"));

    listener plain(ioc, [](tcp::socket& s) -> asio::awaitable<void> {
        co_await write(s, "HTTP/1.1 400 Bad Request\r\n\r\n");
        co_await hang(s);
    });
    options = http::client_options::plain(fmt::format("https://127.0.0.1:{}", plain.port()));
    http::client to_plain(ioc.get_executor(), options);
    const auto p = peer::send(ioc, to_plain, get());
    REQUIRE(p.failure);
    CHECK_FALSE(p.failure->sent());
    CHECK_FALSE(p.failure->configuration());
    CHECK(p.failure->kind() == error_kind::unavailable);
}

TEST_CASE("a TLS answer without length that ends without close_notify is truncated")
{
    asio::io_context ioc;
    authority ca;
    tls_server server(ioc, ca.server_for("erp.example"));
    server.answer = "HTTP/1.1 200 OK\r\n\r\nperhaps all";
    http::client client(ioc.get_executor(), to(server, "erp.example", ca.ca_file()));
    const auto o = peer::send(ioc, client, get());
    REQUIRE(o.failure);
    CHECK(o.failure->sent());
    CHECK(o.failure->kind() == error_kind::protocol);
}
