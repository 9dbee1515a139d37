#include "support/catch.hpp"

#include "client_peer.hpp"
#include "http/client.hpp"
#include "http/date.hpp"
#include "http/url.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <atomic>
#include <future>
#include <thread>

using namespace batchbridge;
using namespace peer;
using core::error_kind;

namespace {

http::client_options to(const listener& l, const std::string& prefix = "")
{
    return http::client_options::plain(fmt::format("http://127.0.0.1:{}{}", l.port(), prefix));
}

http::request post(std::string body)
{
    http::request r;
    r.method = "POST";
    r.target = "/jsonrpc";
    r.content_type = "application/json";
    r.body = std::move(body);
    r.deadline = 5s;
    return r;
}

// Late by at most 50 ms, and not early. Three tries, as a busy machine may be late by itself.
outcome check_deadline(asio::io_context& ioc, http::client& client, const http::request& r, std::chrono::milliseconds deadline)
{
    auto o = peer::send(ioc, client, r);
    for (int i = 1; i < 3 && o.took > deadline + 50ms; ++i) o = peer::send(ioc, client, r);
    REQUIRE(o.failure);
    CHECK(o.failure->kind() == error_kind::timeout);
    CHECK(o.took >= deadline - 1ms);
    CHECK(o.took <= deadline + 50ms);
    return o;
}

}  // namespace

TEST_CASE("a request has prefix, host, content length and close, and is never chunked")
{
    asio::io_context ioc;
    std::string seen;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        seen = co_await read_request(s);
        co_await write(s, ok_answer("{}"));
    });
    http::client client(ioc.get_executor(), to(server, "/erp/"));
    auto r = post("{\"a\":1}");
    r.headers.emplace_back("X-Test", "yes");
    const auto o = peer::send(ioc, client, r);
    REQUIRE(o.answer);
    CHECK(o.answer->status == 200);
    CHECK(o.answer->content_type == "application/json");
    CHECK(o.answer->body == "{}");
    CHECK(seen.starts_with("POST /erp/jsonrpc HTTP/1.1\r\n"));
    CHECK(seen.find(fmt::format("Host: 127.0.0.1:{}\r\n", server.port())) != std::string::npos);
    CHECK(seen.find("Content-Length: 7\r\n") != std::string::npos);
    CHECK(seen.find("Connection: close\r\n") != std::string::npos);
    CHECK(seen.find("X-Test: yes\r\n") != std::string::npos);
    CHECK(seen.find("Transfer-Encoding") == std::string::npos);
    CHECK(seen.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST_CASE("a POST without body says Content-Length 0, any status is an answer, each request has its own connection")
{
    asio::io_context ioc;
    std::string seen;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        seen = co_await read_request(s);
        co_await write(s, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>");
        co_await hang(s);
    });
    http::client client(ioc.get_executor(), to(server));
    for (int i = 1; i <= 2; ++i) {
        const auto o = peer::send(ioc, client, post(""));
        REQUIRE(o.answer);
        CHECK(o.answer->status == 502);
        CHECK(o.answer->body == "<p>");
        CHECK(seen.find("Content-Length: 0\r\n") != std::string::npos);
        CHECK(server.accepted() == i);
    }
}

TEST_CASE("an answer without a length ends with the connection, a chunked one is put together")
{
    asio::io_context ioc;
    int n = 0;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        if (n++ == 0) {
            co_await write(s, "HTTP/1.1 200 OK\r\n\r\nhello");
        } else {
            co_await write(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
        }
    });
    http::client client(ioc.get_executor(), to(server));
    for (int i = 0; i < 2; ++i) {
        const auto o = peer::send(ioc, client, post("x"));
        REQUIRE(o.answer);
        CHECK(o.answer->body == "hello");
    }
}

TEST_CASE("a proxy that keeps the connection open does not hold up an answer whose end is known")
{
    const bool chunked = GENERATE(false, true);
    asio::io_context ioc;
    bool closed_by_client = false;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        if (chunked) co_await write(s, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        else co_await write(s, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello");
        co_await hang(s);
        closed_by_client = true;
    });
    http::client client(ioc.get_executor(), to(server));
    auto r = post("x");
    r.deadline = 8s;
    const auto o = peer::send(ioc, client, r);
    REQUIRE(o.answer);
    CHECK(o.answer->body == "hello");
    // We drop it: nothing that comes later can be taken for another request's answer.
    ioc.restart();
    for (int i = 0; i < 200 && !closed_by_client; ++i) ioc.run_for(10ms), ioc.restart();
    CHECK(closed_by_client);
}

TEST_CASE("L-15 an answer without a length on a connection that stays open ends at the deadline, as unclear")
{
    asio::io_context ioc;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        co_await write(s, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nhello");
        co_await hang(s);
    });
    http::client client(ioc.get_executor(), to(server));
    auto r = post("x");
    r.deadline = 200ms;
    const auto o = peer::send(ioc, client, r);
    REQUIRE(o.failure);
    CHECK(o.failure->kind() == error_kind::timeout);
    CHECK(o.failure->sent());
    CHECK(o.took >= 199ms);
}

TEST_CASE("the headers of an answer are kept, repeated ones too, and a redirect is an answer")
{
    asio::io_context ioc;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        co_await write(s, "HTTP/1.1 303 SEE OTHER\r\nDate: Tue, 01 Dec 2026 14:30:00 GMT\r\nLocation: /web/login\r\nSet-Cookie: a=1\r\nset-cookie: session_id=2; Path=/\r\n"
                          "Content-Length: 0\r\n\r\n");
    });
    http::client client(ioc.get_executor(), to(server));
    const auto o = peer::send(ioc, client, post("x"));
    REQUIRE(o.answer);
    CHECK(o.answer->status == 303);
    CHECK(o.answer->header("location") == "/web/login");
    CHECK(o.answer->header("Date") == "Tue, 01 Dec 2026 14:30:00 GMT");
    CHECK(o.answer->header("Nothing").empty());
    int cookies = 0;
    for (const auto& [name, value] : o.answer->headers)
        if (http::same_name(name, "Set-Cookie")) ++cookies;
    CHECK(cookies == 2);
    CHECK(server.accepted() == 1);
}

TEST_CASE("the Date header is read in its one form, anything else is no date")
{
    CHECK(http::parse_date("Tue, 01 Dec 2026 14:30:05 GMT") == core::from_odoo("2026-12-01 14:30:05"));
    CHECK(http::parse_date("Thu, 29 Feb 2024 00:00:00 GMT") == core::from_odoo("2024-02-29 00:00:00"));
    for (const auto* bad : {"", "Tue, 31 Feb 2026 14:30:05 GMT", "Tue, 01 Dez 2026 14:30:05 GMT", "Tue, 01 Dec 2026 24:30:05 GMT", "Tue, 01 Dec 2026 14:30:05 CET",
                            "Tuesday, 01-Dec-26 14:30:05 GMT", "Tue, xx Dec 2026 14:30:05 GMT", "Tue, 01 Dec -026 14:30:05 GMT"}) {
        INFO(bad);
        CHECK_FALSE(http::parse_date(bad));
    }
}

TEST_CASE("L-15 the deadline ends a peer that hangs, wherever it hangs")
{
    asio::io_context ioc;
    std::string stage;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        if (stage == "after accept") {
            co_await hang(s);
            co_return;
        }
        co_await read_request(s);
        if (stage == "after headers") {
            co_await write(s, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
            co_await hang(s);
        }
        if (stage == "dripping body") {
            co_await write(s, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            asio::steady_timer pause(co_await asio::this_coro::executor);
            for (;;) {
                pause.expires_after(5ms);
                co_await pause.async_wait(asio::use_awaitable);
                co_await write(s, "x");
            }
        }
        if (stage == "dripping head") {
            asio::steady_timer pause(co_await asio::this_coro::executor);
            co_await write(s, "HTTP/1.1 200 OK\r\nX: ");
            for (;;) {
                pause.expires_after(5ms);
                co_await pause.async_wait(asio::use_awaitable);
                co_await write(s, "x");
            }
        }
    });
    http::client client(ioc.get_executor(), to(server));
    for (const auto* s : {"after accept", "after headers", "dripping body", "dripping head"}) {
        INFO(s);
        stage = s;
        auto r = post("body");
        r.deadline = 150ms;
        const auto o = check_deadline(ioc, client, r, 150ms);
        CHECK(o.failure->sent());
    }
}

TEST_CASE("L-15 an answer over the limit is refused, announced or not")
{
    asio::io_context ioc;
    bool announced = true;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n";
        if (!announced) answer = "HTTP/1.1 200 OK\r\n\r\n" + std::string(1000001, 'x');
        co_await write(s, answer);
    });
    auto options = to(server);
    options.max_response = 1000000;
    http::client client(ioc.get_executor(), options);
    for (const bool a : {true, false}) {
        announced = a;
        const auto o = peer::send(ioc, client, post("x"));
        REQUIRE(o.failure);
        CHECK(o.failure->kind() == error_kind::protocol);
        CHECK(o.failure->sent());
        CHECK(o.failure->reason() == "the answer is larger than 1000000 bytes");
    }
}

TEST_CASE("a truncated, an empty, a reset and a nonsense answer are errors after sending")
{
    asio::io_context ioc;
    std::string how;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        if (how == "truncated") co_await write(s, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        if (how == "truncated chunk") co_await write(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
        if (how == "nonsense") co_await write(s, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
        if (how == "reset") {
            s.set_option(asio::socket_base::linger(true, 0));
            s.close();
        }
    });
    http::client client(ioc.get_executor(), to(server));
    const auto fails = [&](const char* name, error_kind kind, const std::string& text) {
        INFO(name);
        how = name;
        const auto o = peer::send(ioc, client, post("x"));
        REQUIRE(o.failure);
        CHECK(o.failure->sent());
        CHECK(o.failure->kind() == kind);
        CHECK_THAT(o.failure->what(), Catch::Matchers::Contains(text));
        CHECK_THAT(o.failure->what(), Catch::Matchers::Contains(fmt::format("read the answer on http://127.0.0.1:{} failed", server.port())));
    };
    fails("truncated", error_kind::protocol, "ended too early");
    fails("truncated chunk", error_kind::protocol, "ended too early");
    fails("nonsense", error_kind::protocol, "not HTTP");
    fails("reset", error_kind::unavailable, "reset");
    fails("closed", error_kind::unavailable, "without an answer");
}

TEST_CASE("a refused connection is reported at once as refused, not as a timeout")
{
    asio::io_context ioc;
    unsigned short port = 0;
    {
        tcp::acceptor gone(ioc, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        port = gone.local_endpoint().port();
    }
    http::client client(ioc.get_executor(), http::client_options::plain(fmt::format("http://127.0.0.1:{}", port)));
    const auto o = peer::send(ioc, client, post("x"));
    REQUIRE(o.failure);
    CHECK(o.failure->kind() == error_kind::unavailable);
    CHECK_FALSE(o.failure->sent());
    CHECK_FALSE(o.failure->configuration());
    CHECK_THAT(o.failure->what(), Catch::Matchers::Contains("refused"));
    CHECK(o.took < 1000ms);
}

TEST_CASE("a resolver that hangs is abandoned at the connect timeout, even when the loop is gone before it answers")
{
    std::promise<void> release;
    auto released = release.get_future().share();
    std::atomic<int> inside = 0;
    {
        asio::io_context ioc;
        auto options = http::client_options::plain("http://erp.example");
        options.connect_timeout = 150ms;
        options.resolver = [&](const std::string&, const std::string&) -> http::endpoints {
            ++inside;
            released.wait();
            --inside;
            return {};
        };
        http::client client(ioc.get_executor(), options);
        const auto o = check_deadline(ioc, client, post("x"), 150ms);
        CHECK_FALSE(o.failure->sent());
        CHECK_THAT(o.failure->what(), Catch::Matchers::Contains("resolve on http://erp.example"));
    }
    CHECK(inside > 0);
    release.set_value();
    for (const auto limit = std::chrono::steady_clock::now() + 5s; inside > 0 && std::chrono::steady_clock::now() < limit;) std::this_thread::yield();
    CHECK(inside == 0);
}

TEST_CASE("a name is looked up by the resolver, a failing one says so, the port is the scheme's")
{
    asio::io_context ioc;
    listener server(ioc, [](tcp::socket& s) -> asio::awaitable<void> {
        co_await read_request(s);
        co_await write(s, ok_answer("hi"));
    });
    std::string asked;
    auto options = http::client_options::plain("http://erp.example");
    options.resolver = [&](const std::string& host, const std::string& port) -> http::endpoints {
        asked = host + " " + port;
        return {tcp::endpoint(asio::ip::address_v4::loopback(), server.port())};
    };
    http::client good(ioc.get_executor(), options);
    const auto o = peer::send(ioc, good, post("x"));
    REQUIRE(o.answer);
    CHECK(o.answer->body == "hi");
    CHECK(asked == "erp.example 80");

    options.resolver = [](const std::string&, const std::string&) -> http::endpoints { throw std::runtime_error("Name or service not known"); };
    http::client bad(ioc.get_executor(), options);
    const auto f = peer::send(ioc, bad, post("x"));
    REQUIRE(f.failure);
    CHECK_FALSE(f.failure->sent());
    CHECK(f.failure->kind() == error_kind::unavailable);
    CHECK_THAT(f.failure->what(), Catch::Matchers::Contains("'erp.example' not found: Name or service not known"));
}

TEST_CASE("before_send is asked right before the first byte, no means cancelled and nothing sent")
{
    asio::io_context ioc;
    std::string got;
    listener server(ioc, [&](tcp::socket& s) -> asio::awaitable<void> {
        char c = 0;
        boost::system::error_code ec;
        co_await s.async_read_some(asio::buffer(&c, 1), asio::redirect_error(asio::use_awaitable, ec));
        got = ec ? "nothing" : "something";
    });
    auto options = to(server);
    bool asked = false;
    std::uint64_t lease = 1;
    SECTION("before_send says no")
    {
        options.before_send = [&] {
            asked = server.accepted() >= 0;
            return false;
        };
    }
    SECTION("a lease that was lost and got again while the request was connecting")
    {
        options.before_send = [] { return true; };
        options.lease = [&] {
            asked = true;
            return lease++;
        };
    }
    http::client client(ioc.get_executor(), options);
    const auto o = peer::send(ioc, client, post("x"));
    REQUIRE(o.failure);
    CHECK(asked);
    CHECK(o.failure->kind() == error_kind::cancelled);
    CHECK_FALSE(o.failure->sent());
    ioc.restart();
    while (got.empty()) ioc.run_one_for(2s);
    CHECK(got == "nothing");
}

TEST_CASE("a cancelled caller gets operation_aborted at once")
{
    asio::io_context ioc;
    listener server(ioc, [](tcp::socket& s) -> asio::awaitable<void> { co_await hang(s); });
    http::client client(ioc.get_executor(), to(server));
    asio::cancellation_signal stop;
    std::exception_ptr end;
    const auto r = post("x");
    asio::co_spawn(ioc, client.send(r), asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr e, http::response) {
                       end = e;
                       ioc.stop();
                   }));
    asio::steady_timer later(ioc, 50ms);
    later.async_wait([&](boost::system::error_code) { stop.emit(asio::cancellation_type::terminal); });
    ioc.run_for(5s);
    REQUIRE(end);
    CHECK(core::is_cancellation(end));
    CHECK_THROWS_AS(std::rethrow_exception(end), boost::system::system_error);
}

TEST_CASE("an address is taken apart and its credentials are never shown")
{
    const auto u = http::parse_base_url("https://user:hidden@erp.example:8443/odoo/");
    CHECK(u.secure);
    CHECK(u.host == "erp.example");
    CHECK(u.port == "8443");
    CHECK(u.prefix == "/odoo");
    CHECK(u.host_header == "erp.example:8443");
    CHECK(u.name == "https://erp.example:8443/odoo");
    const auto v6 = http::parse_base_url("http://[::1]:8069");
    CHECK(v6.host == "::1");
    CHECK(v6.host_header == "[::1]:8069");
    CHECK(http::parse_base_url("https://erp.example").port == "443");
    for (const auto* bad : {"erp.example:8069", "ftp://erp.example", "http://", "http://user:hidden@:80", "http://erp.example:0", "http://erp.example:99999", ""}) {
        INFO(bad);
        try {
            http::parse_base_url(bad);
            FAIL("accepted");
        } catch (const std::invalid_argument& e) {
            CHECK(std::string(e.what()).find("hidden") == std::string::npos);
        }
    }
}
