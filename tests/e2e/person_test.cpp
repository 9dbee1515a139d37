// The PLC gives a batch up, or a person takes an order out: the table "States" of the design with real processes.
#include "e2e/expect.hpp"

using namespace bb_test;

namespace {

std::string id_of(plant& p, const std::string& where)
{
    return p.sql("select id from mo_batch where " + where);
}

bool schema_there(plant& p)
{
    return !p.sql("select to_regclass('mo_batch')").empty();
}

void wait_running(plant& p, const std::string& slot)
{
    wait_until("slot " + slot + " to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running' and batch_no = " + slot) > 0; });
}

}  // namespace

TEST_CASE("a batch that the PLC gave up is held, acknowledged and blocks nothing, and a person completes it with figures")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_running(p, "1");
    p.plc("/fail_batch", R"({"slot": 1})");
    wait_until("the held batch", seconds(20), [&] { return p.count("mo_batch where state = 'held'") == 1; });
    p.plc("/speed", R"({"speed": 1000})");
    p.wait_archived(2, seconds(60));
    CHECK(p.count("mo_batch where state = 'held'") == 1);
    CHECK(p.count("alert where kind = 'held' and state = 'open'") == 1);
    p.generate(1);
    p.wait_archived(3, seconds(60));   // the line goes on with the next load

    const auto id = id_of(p, "state = 'held'");
    // A silo that the order names: what is from another one could be booked nowhere.
    const auto silo = p.sql("select silo from mo_batch_consumption where planned > 0 and batch_id = " + id + " order by silo limit 1");
    const auto figures = R"({"produced": "12.34", "actuals": {")" + silo + R"(": "12.34"}, "reason": "weighed by hand"})";
    CHECK(p.bridge("POST", "/api/v1/batches/" + id + "/complete", figures, "wrong").status == 401);
    CHECK(p.bridge("POST", "/api/v1/batches/" + id + "/complete", R"({"produced": "12.34", "actuals": {"999": "1"}, "reason": "x"})").status == 400);
    CHECK(p.bridge("POST", "/api/v1/batches/" + id + "/reset", R"({"reason": "x"})").status == 409);
    CHECK(p.bridge("POST", "/api/v1/batches/" + id + "/complete", figures).status == 202);
    p.wait_archived(4, seconds(30));
    const auto orders = p.odoo("/orders");
    CHECK(orders.as_array()[0].at("state").as_string() == "done");
    CHECK(orders.as_array()[0].at("qty_produced").as_string() == "12.34");
    CHECK(p.odoo("/violations").as_array().empty());
    CHECK(p.sql("select who || ': ' || answer from journal where what = 'api.complete'") == "api: weighed by hand");
}

TEST_CASE("with ON_PLC_FAILURE=cancel a batch that the PLC gave up ends as cancelled, in Odoo too")
{
    plant_options o;
    o.plc_speed = 20;
    o.environment = {{"ON_PLC_FAILURE", "cancel"}};
    plant p(o);
    p.generate(2);
    p.start_bridge();
    wait_running(p, "1");
    p.plc("/fail_batch", R"({"slot": 1})");
    wait_until("its end", seconds(30), [&] { return p.count("mo_histories where status = 'cancelled'") == 1; });
    const auto orders = p.odoo("/orders");
    CHECK(orders.as_array()[0].at("state").as_string() == "cancel");
    p.plc("/speed", R"({"speed": 1000})");
    p.wait_archived(1, seconds(60));
    wait_until("an empty queue", seconds(10), [&] { return p.count("mo_batch") == 0 && p.count("odoo_outbox where state in ('due', 'sending', 'parked')") == 0; });
    CHECK(p.odoo("/violations").as_array().empty());
}

TEST_CASE("a person cancels one waiting order and resets another: one is cancelled in Odoo, the other is made as a new run, none is made twice")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.generate(4);
    p.start_bridge();
    wait_running(p, "1");
    CHECK(p.bridge("POST", "/api/v1/batches/" + id_of(p, "batch_no = 1") + "/cancel", R"({"reason": "x"})").status == 409);
    CHECK(p.bridge("POST", "/api/v1/batches/" + id_of(p, "batch_no = 2") + "/cancel", R"({"reason": "wrong recipe"})").status == 202);
    CHECK(p.bridge("POST", "/api/v1/batches/" + id_of(p, "batch_no = 3") + "/reset", R"({"reason": "silo was empty"})").status == 202);
    CHECK(p.bridge("POST", "/api/v1/batches/424242/cancel", R"({"reason": "x"})").status == 404);
    p.plc("/speed", R"({"speed": 1000})");
    p.wait_archived(3, seconds(60));
    wait_until("an empty queue", seconds(20), [&] { return p.count("mo_batch") == 0 && p.count("odoo_outbox where state in ('due', 'sending', 'parked')") == 0; });
    CHECK(p.sql("select string_agg(odoo_id || ' ' || status || ' ' || run, ', ' order by odoo_id, run) from mo_histories") == "1 completed 1, 2 cancelled 1, 3 reset 1, 3 completed 2, 4 completed 1");
    const auto orders = p.odoo("/orders");
    CHECK(orders.as_array()[1].at("state").as_string() == "cancel");
    const auto state = p.plc("/state");
    std::multiset<std::string> made;
    for (const auto& f : state.at("finished").as_array()) made.insert(std::string(f.at("order").as_string()));
    CHECK(made == std::multiset<std::string>{"WH/MO/00001", "WH/MO/00003", "WH/MO/00004"});
    CHECK(p.odoo("/violations").as_array().empty());
}

TEST_CASE("slot 1 of an offered load is taken out before the PLC took it: the rest is offered anew")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    p.plc("/take", R"({"enabled": false})");
    p.generate(3);
    p.start_bridge();
    wait_until("the offer", seconds(20), [&] { return schema_there(p) && p.count("mo_batch where state = 'loaded'") == 3; });
    CHECK(p.bridge("POST", "/api/v1/batches/" + id_of(p, "batch_no = 1") + "/cancel", R"({"reason": "not today"})").status == 202);
    wait_until("the new offer", seconds(20), [&] { return p.count("mo_batch where state = 'loaded' and batch_no = 1 and load = (select max(id) from plc_load)") == 1; });
    p.plc("/take", R"({"enabled": true})");
    p.wait_archived(2, seconds(60));
    wait_until("an empty queue", seconds(20), [&] { return p.count("mo_batch") == 0; });
    CHECK(p.sql("select string_agg(odoo_id || ' ' || status, ', ' order by odoo_id) from mo_histories") == "1 cancelled, 2 completed, 3 completed");
    CHECK(p.plc("/state").at("finished").as_array().size() == 2);
    CHECK(p.odoo("/violations").as_array().empty());
}
