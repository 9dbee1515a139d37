// What a silence or a stranger's answer means for a write and for a read; what Odoo's own errors mean is in recorded_errors_test.
#include "support/catch.hpp"

#include "replay.hpp"

#include <fmt/format.h>

using namespace replay;
using Catch::Matchers::Contains;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

TEST_CASE("a write that ends in anything but Odoo's own answer is unclear (h27, h20, h42, proxies)")
{
    const int which = GENERATE(range(0, 10));
    CAPTURE(which);
    bench b;
    b.peer.expect_login();
    switch (which) {
    case 0: b.peer.expect(recorded("h27"), match::answer_only); break;
    case 1: b.peer.expect(recorded("h20"), match::answer_only); break;
    case 2: b.peer.expect(recorded("h42"), match::answer_only); break;
    case 3: b.peer.expect_body("<html>502 Bad Gateway</html>", 502, "text/html"); break;
    case 4: b.peer.expect_body("<html>504 Gateway Time-out</html>", 504, "text/html"); break;
    case 5: b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":true})", 504); break;
    case 6: b.peer.expect_raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{\"jsonrpc\":\"2.0\","); break;
    case 7: b.peer.expect_raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":"); break;
    case 8: b.peer.expect_raw("nonsense\r\n\r\n"); break;
    case 9: b.peer.expect_body(R"({"error":{"code":503,"message":"busy"}})"); break;
    default: break;
    }
    const auto e = b.fail(b.client().mark_done(6, {}, {}));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.decision() == error_class::retry);
    CHECK(e.operation() == "mrp.production.button_mark_done");
}

TEST_CASE("a write that Odoo answers with something but true is unclear")
{
    const auto* result = GENERATE("false", "{}", "[]", "\"ok\"");
    bench b;
    b.peer.expect_login();
    b.peer.expect_body(fmt::format(R"({{"jsonrpc":"2.0","id":$ID,"result":{}}})", result));
    const auto e = b.fail(b.client().write_consumption(6, {{63, 1}}));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK_THAT(e.what(), Contains("expected true"));
}

TEST_CASE("L-15 a write without an answer is unclear at its deadline, an answer over the limit too")
{
    bench b;
    b.options.write_timeout = 200ms;
    b.options.http.max_response = 1000;
    b.peer.expect_login();
    b.run(b.client().connect());
    b.peer.expect_silence();
    const auto started = std::chrono::steady_clock::now();
    auto e = b.fail(b.client().cancel(65));
    const auto took = std::chrono::steady_clock::now() - started;
    CHECK(took >= 199ms);
    CHECK(took < 2s);
    CHECK(e.kind() == error_kind::timeout);
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.decision() == error_class::retry);
    b.peer.expect_body(std::string(2000, ' ') + R"({"jsonrpc":"2.0","id":$ID,"result":true})");
    e = b.fail(b.client().cancel(65));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK_THAT(e.what(), Contains("larger than 1000 bytes"));
    // After a silence the login is kept: the next call is one request.
    b.peer.expect(recorded("d09", 2));
    b.run(b.client().cancel(65));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a write whose login ends without an answer was not sent")
{
    bench b;
    b.options.write_timeout = 200ms;
    b.peer.expect(recorded("a00"));
    b.peer.expect_silence();
    auto e = b.fail(b.client().cancel(65));
    CHECK(e.kind() == error_kind::timeout);
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    b.peer.expect_body("<html>", 502, "text/html");
    e = b.fail(b.client().cancel(65));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a refused connection is not sent, when Odoo is back its version is asked first, the login kept")
{
    bench b;
    b.peer.expect_login();
    b.run(b.client().connect());
    auto options = b.options;
    unsigned short closed = 0;
    {
        asio::ip::tcp::acceptor gone(b.ioc, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        closed = gone.local_endpoint().port();
    }
    options.http.base_url = fmt::format("http://127.0.0.1:{}", closed);
    odoo::jsonrpc nobody(b.ioc.get_executor(), options);
    auto e = b.fail(nobody.cancel(65));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    CHECK(e.kind() == error_kind::unavailable);
    CHECK_THAT(e.what(), Contains("refused"));

    b.peer.expect_body("<html>restarting</html>", 503, "text/html");
    e = b.fail(b.client().read_order(6));
    CHECK(e.outcome() == call_outcome::unclear);
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("d09", 2));
    b.run(b.client().cancel(65));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a read that a web server refuses waits for the configuration (h27), a 400 is our bug (h20)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("h27"), match::answer_only);
    auto e = b.fail(b.client().read_order(6));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::configuration);
    // Perhaps an Odoo that has no /jsonrpc any more: its version is asked first.
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("h20"), match::answer_only);
    e = b.fail(b.client().read_order(6));
    CHECK(e.decision() == error_class::our_bug);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a secret that a peer sends back, and a very long text, never reach the error")
{
    bench b;
    b.options.secret.value = "s3cr3t-key";
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a01"), match::answer_only);
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"error":{"data":{"name":"odoo.exceptions.UserError","message":"bad args (factory, 6, s3cr3t-key) )" +
                       std::string(5000, 'x') + R"("}}})");
    const auto e = b.fail(b.client().cancel(65));
    CHECK_THAT(e.what(), Contains("bad args (factory, 6, ***)") && !Contains("s3cr3t-key"));
    CHECK(e.reason().size() < 500);
}

TEST_CASE("an Odoo of an unverified version is read but not written to, unless that is allowed")
{
    bench b;
    b.options.write_unverified = GENERATE(false, true);
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":{"server_version":"20.0"}})");
    b.peer.expect(recorded("a01"));
    b.peer.expect(recorded("h02c"), match::specification);
    CHECK_FALSE(b.run(b.client().read_order(999999)));
    if (b.options.write_unverified) {
        b.peer.expect(recorded("d09", 2));
        b.run(b.client().cancel(65));
    } else {
        const auto e = b.fail(b.client().cancel(65));
        CHECK(e.outcome() == call_outcome::rejected);
        CHECK(e.decision() == error_class::configuration);
        CHECK_THAT(e.what(), Contains("20.0") && Contains("ODOO_UNVERIFIED_VERSION"));
    }
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a TLS handshake that fails was not sent")
{
    bench b;
    b.options.http.base_url = fmt::format("https://127.0.0.1:{}", b.peer.url().substr(b.peer.url().rfind(':') + 1));
    b.options.http.connect_timeout = 500ms;
    // The peer speaks plain HTTP: TLS fails, which is no certificate's fault.
    const auto e = b.fail(b.client().cancel(65));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
}
