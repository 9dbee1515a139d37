// The main job with real processes: Odoo order -> PLC -> Odoo, nothing going wrong.
#include "e2e/expect.hpp"

using namespace bb_test;

TEST_CASE("twenty orders go through two full loads, exactly once and with the PLC's quantities (L-01, L-02, L-03, L-05)")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    p.generate(20);
    p.start_bridge();
    p.wait_archived(20, seconds(90));
    check_exact(p, 20);
    CHECK(p.count("plc_load") == 2);
    CHECK(p.plc("/state").at("loads_taken").as_int64() == 2);
    const auto in_odoo = p.odoo("/orders");
    for (const auto& order : in_odoo.as_array()) CHECK(order.at("consumption_writes").as_int64() > 0);
    // The journal explains each order: what was loaded, written and read.
    CHECK(p.count("mo_histories h where not exists (select from journal j where j.batch_id = h.batch_id and j.what = 'odoo.finish')") == 0);
    CHECK(p.count("(select from v_mo_histories) v") == 20);

    SECTION("an order made later starts the next load by itself, and SIGTERM ends the process with nothing lost")
    {
        p.generate(3);
        wait_until("the third load", seconds(20), [&] { return p.count("mo_batch where state in ('loaded', 'running')") > 0; });
        CHECK(p.stop_bridge() == 0);
        CHECK_THAT(p.bridge_log(), Catch::Contains("SIGTERM received") && Catch::Contains("stopped"));
        p.start_bridge();
        p.wait_archived(23, seconds(60));
        check_exact(p, 23);
    }
}

TEST_CASE("a batch that finishes between two reads is finished and archived all the same (L-01)")
{
    plant_options o;
    o.plc_speed = 2000;
    o.plc_arguments = {"--big-steps"};
    o.environment = {{"PLC_READ_INTERVAL", "4s"}};
    plant p(o);
    p.generate(2);
    p.start_bridge();
    p.wait_archived(2, seconds(60));
    check_exact(p, 2);
    // The premise: no read saw the first batch while it was dosed, so nothing live was owed for it.
    CHECK(p.count("journal where what = 'odoo.write_consumption' and mo_id = (select min(mo_id) from mo_histories)") == 0);
}

TEST_CASE("a batch that finishes while Odoo is down is finished when Odoo is back (L-01, L-15)")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("a running batch", seconds(20), [&] { return p.sql("select to_regclass('mo_batch')") != "" && p.count("mo_batch where state = 'running'") > 0; });
    p.odoo("/fault", R"({"kind": "reset"})");
    wait_until("all batches to be completed without Odoo", seconds(40), [&] { return p.count("mo_batch where state = 'completed'") == 3; });
    // The PLC has its acknowledgements although Odoo knows nothing yet (L-36).
    wait_until("the acknowledgements", seconds(10), [&] { return p.count("plc_duty where done_at is null") == 0; });
    CHECK(p.count("mo_histories") == 0);
    p.odoo("/clear", "{}");
    p.wait_archived(3, seconds(60));
    check_exact(p, 3);
}

TEST_CASE("reads after the completing read change nothing, whatever the PLC shows then (L-35)")
{
    plant_options o;
    o.plc_speed = 1000;
    // The second batch of the load keeps the read cycle busy with the PLC.
    o.environment = {{"ENABLE_TASK_3_PROCESS_COMPLETED", "false"}};
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("a completed and an acknowledged batch", seconds(30), [&] {
        return p.sql("select to_regclass('mo_batch')") != "" && p.count("mo_batch b join plc_duty d on d.batch_id = b.id where b.batch_no = 1 and b.state = 'completed' and d.done_at is not null and b.update_odoo") == 1;
    });
    p.plc("/speed", R"({"speed": 4})");
    const auto row = [&] {
        return p.sql("select b.*::text || (select string_agg(c::text, ';' order by c.silo) from mo_batch_consumption c where c.batch_id = b.id) || (select string_agg(x::text, ';' order by x.id) from odoo_outbox x where "
                     "x.batch_id = b.id) || (select count(*) from journal j where j.batch_id = b.id and j.what not in ('plc.changed_after_end', 'plc.doses_again')) from mo_batch b where b.batch_no = 1");
    };
    const auto before = row();
    const auto calls = p.odoo("/calls").as_array().size();
    // Silo 101's actual and the weight of slot 1 jump, the status falls and rises again.
    p.plc("/registers", R"({"address": 6028, "values": [0, 4711]})");
    p.plc("/registers", R"({"address": 6074, "values": [0, 4712]})");
    const auto reads = [&] { return p.plc("/state").at("requests").as_int64(); };
    auto from = reads();
    wait_until("reads with other figures", seconds(10), [&] { return reads() > from + 20; });
    p.plc("/registers", R"({"address": 6072, "values": [0]})");
    from = reads();
    wait_until("reads with the status gone", seconds(10), [&] { return reads() > from + 20; });
    p.plc("/registers", R"({"address": 6072, "values": [1]})");
    from = reads();
    wait_until("reads with the status back", seconds(10), [&] { return reads() > from + 20; });
    CHECK(row() == before);
    // It is told all the same, with what was seen.
    CHECK(p.count("alert where kind = 'changed_after_end' and subject = 'slot 1 WH/MO/00001' and state = 'open'") == 1);
    CHECK(p.count("alert where kind = 'doses_again' and subject = 'slot 1 WH/MO/00001' and state = 'resolved'") == 1);
    CHECK(p.count("journal where what in ('plc.changed_after_end', 'plc.doses_again') and mo_id = 'WH/MO/00001' and \"values\" -> 'shows' -> 'actual' ->> '101' = '47.11' and \"values\" -> 'raw' ->> 29 = '4711'") == 3);
    // What Odoo heard since is about the other orders.
    const auto all = p.odoo("/calls");
    for (auto i = calls; i < all.as_array().size(); ++i) CHECK(all.as_array()[i].at("order").as_int64() != 1);
}
