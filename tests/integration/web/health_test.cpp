// /healthz and /readyz: alive at once, ready with the database, degraded without PLC or Odoo.
#include "web_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

const json::object& dependency(const reply& r, const char* name)
{
    return r.body.at("dependencies").at(name).as_object();
}

}  // namespace

TEST_CASE("L-47 ready names each dependency with state, last error and since when, and is 200 without PLC and Odoo")
{
    web_bench b;
    b.ready();
    b.await([&] { return b.env->board.entries().contains("odoo"); });
    const auto r = b.get("/readyz");
    CAPTURE(r.text);
    CHECK(r.status == 200);
    CHECK(r.content_type == "application/json");
    CHECK(r.body.at("status") == "degraded");
    CHECK_FALSE(r.body.as_object().contains("waiting_for"));
    CHECK(dependency(r, "database").at("state") == "up");
    CHECK(dependency(r, "database").at("last_error").is_null());
    CHECK(dependency(r, "odoo").at("state") == "down");
    CHECK_THAT(dependency(r, "odoo").at("last_error").as_string().c_str(), Contains("127.0.0.1:9") && Contains("refused"));
    CHECK_THAT(dependency(r, "odoo").at("since").as_string().c_str(), Contains("T") && Catch::EndsWith("Z"));
    // Its tasks are off: nobody has asked the PLC yet.
    CHECK(dependency(r, "plc line1").at("state") == "unknown");
    CHECK(dependency(r, "plc line1").at("since").is_null());
    const auto& line = r.body.at("lines").at(0).as_object();
    CHECK(line.at("line") == "line1");
    CHECK(line.at("held") == true);
    CHECK(r.text.find("plc-password") == std::string::npos);
}

TEST_CASE("without its database it is alive but not ready, and says what it waits for")
{
    web_bench b({}, "postgresql://nobody:topsecret@127.0.0.1:9/nowhere");
    auto r = b.get("/healthz");
    CHECK(r.status == 200);
    CHECK(r.body.at("status") == "alive");
    r = b.get("/readyz");
    CHECK(r.status == 503);
    CHECK(r.body.at("status") == "not ready");
    CHECK_FALSE(r.body.at("waiting_for").as_string().empty());
    b.await([&] { return b.env->board.entries().contains("database"); });
    r = b.get("/readyz");
    CAPTURE(r.text);
    CHECK(r.status == 503);
    CHECK(dependency(r, "database").at("state") == "down");
    CHECK_THAT(dependency(r, "database").at("last_error").as_string().c_str(), Contains("refused"));
    CHECK_THAT(r.text, !Contains("topsecret"));
    CHECK(r.body.at("lines").at(0).at("held") == false);
}

TEST_CASE("a database that goes away later makes it unready, and it recovers")
{
    bb_test::postgres own;
    web_bench b({}, own.create_database());
    b.ready();
    own.stop();
    b.await([&] { return b.get("/readyz").status == 503; });
    CHECK(b.get("/healthz").status == 200);
    CHECK_FALSE(b.get("/readyz").body.at("waiting_for").as_string().empty());
    own.start();
    b.await([&] { return b.get("/readyz").status == 200 && b.held(); });
    const auto r = b.get("/readyz");
    CHECK(dependency(r, "database").at("state") == "up");
    CHECK_FALSE(dependency(r, "database").at("last_error").is_null());   // kept for who asks afterwards
}

TEST_CASE("a standby is ready, holds no line, and refuses changes with the name of the holder")
{
    web_bench holder;
    holder.ready();
    const auto id = holder.batch({});
    web_bench standby({}, holder.uri);
    standby.await([&] {
        holder.ioc.restart();
        holder.ioc.run_for(5ms);   // its heartbeats
        return standby.service->ready() && standby.locks->connected();
    });
    const auto r = standby.get("/readyz");
    CHECK(r.status == 200);
    CHECK(r.body.at("lines").at(0).at("held") == false);
    const auto delivery = holder.sql("insert into odoo_outbox (line, odoo_db, odoo_id, kind, state) values ('line1', 'factory', 0, 'note', 'parked') returning id");
    holder.sql("insert into order_refusal (line, odoo_db, odoo_id, mo_id, reason, retry_at) values ('line1', 'factory', 77, 'WH/MO/00077', 'unit', now() + interval '1 hour')");
    const std::string why = R"({"reason": "x"})";
    const std::vector<std::pair<std::string, std::string>> changes{
        {"lines/line1/tasks/plc_read_sync/run", "{}"}, {"lines/line1/tasks/plc_read_sync", R"({"enabled": true})"}, {"lines/line1/pause", why}, {"lines/line1/resume", why}, {"lines/line1/start-over", why},
        {fmt::format("batches/{}/cancel", id), why}, {fmt::format("batches/{}/reset", id), why}, {"outbox/" + delivery + "/retry", why}, {"outbox/" + delivery + "/discard", why}, {"refusals/77/retry", why}};
    for (const auto& [target, body] : changes) {
        CAPTURE(target);
        const auto refused = standby.post(target, body);
        CHECK(refused.status == 409);
        CHECK_THAT(refused.error(), Contains("line1") && Contains(holder.sql("select holder from line where line = 'line1'")));
    }
    CHECK(holder.sql("select count(*) from journal") == "0");
    CHECK(holder.sql("select state from odoo_outbox") == "parked");
    // It shows what is there all the same.
    CHECK(standby.get("/api/v1/refusals").body.at("items").as_array().size() == 1);
    CHECK(standby.get("/api/v1/lines").body.at("items").at(0).at("held") == false);
    CHECK(holder.sql("select count(*) from setting") == "0");
    CHECK(holder.state(id) == "held");
}

TEST_CASE("a change on a line that was taken meanwhile is 409 with the holder and does nothing")
{
    for (const std::string act : {"cancel", "pause", "discard"}) {
        CAPTURE(act);
        web_bench b;
        b.ready();
        const auto id = b.batch({});
        const auto delivery = b.sql("insert into odoo_outbox (line, odoo_db, odoo_id, kind, state) values ('line1', 'factory', 0, 'note', 'parked') returning id");
        // As after a stop of this process that was longer than its lease, before its heartbeat says so.
        b.sql("update line set epoch = epoch + 1, holder = 'another:1'");
        const auto target = act == "cancel" ? fmt::format("batches/{}/cancel", id) : act == "pause" ? std::string("lines/line1/pause") : "outbox/" + delivery + "/discard";
        const auto r = b.post(target, R"({"reason": "x"})");
        CHECK(r.status == 409);
        CHECK_THAT(r.error(), Contains("line1") && Contains("another:1"));
        CHECK_FALSE(b.service->find_line("line1")->person_pause());
        CHECK(b.sql("select count(*) from journal") == "0");
        CHECK(b.sql("select state from odoo_outbox") == "parked");
        CHECK(b.state(id) == "held");
    }
}

TEST_CASE("HEAD tells the status alone")
{
    web_bench b;
    const auto r = b.request("HEAD", "/healthz");
    CHECK(r.status == 200);
    CHECK(r.text.empty());
}
