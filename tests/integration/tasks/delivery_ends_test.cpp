// How deliveries end in Odoo's different answers.
#include "delivery_bench.hpp"

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;

TEST_CASE("an order that is cancelled in Odoo before its finish is archived as cancelled with its alert")
{
    delivery_bench b;
    b.erp.add(1).state = domain::order_state::cancel;
    b.completed(1);
    b.await("the archive", [&] { return b.count("mo_histories") == 1; });
    CHECK(b.sql("select status from mo_histories") == "cancelled");
    CHECK(b.count("alert where kind = 'order_cancelled' and subject = 'WH/MO/00001'") == 1);
    CHECK(b.count("journal where what = 'odoo.state'") == 1);
}

TEST_CASE("live values of an order that is done in Odoo are dropped with an alert")
{
    delivery_bench b;
    b.erp.add(1).state = domain::order_state::done;
    const auto row = b.owe(b.batch(1, "running", {{101, "5"}}), "consumption");
    b.await("the drop", [&] { return b.state_of(row) == "discarded"; });
    CHECK(b.erp.calls == std::vector<std::string>{"read 1"});
    CHECK(b.count("alert where kind = 'order_done_elsewhere' and subject = 'WH/MO/00001'") == 1);
}

TEST_CASE("a held batch that a person cancels is cancelled in Odoo and archived")
{
    delivery_bench b;
    b.erp.add(1);
    b.owe(b.batch(1, "held", {{101, "5"}}), "cancel");
    b.await("the archive", [&] { return b.count("mo_histories") == 1; });
    CHECK(b.erp.calls == std::vector<std::string>{"read 1", "cancel 1", "read 1"});
    CHECK(b.sql("select status from mo_histories") == "cancelled");
    CHECK(b.count("odoo_outbox where kind = 'cancel' and state = 'sent'") == 1);
}

TEST_CASE("material from a silo that the order does not name is not produced, and somebody is told")
{
    delivery_bench b;
    b.erp.add(1, {"SILO-101", "SILO-102"});
    std::int64_t id = 0;
    const auto log = b.logged([&] {
        id = b.completed(1, {{101, "60.5"}, {102, "39"}, {103, "7.25"}});
        b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    });
    CHECK(b.erp.orders[1].qty_produced == *core::decimal::parse("99.5"));
    CHECK(b.count("alert where kind = 'unplanned_silo' and subject = 'WH/MO/00001' and text like '%silo 103: 7.25 kg%'") == 1);
    CHECK(b.count("journal where what = 'finish.values' and \"values\" -> 'unplanned' ->> '103' = '7.25'") == 1);
    CHECK(occurrences(log, "silo 103: 7.25 kg") == 1);
    CHECK(occurrences(log, " warning ") == 1);
}

TEST_CASE("a refused login makes deliveries wait with one alert, which is resolved when Odoo takes them again")
{
    delivery_bench b;
    b.erp.before = [](const std::string& call) {
        if (call.starts_with("read")) throw refused(domain::error_class::new_key, "the login was refused", "odoo.exceptions.AccessDenied");
    };
    for (const int n : {1, 2}) {
        b.erp.add(n);
        b.completed(n);
    }
    b.await("both to wait", [&] { return b.count("odoo_outbox where state = 'due' and tries = 1 and next_at > now() + interval '30 seconds'") == 2; });
    CHECK(b.count("alert where kind = 'odoo_configuration' and state = 'open' and count = 2") == 1);
    CHECK_FALSE(b.erp.count("probe"));
    b.erp.before = nullptr;
    b.sql("update odoo_outbox set next_at = now() returning 1");
    b.wake();
    b.await("both finishes", [&] { return b.count("odoo_outbox where state = 'sent'") == 2; });
    CHECK(b.count("alert where state <> 'resolved'") == 0);
}

TEST_CASE("a cancel or a live value that Odoo refuses is judged by the order's state before it parks")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.add(2);
    b.erp.add(3);
    // Somebody was faster between our read and our write.
    b.erp.before = [&b](const std::string& call) {
        if (call == "cancel 1") b.erp.orders[1].state = domain::order_state::cancel;
        if (call == "write_consumption 2") b.erp.orders[2].state = domain::order_state::done;
        if (call.starts_with("cancel") || call.starts_with("write")) throw refused(domain::error_class::park, "too late");
    };
    b.owe(b.batch(1, "held", {{101, "5"}}), "cancel");
    const auto live = b.owe(b.batch(2, "running", {{101, "5"}}), "consumption");
    const auto refused_cancel = b.owe(b.batch(3, "held", {{101, "5"}}), "cancel");
    b.await("the ends", [&] { return b.count("mo_histories where odoo_id = 1") == 1 && b.state_of(live) == "discarded" && b.state_of(refused_cancel) == "parked"; });
    CHECK(b.sql("select string_agg(kind || ' ' || subject, ', ' order by subject) from alert") == "order_done_elsewhere WH/MO/00002, delivery_parked WH/MO/00003");
    CHECK_THAT(b.sql(fmt::format("select last_error from odoo_outbox where id = {}", refused_cancel)), Catch::Contains("too late"));
}

TEST_CASE("an id that belongs to another order since Odoo was restored gets nothing of ours, and is named")
{
    for (const std::string kind : {"finish", "consumption", "cancel"}) {
        CAPTURE(kind);
        delivery_bench b;
        b.erp.add(1).id.create_date += std::chrono::hours(24);
        const auto id = b.batch(1, kind == "finish" ? "completed" : kind == "cancel" ? "held" : "running", {{101, "60.5"}});
        const auto row = b.owe(id, kind);
        b.await("the parking", [&] { return b.state_of(row) == "parked"; });
        CHECK(b.erp.calls == std::vector<std::string>{"read 1"});
        CHECK(b.sql("select last_error from odoo_outbox").find("another one by now") != std::string::npos);
        CHECK(b.count("alert where kind = 'delivery_parked' and state = 'open'") == 1);
    }
}

TEST_CASE("what a person says was produced is booked, also when the policy is the sum")
{
    const std::map<std::string, std::string> by_sum{{"PRODUCED_QUANTITY", "sum"}};
    delivery_bench b(by_sum);
    b.erp.add(1);
    const auto id = b.batch(1, "held", {{101, "60.5"}});
    store::journal_entry why;
    why.what = "api.complete";
    std::optional<bool> done;
    const auto produced = *core::decimal::parse("58.2");
    const domain::silo_kg actual{{101, *core::decimal::parse("60.5")}};
    asio::co_spawn(b.ioc, b.rows->complete_batch(b.service->lines().front()->hold(), id, produced, actual, why),
                   [&](std::exception_ptr e, bool ok) {
                       REQUIRE_FALSE(e);
                       done = ok;
                   });
    b.await("the completion", [&] { return done.has_value(); });
    CHECK(*done);
    b.wake();
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.erp.orders[1].qty_produced == *core::decimal::parse("58.2"));
}

TEST_CASE("a cancel that outlives its batch is not sent to another order of the same id either")
{
    delivery_bench b;
    b.erp.add(1).id.create_date += std::chrono::hours(24);
    b.erp.hangs = "read 1";
    const auto id = b.batch(1, "cancelling", {{101, "0"}});
    const auto row = b.owe(id, "cancel");
    std::optional<bool> archived;
    const std::string notes = "cancelled";   // outlives the coroutine, which begins later
    asio::co_spawn(b.ioc, b.rows->archive(b.service->lines().front()->hold(), id, domain::history_status::cancelled, notes, std::nullopt), [&](std::exception_ptr e, bool ok) {
        REQUIRE_FALSE(e);
        archived = ok;
    });
    b.await("the archive", [&] { return archived.has_value(); });
    REQUIRE(b.count("mo_batch") == 0);
    b.erp.hangs.clear();
    b.await("the parking", [&] { return b.state_of(row) == "parked"; });
    CHECK(b.erp.count("cancel 1") == 0);
}

TEST_CASE("the values of a finish are computed once, before the first write, and every later try uses them")
{
    delivery_bench b(settings{{"ODOO_UNCLEAR_WAIT", "2s"}, {"ODOO_WRITE_TIMEOUT", "1s"}});
    b.erp.add(1, {"SILO-101", "SILO-102"});
    b.erp.before = [&b](const std::string& call) {
        if (call == "write_final 1" && b.erp.count(call) == 1) {
            // The plan that decides how things are shared and scaled changes in between.
            for (auto& c : b.erp.orders[1].components) c.planned = 7;
            throw no_answer();
        }
    };
    const auto id = b.completed(1, {{101, "60.5"}, {102, "39.25"}});
    b.await("the unclear write", [&] { return b.count("odoo_outbox where tries = 1 and state = 'due'") == 1; });
    const auto values = b.sql("select finish_values from odoo_outbox");
    CHECK_THAT(values, Catch::Contains("60.5") && Catch::Contains("39.25") && Catch::Contains("99.75"));
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.sql("select finish_values from odoo_outbox") == values);
    CHECK(b.count("journal where what = 'finish.values'") == 1);
    // Every step is journaled: the unclear write, the write, the call, the end.
    CHECK(b.sql("select string_agg(what || coalesce(' ' || split_part(answer, ':', 1), ''), ', ' order by id) from journal where what like 'odoo.%' and what <> 'odoo.finish'") ==
          "odoo.write_final unclear, odoo.write_final ok, odoo.button_mark_done ok");
    CHECK(b.count("journal where what = 'odoo.finish'") == 1);
}

TEST_CASE("each write of a finish is committed as an attempt before its bytes leave")
{
    delivery_bench b;
    b.erp.add(1);
    std::map<std::string, std::string> open;
    b.erp.before = [&](const std::string& call) {
        if (call == "write_final 1" || call == "mark_done 1") open[call] = b.sql("select coalesce(string_agg(call, ','), '') from odoo_attempt where outcome is null and ended_at is null");
    };
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(open == std::map<std::string, std::string>{{"write_final 1", "write_final"}, {"mark_done 1", "button_mark_done"}});
    CHECK(b.count("odoo_attempt where outcome = 'ok'") == 2);
}

TEST_CASE("L-07: a mark done without an answer is read back after the wait, and is not repeated when it worked")
{
    delivery_bench b(settings{{"ODOO_UNCLEAR_WAIT", "2s"}, {"ODOO_WRITE_TIMEOUT", "1s"}});
    b.erp.add(1);
    b.erp.after = [](const std::string& call) {
        if (call == "mark_done 1") throw no_answer();
    };
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.erp.calls == std::vector<std::string>{"read 1", "write_final 1", "mark_done 1", "probe", "read 1"});
    CHECK(b.sql("select done_marked and update_odoo from mo_batch") == "t");
}

TEST_CASE("an older write that lands on a done order is parked with both sets of figures and not corrected")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.after = [&b](const std::string& call) {
        // A live value that was given up long ago comes through right after done.
        if (call == "mark_done 1") b.erp.orders[1].components[0].quantity = *core::decimal::parse("12.5");
    };
    const auto id = b.completed(1);
    b.await("the parking", [&] { return b.finish_state(id) == "parked"; });
    CHECK_THAT(b.sql("select last_error from odoo_outbox"), Catch::Contains("99.5") && Catch::Contains("12.5"));
    CHECK(b.erp.count("write_final 1") == 1);
    CHECK(b.count("alert where kind = 'delivery_parked' and state = 'open'") == 1);
}

TEST_CASE("with MARK_DONE=false the quantities are written and read back, and done is left to people")
{
    delivery_bench b(settings{{"MARK_DONE", "false"}});
    b.erp.add(1);
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.erp.calls == std::vector<std::string>{"read 1", "write_final 1", "read 1"});
    CHECK(b.erp.orders[1].state == domain::order_state::confirmed);
    CHECK(b.sql("select update_odoo and not done_marked from mo_batch") == "t");
    // What Odoo did not keep is parked.
    b.erp.add(2);
    b.erp.after = [&b](const std::string& call) {
        if (call == "write_final 2") b.erp.orders[2].components[0].quantity = 1;
    };
    const auto lost = b.completed(2);
    b.await("the parking", [&] { return b.finish_state(lost) == "parked"; });
}

TEST_CASE("a rejected final write is judged by the order as it is read then")
{
    delivery_bench b;
    for (const int n : {1, 2, 3, 4}) b.erp.add(n);
    b.erp.before = [&b](const std::string& call) {
        if (!call.starts_with("write_final")) return;
        if (call == "write_final 1") {
            auto& o = b.erp.orders[1];
            o.state = domain::order_state::done;
            o.qty_produced = *core::decimal::parse("99.5");
            o.components[0].quantity = o.qty_produced;
            o.components[0].picked = true;
        }
        if (call == "write_final 2") b.erp.orders.erase(2);
        const auto decision = call == "write_final 2" || call == "write_final 4" ? domain::error_class::gone : domain::error_class::park;
        throw refused(decision, "no", "odoo.exceptions.MissingError");
    };
    std::map<int, std::int64_t> id;
    for (const int n : {1, 2, 3, 4}) id[n] = b.completed(n);
    b.await("the ends", [&] { return b.count("odoo_outbox where state in ('due', 'sending')") == 0; });
    CHECK(b.finish_state(id[1]) == "sent");                // done with our quantities is success
    CHECK(b.sql("select status from mo_histories") == "cancelled");   // gone
    CHECK(b.finish_state(id[3]) == "parked");
    CHECK(b.finish_state(id[4]) == "parked");              // there, and missing nothing of ours: repeating changes nothing
}

TEST_CASE("an order that Odoo has locked is tried again and not parked")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.before = [&b](const std::string& call) {
        if (call == "write_final 1" && b.erp.count(call) <= 2) throw refused(domain::error_class::retry, "could not obtain lock", "odoo.exceptions.LockError");
    };
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.count("alert where kind = 'delivery_parked'") == 0);
    CHECK(b.count("odoo_attempt where outcome = 'rejected'") == 2);
}

TEST_CASE("a write whose move is gone is computed anew and not parked")
{
    delivery_bench b;
    b.erp.add(1, {"SILO-101", "SILO-102"});
    b.erp.before = [&b](const std::string& call) {
        if (call != "write_final 1" || b.erp.count(call) > 1) return;
        b.erp.orders[1].components.pop_back();
        throw refused(domain::error_class::gone, "Record does not exist", "odoo.exceptions.MissingError");
    };
    const auto id = b.completed(1, {{101, "60.5"}, {102, "39"}});
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.erp.orders[1].qty_produced == *core::decimal::parse("60.5"));
    CHECK(b.count("alert where kind = 'unplanned_silo'") == 1);
}

TEST_CASE("L-08: a produced quantity of 0 is parked and nothing is written")
{
    delivery_bench b(settings{{"PRODUCED_QUANTITY", "plc"}});
    b.erp.add(1);
    const auto id = b.completed(1);
    b.await("the parking", [&] { return b.finish_state(id) == "parked"; });
    CHECK(b.erp.calls == std::vector<std::string>{"read 1"});
    CHECK_THAT(b.sql("select last_error from odoo_outbox"), Catch::Contains("plc weight"));
}
