// The start-up check. Recordings of odoo18: k90, k01, a02, a10; of odoo19: seq_03, k_has_access_*, k_read_own_user, g_equipment_list_*.
#include "support/catch.hpp"

#include "replay.hpp"

#include <fmt/format.h>

#include <chrono>

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using match = replay::match;
using verdict = odoo::finding::verdict;

namespace {

const std::vector<std::string> none;

const odoo::finding& find(const std::vector<odoo::finding>& all, const std::string& what)
{
    for (const auto& f : all)
        if (f.what == what) return f;
    throw std::runtime_error("no finding about " + what);
}

// "Tue, 01 Dec 2026 14:30:00 GMT", so many seconds from now.
std::string date_in(std::chrono::seconds ahead)
{
    const std::time_t t = std::time(nullptr) + ahead.count();
    std::tm parts{};
    gmtime_r(&t, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

void expect_all_good(key_bench& b, const char* email, std::chrono::seconds ahead = 0s)
{
    b.peer.expect_key();
    auto read = recorded19("seq_03_check_rights");
    read.request.at("body").as_object()["operation"] = "read";
    b.peer.expect(read);
    b.peer.expect(recorded19("seq_03_check_rights"));
    b.peer.expect(recorded19("g_equipment_list_middleware"));
    auto own = recorded19("k_read_own_user");
    own.request.at("body").as_object()["fields"] = {"login", "email"};
    own.response.at("body").at(0).as_object()["email"] = email == nullptr ? json::value(false) : json::value(email);
    own.response.at("headers").as_object()["Date"] = date_in(ahead);
    b.peer.expect(own);
}

}  // namespace

TEST_CASE("json2: a good Odoo has only good findings (seq_01 to 03, g_equipment_list_middleware, k_read_own_user)")
{
    key_bench b;
    expect_all_good(b, "mw@example.com");
    const auto all = b.run(b.client().check());
    for (const auto& f : all) {
        INFO(f.what << ": " << f.text);
        CHECK(f.how == verdict::good);
        CHECK(f.advice.empty());
    }
    for (const auto* what : {"database", "login", "version", "orders", "equipment", "e-mail", "clock"}) CHECK_FALSE(find(all, what).text.empty());
    CHECK_THAT(find(all, "version").text, Contains("19.0") && Contains("json2"));
    CHECK_THAT(find(all, "login").text, Contains("uid 5"));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: a clock that is off and a user without an address are said with advice")
{
    struct row {
        int seconds;
        verdict how;
        const char* text;
    };
    const auto r = GENERATE(values<row>({{-3600, verdict::bad, "behind"}, {30, verdict::warning, "ahead of"}, {-30, verdict::warning, "behind"}, {2, verdict::good, "agrees"}}));
    key_bench b;
    expect_all_good(b, nullptr, std::chrono::seconds(r.seconds));
    const auto all = b.run(b.client().check());
    CHECK(find(all, "clock").how == r.how);
    CHECK_THAT(find(all, "clock").text, Contains(r.text));
    CHECK(find(all, "clock").advice.empty() == (r.how == verdict::good));
    CHECK(find(all, "e-mail").how == verdict::bad);
    CHECK_THAT(find(all, "e-mail").advice, Contains("user's record"));
    const auto info = b.run(b.client().connect());
    REQUIRE(info.clock_ahead);
    CHECK(std::chrono::abs(*info.clock_ahead - std::chrono::seconds(r.seconds)) < 5s);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("jsonrpc: missing rights, invisible equipment and an unreadable own record are findings (k90, k01, h01)")
{
    bench b;
    b.peer.expect_login();
    auto read = recorded("k90", 1);
    read.request.at("body").at("params").at("args").at(5).as_array()[1] = "read";
    b.peer.expect(read);
    auto write = recorded("k90", 1);
    write.response.at("body").as_object()["result"] = false;
    b.peer.expect(write);
    b.peer.expect(recorded("k01"), match::answer_only);
    b.peer.expect(recorded("h01"), match::answer_only);
    const auto all = b.run(b.client().check());
    REQUIRE(all.size() == 7);   // no clock: the recordings have no Date
    CHECK(all[3].how == verdict::good);
    CHECK(all[4].what == "orders");
    CHECK(all[4].how == verdict::bad);
    CHECK_THAT(all[4].text, Contains("plcbridge may not write"));
    CHECK_THAT(all[4].advice, Contains("mrp.group_mrp_user"));
    CHECK(find(all, "equipment").how == verdict::warning);
    CHECK_THAT(find(all, "equipment").advice, Contains("Equipment Manager") && Contains("follower"));
    CHECK(find(all, "e-mail").how == verdict::warning);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("a refused login is a finding, an Odoo that cannot be asked is an error (a02)")
{
    bench b;
    b.options.secret.value = "nope";
    b.peer.expect(recorded("a00"));
    b.peer.expect(recorded("a02"));
    const auto all = b.run(b.client().check());
    REQUIRE(all.size() == 1);
    CHECK(all[0].what == "login");
    CHECK(all[0].how == verdict::bad);
    CHECK_THAT(all[0].text, Contains("ODOO_PASSWORD"));
    CHECK_FALSE(all[0].advice.empty());
    CHECK(b.peer.complaints() == none);

    key_bench nowhere;
    nowhere.peer.expect(recorded19("seq_01_version"));
    nowhere.peer.expect(recorded19("a_wrong_db"), match::answer_only);
    const auto lost = nowhere.run(nowhere.client().check());
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].what == "database");
    CHECK_THAT(lost[0].text, Contains("ODOO_DB"));

    bench down;
    down.peer.expect_body("<html>", 502, "text/html");
    CHECK(down.fail(down.client().check()).outcome() == call_outcome::not_sent);
    bench later;
    later.peer.expect_login();
    later.peer.expect(recorded("h41"), match::answer_only);
    CHECK(later.fail(later.client().check()).peer_code() == "psycopg2.OperationalError");
}

TEST_CASE("an unverified version is a warning of the check")
{
    bench b;
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":{"server_version":"saas~18.3+e"}})");
    b.peer.expect(recorded("a01"));
    b.peer.expect(recorded("k90", 1), match::answer_only);
    b.peer.expect(recorded("k90", 1), match::answer_only);
    b.peer.expect(recorded("h13"), match::answer_only);
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":[{"id":6,"login":"plcbridge","email":"plc@example.com"}]})");
    const auto all = b.run(b.client().check());
    CHECK(find(all, "version").how == verdict::warning);
    CHECK_THAT(find(all, "version").text, Contains("saas~18.3+e"));
    CHECK_THAT(find(all, "version").advice, Contains("ODOO_UNVERIFIED_VERSION"));
    // The model is unknown: the app is not installed.
    CHECK_THAT(find(all, "equipment").advice, Contains("install the app Maintenance"));
    CHECK(find(all, "e-mail").how == verdict::good);
    CHECK(b.peer.complaints() == none);
}
