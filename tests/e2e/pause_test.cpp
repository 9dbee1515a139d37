// The pause of a line, and orders that the PLC makes although a person has taken them out, with real processes.
#include "e2e/expect.hpp"

using namespace bb_test;

namespace {

constexpr const char* why = R"({"reason": "silos are filled", "who": "Ada"})";

std::string id_of(plant& p, const std::string& where)
{
    return p.sql("select id from mo_batch where " + where);
}

void wait_loaded(plant& p, int count)
{
    wait_until("the load", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && p.count("mo_batch where state = 'loaded'") == count; });
}

bool dosing(plant& p)
{
    return !p.plc("/state").at("slots").as_array()[0].at("actual").as_object().empty();
}

// The PLC has begun slot 1 and nobody here has seen it yet; then a person acts, and the reading goes on.
void act_unseen(plant& p, const std::string& act)
{
    p.plc("/take", R"({"enabled": false})");
    p.generate(1);
    p.start_bridge();
    wait_loaded(p, 1);
    CHECK(p.bridge("POST", "/api/v1/lines/line1/tasks/plc_read_sync", R"({"enabled": false})").status == 200);
    p.plc("/take", R"({"enabled": true})");
    wait_until("dosing", seconds(20), [&] { return dosing(p); });
    CHECK(p.bridge("POST", "/api/v1/batches/" + id_of(p, "batch_no = 1") + "/" + act, why).status == 202);
    CHECK(p.count("mo_batch where state = 'cancelling'") == 1);
    CHECK(p.bridge("POST", "/api/v1/lines/line1/tasks/plc_read_sync", R"({"enabled": true})").status == 200);
}

}  // namespace

TEST_CASE("a paused line loads nothing and finishes what it has until it is resumed")
{
    plant_options o;
    o.plc_speed = 100;
    plant p(o);
    p.generate(2);
    p.start_bridge();
    wait_loaded(p, 2);
    CHECK(p.bridge("POST", "/api/v1/lines/line1/pause", why).status == 200);
    CHECK(p.bridge("POST", "/api/v1/lines/line1/pause", why).status == 409);
    p.generate(2);
    p.wait_archived(2, seconds(60));   // reading and finishing go on
    p.kill_bridge();
    p.start_bridge();
    wait_until("the line", seconds(20), [&] { return occurrences(p.bridge_log(), "is paused by a person and stays so") == 1; });
    const auto run = p.bridge("POST", "/api/v1/lines/line1/tasks/auto_sync_mo/run");
    CHECK_THAT(run.text, Catch::Contains("paused by a person: silos are filled"));
    CHECK(p.count("mo_batch") == 0);
    CHECK(p.bridge("POST", "/api/v1/lines/line1/resume", R"({"who": "Ada"})").status == 200);
    p.wait_archived(4, seconds(60));
    check_exact(p, 4);
    CHECK(p.sql("select string_agg(what || ' ' || who, ', ' order by id) from journal where what in ('api.pause', 'api.resume')") == "api.pause Ada, api.resume Ada");
}

TEST_CASE("an order reset when the PLC had begun it unseen is made and booked like any other")
{
    plant_options o;
    o.plc_speed = 60;
    plant p(o);
    act_unseen(p, "reset");
    p.wait_archived(1, seconds(60));
    CHECK(p.sql("select string_agg(status || ' ' || run, ', ' order by id) from mo_histories") == "completed 1");
    check_exact(p, 1);
    CHECK(p.count("alert where kind in ('plc_reset', 'lost', 'recipe_gone')") == 0);
}

TEST_CASE("an order cancelled when the PLC had begun it unseen ends as cancelled with an alert")
{
    plant_options o;
    o.plc_speed = 60;
    plant p(o);
    act_unseen(p, "cancel");
    wait_until("its end", seconds(60), [&] { return p.count("mo_histories where status = 'cancelled'") == 1 && p.count("odoo_outbox where state in ('due', 'sending')") == 0; });
    CHECK(p.count("mo_histories_consumption where actual > 0") > 0);
    CHECK(p.count("alert where kind = 'dosed_after_cancel' and state = 'open'") == 1);
    CHECK(p.odoo("/orders").as_array()[0].at("state").as_string() == "cancel");
    CHECK(p.odoo("/violations").as_array().empty());
}
