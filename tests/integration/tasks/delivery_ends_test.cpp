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
