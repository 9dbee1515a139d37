// The session way: cookie, expiry, PostgreSQL down. Recordings of odoo18: a00, a10 to a15, h42, a07, b02.
#include "support/catch.hpp"

#include "scada_bench.hpp"

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

const std::vector<std::string> none;

// The same call over the web client's path: b02's answer.
exchange by_session(exchange e)
{
    auto& body = e.request.at("body").as_object();
    const auto args = body["params"].at("args").as_array();
    json::object params;
    params["model"] = args.at(3);
    params["method"] = args.at(4);
    params["args"] = args.at(5);
    params["kwargs"] = args.at(6);
    body["params"] = std::move(params);
    e.request.as_object()["path"] = "/web/dataset/call_kw/mrp.production/" + std::string(args.at(4).as_string());
    return e;
}

}  // namespace

TEST_CASE("session: without the module's login endpoint the web client's is used, its cookie goes along (a10, a11)")
{
    scada_bench b;
    b.peer.expect(recorded("a00"));
    b.peer.expect_body("<html>not found</html>", 404, "text/html");
    b.peer.expect(recorded("a10"));
    const auto info = b.run(b.client().connect());
    CHECK(info.version == "18.0+e-20241005");
    CHECK(info.protocol == "scada");
    auto call = by_session(completed(recorded("b02")));
    call.request.as_object()["headers"] = recorded("a11").request.at("headers");
    b.peer.expect(call, match::answer_only);
    CHECK(b.run(b.client().read_orders({1, 2})).size() == 2);
    CHECK(b.peer.lines() == std::vector<std::string>{"POST /jsonrpc", "POST /api/scada/authenticate", "POST /web/session/authenticate",
                                                     "POST /web/dataset/call_kw/mrp.production/web_search_read"});
    // The form of a11.
    const auto& params = b.params();
    const auto a11 = recorded("a11");
    const auto& recorded_params = a11.request.at("body").at("params").as_object();
    for (const auto& [key, value] : recorded_params) CHECK(params.contains(key));
    CHECK(params.size() == recorded_params.size());
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("session: db, login and password go to the module's endpoint, its cookie is sent back and renewed")
{
    scada_bench b;
    b.expect_open();
    b.run(b.client().connect());
    CHECK(json::serialize(b.params()) == R"({"db":"factory","login":"plcbridge","password":"plc"})");
    auto call = by_session(completed(recorded("z01", 2)));
    call.request.as_object()["headers"] = {{"Cookie", "session_id=abc"}};
    call.response.at("headers").as_object()["Set-Cookie"] = "session_id=def; HttpOnly; Path=/";
    call.request.at("path") = "/web/dataset/call_kw/mrp.production/web_read";
    b.peer.expect(call, match::specification);
    CHECK(b.run(b.client().read_order(6)));
    call.request.as_object()["headers"] = {{"Cookie", "session_id=def"}};
    b.peer.expect(call, match::specification);
    CHECK(b.run(b.client().read_order(6)));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("L-44 session: an expired session is renewed once and the call repeated, twice expired is an error (a14, a15)")
{
    scada_bench b;
    b.expect_open();
    b.peer.expect(recorded("a14", 1), match::answer_only);
    b.expect_open();
    b.expect_result(R"({"status":"success","mo_state":"cancel"})");
    b.run(b.client().cancel(7));
    CHECK(b.peer.complaints() == none);

    b.peer.expect(recorded("a15"), match::answer_only);
    b.expect_open();
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":null,"error":{"code":100,"message":"Odoo Session Expired"}})");
    const auto e = b.fail(b.client().cancel(7));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(domain::decide_delivery(e.decision()) == domain::delivery_step::wait_for_configuration);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("session: a refused login is remembered, so that Odoo does not lock the address out (a12, a07)")
{
    scada_bench b;
    b.options.secret.value = "bad";
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a12"), match::answer_only);
    for (int i = 0; i < 3; ++i) {
        const auto e = b.fail(b.client().cancel(7));
        CHECK(e.outcome() == call_outcome::rejected);
        CHECK(domain::decide_delivery(e.decision()) == domain::delivery_step::wait_for_configuration);
        CHECK_THAT(e.what(), Contains("ODOO_PASSWORD") && !Contains("bad "));
    }
    CHECK(b.peer.complaints() == none);
    // The module's own form of a no.
    scada_bench own;
    own.peer.expect(recorded("a00"));
    own.expect_result(R"({"status":"error","message":"Invalid credentials"})");
    const auto e = own.fail(own.client().cancel(7));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(domain::decide_delivery(e.decision()) == domain::delivery_step::wait_for_configuration);
    CHECK(own.peer.complaints() == none);
}

TEST_CASE("session: PostgreSQL down is a page with 404: retried, and unclear for a write (h42), a wrong database too (a13)")
{
    scada_bench b;
    b.expect_open();
    b.peer.expect(recorded("h42"), match::answer_only);
    auto e = b.fail(b.client().read_order(6));
    CHECK(e.decision() == error_class::retry);
    CHECK(e.outcome() == call_outcome::unclear);
    b.peer.expect(recorded("h42"), match::answer_only);
    e = b.fail(b.client().cancel(6));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(b.peer.complaints() == none);

    scada_bench wrong;
    wrong.peer.expect(recorded("a00"));
    wrong.peer.expect(recorded("a13"), match::answer_only);
    e = wrong.fail(wrong.client().cancel(6));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::retry);
    CHECK_THAT(e.what(), Contains("ODOO_DB"));
}

TEST_CASE("session: where /jsonrpc is closed the version is unknown, and the module is used all the same")
{
    scada_bench b;
    b.peer.expect_body("<html>closed</html>", GENERATE(404U, 403U), "text/html");
    b.expect_login();
    b.expect_result(R"({"status":"success","mo_state":"cancel"})");
    b.run(b.client().cancel(7));
    CHECK(b.run(b.client().connect()).version == "unknown");
    CHECK_FALSE(b.run(b.client().connect()).verified);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("session: the session's id that a peer sends back never reaches the error")
{
    scada_bench b;
    b.peer.expect(recorded("a00"));
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":{"status":"success","uid":6,"session_id":"5e55i0n-1d"}})");
    b.expect_result(R"({"status":"error","message":"no such thing in session 5e55i0n-1d"})");
    const auto e = b.fail(b.client().cancel(7));
    CHECK_THAT(e.what(), Contains("no such thing in session ***") && !Contains("5e55i0n"));
}
