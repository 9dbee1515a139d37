// Logging in by session, and calls through it (a07 to a15, a22, h42), as the recorded Odoo 18 did.
#include "sim_bench.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

void fill(sim_bench& b, std::int64_t matches)
{
    for (std::int64_t id = 1; id <= matches; ++id) b.add(id, 100, {{id * 10, 100}});
}

}  // namespace

TEST_CASE("a session is opened and used and has ended with code 100 once closed (a10 a11 a14 a15)")
{
    sim_bench b;
    fill(b, 132);
    b.replay("a15");
    b.replay("a10", 0, [](recorded_exchange& e) {
        // The real answer holds what only a browser needs.
        auto& result = e.response.at("body").at("result").as_object();
        json::object kept;
        for (const char* key : {"uid", "is_system", "is_admin", "is_public", "is_internal_user", "user_context", "db", "server_version", "server_version_info"}) kept[key] = result.at(key);
        for (const char* key : {"name", "username"}) kept[key] = "plcbridge";   // the simulated user's name is its login
        result = std::move(kept);
    });
    CHECK(b.front.sessions().count() == 1);
    CHECK(b.cookie.size() == 84);
    b.replay("a11");
    b.replay("a14", 0);
    b.replay("a14", 1);
    CHECK(b.front.sessions().count() == 0);
}

TEST_CASE("no session for a wrong password or database or an API key (a12 a13 a22)")
{
    sim::odoo_options options;
    options.api_key = "<40 hex digits>";
    sim_bench b(options);
    for (const char* name : {"a12", "a13", "a22"}) b.replay(name);
}

TEST_CASE("after ten failures sessions refuse the right password too (a07)")
{
    sim_bench b;
    fill(b, 132);
    for (int i = 0; i < 10; ++i) b.replay("a07", 0);
    for (std::size_t step = 1; step < 5; ++step) b.replay("a07", step);
    b.control("/sessions", R"({"act": "forgive"})");
    CHECK(b.send("POST", "/web/session/authenticate", "application/json", R"({"params": {"db": "factory", "login": "plcbridge", "password": "plc"}})").json().as_object().contains("result"));
}

TEST_CASE("PostgreSQL down is a missing page by session and an error by jsonrpc (h41 h42)")
{
    sim_bench b;
    b.control("/fault", R"({"kind": "operational_error"})");
    b.replay("h42");
    b.replay("h41", 0);
    b.control("/clear", "{}");
}
