// What other people do to an order in Odoo, as the watch finds it and applies it to the queue.
#include "delivery_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using domain::order_state;

namespace {

void look(delivery_bench& b)
{
    const auto before = b.service->watch().looks();
    b.service->watch().wake();
    b.await("a look", [&] { return b.service->watch().looks() > before; });
}

std::string state(const delivery_bench& b) { return b.sql("select state || coalesce(' ' || nullif(reason, ''), '') from mo_batch"); }

std::string alerts(const delivery_bench& b) { return b.sql("select coalesce(string_agg(kind || ' x' || count, ', ' order by kind), '') from alert where state = 'open'"); }

// The plan with which the batches of delivery_bench could have been loaded.
void plan(const delivery_bench& b, std::int64_t odoo_id)
{
    b.sql(fmt::format("update mo_batch set plan = '{{\"product\": [\"100\", \"kg\"], \"moves\": {{\"{}\": [\"100\", \"kg\"]}}}}' where odoo_id = {} returning 1", 10 * odoo_id + 1, odoo_id));
}

}  // namespace

TEST_CASE("an order that is cancelled in Odoo is taken out of the queue, and nothing is sent to Odoo for it")
{
    for (const std::string before : {"queued", "loading", "loaded"}) {
        CAPTURE(before);
        delivery_bench b;
        b.erp.add(1).state = order_state::cancel;
        b.batch(1, before, {{101, "0"}});
        look(b);
        CHECK(state(b) == "cancelling cancelled");
        CHECK(b.count("odoo_outbox") == 0);
        CHECK(b.count("journal where what = 'watch.gone' and answer like '%cancelled in Odoo%'") == 1);
        CHECK(b.erp.calls == std::vector<std::string>{"read_orders"});
    }
}

TEST_CASE("an order that was deleted in Odoo is asked for by its id before it is believed to be gone")
{
    delivery_bench b;
    b.batch(1, "loaded", {{101, "0"}});
    look(b);
    CHECK(state(b) == "cancelling cancelled");
    CHECK(b.erp.calls == std::vector<std::string>{"read_orders", "read 1"});
}

TEST_CASE("an order that Odoo hides from us or that cannot be understood changes nothing")
{
    delivery_bench b;
    b.erp.before = [](const std::string& call) {
        if (call == "read 1") throw refused(domain::error_class::configuration, "a rule hides it", "odoo.exceptions.AccessError");
    };
    b.batch(1, "loaded", {{101, "0"}});
    look(b);
    CHECK(state(b) == "loaded");
    b.erp.before = nullptr;
    auto& o = b.erp.add(1);
    o.state = order_state::unknown;
    o.id.create_date = {};
    look(b);
    CHECK(state(b) == "loaded");
    CHECK(b.count("alert") == 0);
}

TEST_CASE("an id that is another order's by now is an order that is gone, with the reason")
{
    delivery_bench b;
    b.erp.add(1).id.create_date += std::chrono::hours(24);
    b.batch(1, "loaded", {{101, "0"}});
    look(b);
    CHECK(state(b) == "cancelling cancelled");
    CHECK(b.count("journal where what = 'watch.gone' and answer like '%Was Odoo restored%'") == 1);
}

TEST_CASE("a running batch whose order is cancelled or done in Odoo loses its unsent live values, with one alert")
{
    for (const auto now : {order_state::cancel, order_state::done}) {
        CAPTURE(domain::to_string(now));
        delivery_bench b;
        b.erp.add(1).state = now;
        const auto row = b.owe(b.batch(1, "running", {{101, "5"}}), "consumption");
        b.sql("update odoo_outbox set next_at = now() + interval '1 hour' where state = 'due' returning 1");
        b.run_for(300ms);
        if (b.state_of(row) != "due") continue;   // the delivery was faster, and found the same
        b.erp.calls.clear();
        look(b);
        look(b);
        CHECK(state(b) == "running");
        CHECK(b.state_of(row) == "discarded");
        CHECK(alerts(b) == (now == order_state::cancel ? "order_cancelled x1" : "order_done_elsewhere x1"));
        CHECK(b.count("journal where what like 'watch.%'") == 1);
        CHECK(b.erp.calls == std::vector<std::string>{"read_orders", "read_orders"});
    }
}

TEST_CASE("an order that is done in Odoo is taken out as discarded with an alert")
{
    delivery_bench b;
    b.erp.add(1).state = order_state::done;
    b.batch(1, "loaded", {{101, "0"}});
    look(b);
    CHECK(state(b) == "cancelling discarded");
    CHECK(alerts(b) == "order_done_elsewhere x1");
}

TEST_CASE("a held or lost batch of a cancelled order is archived with its actuals, one of a done order is told once")
{
    for (const std::string before : {"held", "lost"}) {
        CAPTURE(before);
        delivery_bench b;
        b.erp.add(1).state = order_state::done;
        b.batch(1, before, {{101, "5"}});
        look(b);
        look(b);
        CHECK(state(b) == before);
        CHECK(alerts(b) == "order_done_elsewhere x1");
        b.erp.orders[1].state = order_state::cancel;
        look(b);
        CHECK(b.count("mo_batch") == 0);
        CHECK(b.sql("select h.status || ' ' || c.actual from mo_histories h join mo_histories_consumption c on c.history_id = h.id") == "cancelled 5.000");
        CHECK(b.count("alert where kind = 'order_cancelled' and state = 'open'") == 1);
    }
}

TEST_CASE("a parked finish of an order that is done in Odoo is due at once, and once only")
{
    delivery_bench b;
    b.erp.add(1).state = order_state::draft;
    const auto id = b.completed(1, {{101, "99.5"}});
    b.await("the parking", [&] { return b.finish_state(id) == "parked"; });
    look(b);
    CHECK(b.finish_state(id) == "parked");
    // Somebody finishes it with other figures: step 0 looks, and parks it with both sets.
    auto& o = b.erp.orders[1];
    o.state = order_state::done;
    o.qty_produced = 80;
    o.components[0].quantity = 80;
    o.components[0].picked = true;
    look(b);
    b.await("the second parking", [&] { return b.finish_state(id) == "parked" && b.count("odoo_outbox where last_error like '%already%' or last_error like '%other quantities%'") == 1; });
    CHECK_THAT(b.sql("select last_error from odoo_outbox"), Catch::Contains("99.5") && Catch::Contains("80"));
    b.erp.calls.clear();
    look(b);
    CHECK(b.finish_state(id) == "parked");
    CHECK(b.erp.calls == std::vector<std::string>{"read_orders"});
}

TEST_CASE("a parked batch whose order is cancelled in Odoo is archived, and its parked deliveries and their alerts end")
{
    delivery_bench b;
    b.erp.add(1).state = order_state::done;
    const auto id = b.batch(1, "held", {{101, "5"}});
    const auto row = b.owe(id, "cancel");
    b.await("the parking", [&] { return b.state_of(row) == "parked"; });
    b.erp.orders[1].state = order_state::cancel;
    look(b);
    CHECK(b.sql("select status from mo_histories") == "cancelled");
    CHECK(b.state_of(row) == "discarded");
    CHECK(b.count("alert where kind = 'delivery_parked' and state <> 'resolved'") == 0);
}

TEST_CASE("an order whose cancel of ours is on its way is left to that cancel")
{
    delivery_bench b;
    b.erp.add(1).state = order_state::cancel;
    const auto id = b.batch(1, "held", {{101, "5"}});
    b.sql(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version, next_at) select line, odoo_db, odoo_id, mo_id, id, 'cancel', version, now() + interval '1 hour' from mo_batch where id = {} "
                      "returning 1",
                      id));
    look(b);
    CHECK(state(b) == "held");
    CHECK(b.count("alert") == 0);
}

TEST_CASE("a changed plan takes a waiting order out to be fetched again, and is told of a running one")
{
    delivery_bench b;
    for (const int n : {1, 2, 3}) {
        b.erp.add(n);
        b.batch(n, n == 2 ? "running" : "loaded", {{101, n == 2 ? "5" : "0"}});
    }
    plan(b, 1);
    plan(b, 2);
    look(b);
    CHECK(b.count("journal where what like 'watch.%'") == 0);
    for (const int n : {1, 2, 3}) b.erp.orders[n].components[0].planned = 120;
    look(b);
    look(b);
    // The third is from before plans were kept: it is not compared.
    CHECK(b.sql("select string_agg(state || ' ' || reason, ', ' order by odoo_id) from mo_batch") == "cancelling plan_changed, running , loaded ");
    CHECK(alerts(b) == "order_changed x1");
    CHECK(b.count("journal where what = 'watch.plan_changed' and answer like '%move 11: 100 kg, now 120 kg%'") == 1);
    // Changed once more: told once more.
    b.erp.orders[2].quantity = 90;
    look(b);
    CHECK(alerts(b) == "order_changed x2");
    CHECK(b.count("journal where what = 'watch.plan_changed' and answer like '%quantity 100 kg, now 90 kg%'") == 1);
}

TEST_CASE("a changed order that somebody has begun is taken out with an alert")
{
    delivery_bench b;
    b.erp.add(1).state = order_state::progress;
    b.batch(1, "loaded", {{101, "0"}});
    plan(b, 1);
    b.erp.orders[1].components[0].planned = 120;
    look(b);
    CHECK(state(b) == "cancelling plan_changed");
    CHECK(alerts(b) == "order_changed x1");
    CHECK_THAT(b.sql("select text from alert"), Catch::Contains("'progress'") && Catch::Contains("only confirmed orders"));
}

TEST_CASE("a watch that fails again and again while Odoo answers the probe is told once")
{
    delivery_bench b;
    b.erp.add(1);
    b.batch(1, "running", {{101, "5"}});
    b.erp.before = [](const std::string& call) {
        if (call == "read_orders") throw no_answer();
    };
    const auto log = b.logged([&] {
        for (int n = 1; n <= 5; ++n) look(b);
    });
    CHECK(b.erp.count("read_orders") == 5);
    CHECK(occurrences(log, "the orders of the queue cannot be looked at in Odoo") == 1);
}

TEST_CASE("an answer overtaken by our own attempt changes nothing")
{
    delivery_bench b;
    b.erp.add(1).state = order_state::cancel;
    const auto id = b.batch(1, "held", {{101, "5"}});
    // While Odoo answers, an attempt for the order begins and ends.
    b.erp.after = [&b, id](const std::string& call) {
        if (call == "read_orders")
            b.sql(fmt::format("with o as (insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, state) values ('line1', 'factory', 1, '', {}, 'note', 'sent') returning id) insert into odoo_attempt (line, outbox_id, "
                              "odoo_db, odoo_id, batch_id, version, call, \"values\", epoch, ended_at, outcome) select 'line1', o.id, 'factory', 1, {}, 1, 'post_note', '{{}}', 1, now(), 'ok' from o returning 1",
                              id, id));
    };
    look(b);
    CHECK(state(b) == "held");
    CHECK(b.count("mo_histories") == 0);
    b.erp.after = nullptr;
    look(b);
    CHECK(b.sql("select status from mo_histories") == "cancelled");
}

TEST_CASE("the watch keeps still while the breaker is open, and a watch without an answer opens it")
{
    delivery_bench b;
    b.erp.add(1);
    b.batch(1, "running", {{101, "5"}});
    bool down = true;
    b.erp.before = [&down](const std::string&) {
        if (down) throw no_answer();
    };
    look(b);
    b.await("the open breaker", [&] { return b.service->deliveries().breaker_open(); });
    const int asked = b.erp.count("read_orders");
    b.service->watch().wake();
    b.run_for(1500ms);
    CHECK(b.erp.count("read_orders") == asked);
    down = false;
    b.await("the closed breaker", [&] { return !b.service->deliveries().breaker_open(); });
    look(b);
}

TEST_CASE("a flag for an archived order that is not confirmed any more ends with its alert")
{
    delivery_bench b;
    b.erp.add(1);
    b.batch(1, "held", {{101, "5"}});
    b.sql("with m as (delete from mo_batch returning *) insert into mo_histories (line, batch_id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, run, batch_no, load, status, still_open, bom_id, finished_goods, quantity_goods, "
          "actual_weight_quantity_finished_goods, status_manufacturing, status_operation, update_odoo, done_marked, created_at) select line, id, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, 1, 1, load, 'cancelled', true, '', '', 0, "
          "0, false, false, false, false, now() from m returning 1");
    b.sql("insert into alert (line, kind, subject, text) values ('line1', 'archived_but_open', 'WH/MO/00001', '') returning 1");
    look(b);
    CHECK(b.count("mo_histories where still_open") == 1);
    b.erp.orders[1].state = order_state::cancel;
    look(b);
    CHECK(b.count("mo_histories where still_open") == 0);
    CHECK(alerts(b).empty());
}
