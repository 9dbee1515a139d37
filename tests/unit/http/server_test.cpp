// The HTTP server against raw clients: its limits, slow and malformed requests, keep-alive, stopping with open connections.
#include "support/catch.hpp"

#include "core/error.hpp"
#include "core/log.hpp"
#include "http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <atomic>
#include <future>
#include <thread>

#include <sys/socket.h>
#include <sys/time.h>

using namespace batchbridge;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using boost::asio::ip::tcp;
namespace asio = boost::asio;
namespace json = boost::json;
using std::chrono::steady_clock;

namespace {

http::server_limits small()
{
    http::server_limits l;
    l.header_bytes = 1024;
    l.body_bytes = 2000;
    l.connections = 3;
    l.read_deadline = 300ms;
    l.write_deadline = 300ms;
    return l;
}

// A server on a thread of its own. It answers with method, target and size of the body; some targets do more.
struct served {
    explicit served(http::server_limits limits = small())
        : server(ioc.get_executor(), limits, [this](const http::server_request& r) { return answer(r); })
    {
        core::log::init(core::log::level::error, core::log::format::text);
        server.listen("127.0.0.1", 0);
        port = server.port();
        asio::co_spawn(ioc, server.run(), [this](std::exception_ptr) { ended.set_value(); });
        thread = std::thread([this] { ioc.run(); });
    }
    ~served()
    {
        stop();
        thread.join();
    }
    void stop()
    {
        asio::post(ioc, [this] { server.stop(); });
    }
    asio::awaitable<http::server_response> answer(const http::server_request& r)
    {
        ++handled;
        if (r.target() == "/throw") throw std::runtime_error("secret detail");
        if (r.target() == "/wait") {
            asio::steady_timer timer(ioc, 60s);
            co_await timer.async_wait(asio::use_awaitable);
        }
        http::server_response out;
        if (r.target() == "/large") out.body.assign(64U << 20, 'x');
        else out.body = fmt::format("{} {} {}", std::string(r.method_string()), std::string(r.target()), r.body().size());
        if (r.target() == "/last") out.keep_alive = false;
        co_return out;
    }

    asio::io_context ioc{1};
    http::server server;
    std::uint16_t port = 0;
    std::atomic<int> handled{0};
    std::promise<void> ended;
    std::thread thread;
};

// A connection; every read ends after five seconds at the latest.
class visitor {
public:
    explicit visitor(const served& s) : socket_(ioc_)
    {
        socket_.connect({asio::ip::address_v4::loopback(), s.port});
        const timeval limit{5, 0};
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    // False when the server has already closed.
    bool send(std::string_view text)
    {
        while (!text.empty()) {
            const auto n = ::send(socket_.native_handle(), text.data(), text.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    // One answer, head and body.
    std::string answer(bool head_only = false)
    {
        while (text_.find("\r\n\r\n") == std::string::npos && more()) {}
        const auto head = text_.find("\r\n\r\n");
        if (head == std::string::npos) return std::exchange(text_, "");
        const auto at = text_.find("Content-Length: ");
        const auto size = head + 4 + (head_only || at > head ? 0 : std::stoul(text_.substr(at + 16)));
        while (text_.size() < size && more()) {}
        auto out = text_.substr(0, size);
        text_.erase(0, size);
        return out;
    }
    // Until the server closes. "" when nothing (more) came.
    std::string rest()
    {
        while (more()) {}
        return std::exchange(text_, "");
    }
    // How the connection ended: 0 closed in order, ECONNRESET, EAGAIN: not within five seconds. -1: still open.
    int end() const { return end_; }

private:
    bool more()
    {
        char part[65536];
        const auto n = ::recv(socket_.native_handle(), part, sizeof part, 0);
        if (n > 0) text_.append(part, static_cast<std::size_t>(n));
        else end_ = n == 0 ? 0 : errno;
        return n > 0;
    }
    asio::io_context ioc_;
    tcp::socket socket_;
    std::string text_;
    int end_ = -1;
};

std::string get(const std::string& target, const std::string& more = {})
{
    return fmt::format("GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n", target, more);
}

std::string post(std::size_t size)
{
    return fmt::format("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", size, std::string(size, 'b'));
}

std::string reason(const std::string& answer)
{
    const auto body = answer.substr(answer.find("\r\n\r\n") + 4);
    boost::system::error_code ec;
    const auto v = json::parse(body, ec);
    if (ec || !v.is_object() || !v.get_object().contains("error")) return "no reason in: " + answer;
    return std::string(v.at("error").as_string());
}

}  // namespace

TEST_CASE("requests of one connection are answered one after the other, also when they come together")
{
    served s;
    visitor v(s);
    v.send(get("/1"));
    CHECK_THAT(v.answer(), Contains("HTTP/1.1 200 OK") && Contains("Content-Type: application/json") && Contains("Cache-Control: no-store") && Contains("GET /1 0"));
    v.send(get("/2") + post(5) + get("/3"));
    CHECK_THAT(v.answer(), Contains("GET /2 0"));
    CHECK_THAT(v.answer(), Contains("POST /p 5"));
    CHECK_THAT(v.answer(), Contains("GET /3 0"));
    CHECK(v.end() == -1);
    CHECK(s.handled == 4);
}

TEST_CASE("the connection ends when the client or the handler asks for it, and after HTTP/1.0")
{
    served s;
    for (const auto& request : {get("/1", "Connection: close\r\n"), get("/last"), std::string("GET / HTTP/1.0\r\n\r\n")}) {
        CAPTURE(request);
        visitor v(s);
        v.send(request);
        CHECK_THAT(v.answer(), Contains(" 200 OK"));
        CHECK(v.rest().empty());
        CHECK(v.end() == 0);
    }
    visitor v(s);
    v.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK_THAT(v.answer(), Contains("Connection: keep-alive"));
    v.send(get("/2"));
    CHECK_THAT(v.answer(), Contains("GET /2 0"));
}

TEST_CASE("HEAD is answered without a body, and the next answer is not mistaken for it")
{
    served s;
    visitor v(s);
    v.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n" + get("/2"));
    CHECK_THAT(v.answer(true), Contains("HTTP/1.1 200 OK") && Contains("Content-Length: 9"));
    CHECK_THAT(v.answer(), Catch::StartsWith("HTTP/1.1 200 OK") && Contains("GET /2 0"));
}

TEST_CASE("a header over the limit is 431 with a reason, one below it is taken")
{
    served s;
    visitor good(s);
    good.send(get("/1", "X-Fill: " + std::string(800, 'f') + "\r\n"));
    CHECK_THAT(good.answer(), Contains(" 200 OK"));
    for (const std::size_t size : {1100, 200000}) {
        CAPTURE(size);
        visitor v(s);
        v.send(get("/1", "X-Fill: " + std::string(size, 'f') + "\r\n"));
        const auto answer = v.answer();
        CHECK_THAT(answer, Contains("HTTP/1.1 431 ") && Contains("Connection: close"));
        CHECK(reason(answer) == "the request header is too large");
        CHECK(v.rest().empty());
        CHECK(v.end() == 0);
    }
    CHECK(s.handled == 1);
}

TEST_CASE("a body over the limit is 413 with a reason, also when it is still being sent or chunked")
{
    served s;
    visitor good(s);
    good.send(post(2000));
    CHECK_THAT(good.answer(), Contains("POST /p 2000"));
    for (const std::size_t size : {2001, 1000000}) {
        CAPTURE(size);
        visitor v(s);
        v.send(post(size));
        const auto answer = v.answer();
        CHECK_THAT(answer, Contains("HTTP/1.1 413 ") && Contains("Connection: close"));
        CHECK(reason(answer) == "the request body is too large");
        v.rest();
        CHECK(v.end() == 0);
    }
    visitor chunked(s);
    chunked.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 5; ++i) chunked.send("200\r\n" + std::string(512, 'c') + "\r\n");
    CHECK_THAT(chunked.answer(), Contains("HTTP/1.1 413 "));
    CHECK(s.handled == 1);
}

TEST_CASE("what is no HTTP is 400 with a reason")
{
    served s;
    for (const std::string request : {"GARBAGE\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nno colon here\r\n\r\n",
                                      "POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\x16\x03\x01\x02\x01\x01\xfc\x03\r\n\r\n"}) {
        CAPTURE(request);
        visitor v(s);
        v.send(request);
        const auto answer = v.answer();
        CHECK_THAT(answer, Contains("HTTP/1.1 400 ") && Contains("Connection: close"));
        CHECK_THAT(reason(answer), Catch::StartsWith("this is not an HTTP request: "));
        CHECK(v.rest().empty());
        CHECK(v.end() == 0);
    }
    CHECK(s.handled == 0);
}

TEST_CASE("a request that is only half there is no request")
{
    served s;
    for (const char* part : {"GET / HT", "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"}) {
        visitor v(s);
        v.send(part);
        CHECK(v.rest().empty());
        CHECK(v.end() == 0);
    }
    CHECK(s.handled == 0);
}

TEST_CASE("a client that sends drop by drop is cut off, whatever it sends in between, and an idle one too")
{
    served s;
    for (const bool drip : {true, false}) {
        CAPTURE(drip);
        const auto start = steady_clock::now();
        visitor v(s);
        v.send("GET / HTTP/1.1\r\nX: ");
        std::atomic<bool> over{false};
        // A byte every 20 ms: a deadline per byte would never pass.
        std::thread sender([&] {
            while (drip && !over && v.send("y")) std::this_thread::sleep_for(20ms);
        });
        CHECK(v.rest().empty());
        over = true;
        sender.join();
        CHECK(v.end() != EAGAIN);
        const auto took = steady_clock::now() - start;
        CHECK(took >= 250ms);
        CHECK(took < 2s);
    }
    // Between two requests as well.
    visitor v(s);
    v.send(get("/1"));
    v.answer();
    CHECK(v.rest().empty());
    CHECK(v.end() == 0);
}

TEST_CASE("a client that does not read its answer is cut off")
{
    auto limits = small();
    limits.connections = 1;
    served s(limits);
    visitor lazy(s);
    lazy.send(get("/large"));
    // Its place is free again once it was cut off.
    const auto until = steady_clock::now() + 5s;
    std::string answer;
    while (answer.empty() && steady_clock::now() < until) {
        visitor next(s);
        next.send(get("/1"));
        answer = next.answer();
    }
    CHECK_THAT(answer, Contains("GET /1 0"));
    CHECK(lazy.rest().size() < (64U << 20));
}

TEST_CASE("connections over the limit are closed at once, and a place that becomes free is used")
{
    served s;
    {
        std::vector<std::unique_ptr<visitor>> held;
        for (int i = 0; i < 3; ++i) {
            held.push_back(std::make_unique<visitor>(s));
            held.back()->send(get("/1", "Connection: keep-alive\r\n"));
            CHECK_THAT(held.back()->answer(), Contains(" 200 OK"));
        }
        visitor refused(s);
        CHECK(refused.rest().empty());
        CHECK(refused.end() != EAGAIN);
        // The others are served on.
        held[0]->send(get("/2"));
        CHECK_THAT(held[0]->answer(), Contains("GET /2 0"));
    }
    const auto until = steady_clock::now() + 5s;
    std::string answer;
    while (answer.empty() && steady_clock::now() < until) {
        visitor next(s);
        next.send(get("/3"));
        answer = next.answer();
    }
    CHECK_THAT(answer, Contains("GET /3 0"));
}

TEST_CASE("a handler that throws is 500 without its details, and the connection goes on")
{
    served s;
    visitor v(s);
    v.send(get("/throw"));
    const auto answer = v.answer();
    CHECK_THAT(answer, Contains("HTTP/1.1 500 ") && !Contains("secret"));
    CHECK(reason(answer) == "internal error; the log says more");
    v.send(get("/2"));
    CHECK_THAT(v.answer(), Contains("GET /2 0"));
}

TEST_CASE("stop ends idle, half-sent and running requests at once, and nobody gets in any more")
{
    auto limits = small();
    limits.read_deadline = limits.write_deadline = 60s;
    served s(limits);
    visitor idle(s), half(s), running(s);
    idle.send(get("/1"));
    idle.answer();
    half.send("GET / HT");
    running.send(get("/wait"));
    while (s.handled < 2) std::this_thread::yield();
    const auto start = steady_clock::now();
    s.stop();
    for (auto* v : {&idle, &half, &running}) {
        CHECK(v->rest().empty());
        CHECK(v->end() != EAGAIN);
    }
    CHECK(s.ended.get_future().wait_for(5s) == std::future_status::ready);
    CHECK(steady_clock::now() - start < 2s);
    CHECK_THROWS_AS(visitor(s), boost::system::system_error);
}

TEST_CASE("an address that cannot be bound is named")
{
    served s;
    asio::io_context ioc;
    http::server other(ioc.get_executor(), {}, [](const http::server_request&) -> asio::awaitable<http::server_response> { co_return http::server_response{}; });
    try {
        other.listen("127.0.0.1", s.port);
        // SO_REUSEADDR does not allow a second listener.
        FAIL("bound twice");
    } catch (const core::error& e) {
        CHECK(e.kind() == core::error_kind::unavailable);
        CHECK(e.target() == fmt::format("127.0.0.1:{}", s.port));
    }
    CHECK_THROWS_AS(other.listen("no address", 0), core::error);
}
