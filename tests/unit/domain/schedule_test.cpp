// When a periodic task runs, and what becomes of a delivery after an error.
#include "domain/delivery.hpp"
#include "domain/schedule.hpp"

#include "support/catch.hpp"

#include <random>
#include <set>

using namespace batchbridge::domain;
using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;
using batchbridge::core::duration;

namespace {

const time_point start = time_point(1h);

}  // namespace

TEST_CASE("a task runs when it is due and not before, and stays on its grid")
{
    const schedule_rule rule{5s};
    auto d = decide_run(rule, start, start - 1ns);
    CHECK_FALSE(d.run);
    CHECK(d.next_due == start);
    CHECK(d.merged == 0);
    d = decide_run(rule, start, start);
    CHECK(d.run);
    CHECK_FALSE(d.misfire);
    CHECK(d.merged == 0);
    CHECK(d.next_due == start + 5s);
    // A bit late: the next one is not.
    d = decide_run(rule, start, start + 100ms);
    CHECK(d.run);
    CHECK(d.next_due == start + 5s);
}

TEST_CASE("due at start means one run at once")
{
    const auto d = decide_run({60min}, start, start);
    CHECK(d.run);
    CHECK(d.next_due == start + 60min);
    CHECK_FALSE(decide_run({60min}, d.next_due, start + 1s).run);
}

TEST_CASE("missed runs are merged into one")
{
    const schedule_rule rule{5s};
    auto d = decide_run(rule, start, start + 4999ms);
    CHECK(d.merged == 0);
    d = decide_run(rule, start, start + 5s);
    CHECK(d.run);
    CHECK(d.merged == 1);
    CHECK(d.next_due == start + 10s);
    d = decide_run(rule, start, start + 23s);
    CHECK(d.merged == 4);
    CHECK(d.next_due == start + 25s);
    // A machine that slept for a year: one run, no loop over what was missed.
    d = decide_run(rule, start, start + 24h * 365);
    CHECK(d.run);
    CHECK(d.merged == 24u * 365 * 3600 / 5);
    CHECK(d.next_due == start + 24h * 365 + 5s);
}

TEST_CASE("a run that starts more than 30 s late is a misfire, and it still runs")
{
    for (const duration interval : {duration(5s), duration(60min)}) {
        auto d = decide_run({interval}, start, start + 30s);
        CHECK(d.run);
        CHECK_FALSE(d.misfire);
        d = decide_run({interval}, start, start + 30s + 1ns);
        CHECK(d.run);
        CHECK(d.misfire);
    }
    CHECK(decide_run({5s, 1s}, start, start + 2s).misfire);
}

TEST_CASE("however late it is, the next start lies ahead and on the grid")
{
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000; ++i) {
        const schedule_rule rule{std::chrono::milliseconds(1 + random() % 100000)};
        const auto now = start + std::chrono::milliseconds(random() % 10'000'000) - 1000s;
        const auto d = decide_run(rule, start, now);
        REQUIRE(d.run == (now >= start));
        REQUIRE((d.next_due - start) % rule.interval == duration::zero());
        if (!d.run) continue;
        REQUIRE(d.next_due > now);
        REQUIRE(d.next_due - now <= rule.interval);
        REQUIRE(start + rule.interval * static_cast<duration::rep>(d.merged + 1) == d.next_due);
    }
}

TEST_CASE("a failed run is repeated after 1 s, doubling to 1 min, never later than its next start")
{
    const schedule_rule rule{60min};
    const auto next = start + 60min;
    const duration expected[] = {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s};
    for (unsigned n = 0; n < std::size(expected); ++n) CHECK(decide_repeat(rule, n + 1, next, start) == start + expected[n]);
    CHECK(decide_repeat(rule, 4'000'000'000U, next, start) == start + 60s);
    CHECK(decide_repeat({5s}, 4, start + 5s, start) == start + 5s);
    CHECK(decide_repeat({5s}, 3, start + 5s, start) == start + 4s);
    CHECK(decide_repeat(rule, 7, start + 3s, start) == start + 3s);
}

TEST_CASE("each class of error has its decision (L-06)")
{
    CHECK(decide_delivery(error_class::retry) == delivery_step::back_off);
    CHECK(decide_delivery(error_class::park) == delivery_step::park);
    CHECK(decide_delivery(error_class::our_bug) == delivery_step::park);
    CHECK(decide_delivery(error_class::configuration) == delivery_step::wait_for_configuration);
    CHECK(decide_delivery(error_class::new_key) == delivery_step::wait_for_configuration);
    CHECK(decide_delivery(error_class::gone) == delivery_step::gone);
}

TEST_CASE("what the database holds about a delivery reads back as it was written")
{
    std::set<std::string_view> names;
    for (const auto k : {delivery_kind::finish, delivery_kind::cancel, delivery_kind::maintenance_request, delivery_kind::note, delivery_kind::webhook, delivery_kind::consumption}) {
        CHECK(delivery_kind_from(to_string(k)) == k);
        CHECK(names.insert(to_string(k)).second);
    }
    for (const auto s : {delivery_state::due, delivery_state::sending, delivery_state::sent, delivery_state::parked, delivery_state::discarded}) {
        CHECK(delivery_state_from(to_string(s)) == s);
        CHECK(names.insert(to_string(s)).second);
    }
    for (const char* bad : {"", "Finish", "finish ", "unknown"}) {
        CHECK_FALSE(delivery_kind_from(bad));
        CHECK_FALSE(delivery_state_from(bad));
    }
    CHECK(to_string(call_outcome::ok) == "ok");
    CHECK(to_string(call_outcome::rejected) == "rejected");
    CHECK(to_string(call_outcome::unclear) == "unclear");
    CHECK(to_string(call_outcome::not_sent) == "not_sent");
    // Priorities: finish first, live consumption last.
    CHECK(delivery_kind::finish < delivery_kind::cancel);
    CHECK(delivery_kind::webhook < delivery_kind::consumption);
}
