// ODOO_API=auto: what is asked, what is chosen, when it is asked again. Recordings of odoo18: a00, a01, d09, k90, z01; of odoo19:
// seq_01, seq_02, l_*, d_done_full, a_wrong_db.
#include "support/catch.hpp"

#include "odoo/auto_transport.hpp"
#include "replay.hpp"

#include <fmt/format.h>

using namespace replay;
using Catch::Matchers::Contains;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

const std::vector<std::string> none;

struct auto_bench : bench {
    explicit auto_bench(bool key)
    {
        if (key) options.secret.value = "MIDDLEWARE-API-KEY";
        options.secret_is_key = key;
        peer.only_path({});
    }
    odoo::erp& client()
    {
        if (!client_) client_ = std::make_unique<odoo::mrp>(std::make_unique<odoo::auto_transport>(ioc.get_executor(), options));
        return *client_;
    }
    // odoo19.md section 1: 18 sends /json/version to the login page.
    void expect_redirect() { peer.expect_body("<html>redirecting</html>", 303, "text/html"); }
    void expect_18()
    {
        expect_redirect();
        peer.expect(recorded("a00"));
    }
    void expect_18_login()
    {
        auto login = recorded("a01");
        login.request.at("body").at("params").at("args").as_array()[2] = json::string(options.secret.value);
        peer.expect(login);
    }
    void expect_19() { peer.expect(recorded19("seq_01_version")); }
    void expect_19_key() { peer.expect(recorded19("seq_02_check_key")); }
    void expect_18_cancel()
    {
        auto cancel = recorded("d09", 2);
        cancel.request.at("body").at("params").at("args").as_array()[2] = json::string(options.secret.value);
        peer.expect(cancel);
    }

private:
    std::unique_ptr<odoo::erp> client_;
};

}  // namespace

TEST_CASE("auto: 19 with an API key is json2, asked once (seq_01, seq_02, d_done_full)")
{
    auto_bench b(true);
    b.expect_19();
    b.expect_19_key();
    auto info = b.run(b.client().connect());
    CHECK(info.version == "19.0");
    CHECK(info.protocol == "json2");
    CHECK(info.verified);
    b.peer.expect(recorded19("d_done_full"));
    b.run(b.client().mark_done(4, {}, {}));
    CHECK(b.peer.complaints() == none);
    CHECK(b.peer.lines() == std::vector<std::string>{"GET /json/version", "POST /json/2/res.users/context_get", "POST /json/2/mrp.production/button_mark_done"});
}

TEST_CASE("auto: 19 without a key is jsonrpc, 18 is jsonrpc with or without one (a00, a01, l_jsonrpc_authenticate)")
{
    auto_bench b(false);
    b.options.user = "middleware";
    b.options.secret.value = "middleware";
    b.expect_19();
    b.peer.expect(recorded19("l_jsonrpc_authenticate"));
    auto info = b.run(b.client().connect());
    CHECK(info.version == "19.0");
    CHECK(info.protocol == "jsonrpc");
    CHECK(b.peer.complaints() == none);

    const bool key = GENERATE(false, true);
    auto_bench old(key);
    old.expect_18();
    old.expect_18_login();
    info = old.run(old.client().connect());
    CHECK(info.version == "18.0+e-20241005");
    CHECK(info.protocol == "jsonrpc");
    old.expect_18_cancel();
    old.run(old.client().cancel(65));
    CHECK(old.peer.complaints() == none);
}

TEST_CASE("auto: an upgrade from 18 to 19 is found after the outage it needs")
{
    auto_bench b(true);
    b.expect_18();
    b.expect_18_login();
    b.run(b.client().connect());
    b.peer.expect_body("<html>restarting</html>", 502, "text/html");
    auto e = b.fail(b.client().read_order(4));
    CHECK(e.outcome() == call_outcome::unclear);
    // Still away: the question fails, and nothing of the write was sent.
    b.peer.expect_body("<html>restarting</html>", 503, "text/html");
    e = b.fail(b.client().mark_done(4, {}, {}));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    b.expect_19();
    b.expect_19_key();
    b.peer.expect(recorded19("d_done_full"));
    b.run(b.client().mark_done(4, {}, {}));
    CHECK(b.run(b.client().connect()).protocol == "json2");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("auto: a downgrade from 19 to 18 is found by the page that 18 answers JSON-2 with (a_wrong_db)")
{
    auto_bench b(true);
    b.expect_19();
    b.expect_19_key();
    b.run(b.client().connect());
    b.peer.expect(recorded19("a_wrong_db"), match::answer_only);
    auto e = b.fail(b.client().read_order(4));
    CHECK(e.decision() == error_class::configuration);
    b.expect_18();
    b.expect_18_login();
    b.expect_18_cancel();
    b.run(b.client().cancel(65));
    CHECK(b.run(b.client().connect()).protocol == "jsonrpc");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("auto: a page in the place of jsonrpc leads back to detection, for a write that stays unclear too")
{
    auto_bench b(true);
    b.expect_18();
    b.expect_18_login();
    b.run(b.client().connect());
    b.peer.expect_body("<html>gone</html>", GENERATE(404U, 303U, 500U), "text/html");
    const auto e = b.fail(b.client().mark_done(4, {}, {}));
    CHECK(e.outcome() == call_outcome::unclear);
    b.expect_19();
    b.expect_19_key();
    b.peer.expect(recorded19("d_done_full"));
    b.run(b.client().mark_done(4, {}, {}));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("auto: an upgrade that no call shows is found when the time has come, the login is kept when nothing changed")
{
    auto_bench b(true);
    auto now = std::chrono::steady_clock::now();
    b.options.now = [&now] { return now; };
    b.expect_18();
    b.expect_18_login();
    b.run(b.client().connect());
    now += 9min;
    b.expect_18_cancel();
    b.run(b.client().cancel(65));
    now += 1min;
    b.expect_18();
    b.expect_18_cancel();
    b.run(b.client().cancel(65));
    now += 10min;
    b.expect_19();
    b.expect_19_key();
    b.peer.expect(recorded19("d_done_full"));
    b.run(b.client().mark_done(4, {}, {}));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("auto: a refused connection is not sent")
{
    auto_bench nobody(true);
    unsigned short closed = 0;
    {
        asio::ip::tcp::acceptor gone(nobody.ioc, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        closed = gone.local_endpoint().port();
    }
    nobody.options.http.base_url = fmt::format("http://127.0.0.1:{}", closed);
    const auto e = nobody.fail(nobody.client().cancel(65));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    CHECK(e.kind() == error_kind::unavailable);
}

TEST_CASE("auto: other versions are named and read, not written to unless that is allowed")
{
    struct row {
        const char* version;
        bool by_json;
    };
    const auto r = GENERATE(values<row>({{"saas~18.3+e", false}, {"17.0", false}, {"20.0", true}, {"saas~19.2", true}}));
    const bool allowed = GENERATE(false, true);
    CAPTURE(r.version, allowed);
    auto_bench b(true);
    b.options.write_unverified = allowed;
    if (r.by_json) {
        b.peer.expect_body(fmt::format(R"({{"version_info":["x"],"version":"{}"}})", r.version));
        b.expect_19_key();
    } else {
        b.expect_redirect();
        b.peer.expect_body(fmt::format(R"({{"jsonrpc":"2.0","id":$ID,"result":{{"server_version":"{}","server_version_info":["saas~18",3]}}}})", r.version));
        b.expect_18_login();
    }
    const auto info = b.run(b.client().connect());
    CHECK(info.version == r.version);
    CHECK(info.protocol == (r.by_json ? "json2" : "jsonrpc"));
    CHECK_FALSE(info.verified);
    if (allowed) {
        if (r.by_json) b.peer.expect(recorded19("d_done_full"));
        else b.peer.expect(recorded("z01", 4), match::answer_only);
        b.run(b.client().mark_done(4, {}, {}));
    } else {
        const auto e = b.fail(b.client().mark_done(4, {}, {}));
        CHECK(e.outcome() == call_outcome::rejected);
        CHECK(e.decision() == error_class::configuration);
        CHECK_THAT(e.what(), Contains(r.version) && Contains("ODOO_UNVERIFIED_VERSION"));
    }
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("auto: nothing of Odoo's at the address is a matter of configuration, nonsense is retried")
{
    auto_bench b(true);
    b.peer.expect_body("<html>hello</html>", 404, "text/html");
    b.peer.expect_body("<html>hello</html>", 404, "text/html");
    auto e = b.fail(b.client().cancel(4));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::configuration);
    CHECK_THAT(e.what(), Contains("ODOO_URL"));
    b.peer.expect_body("{}", 200);
    b.peer.expect_body("{}", 200);
    e = b.fail(b.client().cancel(4));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    CHECK(b.peer.lines() == std::vector<std::string>{"GET /json/version", "POST /jsonrpc", "GET /json/version", "POST /jsonrpc"});
}

TEST_CASE("auto: calls that start together share one question and one login")
{
    auto_bench b(true);
    b.expect_19();
    b.expect_19_key();
    for (int i = 0; i < 2; ++i) b.peer.expect(recorded19("k90_rights_and_rounding", 5), match::answer_only);
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
    CHECK(b.peer.complaints() == none);
}
