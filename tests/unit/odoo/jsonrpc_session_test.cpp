// Version, login and what happens when a login is refused. Recordings: a00, a01, a02, a04, a05, a21, h19, k90.
#include "support/catch.hpp"

#include "replay.hpp"

#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace replay;
using Catch::Matchers::Contains;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

TEST_CASE("connect asks for the version and logs in once (a00, a01), L-44 the uid is kept")
{
    bench b;
    b.peer.expect_login();
    const auto info = b.run(b.client().connect());
    CHECK(info.version == "18.0+e-20241005");
    CHECK(info.protocol == "jsonrpc");
    CHECK(info.verified);
    b.run(b.client().connect());
    // k90: the cheap probe.
    b.peer.expect(recorded("k90", 6));
    b.run(b.client().probe());
    b.peer.expect(recorded("k90", 6));
    b.run(b.client().probe());
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    CHECK(b.peer.connections() == 4);
}

TEST_CASE("an API key stands in the password's place, at login and in every call (a21)")
{
    bench b;
    b.options.secret.value = "<40 hex digits>";
    b.options.secret_is_key = true;
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a21", 0));
    auto probe = recorded("k90", 6);
    probe.request.at("body").at("params").at("args").as_array()[2] = "<40 hex digits>";
    b.peer.expect(probe);
    b.run(b.client().probe());
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("L-44 a refused login waits for the configuration and is not hammered (a02)")
{
    bench b;
    b.options.secret.value = "nope";
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a02"));
    for (int i = 0; i < 3; ++i) {
        const auto e = b.fail(b.client().read_order(6));
        CHECK(e.outcome() == call_outcome::rejected);
        CHECK(e.decision() == error_class::configuration);
        CHECK(domain::decide_delivery(e.decision()) == domain::delivery_step::wait_for_configuration);
        CHECK_THAT(e.what(), Contains("login of 'plcbridge' in database 'factory' was refused") && Contains("ODOO_PASSWORD"));
        CHECK_THAT(e.what(), !Contains("nope"));
    }
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    CHECK(b.peer.connections() == 2);
}

TEST_CASE("a refused API key says so, and is tried again after the pause (a02)")
{
    bench b;
    b.options.secret.value = "nope";
    b.options.secret_is_key = true;
    b.options.refused_pause = 0s;
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a02"));
    b.peer.expect(recorded("a02"));
    for (int i = 0; i < 2; ++i) {
        const auto e = b.fail(b.client().connect());
        CHECK(e.decision() == error_class::new_key);
        CHECK_THAT(e.what(), Contains("ODOO_API_KEY"));
    }
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a wrong database looks like a dead PostgreSQL: not sent, retried (a04)")
{
    bench b;
    b.options.db = "no_such_db";
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a04"));
    const auto e = b.fail(b.client().cancel(65));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    CHECK(e.peer_code() == "psycopg2.OperationalError");
    CHECK_THAT(e.what(), Contains("ODOO_DB"));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("L-44 AccessDenied: detection and login again with the secret file's new content, then the call once more (a05)")
{
    auto file = (std::filesystem::temp_directory_path() / "batchbridge-secret-XXXXXX").string();
    const int fd = ::mkstemp(file.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::ofstream(file) << "old\n";
    bench b;
    b.options.secret.value = "old";
    b.options.secret.file = file;
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a01"), match::answer_only);
    b.run(b.client().connect());
    std::ofstream(file) << "plc\n";
    b.peer.expect(recorded("a05"), match::answer_only);
    b.peer.expect_login();
    b.peer.expect(recorded("d09", 2));
    b.run(b.client().cancel(65));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    CHECK(b.peer.requests()[1].at("params").at("args").at(2).as_string() == "old");
    CHECK(b.peer.requests()[2].at("params").at("args").at(2).as_string() == "old");
    std::filesystem::remove(file);
}

TEST_CASE("AccessDenied twice (archived user, h19) is a new key, not an endless loop")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("h19"), match::answer_only);
    b.peer.expect_login();
    b.peer.expect(recorded("h19"), match::answer_only);
    const auto e = b.fail(b.client().cancel(65));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::new_key);
    CHECK(e.peer_code() == "odoo.exceptions.AccessDenied");
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("a refused second login ends the call as refused (a05, a02)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("a05"), match::answer_only);
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a02"), match::answer_only);
    const auto e = b.fail(b.client().cancel(65));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(domain::decide_delivery(e.decision()) == domain::delivery_step::wait_for_configuration);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("calls that start together share one login")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("k90", 6));
    b.peer.expect(recorded("k90", 6));
    auto& client = b.client();
    int ended = 0;
    for (int i = 0; i < 2; ++i) {
        asio::co_spawn(b.ioc, client.probe(), [&](std::exception_ptr e) {
            CHECK_FALSE(e);
            if (++ended == 2) b.ioc.stop();
        });
    }
    b.ioc.run_for(10s);
    CHECK(ended == 2);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("another version is named and not verified")
{
    struct row {
        const char* version;
        bool verified;
    };
    const auto r = GENERATE(values<row>({{"17.0", false}, {"19.0+e", true}, {"18.0", true}, {"saas~18.3+e", false}, {"20.0", false}, {"180.0", false}}));
    bench b;
    b.peer.expect_body(std::string(R"({"jsonrpc":"2.0","id":$ID,"result":{"server_version":")") + r.version + "\"}}");
    b.peer.expect(recorded("a01"));
    const auto info = b.run(b.client().connect());
    CHECK(info.version == r.version);
    CHECK(info.verified == r.verified);
}

TEST_CASE("L-47 a wrong address is configuration and says so (h27, h20), nonsense is retried")
{
    bench b;
    b.peer.expect(recorded("h27"), match::answer_only);
    auto e = b.fail(b.client().connect());
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::configuration);
    CHECK_THAT(e.what(), Contains("ODOO_URL") && Contains("404"));
    // A 400 before anything of ours has worked is not our bug but a wrong port.
    b.peer.expect(recorded("h20"), match::answer_only);
    e = b.fail(b.client().connect());
    CHECK(e.decision() == error_class::configuration);
    b.peer.expect_body("{\"jsonrpc\":\"2.0\",\"id\":$ID,\"result\":true}");
    e = b.fail(b.client().connect());
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    b.peer.expect(recorded("a00"));
    b.peer.expect_body("{\"jsonrpc\":\"2.0\",\"id\":$ID,\"result\":\"6\"}");
    e = b.fail(b.client().connect());
    CHECK(e.decision() == error_class::retry);
    CHECK_THAT(e.what(), Contains("the answer is the text '6', expected a user id or false"));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("the lease is asked for orders and writes, not for version, login and probe")
{
    bench b;
    bool mine = false;
    b.options.http.before_send = [&] { return mine; };
    b.peer.expect_login();
    b.peer.expect(recorded("k90", 6));
    b.run(b.client().probe());
    auto e = b.fail(b.client().cancel(65));
    CHECK(e.kind() == error_kind::cancelled);
    CHECK(e.outcome() == call_outcome::not_sent);
    e = b.fail(b.client().read_order(6));
    CHECK(e.kind() == error_kind::cancelled);
    mine = true;
    b.peer.expect(recorded("d09", 2));
    b.run(b.client().cancel(65));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("nothing is written when the version was lost again while the login lasted")
{
    bench b;
    b.peer.expect_login();
    auto& client = b.client();
    b.run(client.connect());
    // A read that is under way when the server goes down for an upgrade, and whose answer comes in the middle of the next login.
    b.peer.expect_body("<html>restarting</html>", 502, "text/html");
    b.peer.hold_back(400ms);
    bool read_ended = false;
    asio::co_spawn(b.ioc, client.read_order(6), [&](std::exception_ptr e, const std::optional<domain::order>&) { read_ended = e != nullptr; });
    b.ioc.restart();
    const auto until = std::chrono::steady_clock::now() + 5s;
    while (b.peer.requests().size() < 3 && std::chrono::steady_clock::now() < until) b.ioc.run_one_for(10ms);
    REQUIRE(b.peer.requests().size() == 3);
    b.peer.expect(recorded("a05"), match::answer_only);
    auto version = recorded("a00");
    version.response.at("body").at("result").as_object()["server_version"] = "20.0";
    b.peer.expect(version);
    b.peer.expect(recorded("a01"));
    b.peer.hold_back(1200ms);
    const auto e = b.fail(client.cancel(65));
    CHECK(read_ended);
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    // Asked again, it is what it is.
    b.peer.expect(version);
    const auto again = b.fail(client.cancel(65));
    CHECK(again.decision() == error_class::configuration);
    CHECK_THAT(again.what(), Contains("20.0"));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}
