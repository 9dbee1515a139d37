#include "modbus/link.hpp"
#include "raw_peer.hpp"
#include "support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <semaphore>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using namespace std::chrono_literals;
using core::error_kind;
using clock_type = std::chrono::steady_clock;

namespace {

using registers = std::vector<std::uint16_t>;

modbus::link_options quick(std::uint16_t port)
{
    modbus::link_options o("127.0.0.1", port, 1);
    o.timeout = 200ms;
    o.backoff_first = 1ms;
    o.backoff_cap = 2ms;
    return o;
}

// A link with a loop of its own, driven call by call.
struct driven_link {
    explicit driven_link(modbus::link_options o) : link(ioc.get_executor(), std::move(o)) {}

    template <class T>
    T run(boost::asio::awaitable<T> call)
    {
        auto result = boost::asio::co_spawn(ioc, std::move(call), boost::asio::use_future);
        ioc.restart();
        ioc.run();
        return result.get();
    }

    registers read(int address, int count) { return run(link.read(address, count)); }
    void write(int address, registers values, modbus::link::permission may = {}) { run(link.write(address, std::move(values), std::move(may))); }

    // The error of a read, after which the back-off of the fast tests (at most 2 ms) is over.
    std::optional<modbus::error> read_error(int address = 6000, int count = 2)
    {
        try {
            read(address, count);
        } catch (const modbus::error& e) {
            await_backoff();
            return e;
        }
        return std::nullopt;
    }

    static void await_backoff()
    {
        const auto until = clock_type::now() + 3ms;
        while (clock_type::now() < until) std::this_thread::yield();
    }

    boost::asio::io_context ioc;
    modbus::link link;
};

void serve(raw_connection& c, std::uint16_t value)
{
    for (auto q = c.receive(); !q.empty(); q = c.receive()) c.send(q[7] == 3 ? read_answer(q, value) : write_answer(q));
}

// A port on which nobody listens, for as long as the object lives.
struct closed_port {
    closed_port()
    {
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
        socklen_t size = sizeof a;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size);
        number = ntohs(a.sin_port);
    }
    ~closed_port() { ::close(fd); }
    int fd;
    std::uint16_t number;
};

// A name server that keeps silent until it is let go; then every name is 127.0.0.1. Outlives the link, as a thread that
// was left behind may still ask it.
struct silent_server {
    std::atomic<int> asked{0}, answered{0};
    std::counting_semaphore<> answers{0};
};

modbus::resolver_function resolver_of(const std::shared_ptr<silent_server>& s)
{
    return [s](const std::string& host, std::uint16_t port) {
        ++s->asked;
        s->answers.acquire();
        auto out = modbus::system_resolve("127.0.0.1", port);
        if (host == "gone.example") throw std::runtime_error("no such name");
        ++s->answered;
        return out;
    };
}

// The value of a socket option of this process's connection to 127.0.0.1:`port`; nullopt when there is none.
std::optional<int> option_towards(std::uint16_t port, int level, int name)
{
    for (int fd = 3; fd < FD_SETSIZE; ++fd) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
        int value = 0;
        size = sizeof value;
        if (::getsockopt(fd, level, name, &value, &size) == 0) return value;
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("a read sends one FC03 request and returns the registers")
{
    bytes seen;
    raw_peer peer([&](raw_connection& c, int) {
        seen = c.receive();
        c.send(read_answer(seen, 0x86a0));
        c.await_close();
    });
    auto o = quick(peer.port());
    o.unit_id = 17;
    driven_link l(o);
    CHECK(l.read(6000, 77) == registers(77, 0x86a0));
    // Protocol 0, length 6, unit 17, FC03, address 6000, 77 registers; the transaction number is libmodbus's.
    CHECK(bytes(seen.begin() + 2, seen.end()) == bytes{0, 0, 0, 6, 17, 3, 0x17, 0x70, 0, 77});
    CHECK(l.link.connections() == 1);
    CHECK(l.link.connected());
    CHECK(l.link.name() == "plc 127.0.0.1:" + std::to_string(peer.port()) + " unit 17");
}

TEST_CASE("a write sends one FC16, a flag one FC06")
{
    std::vector<bytes> seen;
    raw_peer peer([&](raw_connection& c, int) {
        for (auto q = c.receive(); !q.empty(); q = c.receive()) {
            seen.push_back(q);
            c.send(write_answer(q));
        }
    });
    {
        driven_link l(quick(peer.port()));
        l.write(7000, {1, 0x5748});
        l.run(l.link.write_single(7076, 1, {}));
        CHECK(l.link.connections() == 1);
    }
    REQUIRE(seen.size() == 2);
    CHECK(bytes(seen[0].begin() + 7, seen[0].end()) == bytes{16, 0x1b, 0x58, 0, 2, 4, 0, 1, 0x57, 0x48});
    CHECK(bytes(seen[1].begin() + 7, seen[1].end()) == bytes{6, 0x1b, 0xa4, 0, 1});
}

TEST_CASE("an answer with another transaction number is refused and ends the connection (L-32)")
{
    raw_peer peer([](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        auto a = read_answer(c.receive(), 1);
        a[1] = static_cast<std::uint8_t>(a[1] + 1);
        c.send(a);
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::protocol);
    CHECK(e->operation() == "FC03 read 6000+2");
    CHECK_FALSE(l.link.connected());
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 2);
}

TEST_CASE("no field of an answer may differ from the request: the value is not used and the connection ends (L-32)")
{
    struct spoil {
        const char* reason;
        std::function<void(bytes&)> how;  // of an answer to a read of two registers
    };
    const std::vector<spoil> spoils{
        {"transaction 258 instead of", [](bytes& a) { a[0] = 1, a[1] = 2; }},
        // libmodbus itself refuses a protocol number only when both its bytes are wrong.
        {"protocol 1 instead of 0", [](bytes& a) { a[3] = 1; }},
        {"protocol 256 instead of 0", [](bytes& a) { a[2] = 1; }},
        {"length 8 instead of 7", [](bytes& a) { a[5] = 8; }},
        {"length 6 instead of 7", [](bytes& a) { a[5] = 6; }},
        {"length 263 instead of 7", [](bytes& a) { a[4] = 1; }},
        {"unit 2 instead of 1", [](bytes& a) { a[6] = 2; }},
        {"function 4 instead of 3", [](bytes& a) { a[7] = 4; }},
        {"byte count 2 instead of 4", [](bytes& a) { a[5] = 5, a[8] = 2, a.resize(a.size() - 2); }},
        {"byte count 5 instead of 4", [](bytes& a) { a[5] = 8, a[8] = 5, a.push_back(1); }},
        {"byte count 6 instead of 4", [](bytes& a) { a[5] = 9, a[8] = 6, a.push_back(0), a.push_back(1); }},
        {"byte count 0 instead of 4", [](bytes& a) { a[5] = 3, a[8] = 0, a.resize(9); }},
        // An exception to another function, and one of another unit.
        {"function 144 instead of 3", [](bytes& a) { a[5] = 3, a[7] = 0x90, a[8] = 2, a.resize(9); }},
        {"unit 9 instead of 1", [](bytes& a) { a[5] = 3, a[6] = 9, a[7] = 0x83, a[8] = 2, a.resize(9); }},
        {"length 4 instead of 3", [](bytes& a) { a[5] = 4, a[7] = 0x83, a[8] = 2, a.resize(9); }},
    };
    const auto& s = spoils[static_cast<std::size_t>(GENERATE(range(0, 15)))];
    REQUIRE(spoils.size() == 15);
    raw_peer peer([&](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        auto a = read_answer(c.receive(), 666);
        s.how(a);
        c.send(a);
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    CAPTURE(s.reason);
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::protocol);
    CHECK_THAT(e->reason(), Catch::Contains(std::string("does not fit the request: ") + s.reason));
    CHECK_FALSE(l.link.connected());
    CHECK(l.link.wrong_answers() == 1);
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 2);
    CHECK(l.link.wrong_answers() == 1);
}

TEST_CASE("a write counts as answered only by its own answer (L-32)")
{
    struct spoil {
        const char* reason;
        std::uint8_t function;
        std::function<void(bytes&)> how;
    };
    const std::vector<spoil> spoils{
        {"unit 2 instead of 1", 16, [](bytes& a) { a[6] = 2; }},
        {"address 7001 instead of 7000", 16, [](bytes& a) { ++a[9]; }},
        {"register count 1 instead of 2", 16, [](bytes& a) { a[11] = 1; }},
        {"function 6 instead of 16", 16, [](bytes& a) { a[7] = 6; }},
        {"unit 2 instead of 1", 6, [](bytes& a) { a[6] = 2; }},
        {"address 7077 instead of 7076", 6, [](bytes& a) { ++a[9]; }},
        {"value 0 instead of 1", 6, [](bytes& a) { a[11] = 0; }},
        {"length 7 instead of 6", 6, [](bytes& a) { a[5] = 7; }},
    };
    const auto& s = spoils[static_cast<std::size_t>(GENERATE(range(0, 8)))];
    REQUIRE(spoils.size() == 8);
    raw_peer peer([&](raw_connection& c, int) {
        auto a = write_answer(c.receive());
        s.how(a);
        c.send(a);
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    CAPTURE(s.reason, s.function);
    std::optional<modbus::error> e;
    try {
        if (s.function == 16)
            l.write(7000, {1, 2});
        else
            l.run(l.link.write_single(7076, 1, {}));
    } catch (const modbus::error& x) {
        e = x;
    }
    REQUIRE(e);
    CHECK(e->kind() == error_kind::protocol);
    CHECK_THAT(e->reason(), Catch::Contains(s.reason));
    CHECK_FALSE(l.link.connected());
    CHECK(l.link.wrong_answers() == 1);
}

TEST_CASE("each request has a transaction number of its own, also after a new connection (L-32)")
{
    std::vector<int> numbers;
    raw_peer peer([&](raw_connection& c, int number) {
        for (auto q = c.receive(); !q.empty(); q = c.receive()) {
            numbers.push_back((q[0] << 8) | q[1]);
            if (number == 1 && numbers.size() == 2) return;
            c.send(read_answer(q, 7));
        }
    });
    {
        driven_link l(quick(peer.port()));
        l.read(6000, 2);
        REQUIRE(l.read_error());
        l.read(6000, 2);
    }
    CHECK(numbers == std::vector<int>{1, 2, 3});
}

TEST_CASE("an answer that stops half way counts as none")
{
    raw_peer peer([](raw_connection& c, int) {
        auto a = read_answer(c.receive(), 1);
        a.resize(a.size() - 1);
        c.send(a);
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::timeout);
    CHECK_FALSE(l.link.connected());
}

TEST_CASE("a silent device and one that drips bytes are given up within the timeout (L-14)")
{
    const bool drip = GENERATE(false, true);
    std::binary_semaphore enough(0);
    raw_peer peer([&](raw_connection& c, int) {
        const auto a = read_answer(c.receive(), 1);
        // One byte every 40 ms: each in time, the whole after 8 s.
        for (std::size_t i = 0; drip && i < a.size() && !enough.try_acquire_for(40ms); ++i) c.send({a[i]});
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    const auto before = clock_type::now();
    const auto e = l.read_error(6000, 100);
    const auto took = clock_type::now() - before;
    enough.release();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::timeout);
    CHECK(took >= 190ms);
    CHECK(took < 600ms);
}

TEST_CASE("an answer that comes in two pieces is one answer")
{
    raw_peer peer([](raw_connection& c, int) {
        for (auto q = c.receive(); !q.empty(); q = c.receive()) {
            const auto a = read_answer(q, 7);
            c.send(bytes(a.begin(), a.begin() + 5));
            // TCP_NODELAY is not set on this side: a pause makes two segments of it.
            std::this_thread::sleep_for(20ms);
            c.send(bytes(a.begin() + 5, a.end()));
        }
    });
    driven_link l(quick(peer.port()));
    CHECK(l.read(6000, 100) == registers(100, 7));
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 1);
    CHECK(l.link.wrong_answers() == 0);
}

TEST_CASE("a late answer before the right one ends the connection: nothing is skipped in search of it (L-32)")
{
    raw_peer peer([](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        auto q = c.receive();
        auto late = read_answer(q, 666);
        late[1] = static_cast<std::uint8_t>(late[1] - 1);
        const auto right = read_answer(q, 1);
        late.insert(late.end(), right.begin(), right.end());
        c.send(late);
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::protocol);
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 2);
}

TEST_CASE("a late answer is not taken for the next request's (L-32)")
{
    std::binary_semaphore given_up(0);
    raw_peer peer([&](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        const auto q = c.receive();
        given_up.acquire();
        c.send(read_answer(q, 666));
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    const auto e = l.read_error();
    given_up.release();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::timeout);
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 2);
}

TEST_CASE("bytes sent unasked end the connection before the next request (L-32)")
{
    std::binary_semaphore sent(0);
    raw_peer peer([&](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        const auto q = c.receive();
        auto a = read_answer(q, 1);
        c.send(a);
        // The same answer again, already with the number of the next request.
        a[1] = static_cast<std::uint8_t>(a[1] + 1);
        c.send(a);
        sent.release();
        c.await_close();
    });
    driven_link l(quick(peer.port()));
    CHECK(l.read(6000, 2) == registers{1, 1});
    sent.acquire();
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 2);
    CHECK(l.link.wrong_answers() == 1);
}

TEST_CASE("a connection closed while idle is replaced without an error")
{
    std::binary_semaphore closed(0);
    raw_peer peer([&](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        c.send(read_answer(c.receive(), 1));
    });
    driven_link l(quick(peer.port()));
    CHECK(l.read(6000, 2) == registers{1, 1});
    // The peer takes its next connection only after it has closed this one: an extra client is the proof.
    while (peer.connections() < 2) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a.sin_port = htons(peer.port());
        CHECK(::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
        while (peer.connections() < 2) std::this_thread::yield();
        ::close(fd);
    }
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 2);
}

TEST_CASE("a device that has closed and resets what is sent to it is replaced, not waited for")
{
    // Closed with unread bytes in its buffer, so that the client's socket is reset: the next send would be EPIPE.
    std::atomic<int> served{0};
    raw_peer peer([&](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        c.send(read_answer(c.receive(), 1));
        c.reset();
        ++served;
    });
    driven_link l(quick(peer.port()));
    CHECK(l.read(6000, 2) == registers{1, 1});
    while (served == 0)
        std::this_thread::yield();
    const auto before = clock_type::now();
    // Whether the reset is seen before the request or by it: the device is back at once or after one back-off.
    const auto e = l.read_error();
    if (e) CHECK(e->kind() == error_kind::unavailable);
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(clock_type::now() - before < 150ms);
    CHECK(l.link.wrong_answers() == 0);
}

TEST_CASE(
    "a device that is away is tried again without end, and its data is there within the back-off cap of its return")
{
    const closed_port nobody;
    auto o = quick(nobody.number);
    o.backoff_cap = 20ms;
    driven_link l(o);
    for (int i = 0; i < 40; ++i) {
        const auto e = l.read_error();
        REQUIRE(e);
        CHECK(e->kind() == error_kind::unavailable);
    }
    REQUIRE(::listen(nobody.fd, 4) == 0);
    std::thread device([&] {
        const int fd = ::accept4(nobody.fd, nullptr, nullptr, SOCK_CLOEXEC);
        raw_connection c(fd);
        serve(c, 7);
        ::close(fd);
    });
    const auto before = clock_type::now();
    while (l.read_error()) {
    }
    const auto took = clock_type::now() - before;
    l.run(l.link.disconnect());
    device.join();
    CHECK(took < 120ms);
}

TEST_CASE("a name is asked for anew at each connection: a device that moved to another address is found")
{
    raw_peer peer([](raw_connection& c, int number) {
        const auto q = c.receive();
        if (q.empty()) return;
        c.send(read_answer(q, static_cast<std::uint16_t>(number)));
    });
    auto o = quick(peer.port());
    o.host = "plc.example";
    const auto asked = std::make_shared<std::atomic<int>>(0);
    // The first answer is of the time when the device was elsewhere (there nobody listens on this port).
    o.resolver = [asked](const std::string&, std::uint16_t port) {
        return modbus::system_resolve(++*asked == 1 ? "127.0.0.3" : "127.0.0.1", port);
    };
    driven_link l(o);
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK_THAT(e->reason(), Catch::Contains("connection refused"));
    CHECK(l.read(6000, 1) == registers{1});
    CHECK(*asked == 2);
}

TEST_CASE("a reset is an unavailable device, not a hang")
{
    raw_peer peer([](raw_connection& c, int) {
        c.receive();
        c.reset();
    });
    driven_link l(quick(peer.port()));
    const auto before = clock_type::now();
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::unavailable);
    CHECK(clock_type::now() - before < 150ms);
    CHECK_FALSE(l.link.connected());
}

TEST_CASE("an exception code is the device's answer: it is named and the connection stays")
{
    // 42 is of no standard: a vendor's own.
    const auto code = GENERATE(1, 2, 3, 4, 5, 6, 10, 11, 42);
    raw_peer peer([code](raw_connection& c, int) {
        c.send(exception_answer(c.receive(), static_cast<std::uint8_t>(code)));
        serve(c, 7);
    });
    driven_link l(quick(peer.port()));
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::rejected);
    CHECK(e->peer_code() == std::to_string(code));
    if (code == 11) CHECK_THAT(e->what(), Catch::Contains("wrong unit id?"));
    CHECK(l.read(6000, 2) == registers{7, 7});
    CHECK(l.link.connections() == 1);
}

TEST_CASE("after a failure calls fail at once until the back-off is over (L-14)")
{
    const closed_port nobody;
    auto o = quick(nobody.number);
    o.backoff_first = 10s;
    o.backoff_cap = 10s;
    driven_link l(o);
    const auto first = l.read_error();
    REQUIRE(first);
    CHECK(first->kind() == error_kind::unavailable);
    CHECK_THAT(first->reason(), Catch::Contains("connection refused"));
    const auto before = clock_type::now();
    for (int slot = 1; slot <= 10; ++slot) {
        const auto e = l.read_error(6000 + 100 * (slot - 1), 77);
        REQUIRE(e);
        CHECK(e->kind() == error_kind::unavailable);
        CHECK_THAT(e->reason(), Catch::Contains("connection refused"));
    }
    CHECK(clock_type::now() - before < 500ms);
    CHECK(l.link.connections() == 0);
}

TEST_CASE("a device that does not take the connection is given up within the timeout")
{
    // A listener whose queue is full lets no further connection through.
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(::listen(listener, 0) == 0);
    socklen_t size = sizeof a;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&a), &size);
    std::vector<int> fill;
    for (int i = 0; i < 4; ++i) {
        fill.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ::connect(fill.back(), reinterpret_cast<sockaddr*>(&a), sizeof a);
    }
    driven_link l(quick(ntohs(a.sin_port)));
    SECTION("timeout")
    {
        const auto before = clock_type::now();
        const auto e = l.read_error();
        REQUIRE(e);
        CHECK(e->kind() == error_kind::timeout);
        CHECK(e->operation() == "connect");
        CHECK(clock_type::now() - before < 600ms);
    }
    SECTION("interrupt")
    {
        auto o = quick(ntohs(a.sin_port));
        o.timeout = 30s;
        driven_link slow(o);
        auto result = boost::asio::co_spawn(slow.ioc, slow.link.read(6000, 1), boost::asio::use_future);
        std::thread loop([&] { slow.ioc.run(); });
        while (result.wait_for(5ms) != std::future_status::ready) slow.link.interrupt();
        loop.join();
        CHECK_THROWS_AS(result.get(), modbus::error);
    }
    for (const int fd : fill) ::close(fd);
    ::close(listener);
}

TEST_CASE("a name that does not resolve is said to be one (L-47)")
{
    auto o = quick(502);
    o.host = "no-such-plc.invalid";
    driven_link l(o);
    const auto e = l.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::unavailable);
    CHECK_THAT(e->reason(), Catch::Contains("does not resolve"));
}

TEST_CASE("a name server that never answers takes no longer than the timeout, and one question at a time (L-14)")
{
    raw_peer peer([](raw_connection& c, int) { serve(c, 7); });
    const auto server = std::make_shared<silent_server>();
    auto o = quick(peer.port());
    o.host = "plc.example";
    o.timeout = 100ms;
    o.resolver = resolver_of(server);
    {
        driven_link l(o);
        for (int i = 0; i < 3; ++i) {
            const auto before = clock_type::now();
            const auto e = l.read_error();
            REQUIRE(e);
            CHECK(clock_type::now() - before < 400ms);
            CHECK(e->kind() == error_kind::unavailable);
            CHECK(e->operation() == "connect");
            CHECK_THAT(e->reason(), Catch::Contains("no answer from the name server within 100ms"));
        }
        CHECK(server->asked == 1);
        // Slower than the timeout, but not lost: the next try takes the answer.
        server->answers.release();
        while (server->answered == 0) std::this_thread::yield();
        CHECK(l.read(6000, 2) == registers{7, 7});
        CHECK(server->asked == 1);
    }
    // And a link may end while its question is open.
    const auto before = clock_type::now();
    {
        driven_link l(o);
        REQUIRE(l.read_error());
    }
    CHECK(clock_type::now() - before < 400ms);
    server->answers.release();
}

TEST_CASE("an interrupt ends the wait for a name server")
{
    const auto server = std::make_shared<silent_server>();
    auto o = quick(502);
    o.host = "plc.example";
    o.timeout = 30s;
    o.resolver = resolver_of(server);
    driven_link l(o);
    auto result = boost::asio::co_spawn(l.ioc, l.link.read(6000, 1), boost::asio::use_future);
    std::thread loop([&] { l.ioc.run(); });
    while (server->asked == 0) std::this_thread::yield();
    const auto before = clock_type::now();
    l.link.interrupt();
    loop.join();
    CHECK(clock_type::now() - before < 1s);
    try {
        result.get();
        FAIL("no error");
    } catch (const modbus::error& e) {
        CHECK(e.kind() == error_kind::cancelled);
    }
    server->answers.release();
}

TEST_CASE("a name that a server denies is asked for again at the next try, an address never")
{
    raw_peer peer([](raw_connection& c, int) { serve(c, 7); });
    const auto server = std::make_shared<silent_server>();
    server->answers.release(2);
    auto o = quick(peer.port());
    o.host = "gone.example";
    o.resolver = resolver_of(server);
    {
        driven_link l(o);
        for (int tries = 1; tries <= 2; ++tries) {
            const auto e = l.read_error();
            REQUIRE(e);
            CHECK_THAT(e->reason(), Catch::Contains("does not resolve: no such name"));
            CHECK(server->asked == tries);
        }
    }
    o.host = "127.0.0.1";
    driven_link l(o);
    CHECK(l.read(6000, 1) == registers{7});
    CHECK(server->asked == 2);
}

TEST_CASE("the link's socket sends small requests at once and notices a dead peer within seconds")
{
    raw_peer peer([](raw_connection& c, int) { serve(c, 7); });
    driven_link l(quick(peer.port()));
    l.read(6000, 1);
    CHECK(option_towards(peer.port(), IPPROTO_TCP, TCP_NODELAY).value_or(0) != 0);
    CHECK(option_towards(peer.port(), SOL_SOCKET, SO_KEEPALIVE).value_or(0) != 0);
    const auto idle = option_towards(peer.port(), IPPROTO_TCP, TCP_KEEPIDLE), interval = option_towards(peer.port(), IPPROTO_TCP, TCP_KEEPINTVL),
               count = option_towards(peer.port(), IPPROTO_TCP, TCP_KEEPCNT);
    REQUIRE((idle && interval && count));
    CHECK(*idle + *interval * *count <= 15);
}

TEST_CASE("a name and a second host lead to the device")
{
    raw_peer peer([](raw_connection& c, int) { serve(c, 7); });
    auto o = quick(peer.port());
    SECTION("localhost, though ::1 may come first")
    {
        o.host = "localhost";
        driven_link l(o);
        CHECK(l.read(1, 1) == registers{7});
    }
    SECTION("second host")
    {
        o.host = "127.0.0.2";   // the peer listens on 127.0.0.1 only
        o.second_host = "127.0.0.1";
        driven_link l(o);
        REQUIRE(l.read_error());
        CHECK(l.read(1, 1) == registers{7});
    }
}

TEST_CASE("without permission no byte of the write is sent")
{
    std::atomic<int> requests{0};
    raw_peer peer([&](raw_connection& c, int) {
        for (auto q = c.receive(); !q.empty(); q = c.receive()) {
            ++requests;
            c.send(q[7] == 3 ? read_answer(q, 7) : write_answer(q));
        }
    });
    driven_link l(quick(peer.port()));
    std::thread::id asked_on;
    const auto no = [&] {
        asked_on = std::this_thread::get_id();
        return false;
    };
    const auto refused = [&](auto call) {
        try {
            call();
        } catch (const modbus::error& e) {
            return e.kind() == error_kind::cancelled;
        }
        return false;
    };
    CHECK(refused([&] { l.write(7000, {1, 2, 3}, no); }));
    CHECK(refused([&] { l.run(l.link.write_single(7076, 1, no)); }));
    CHECK(asked_on != std::thread::id());
    CHECK(asked_on != std::this_thread::get_id());
    CHECK(requests == 0);
    // The connection is as good as before.
    CHECK(l.read(6000, 1) == registers{7});
    CHECK(requests == 1);
    CHECK(l.link.connections() == 1);
}

TEST_CASE("an interrupt ends the call in progress and those that wait, and later calls work")
{
    std::binary_semaphore asked(0);
    raw_peer peer([&](raw_connection& c, int number) {
        if (number > 1) return serve(c, 7);
        c.receive();
        asked.release();
        c.await_close();
    });
    auto o = quick(peer.port());
    o.timeout = 30s;
    driven_link l(o);
    std::vector<std::future<registers>> calls;
    for (int i = 0; i < 3; ++i) calls.push_back(boost::asio::co_spawn(l.ioc, l.link.read(6000, 2), boost::asio::use_future));
    l.ioc.poll();   // all three are with the link's thread now
    std::thread loop([&] { l.ioc.run(); });
    asked.acquire();
    const auto before = clock_type::now();
    l.link.interrupt();
    loop.join();
    CHECK(clock_type::now() - before < 1s);
    int cancelled = 0;
    for (auto& c : calls) {
        try {
            c.get();
        } catch (const modbus::error& e) {
            cancelled += e.kind() == error_kind::cancelled ? 1 : 0;
        }
    }
    CHECK(cancelled == 3);
    CHECK(l.read(6000, 2) == registers{7, 7});
}

TEST_CASE("a call that no device could answer is a fault of ours and leaves the connection alone")
{
    raw_peer peer([](raw_connection& c, int) { serve(c, 7); });
    driven_link l(quick(peer.port()));
    CHECK(l.read(0, 125).size() == 125);
    for (const auto& [address, count] : std::vector<std::pair<int, int>>{{0, 0}, {0, 126}, {-1, 1}, {65535, 2}, {0, -5}}) {
        const auto e = l.read_error(address, count);
        REQUIRE(e);
        CHECK(e->kind() == error_kind::internal);
    }
    CHECK_THROWS_AS(l.write(0, registers(124, 0)), modbus::error);
    CHECK(l.read(65535, 1).size() == 1);
    CHECK(l.link.connections() == 1);
}

TEST_CASE("requests keep the pause that a quirk asks for")
{
    raw_peer peer([](raw_connection& c, int) { serve(c, 7); });
    auto o = quick(peer.port());
    o.pause_between_requests = 30ms;
    driven_link l(o);
    // The pause counts from the answer, which the link has seen before this thread has.
    const auto before = clock_type::now();
    for (int i = 0; i < 3; ++i) l.read(0, 1);
    CHECK(clock_type::now() - before >= 60ms);
}
