// What the pictures of a slot mean for its batch over the cycles.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/slot_follow.hpp"

namespace domain = batchbridge::domain;
using namespace example;
using namespace std::chrono_literals;
using domain::batch_state;
using domain::row_change;

namespace {

shown dosed(std::string_view a)
{
    shown s;
    s.actual = {{101, kg(a)}, {102, kg("0")}};
    return s;
}

shown ended(shown s, int manufacturing, int operation = 0)
{
    s.manufacturing = manufacturing;
    s.operation = operation;
    return s;
}

shown other_order()
{
    shown s;
    s.order = "WH/MO/00099";
    return s;
}

// A batch and its slot, followed cycle by cycle as the read cycle does it.
struct watch {
    domain::batch b = batch();
    domain::batch_memory memory;
    domain::words stale, picture;
    domain::follow_input in;
    std::vector<std::string> alerts, resolved;

    explicit watch(batch_state state = batch_state::loaded)
    {
        b.state = state;
        in.load_taken = true;
        in.now = std::chrono::steady_clock::time_point(1h);
    }

    std::optional<row_change> see(const shown& s, std::chrono::seconds later = 5s) { return see(image(s), later); }
    std::optional<row_change> see(const domain::words& now, std::chrono::seconds later = 5s)
    {
        in.fresh = now != picture;
        picture = now;
        in.now += later;
        const auto out = domain::follow_slot(map(), b, picture, stale, in, memory);
        for (const auto& a : out.alerts) alerts.push_back(a.kind);
        resolved.insert(resolved.end(), out.resolved.begin(), out.resolved.end());
        if (!out.change) return std::nullopt;
        b.state = out.change->state;
        b.reason = out.change->reason;
        if (!out.change->keep_picture) b.raw = picture;
        if (out.change->values_changed) {
            b.actual = out.reading.quantities;
            b.weight = out.reading.weight;
            b.status_manufacturing = out.reading.status_manufacturing == 1;
            b.status_operation = out.reading.status_operation == 1;
        }
        return out.change;
    }
};

}  // namespace

TEST_CASE("a batch runs from its first actual, owes live consumption, and completes once with a finish and an acknowledgement (L-01, L-35)")
{
    watch w;
    CHECK_FALSE(w.see(dosed("0")));
    const auto first = w.see(dosed("10"));
    REQUIRE(first);
    CHECK(first->state == batch_state::running);
    CHECK(first->owe == row_change::delivery::consumption);
    CHECK_FALSE(first->acknowledge);
    CHECK_FALSE(w.see(dosed("10")));
    const auto end = w.see(ended(dosed("12"), 1));
    REQUIRE(end);
    CHECK(end->state == batch_state::completed);
    CHECK(end->owe == row_change::delivery::finish);
    CHECK(end->acknowledge);
    CHECK_FALSE(w.see(ended(dosed("13"), 1)));
    CHECK(w.alerts.empty());
}

TEST_CASE("a batch that finished between two reads completes from what it never showed running (L-01)")
{
    watch w;
    const auto end = w.see(ended(dosed("12"), 1));
    REQUIRE(end);
    CHECK(end->state == batch_state::completed);
    CHECK(end->owe == row_change::delivery::finish);
}

TEST_CASE("without live consumption only the finish is owed")
{
    watch w;
    w.in.live = false;
    CHECK(w.see(dosed("10"))->owe == row_change::delivery::none);
    CHECK(w.see(ended(dosed("12"), 1))->owe == row_change::delivery::finish);
}

TEST_CASE("a batch that the PLC gave up is held at the third equal read and dosing on revives it")
{
    watch w(batch_state::running);
    CHECK_FALSE(w.see(ended(dosed("10"), 0, 1)));
    CHECK_FALSE(w.see(ended(dosed("10"), 0, 1)));
    const auto held = w.see(ended(dosed("10"), 0, 1));
    REQUIRE(held);
    CHECK(held->state == batch_state::held);
    CHECK(held->acknowledge);
    CHECK(w.alerts == std::vector<std::string>{"held"});
    CHECK_FALSE(w.see(ended(dosed("10"), 0, 1)));
    const auto again = w.see(dosed("11"));
    REQUIRE(again);
    CHECK(again->state == batch_state::running);
    CHECK(again->reason.empty());
}

TEST_CASE("a failure that moves on between the reads is no failure yet")
{
    watch w(batch_state::running);
    for (const auto* kilograms : {"10", "11", "12", "13"}) CHECK_FALSE(w.see(ended(dosed(kilograms), 0, 1)));
}

TEST_CASE("two rows that share a slot are counted apart")
{
    watch held(batch_state::held), next(batch_state::running);
    held.b.order_key = "WH/MO/00001";
    for (int i = 0; i < 2; ++i) {
        CHECK_FALSE(next.see(ended(dosed("10"), 0, 1)));
        CHECK_FALSE(held.see(ended(dosed("10"), 0, 1)));
    }
    REQUIRE(next.see(ended(dosed("10"), 0, 1)));
    CHECK(next.b.state == batch_state::held);
    CHECK(held.alerts.empty());
}

TEST_CASE("a batch is lost after three cycles and 30 seconds with another order, and comes back with its slot (L-34)")
{
    watch w(batch_state::running);
    w.b.actual = {{101, kg("7")}};
    CHECK_FALSE(w.see(other_order(), 1s));
    CHECK_FALSE(w.see(other_order(), 1s));
    CHECK_FALSE(w.see(other_order(), 1s));
    CHECK_FALSE(w.see(other_order(), 27s));
    const auto lost = w.see(other_order(), 1s);
    REQUIRE(lost);
    CHECK(lost->state == batch_state::lost);
    CHECK(lost->keep_picture);
    CHECK_FALSE(lost->values_changed);
    CHECK(w.b.actual.at(101) == kg("7"));
    CHECK(w.alerts == std::vector<std::string>{"lost"});
    CHECK_FALSE(w.see(other_order()));
    CHECK(w.see(dosed("8"))->state == batch_state::running);
}

TEST_CASE("nothing is lost while the slot is empty, or before the PLC has taken the load")
{
    watch empty(batch_state::running), waiting;
    waiting.in.load_taken = false;
    const auto nothing = domain::empty_slot(map());
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(empty.see(nothing, 20s));
        CHECK_FALSE(waiting.see(other_order(), 20s));
    }
}

TEST_CASE("final figures that cannot be are held at the third cycle, with the stored figures kept (L-28)")
{
    watch w(batch_state::running);
    w.b.actual = {{101, kg("20")}};
    CHECK_FALSE(w.see(ended(dosed("10"), 1)));
    CHECK_FALSE(w.see(ended(dosed("10"), 1)));
    const auto held = w.see(ended(dosed("10"), 1));
    REQUIRE(held);
    CHECK(held->state == batch_state::held);
    CHECK_FALSE(held->values_changed);
    CHECK(held->acknowledge);
    CHECK(w.b.actual.at(101) == kg("20"));
    CHECK(w.alerts == std::vector<std::string>{"implausible", "held"});
}

TEST_CASE("an implausible slot is told once however it moves, and resolved when it is plausible again")
{
    watch w(batch_state::running);
    w.b.actual = {{101, kg("20")}};
    for (const auto* kilograms : {"10", "11", "12"}) CHECK_FALSE(w.see(dosed(kilograms)));
    CHECK(w.alerts == std::vector<std::string>{"implausible"});
    CHECK(w.resolved.empty());
    CHECK(w.see(dosed("21")));
    CHECK(w.resolved == std::vector<std::string>{"implausible"});
}

TEST_CASE("a held batch that doses on in a slot that another batch has by now keeps its state and takes the figures")
{
    watch w(batch_state::held);
    w.b.reason = "failed";
    w.in.slot_taken = true;
    const auto change = w.see(dosed("10"));
    REQUIRE(change);
    CHECK(change->state == batch_state::held);
    CHECK(change->reason == "failed");
    CHECK(change->values_changed);
    CHECK(w.see(ended(dosed("12"), 1))->state == batch_state::completed);
}

TEST_CASE("both status words mean completed, and are told")
{
    watch w(batch_state::running);
    CHECK(w.see(ended(dosed("10"), 1, 1))->state == batch_state::completed);
    CHECK(w.alerts == std::vector<std::string>{"both_status"});
}

TEST_CASE("an order taken out ends after two quiet cycles once its load has nothing left and its slot is blank")
{
    for (const auto& [reason, status] : std::map<std::string, domain::history_status>{{"cancelled", domain::history_status::cancelled}, {"reset", domain::history_status::reset}, {"discarded", domain::history_status::discarded}, {"plan_changed", domain::history_status::reset}}) {
        watch w(batch_state::cancelling);
        w.b.reason = reason;
        // Cycles before the blanking say nothing: the PLC may have started it since.
        for (int i = 0; i < 5; ++i) CHECK_FALSE(domain::end_of_cancelling(w.b, false, w.memory));
        w.b.disarmed = true;
        CHECK_FALSE(domain::end_of_cancelling(w.b, false, w.memory));
        // The load is busy again: the cycles count anew.
        CHECK_FALSE(domain::end_of_cancelling(w.b, true, w.memory));
        CHECK_FALSE(domain::end_of_cancelling(w.b, false, w.memory));
        // An actual that cannot be is an actual all the same.
        auto doubtful = w;
        CHECK_FALSE(doubtful.see(dosed("9999")));
        CHECK_FALSE(domain::end_of_cancelling(doubtful.b, false, doubtful.memory));
        const auto end = domain::end_of_cancelling(w.b, false, w.memory);
        REQUIRE(end);
        CHECK(end->status == status);
        CHECK_FALSE(end->material_used);
    }
}

TEST_CASE("a cancelled order that the PLC made all the same ends as cancelled with its figures")
{
    watch w(batch_state::cancelling);
    w.b.reason = "cancelled";
    const auto change = w.see(dosed("10"));
    REQUIRE(change);
    CHECK(change->state == batch_state::cancelling);
    CHECK(change->reason == "cancelled");
    CHECK(change->owe == row_change::delivery::none);
    w.b.disarmed = true;
    for (int i = 0; i < 5; ++i) CHECK_FALSE(domain::end_of_cancelling(w.b, false, w.memory));
    auto finished = w;
    const auto end = finished.see(ended(dosed("12"), 1));
    REQUIRE(end);
    CHECK(end->owe == row_change::delivery::none);
    CHECK(end->acknowledge);
    const auto archived = domain::end_of_cancelling(finished.b, true, finished.memory);
    REQUIRE(archived);
    CHECK(archived->status == domain::history_status::cancelled);
    CHECK(archived->material_used);
    // Or it never ends there: another order is in its slot, or the PLC lost its memory.
    for (const auto& after : {image(other_order()), domain::empty_slot(map())}) {
        auto left = w;
        for (int i = 0; i < 3; ++i) CHECK_FALSE(left.see(after, 5s));
        CHECK_FALSE(domain::end_of_cancelling(left.b, false, left.memory));
        CHECK_FALSE(left.see(after, 30s));
        const auto gone = domain::end_of_cancelling(left.b, false, left.memory);
        REQUIRE(gone);
        CHECK(gone->status == domain::history_status::cancelled);
        CHECK(gone->material_used);
    }
}

TEST_CASE("an order taken out but not gone in Odoo that the PLC makes is an ordinary batch again")
{
    for (const std::string reason : {"reset", "plan_changed", "discarded"}) {
        CAPTURE(reason);
        watch w(batch_state::cancelling);
        w.b.reason = reason;
        w.b.disarmed = true;
        auto at_once = w, failed = w, impossible = w, untouched = w;
        // While it is dosed, and when it is ended: its figures are booked.
        const auto change = w.see(dosed("10"));
        REQUIRE(change);
        CHECK(change->state == batch_state::running);
        CHECK(change->reason.empty());
        CHECK(change->owe == row_change::delivery::consumption);
        const auto end = w.see(ended(dosed("12"), 1));
        REQUIRE(end);
        CHECK(end->state == batch_state::completed);
        CHECK(end->owe == row_change::delivery::finish);
        CHECK(at_once.see(ended(dosed("12"), 1))->state == batch_state::completed);
        // What the PLC gave up, or cannot have made, is held for a person.
        for (int i = 0; i < 2; ++i) CHECK_FALSE(failed.see(ended(dosed("5"), 0, 1)));
        const auto held = failed.see(ended(dosed("5"), 0, 1));
        REQUIRE(held);
        CHECK(held->state == batch_state::held);
        for (int i = 0; i < 2; ++i) CHECK_FALSE(impossible.see(ended(dosed("9999"), 1)));
        CHECK(impossible.see(ended(dosed("9999"), 1))->state == batch_state::held);
        // An end without any figure is none.
        untouched.see(ended(dosed("0"), 0, 1));
        CHECK(untouched.b.state == batch_state::cancelling);
    }
}

TEST_CASE("slot 1 of the WRITE area tells whether a load was armed, is offered, or is taken")
{
    domain::slot_reading r;
    CHECK(domain::judge_offer(r, "WH/MO/00014") == domain::offer::not_armed);
    r.mo_id = "WH/MO/00013";
    r.status_read_data = 1;
    CHECK(domain::judge_offer(r, "WH/MO/00014") == domain::offer::not_armed);
    r.mo_id = "WH/MO/00014";
    CHECK(domain::judge_offer(r, "WH/MO/00014") == domain::offer::taken);
    r.status_read_data = 0;
    CHECK(domain::judge_offer(r, "WH/MO/00014") == domain::offer::offered);
}

TEST_CASE("an order taken out that the PLC ended with impossible figures is acknowledged and ends as cancelled, with the alert that material was used")
{
    watch w(batch_state::cancelling);
    w.b.reason = "cancelled";
    w.b.disarmed = true;
    w.b.actual = {{101, kg("20")}};
    for (int i = 0; i < 2; ++i) {
        CHECK_FALSE(w.see(ended(dosed("10"), 1)));
        CHECK_FALSE(domain::end_of_cancelling(w.b, false, w.memory));
    }
    const auto change = w.see(ended(dosed("10"), 1));
    REQUIRE(change);
    CHECK(change->acknowledge);
    CHECK_FALSE(change->values_changed);
    CHECK(change->state == batch_state::cancelling);
    CHECK_FALSE(w.see(ended(dosed("10"), 1)));
    const auto end = domain::end_of_cancelling(w.b, false, w.memory);
    REQUIRE(end);
    CHECK(end->status == domain::history_status::cancelled);
    CHECK(end->material_used);
    // Also when nothing was stored before.
    watch fresh(batch_state::cancelling);
    fresh.b.reason = "cancelled";
    fresh.b.disarmed = true;
    for (int i = 0; i < 3; ++i) fresh.see(ended(dosed("9999"), 1));
    CHECK(domain::end_of_cancelling(fresh.b, false, fresh.memory)->material_used);
}

TEST_CASE("a change to held that could not be stored is asked for again")
{
    watch w(batch_state::running);
    w.b.actual = {{101, kg("20")}};
    const auto before = w.b;
    for (int i = 0; i < 3; ++i) w.see(ended(dosed("10"), 1));
    CHECK(w.b.state == batch_state::held);
    w.b = before;
    const auto again = w.see(ended(dosed("10"), 1));
    REQUIRE(again);
    CHECK(again->state == batch_state::held);
}

TEST_CASE("a batch whose load the PLC has not taken has no figures, whatever its slot shows")
{
    watch w;
    w.in.load_taken = false;
    w.in.load_open = true;
    CHECK_FALSE(w.see(dosed("10")));
    for (int i = 0; i < 5; ++i) CHECK_FALSE(w.see(ended(dosed("12"), 1)));
    CHECK_FALSE(w.see(ended(dosed("12"), 0, 1)));
    CHECK(w.alerts.empty());
    w.in.load_taken = true;
    w.in.load_open = false;
    CHECK(w.see(dosed("1"))->state == batch_state::running);
}

TEST_CASE("a lost batch whose slot is back with the very figures it had is not lost")
{
    watch w(batch_state::running);
    REQUIRE(w.see(dosed("7")));
    for (int i = 0; i < 4; ++i) w.see(other_order(), 20s);
    REQUIRE(w.b.state == batch_state::lost);
    const auto back = w.see(dosed("7"));
    REQUIRE(back);
    CHECK(back->state == batch_state::running);
    CHECK_FALSE(back->values_changed);
}

TEST_CASE("a running batch whose slot is cleared while its recipe stands is lost, a waiting one is not")
{
    watch running(batch_state::running), waiting;
    running.in.recipe_stands = waiting.in.recipe_stands = true;
    const auto nothing = domain::empty_slot(map());
    for (int i = 0; i < 3; ++i) CHECK_FALSE(running.see(nothing, 10s));
    const auto lost = running.see(nothing, 10s);
    REQUIRE(lost);
    CHECK(lost->state == batch_state::lost);
    CHECK(lost->reason.find("shows nothing") != std::string::npos);
    for (int i = 0; i < 6; ++i) CHECK_FALSE(waiting.see(nothing, 10s));
}

TEST_CASE("the image from before the load is stale until the slot has shown the batch, and another order after that (L-34)")
{
    watch w, waiting;
    w.stale = waiting.stale = image(other_order());
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(w.see(other_order(), 3600s));
        CHECK_FALSE(waiting.see(other_order(), 3600s));
    }
    REQUIRE(w.see(dosed("7")));
    // The PLC went back to what it had before.
    for (int i = 0; i < 3; ++i) CHECK_FALSE(w.see(other_order(), 10s));
    REQUIRE(w.see(other_order(), 10s));
    CHECK(w.b.state == batch_state::lost);
    // An earlier run of the same order is never taken for this one.
    watch again;
    again.stale = image(ended(dosed("600"), 1));
    REQUIRE(again.see(dosed("7")));
    for (int i = 0; i < 5; ++i) CHECK_FALSE(again.see(ended(dosed("600"), 1), 20s));
    CHECK(again.b.state == batch_state::running);
}

TEST_CASE("a slot that keeps its old content for hours changes no row, and starts one as soon as it differs")
{
    watch w;
    w.stale = image(ended(dosed("600"), 1));
    auto flagged = w.stale;
    for (int hours = 0; hours < 10; ++hours) {
        flagged[76] ^= 1;
        CHECK_FALSE(w.see(flagged, 3600s));
    }
    CHECK(w.alerts.empty());
    CHECK(w.see(dosed("0.01"))->state == batch_state::running);
}

TEST_CASE("a held batch that is still given up takes figures that fall after the status, and is told once")
{
    watch w(batch_state::running);
    for (int i = 0; i < 3; ++i) w.see(ended(dosed("10"), 0, 1));
    REQUIRE(w.b.state == batch_state::held);
    for (int i = 0; i < 2; ++i) CHECK_FALSE(w.see(ended(dosed("10.5"), 0, 1)));
    const auto change = w.see(ended(dosed("10.5"), 0, 1));
    REQUIRE(change);
    CHECK(change->state == batch_state::held);
    CHECK(change->owe == row_change::delivery::none);
    CHECK(w.b.actual.at(101) == kg("10.5"));
    CHECK(w.alerts == std::vector<std::string>{"held"});
}

TEST_CASE("a failure that is taken back before three equal reads never was one")
{
    watch w(batch_state::running);
    REQUIRE(w.see(dosed("10")));
    for (int i = 0; i < 4; ++i) {
        CHECK_FALSE(w.see(ended(dosed("10"), 0, 1)));
        CHECK_FALSE(w.see(ended(dosed("10"), 0, 1)));
        CHECK_FALSE(w.see(dosed("10")));
    }
    CHECK(w.b.state == batch_state::running);
    CHECK(w.alerts.empty());
}

TEST_CASE("a real scale wobbles: falls of up to a kilogram are corrections and stored, however many (L-31)")
{
    watch w(batch_state::running);
    for (const auto* kilograms : {"100", "99.2", "99.9", "98.9", "98", "99"}) {
        const auto change = w.see(dosed(kilograms));
        REQUIRE(change);
        CHECK(change->values_changed);
        CHECK(w.b.actual.at(101) == kg(kilograms));
    }
    CHECK_FALSE(w.see(dosed("97.99")));
    CHECK(w.b.actual.at(101) == kg("99"));
    CHECK(w.alerts == std::vector<std::string>{"implausible"});
    // The weight is no silo: a scale that is emptied falls to 0.
    auto weighed = dosed("99");
    weighed.weight = "99.5";
    CHECK(w.see(weighed));
    weighed.weight = "0";
    CHECK(w.see(weighed));
}

TEST_CASE("status words that cannot be and values above a silo's maximum change nothing, and pass (L-28)")
{
    watch w(batch_state::running);
    REQUIRE(w.see(dosed("10")));
    for (const auto& bad : {ended(dosed("11"), 7), ended(dosed("11"), 0, 65535), dosed("5000.01"), dosed("-0.01")}) {
        w.alerts.clear();
        w.resolved.clear();
        for (int i = 0; i < 5; ++i) CHECK_FALSE(w.see(bad));
        CHECK(w.alerts == std::vector<std::string>{"implausible"});
        // Back to the very picture that is stored: the alert ends with its cause.
        CHECK_FALSE(w.see(dosed("10")));
        CHECK(w.resolved == std::vector<std::string>{"implausible"});
        CHECK(w.b.state == batch_state::running);
    }
}

TEST_CASE("the alert of an earlier process about impossible figures ends with them")
{
    watch w(batch_state::running);
    w.in.told_implausible = true;
    REQUIRE(w.see(dosed("10")));
    CHECK(w.resolved == std::vector<std::string>{"implausible"});
    // Held for what still stands there: the alert about that says why.
    watch held(batch_state::held);
    held.b.raw = image(ended(dosed("9999"), 1));
    held.in.told_implausible = true;
    CHECK_FALSE(held.see(ended(dosed("9999"), 1)));
    CHECK(held.resolved == std::vector<std::string>{"implausible"});
}

TEST_CASE("a batch that is held with impossible figures and doses on is again what its slot says")
{
    watch w(batch_state::running);
    w.b.actual = {{101, kg("20")}};
    for (int i = 0; i < 3; ++i) w.see(ended(dosed("9999"), 1));
    REQUIRE(w.b.state == batch_state::held);
    CHECK(w.see(dosed("21"))->state == batch_state::running);
    for (int i = 0; i < 3; ++i) w.see(ended(dosed("9999"), 1));
    REQUIRE(w.b.state == batch_state::held);
    const auto end = w.see(ended(dosed("22"), 1));
    REQUIRE(end);
    CHECK(end->state == batch_state::completed);
    CHECK(end->owe == row_change::delivery::finish);
}

TEST_CASE("a batch that waits behind an earlier order of ours is not lost, one behind a foreign order is")
{
    watch behind_ours, behind_foreign;
    behind_ours.in.shows_past = true;
    for (int i = 0; i < 5; ++i) CHECK_FALSE(behind_ours.see(other_order(), 20s));
    for (int i = 0; i < 2; ++i) CHECK_FALSE(behind_foreign.see(other_order(), 20s));
    CHECK(behind_foreign.see(other_order(), 20s)->state == batch_state::lost);
    // Once it has begun, its slot belongs to it.
    watch begun(batch_state::running);
    begun.in.shows_past = true;
    for (int i = 0; i < 2; ++i) CHECK_FALSE(begun.see(other_order(), 20s));
    CHECK(begun.see(other_order(), 20s)->state == batch_state::lost);
}

TEST_CASE("a held batch that goes on and ends with impossible figures is acknowledged for that end too (L-36)")
{
    watch w(batch_state::running);
    w.b.actual = {{101, kg("20")}};
    for (int i = 0; i < 3; ++i) w.see(ended(dosed("10"), 0, 1));
    REQUIRE(w.b.state == batch_state::held);
    // The mill cleared the fault, the figures stayed low.
    for (int i = 0; i < 5; ++i) CHECK_FALSE(w.see(dosed("11")));
    for (int i = 0; i < 2; ++i) CHECK_FALSE(w.see(ended(dosed("12"), 1)));
    const auto again = w.see(ended(dosed("12"), 1));
    REQUIRE(again);
    CHECK(again->state == batch_state::held);
    CHECK(again->acknowledge);
    CHECK_FALSE(again->values_changed);
    for (int i = 0; i < 5; ++i) CHECK_FALSE(w.see(ended(dosed("12"), 1)));
}
