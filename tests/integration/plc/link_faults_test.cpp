// The simulator's link faults against the device: what each does to a read, and that the simulator would notice a client
// that asks twice or connects twice.
#include "plc_bench.hpp"

#include "plc/unanswered.hpp"

#include <boost/json/parse.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using namespace std::chrono_literals;
using core::error_kind;

namespace {

sim::plc_fault fault(std::string kind, std::chrono::milliseconds delay = 0ms, int count = 0)
{
    sim::plc_fault f;
    f.kind = std::move(kind);
    f.delay = delay;
    f.count = count;
    return f;
}

// A PLC that stands still in the middle of a batch.
struct standing_plc : plc_bench {
    standing_plc()
    {
        load_and_arm(load(2));
        await([&] { return locked([](sim::plc_model& m) { return domain::decode_slot(m.map(), m.read_slot(1)).any_actual(); }); });
        locked([](sim::plc_model& m) { m.pause(true); });
    }

    domain::words truth()
    {
        return locked([](sim::plc_model& m) {
            const auto s = m.read_slot(1);
            return domain::words(s.begin(), s.end());
        });
    }

    // The error of a read of slot 1; without one the words must be the true ones.
    std::optional<plc::error> read_error()
    {
        try {
            const auto words = run(device->read_slot(plc::area::read, 1));
            CHECK(words == truth());
        } catch (const plc::error& e) {
            return e;
        }
        return std::nullopt;
    }
};

// A client of no manners: a bare socket.
struct bare_client {
    explicit bare_client(std::uint16_t port) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a.sin_port = htons(port);
        REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    }
    ~bare_client() { ::close(fd); }
    void ask(int times) const
    {
        const std::uint8_t request[] = {0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1};
        std::vector<std::uint8_t> all;
        for (int i = 0; i < times; ++i) all.insert(all.end(), std::begin(request), std::end(request));
        REQUIRE(::send(fd, all.data(), all.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(all.size()));
    }
    // Bytes of an answer; 0 when the connection ended.
    ssize_t receive() const
    {
        std::uint8_t answer[64];
        return std::max<ssize_t>(0, ::recv(fd, answer, sizeof answer, 0));
    }
    int fd;
};

}  // namespace

TEST_CASE("an answer that is not ours is an error and never a value (L-32)")
{
    struct expectation {
        const char* kind;
        error_kind error;
        const char* reason;
    };
    const std::vector<expectation> all{
        {"wrong_transaction", error_kind::protocol, "transaction"}, {"wrong_unit", error_kind::protocol, "unit 2 instead of 1"},
        {"short_count", error_kind::protocol, "byte count 152 instead of 154"}, {"long_count", error_kind::protocol, "byte count 156 instead of 154"},
        {"late", error_kind::protocol, "transaction"}, {"hang", error_kind::timeout, "no answer"}};
    standing_plc p;
    for (const auto& e : all) {
        CAPTURE(e.kind);
        const auto before = p.device->wrong_answers();
        p.server.set_fault(fault(e.kind));
        const auto seen = p.read_error();
        REQUIRE(seen);
        CHECK(seen->kind() == e.error);
        CHECK_THAT(seen->reason(), Catch::Contains(e.reason));
        CHECK(p.device->wrong_answers() == before + (e.error == error_kind::protocol ? 1U : 0U));
        CHECK_FALSE(p.device->connected());
        p.server.clear_faults();
        p.await_reachable();
        CHECK_FALSE(p.read_error());
    }
    CHECK(p.server.most_connections() == 1);
    CHECK(p.server.overlapping() == 0);
}

TEST_CASE("a write answered by a wrong frame is not taken for done (L-32)")
{
    const auto kind = GENERATE(as<std::string>{}, "wrong_unit", "wrong_transaction", "short_count", "late");
    CAPTURE(kind);
    standing_plc p;
    auto f = fault(kind, 0ms, 1);
    f.function = 16;
    p.server.set_fault(f);
    try {
        p.run(p.device->disarm(2));
        FAIL("no error");
    } catch (const plc::error& e) {
        CHECK(e.kind() == error_kind::protocol);
    }
    p.await_reachable();
    p.run(p.device->disarm(2));
}

TEST_CASE("an answer in pieces is the answer, if it is whole within the timeout")
{
    standing_plc p;
    p.server.set_fault(fault("split", 30ms, 1));
    CHECK_FALSE(p.read_error());
    p.server.set_fault(fault("byte_by_byte", 1ms, 1));
    CHECK_FALSE(p.read_error());
    CHECK(p.server.connections() == 1);
    p.server.set_fault(fault("byte_by_byte", 20ms, 1));   // 163 bytes in 3.3 s
    const auto e = p.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::timeout);
    p.await_reachable();
    CHECK_FALSE(p.read_error());
    CHECK(p.server.most_connections() == 1);
    CHECK(p.server.overlapping() == 0);
}

TEST_CASE("a second answer glued to the first is never read as the next one's (L-32)")
{
    standing_plc p;
    p.server.set_fault(fault("glued"));
    for (int i = 0; i < 5; ++i) CHECK_FALSE(p.read_error());
    CHECK(p.server.connections() == 5);
    CHECK(p.device->wrong_answers() == 4);
    p.server.clear_faults();
    for (int i = 0; i < 3; ++i) CHECK_FALSE(p.read_error());
    CHECK(p.server.connections() == 6);
    CHECK(p.server.most_connections() == 1);
}

TEST_CASE("a PLC with one connection sees one, also after it hung and after it vanished without a word")
{
    standing_plc p;
    p.server.set_fault(fault("one_connection"));
    SECTION("hung") { p.server.set_fault(fault("hang", 0ms, 1)); }
    SECTION("half open") { p.server.set_fault(fault("half_open")); }
    // The thread of the connections does its part within one turn.
    std::optional<plc::error> e;
    plc_bench::await([&] { return (e = p.read_error()).has_value(); });
    CHECK(e->kind() == error_kind::timeout);
    p.await_reachable();
    CHECK_FALSE(p.read_error());
    CHECK(p.server.refused_connections() == 0);
    CHECK(p.server.most_connections() == 1);
    // The limit is a real one.
    const bare_client other(p.server.port());
    CHECK(other.receive() == 0);
    CHECK(p.server.refused_connections() == 1);
    CHECK(p.server.most_connections() == 2);
}

TEST_CASE("a connection taken late serves late, and the next one is as good as any")
{
    standing_plc p;
    p.server.set_fault(fault("slow_accept", 60ms));
    p.server.set_fault(fault("reset", 0ms, 1));
    REQUIRE(p.read_error());
    const auto before = std::chrono::steady_clock::now();
    p.await_reachable();
    CHECK(std::chrono::steady_clock::now() - before >= 60ms);
    CHECK_FALSE(p.read_error());
    CHECK(p.server.most_connections() == 1);
}

TEST_CASE("a reboot resets the connection and shows empty registers, not the old ones")
{
    standing_plc p;
    const auto connections = p.device->connections();
    p.server.set_fault(fault("reboot", 50ms));
    plc_bench::await([&] { return p.locked([](sim::plc_model& m) { return domain::decode_slot(m.map(), m.read_slot(1)).empty(); }); });
    p.await_reachable();
    CHECK(p.run(p.device->read_slot(plc::area::read, 1)) == domain::words(77, 0));
    CHECK(p.device->connections() == connections + 1);
}

TEST_CASE("the simulator counts a client's requests that overlap, and its connections at once")
{
    plc_bench p;
    {
        const bare_client c(p.server.port());
        c.ask(1);
        CHECK(c.receive() == 11);
        CHECK(p.server.overlapping() == 0);
        c.ask(2);
        plc_bench::await([&] { return p.server.requests() == 3; });
        CHECK(p.server.overlapping() >= 1);
    }
    const auto so_far = p.server.overlapping();
    p.server.set_fault(fault("hang", 0ms, 1));
    const bare_client c(p.server.port()), other(p.server.port());
    c.ask(1);
    plc_bench::await([&] { return p.server.requests() == 4; });
    c.ask(1);
    plc_bench::await([&] { return p.server.requests() == 5; });
    CHECK(p.server.overlapping() == so_far + 1);
    plc_bench::await([&] { return p.server.connections() == 3; });
    CHECK(p.server.most_connections() == 2);
}

TEST_CASE("a gateway that does not reach the PLC means that the PLC is away, and keeps the connection")
{
    const auto code = GENERATE(10, 11);
    standing_plc p;
    auto f = fault("exception");
    f.code = code;
    p.server.set_fault(f);
    for (int i = 0; i < 3; ++i) {
        const auto e = p.read_error();
        REQUIRE(e);
        CHECK(e->kind() == error_kind::unavailable);
        CHECK(e->peer_code() == std::to_string(code));
        CHECK_THAT(e->reason(), Catch::Contains("the gateway answers, the PLC behind it does not"));
        CHECK_FALSE(p.device->settled());
    }
    CHECK(p.device->connected());
    p.server.clear_faults();
    // No back-off: the connection was never in doubt.
    CHECK_FALSE(p.read_error());
    CHECK(p.device->settled());
    CHECK(p.device->connections() == 1);
}

TEST_CASE("a read that finds the PLC busy is made again, a write is not")
{
    const auto code = GENERATE(5, 6);
    standing_plc p;
    auto f = fault("exception", 0ms, 2);
    f.code = code;
    p.server.set_fault(f);
    const auto before = p.server.requests();
    CHECK_FALSE(p.read_error());
    CHECK(p.server.requests() - before == 3);
    // Busy for longer than the timeout.
    f.count = 0;
    p.server.set_fault(f);
    const auto from = std::chrono::steady_clock::now();
    const auto e = p.read_error();
    REQUIRE(e);
    CHECK(e->kind() == error_kind::unavailable);
    CHECK(e->peer_code() == std::to_string(code));
    CHECK_THAT(e->reason(), Catch::Contains("the PLC is busy"));
    CHECK(std::chrono::steady_clock::now() - from < 600ms);
    CHECK_FALSE(p.device->settled());
    // Accepted perhaps, and executed later: whoever asked looks first.
    const auto asked = p.server.requests();
    try {
        p.run(p.device->disarm(2));
        FAIL("no error");
    } catch (const plc::error& x) {
        CHECK(x.kind() == error_kind::rejected);
    }
    CHECK(p.server.requests() - asked == 1);
    p.server.clear_faults();
    CHECK_FALSE(p.read_error());
    CHECK(p.device->settled());
    CHECK(p.device->connections() == 1);
}

TEST_CASE("a PLC that answers reads and no writes is not settled before a write is answered")
{
    standing_plc p;
    CHECK(p.device->settled());
    auto f = fault("hang");
    f.function = 6;
    p.server.set_fault(f);
    for (int i = 0; i < 3; ++i) {
        CHECK_THROWS_AS(p.run(p.device->acknowledge(1)), plc::error);
        p.await_reachable();
        CHECK_FALSE(p.read_error());
        CHECK_FALSE(p.device->settled());
    }
    p.server.clear_faults();
    CHECK(p.run(p.device->acknowledge(1)));
    CHECK(p.device->settled());
}

TEST_CASE("what is not asked again for two minutes is forgotten, what is answered at once")
{
    plc::unanswered u;
    const auto now = plc::unanswered::time_point(1h);
    CHECK(u.empty(now));
    u.failed(16, 7000, now);
    u.failed(3, 6000, now + 1min);
    CHECK_FALSE(u.empty(now + 1min));
    u.answered(3, 6100);
    u.answered(16, 6000);
    u.answered(3, 6000);
    CHECK_FALSE(u.empty(now + 119s));
    CHECK(u.empty(now + 2min));
    u.failed(16, 7000, now);
    u.failed(16, 7000, now + 1min);
    CHECK_FALSE(u.empty(now + 2min));
}

TEST_CASE("every fault of the simulator can be asked for over its control port")
{
    plc_bench p;
    for (const auto kind : sim::fault_kinds()) {
        const http::server_request request(boost::beast::http::verb::post, "/fault", 11, R"({"kind": ")" + std::string(kind) + R"(", "delay_ms": 1, "count": 1})");
        CHECK(p.run(sim::control_plc(p.model, p.server, request)).status == 200);
    }
    p.server.clear_faults();
    p.await_reachable();
}
