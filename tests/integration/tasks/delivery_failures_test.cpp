// What the dispatcher does when a delivery fails for a reason that is not Odoo's.
#include "delivery_bench.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using tasks::dependency_board;

namespace {

void break_inserts(delivery_bench& b, const std::string& table, const std::string& how)
{
    b.sql(fmt::format("create function broken() returns trigger language plpgsql as $$ begin {} end $$; create trigger broken before insert or update on {} for each row execute function broken(); select 1", how, table));
}

}  // namespace

TEST_CASE("an order is finished by its four calls, and its row and batch say so")
{
    delivery_bench b;
    b.erp.add(1);
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.erp.calls == std::vector<std::string>{"read 1", "write_final 1", "mark_done 1", "read 1"});
    CHECK(b.sql("select update_odoo and done_marked from mo_batch") == "t");
}

TEST_CASE("a delivery that fails for a reason of ours is logged once, backs off in the database and holds up nobody")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.add(2);
    b.erp.before = [](const std::string& call) {
        if (call == "read 1") throw std::runtime_error("a fault of ours");
    };
    std::int64_t bad = 0, good = 0;
    const auto log = b.logged([&] {
        bad = b.completed(1);
        good = b.completed(2);
        b.await("the other finish", [&] { return b.finish_state(good) == "sent"; });
        b.run_for(2500ms);
    });
    // At 0, after 0.5 to 1 s, and perhaps after 1 to 2 s more.
    CHECK(b.erp.count("read 1") >= 2);
    CHECK(b.erp.count("read 1") <= 3);
    CHECK(b.finish_state(bad) == "due");
    CHECK(b.count("odoo_outbox where odoo_id = 1 and tries >= 2 and next_at > now() - interval '1 second' and last_error like '%a fault of ours%'") == 1);
    CHECK(occurrences(log, "a fault of ours") == 1);
    CHECK(occurrences(log, " error ") == 1);
    CHECK(occurrences(log, "order=WH/MO/00001") >= 1);
    CHECK(b.env->board.is_up("database"));
    CHECK(occurrences(log, "database is down") == 0);
    // When its cause is gone, it goes on by itself.
    b.erp.before = nullptr;
    b.await("the finish", [&] { return b.finish_state(bad) == "sent"; });
}

TEST_CASE("a statement that PostgreSQL refuses does not make the database down, nor the delivery a loop")
{
    delivery_bench b;
    b.erp.add(1);
    break_inserts(b, "odoo_attempt", "raise exception 'no attempt is taken' using errcode = '22021';");
    const auto log = b.logged([&] {
        b.completed(1);
        b.run_for(2500ms);
    });
    CHECK(b.erp.count("read 1") >= 2);
    CHECK(b.erp.count("read 1") <= 3);
    CHECK(b.count("odoo_outbox where tries >= 2 and last_error like '%no attempt is taken%'") == 1);
    CHECK(occurrences(log, "no attempt is taken") == 1);
    CHECK(occurrences(log, "database is down") == 0);
    b.sql("drop trigger broken on odoo_attempt; select 1");
    b.await("the finish", [&] { return b.count("odoo_outbox where state = 'sent'") == 1; });
}

TEST_CASE("a delivery whose back-off cannot be stored waits all the same")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.before = [](const std::string& call) {
        if (call == "read 1") throw std::runtime_error("a fault of ours");
    };
    b.completed(1);
    b.await("the first try", [&] { return b.erp.count("read 1") > 0; });
    break_inserts(b, "odoo_outbox", "raise exception 'no back-off is taken' using errcode = '22021';");
    b.erp.calls.clear();
    const auto log = b.logged([&] { b.run_for(3500ms); });
    CHECK(b.erp.count("read 1") >= 1);
    CHECK(b.erp.count("read 1") <= 3);
    CHECK(occurrences(log, "no back-off is taken") == 1);
    CHECK(occurrences(log, "database is down") == 0);
    b.sql("drop trigger broken on odoo_outbox; select 1");
    b.erp.before = nullptr;
    b.await("the finish", [&] { return b.count("odoo_outbox where state = 'sent'") == 1; });
}

TEST_CASE("text of Odoo that is no UTF-8 or holds NUL parks its order with that reason")
{
    delivery_bench b;
    b.erp.add(1);
    b.erp.before = [](const std::string& call) {
        if (call == "write_final 1") throw refused(domain::error_class::park, std::string("caf\xe9 \0 closed", 13));
    };
    const auto id = b.completed(1);
    b.await("the parked finish", [&] { return b.finish_state(id) == "parked"; });
    CHECK(b.erp.count("write_final 1") == 1);
    CHECK_THAT(b.sql("select last_error from odoo_outbox"), Catch::Contains("caf? ? closed"));
    CHECK_THAT(b.sql("select answer from odoo_attempt"), Catch::Contains("caf? ? closed"));
    CHECK(b.count("alert where kind = 'delivery_parked' and state = 'open' and text like '%caf? ? closed%'") == 1);
}

TEST_CASE("a read without an answer is repeated soon: nothing was written")
{
    delivery_bench b;
    REQUIRE(b.config.odoo_unclear_wait > 60s);
    b.erp.add(1);
    b.erp.before = [&b](const std::string& call) {
        if (call == "read 1" && b.erp.count("read 1") == 1) throw no_answer();
    };
    const auto id = b.completed(1);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; }, 5s);
    CHECK(b.erp.count("probe") == 1);
}

TEST_CASE("after a write without an answer nothing is sent for the order until its wait is over, whatever fails or is asked for meanwhile")
{
    delivery_bench b(settings{{"ODOO_UNCLEAR_WAIT", "4s"}, {"ODOO_WRITE_TIMEOUT", "1s"}});
    b.erp.add(1);
    b.erp.after = [&b](const std::string& call) {
        if (call == "write_final 1" && b.erp.count(call) == 1) throw no_answer();
    };
    const auto id = b.completed(1);
    b.await("the unclear write", [&] { return b.count("odoo_outbox where tries = 1 and state = 'due'") == 1; });
    // Its own back-off is short; a person asks for it at once.
    CHECK(b.count("odoo_outbox where next_at <= now() + interval '1 second'") == 1);
    b.sql("update odoo_outbox set next_at = now() returning 1");
    b.erp.calls.clear();
    b.wake();
    b.run_for(2000ms);
    CHECK(b.erp.count("read 1") == 0);
    b.await("the finish", [&] { return b.finish_state(id) == "sent"; });
    CHECK(b.sql("select min(a.started_at) + interval '4 seconds' <= max(a.started_at) from odoo_attempt a") == "t");
    // What was written was found and not written again.
    CHECK(b.erp.count("write_final 1") == 0);
    CHECK(b.count("odoo_attempt where outcome is null") == 1);
}
