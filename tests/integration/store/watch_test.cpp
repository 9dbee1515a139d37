// What the order watch applies, and what it must not: all by the database's clock.
#include "store_bench.hpp"
#include "support/catch.hpp"

#include <fmt/format.h>

using namespace bb_test;
using namespace std::chrono_literals;
using domain::batch_state;
using domain::odoo_event;

namespace {

struct watch_bench : store_bench {
    watch_bench() { id = load(h, {1, 2}).front().id; }
    store::watch_picture look() { return await(db.watched({"line1"}, "odoo")); }
    static store::watched_batch first(const store::watch_picture& p) { return p.batches.at(0); }
    store::watch_finding finding(const store::watched_batch& w, odoo_event e = odoo_event::gone)
    {
        store::watch_finding f;
        f.event = e;
        f.decision = domain::decide_event(e, w.facts);
        f.why = "somebody did it";
        f.told = "told";
        if (f.decision.alert) f.alert = store::alert_note{"order_cancelled", w.batch.mo_id, "somebody did it"};
        return f;
    }
    bool apply(const store::watch_picture& p, odoo_event e = odoo_event::gone)
    {
        const auto w = first(p);
        const auto f = finding(w, e);
        return await(db.apply_watched(h, p.mark, w, 120s, f));
    }
    // An attempt for the first order; null outcome: its end is not known.
    void attempt(const std::string& started, const std::string& ended, const std::string& outcome, std::int64_t odoo_id = 1) const
    {
        change(fmt::format("with o as (insert into odoo_outbox (line, odoo_db, odoo_id, kind, state) values ('line1', 'odoo', {0}, 'note', 'sent') returning id) insert into odoo_attempt (line, outbox_id, odoo_db, odoo_id, version, "
                           "call, \"values\", epoch, started_at, ended_at, outcome) select 'line1', id, 'odoo', {0}, 1, 'post_note', '{{}}', 1, {1}, {2}, {3} from o",
                           odoo_id, started, ended, outcome));
    }
    std::int64_t id = 0;
};

}  // namespace

TEST_CASE("the watch sees every order of the line with its plan and its open deliveries")
{
    watch_bench b;
    const auto p = b.look();
    REQUIRE(p.batches.size() == 2);
    REQUIRE(p.batches[0].plan);
    CHECK(domain::difference(*p.batches[0].plan, domain::plan_of(order(1, 1).order.source)).empty());
    CHECK(b.await(b.db.watched({"line1"}, "another database")).batches.empty());
    b.complete(b.id, "10");
    const auto after = b.look();
    CHECK(after.batches[0].facts.finish == domain::delivery_state::due);
    CHECK(after.batches[0].facts.state == batch_state::completed);
    // A row from before plans were kept, or one that nobody understands.
    b.change("update mo_batch set plan = null where odoo_id = 1; update mo_batch set plan = '[1]' where odoo_id = 2");
    for (const auto& w : b.look().batches) CHECK_FALSE(w.plan);
}

TEST_CASE("an answer is applied with journal and mark, in one transaction")
{
    watch_bench b;
    CHECK(b.apply(b.look()));
    CHECK(b.batch(b.id).state == batch_state::cancelling);
    CHECK(b.batch(b.id).reason == "cancelled");
    CHECK(b.value(fmt::format("select odoo_event from mo_batch where id = {}", b.id)) == "told");
    CHECK(b.count("journal where what = 'watch.gone' and mo_id = 'WH/MO/00001'") == 1);
    CHECK(b.count("odoo_outbox") == 0);
}

TEST_CASE("an answer that an attempt of ours has overtaken changes nothing")
{
    watch_bench b;
    const auto p = b.look();
    const std::vector<std::array<std::string, 3>> overtakers{{"now()", "null", "null"},                                          // on its way
                                                             {"now()", "now()", "'ok'"},                                         // begun and ended since
                                                             {"now() - interval '10 seconds'", "now()", "'ok'"},                 // was on its way when Odoo was asked
                                                             {"now() - interval '100 seconds'", "now() - interval '90 seconds'", "null"}};   // may come through yet
    for (const auto& o : overtakers) {
        CAPTURE(o[0], o[1], o[2]);
        b.attempt(o[0], o[1], o[2]);
        const auto before = b.contents();
        CHECK_FALSE(b.apply(p));
        CHECK(b.contents() == before);
        b.change("delete from odoo_outbox");
    }
    // Of another order, or long before.
    b.attempt("now()", "null", "null", 2);
    const auto q = b.look();
    b.change("delete from odoo_attempt where odoo_id = 2");
    b.attempt("now() - interval '10 minutes'", "now() - interval '9 minutes'", "'ok'");
    b.attempt("now() - interval '121 seconds'", "null", "null");
    const auto r = b.look();
    b.attempt("now()", "null", "null", 2);
    CHECK_FALSE(b.apply(q));   // ids newer than its mark
    CHECK(b.apply(r));
}

TEST_CASE("an answer about a batch that has moved on changes nothing, the figures of a running one aside")
{
    watch_bench b;
    const auto loaded = b.look();
    b.dose(b.id, "5");
    CHECK_FALSE(b.apply(loaded));
    const auto running = b.look();
    b.dose(b.id, "6");
    CHECK(b.apply(running));
    CHECK(b.delivery_state(b.id, "consumption") == "discarded");
    CHECK(b.count("alert where kind = 'order_cancelled' and state = 'open'") == 1);
    b.set_state(b.id, batch_state::held);
    const auto held = b.look();
    b.change("update mo_batch set version = version + 1");
    CHECK_FALSE(b.apply(held));
    CHECK(b.count("mo_histories") == 0);
    CHECK(b.apply(b.look()));
    CHECK(b.count("mo_histories where status = 'cancelled' and notes = 'somebody did it'") == 1);
}

TEST_CASE("an attempt that begins while an answer is applied waits, and finds its row ended")
{
    watch_bench b;
    b.dose(b.id, "5");
    const auto p = b.look();
    const auto d = b.delivery(b.id, "consumption");
    outcome<bool> applied;
    outcome<std::optional<std::int64_t>> begun;
    const auto w = watch_bench::first(p);
    const auto f = b.finding(w);
    const boost::json::value nothing = boost::json::array();
    pg::connection gate(b.ioc.get_executor(), b.uri);
    b.hold_gate(gate, "select from odoo_outbox for update");
    b.start(b.db.apply_watched(b.h, p.mark, w, 120s, f), applied);
    b.start(b.other_db.begin_attempt(b.h, d, "write_consumption", nothing), begun);
    b.wait_for_waiting(2);
    b.await(gate.query("commit"));
    b.finish([&] { return applied.ended() && begun.ended(); });
    REQUIRE(applied.value);
    REQUIRE(begun.value);
    // Whoever was first: the other did nothing.
    CHECK(*applied.value != begun.value->has_value());
}

TEST_CASE("a parked finish is due at once, with its batch completed and its alert over")
{
    watch_bench b;
    b.complete(b.id, "10");
    b.await(b.db.park(b.h, b.delivery(b.id, "finish"), "refused"));
    REQUIRE(b.batch(b.id).state == batch_state::parked);
    CHECK(b.apply(b.look(), odoo_event::done));
    CHECK(b.batch(b.id).state == batch_state::completed);
    CHECK(b.delivery_state(b.id, "finish") == "due");
    CHECK(b.count("alert where kind = 'delivery_parked' and state <> 'resolved'") == 0);
}
