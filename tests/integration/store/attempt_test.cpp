// Attempts: what was sent, committed before its bytes, and what its end means for the order.
#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;
using domain::call_outcome;

namespace {

boost::json::value moves(std::int64_t id, const std::string& quantity)
{
    return boost::json::parse(fmt::format(R"([{{"move_id": {}, "quantity": "{}"}}])", id, quantity));
}

struct with_finish : store_bench {
    with_finish()
    {
        const auto batches = load(h, {1, 2});
        id = batches[0].id;
        complete(id, "10");
        finish = delivery(id, "finish");
        change(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind) values ('line1', 'odoo', 1, 'WH/MO/00001', {}, 'note'), ('line1', 'odoo', 2, '', null, 'note')", id));
    }
    std::int64_t begin() { return await(db.begin_attempt(h, finish, "write_final", boost::json::object())).value(); }
    std::string offered()
    {
        std::string out;
        for (const auto& d : due()) out += fmt::format("{} {}, ", domain::to_string(d.kind), d.odoo_id);
        return out;
    }
    void age(int seconds) const { change(fmt::format("update odoo_attempt set started_at = now() - interval '{} seconds'", seconds)); }
    std::int64_t id = 0;
    store::delivery finish;
};

}  // namespace

TEST_CASE("an attempt is committed with what is sent before it is sent, and its row says so")
{
    with_finish b;
    const auto values = boost::json::parse(R"({"produced": "10", "moves": []})");
    const auto attempt = b.await(b.db.begin_attempt(b.h, b.finish, "write_final", values));
    REQUIRE(attempt);
    CHECK(b.delivery_state(b.id, "finish") == "sending");
    CHECK(b.value(fmt::format("select call || ' ' || version || ' ' || epoch || ' ' || odoo_db || ' ' || odoo_id || ' ' || batch_id || ' ' || (\"values\" ->> 'produced') || ' ' || (outcome is null) from odoo_attempt where id = {}",
                              *attempt)) == fmt::format("write_final 1 {} odoo 1 {} 10 true", b.h.epoch, b.id));
}

TEST_CASE("an attempt without an outcome holds back its whole order until the wait has passed by the database's clock")
{
    with_finish b;
    CHECK(b.offered() == "finish 1, note 2, ");
    const auto attempt = b.begin();
    // A crash leaves it so; a time-out says so.
    for (const bool ended : {false, true}) {
        if (ended) b.await(b.db.end_attempt(b.h, attempt, call_outcome::unclear, "timeout"));
        b.age(0);
        CHECK(b.offered() == "note 2, ");
        b.age(100);
        CHECK(b.offered() == "note 2, ");
        b.age(121);
        CHECK(b.offered() == "finish 1, note 2, ");
    }
    CHECK(b.value("select (outcome is null) || ' ' || (ended_at is not null) from odoo_attempt") == "true true");
    // The row that was delivered meanwhile does not matter, the order does.
    b.age(0);
    b.change("update odoo_outbox set state = 'sent' where kind = 'finish'");
    CHECK(b.offered() == "note 2, ");
    b.age(121);
    CHECK(b.offered() == "note 1, note 2, ");
}

TEST_CASE("an attempt that was not sent, accepted or rejected holds nothing back")
{
    with_finish b;
    for (const auto outcome : {call_outcome::not_sent, call_outcome::ok, call_outcome::rejected}) {
        const auto attempt = b.begin();
        CHECK(b.offered() == "note 2, ");
        b.await(b.db.end_attempt(b.h, attempt, outcome, "said so"));
        CHECK(b.offered() == "finish 1, note 2, ");
        CHECK(b.value(fmt::format("select outcome from odoo_attempt where id = {}", attempt)) == domain::to_string(outcome));
        CHECK(b.count(fmt::format("journal where what = 'odoo.write_final' and answer = '{}: said so' and batch_id = {} and mo_id = 'WH/MO/00001'", domain::to_string(outcome), b.id)) == 1);
    }
}

TEST_CASE("an unclear attempt about no order holds back its own row only")
{
    store_bench b;
    b.change("insert into odoo_outbox (line, odoo_db, odoo_id, kind) values ('line1', 'odoo', 0, 'webhook'), ('line1', 'odoo', 0, 'webhook')");
    REQUIRE(b.due().size() == 2);
    const auto first = b.due()[0];
    REQUIRE(b.await(b.db.begin_attempt(b.h, first, "webhook", boost::json::object())));
    REQUIRE(b.due().size() == 1);
    CHECK(b.due()[0].id != first.id);
}

TEST_CASE("no attempt begins for another version, an ended row or a row of another line")
{
    with_finish b;
    const auto line2 = b.take("line2");
    auto other = b.finish;
    other.version += 1;
    const auto before = b.contents();
    CHECK_FALSE(b.await(b.db.begin_attempt(b.h, other, "write_final", boost::json::object())));
    CHECK_FALSE(b.await(b.db.begin_attempt(line2, b.finish, "write_final", boost::json::object())));
    CHECK(b.contents() == before);
    for (const std::string state : {"sent", "parked", "discarded"}) {
        b.change("update odoo_outbox set state = '" + state + "'");
        CHECK_FALSE(b.await(b.db.begin_attempt(b.h, b.finish, "write_final", boost::json::object())));
    }
    CHECK(b.count("odoo_attempt") == 0);
}

TEST_CASE("a consumption of a batch that has completed, was parked or is gone is discarded instead of sent")
{
    store_bench b;
    const auto batches = b.load(b.h, {1, 2, 3, 4});
    for (const auto& x : batches) b.dose(x.id, "5");
    b.change(fmt::format("update mo_batch set state = 'completed' where id = {}", batches[0].id));
    b.change(fmt::format("update mo_batch set state = 'parked' where id = {}", batches[1].id));
    b.change(fmt::format("delete from mo_batch where id = {}", batches[2].id));
    for (const int i : {0, 1, 2}) {
        const auto id = batches[static_cast<std::size_t>(i)].id;
        CHECK_FALSE(b.await(b.db.begin_attempt(b.h, b.delivery(id, "consumption"), "write_consumption", boost::json::array())));
        CHECK(b.delivery_state(id, "consumption") == "discarded");
    }
    CHECK(b.count("odoo_attempt") == 0);
    CHECK(b.await(b.db.begin_attempt(b.h, b.delivery(batches[3].id, "consumption"), "write_consumption", boost::json::array())));
}

TEST_CASE("what was ever sent for a batch is remembered unless it certainly did not leave us")
{
    with_finish b;
    CHECK_FALSE(b.await(b.db.standing_of(b.id)).value().facts.accepted);
    const auto try_once = [&](const std::string& call, const boost::json::value& values, call_outcome end) {
        const auto a = b.await(b.db.begin_attempt(b.h, b.finish, call, values)).value();
        b.await(b.db.end_attempt(b.h, a, end, ""));
    };
    try_once("write_final", boost::json::parse(R"({"produced": "1", "produced_from": "x", "moves": [{"move_id": 9, "quantity": "9"}]})"), call_outcome::not_sent);
    CHECK_FALSE(b.await(b.db.standing_of(b.id)).value().facts.accepted);
    CHECK(b.await(b.db.attempted_values("odoo", 1, b.id)).empty());
    try_once("write_consumption", moves(7, "1.5"), call_outcome::rejected);
    CHECK_FALSE(b.await(b.db.standing_of(b.id)).value().facts.accepted);
    try_once("mark_done", boost::json::object(), call_outcome::rejected);
    try_once("write_final", boost::json::parse(R"({"produced": "1", "produced_from": "x", "moves": [{"move_id": 8, "quantity": "2.5"}]})"), call_outcome::unclear);
    CHECK(b.await(b.db.standing_of(b.id)).value().facts.accepted);
    const std::vector<domain::move_value> sent{{8, kg("2.5")}, {7, kg("1.5")}};
    CHECK(b.await(b.db.attempted_values("odoo", 1, b.id)) == sent);
    CHECK(b.await(b.db.attempted_values("odoo", 2, b.id)).empty());
    CHECK(b.await(b.db.attempted_values("odoo", 1, b.id + 1)).empty());
}
