// What a slot means that shows an order which no row follows there.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/slot_stranger.hpp"

namespace domain = batchbridge::domain;
using namespace example;
using namespace std::chrono_literals;
using domain::known_order;

namespace {

shown made(std::string_view a, int manufacturing = 1, int read_data = 1)
{
    shown s;
    s.actual = {{101, kg(a)}};
    s.manufacturing = manufacturing;
    s.read_data = read_data;
    return s;
}

// The order of `s`, over for us with just these figures.
known_order over(const shown& s, bool with_picture = true)
{
    known_order out;
    out.what = known_order::kind::ended;
    out.batch_id = 7;
    out.mo_id = s.order;
    out.slot = s.slot;
    out.ended_by_plc = s.manufacturing == 1 || s.operation == 1;
    out.actual = s.actual;
    out.weight = kg(s.weight);
    if (with_picture) out.raw = image(s);
    return out;
}

struct watch {
    known_order known;
    domain::stranger_memory memory;
    domain::stranger_input in;

    explicit watch(known_order k = {}) : known(std::move(k))
    {
        in.slot = 3;
        in.now = std::chrono::steady_clock::time_point(1h);
    }
    domain::stranger_result see(const shown& s, std::chrono::seconds later = 5s) { return see(image(s), later); }
    domain::stranger_result see(const domain::words& w, std::chrono::seconds later = 5s)
    {
        in.now += later;
        return domain::judge_stranger(map(), w, known, in, memory);
    }
};

std::vector<std::string> kinds(const domain::stranger_result& r)
{
    std::vector<std::string> out;
    for (const auto& a : r.alerts) out.push_back(a.kind);
    return out;
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("an order that was never loaded is alerted in the third cycle, as long as it stands there (L-34)")
{
    watch w;
    const auto s = made("12.5", 0, 0);
    CHECK(w.see(s).alerts.empty());
    CHECK(w.see(s).alerts.empty());
    const auto third = w.see(s);
    REQUIRE(kinds(third) == names{"unknown_order"});
    CHECK(third.alerts[0].subject == "slot 3 WH/MO/00014");
    CHECK(third.alerts[0].text == "slot 3 shows order 'WH/MO/00014', which was never loaded here (12.5 kg dosed, not ended)");
    CHECK(kinds(w.see(made("13", 0, 0))) == names{"unknown_order"});
    CHECK(w.see(domain::empty_slot(map())).alerts.empty());
    // Back again: it counts anew, and another order counts for itself.
    CHECK(w.see(s).alerts.empty());
    CHECK(w.see(s).alerts.empty());
    auto other = s;
    other.order = "WH/MO/00015";
    CHECK(w.see(other).alerts.empty());
    CHECK_FALSE(third.owes_acknowledgement);
}

TEST_CASE("an unknown order is never acknowledged, ended or not")
{
    watch w;
    for (int i = 0; i < 5; ++i) CHECK_FALSE(w.see(made("12.5", 1, 0), 61s).owes_acknowledgement);
}

TEST_CASE("what stood in a slot before the present load is not told, unless it was told before")
{
    watch w;
    w.in.stale = true;
    for (int i = 0; i < 10; ++i) CHECK(w.see(made("12.5")).alerts.empty());
    w.in.stale = false;
    CHECK(kinds(w.see(made("12.6"))) == names{"unknown_order"});
    w.in.stale = true;
    CHECK(kinds(w.see(made("12.6"))) == names{"unknown_order"});
}

TEST_CASE("an order of another slot is told as such (L-34)")
{
    watch w;
    w.known.what = known_order::kind::elsewhere;
    w.known.slot = 5;
    for (int i = 0; i < 2; ++i) CHECK(w.see(made("1", 0, 0)).alerts.empty());
    const auto third = w.see(made("1", 0, 0));
    REQUIRE(kinds(third) == names{"misplaced_order"});
    CHECK(third.alerts[0].text == "slot 3 shows order 'WH/MO/00014' as batch 3, which was loaded into slot 5 (1 kg dosed, not ended): nothing of it is stored");
}

TEST_CASE("an order from history with its own figures is normal")
{
    const auto s = made("12.5");
    for (const bool with_picture : {true, false}) {
        watch w(over(s, with_picture));
        for (int i = 0; i < 5; ++i) {
            const auto r = w.see(s);
            CHECK(r.alerts.empty());
            CHECK_FALSE(r.owes_acknowledgement);
        }
    }
    // One that a person completed with other figures than the PLC's: what the PLC shows is what was seen then.
    auto corrected = over(made("9999"));
    corrected.actual = {{101, kg("12")}};
    CHECK(watch(corrected).see(made("9999")).alerts.empty());
}

TEST_CASE("an order from history that doses again is alerted at once, and no longer when it stands as it was")
{
    watch w(over(made("12.5")));
    const auto again = w.see(made("12.6", 0, 0));
    REQUIRE(kinds(again) == names{"doses_again"});
    CHECK(again.alerts[0].text == "slot 3: WH/MO/00014 is over for us and the PLC doses it again: silo 101: 12.6 kg, stored 12.5 kg. Nothing of it is stored or sent");
    CHECK_FALSE(again.owes_acknowledgement);
    // From the start: not above what was archived, but made again all the same.
    CHECK(kinds(w.see(made("1", 0, 0))) == names{"doses_again"});
    CHECK(w.see(made("0", 0, 0)).alerts.empty());
    CHECK(w.see(made("12.5")).alerts.empty());
    // One that was taken out before the PLC began it, and that the PLC makes all the same.
    watch reset(over(made("0", 0, 0)));
    CHECK(reset.see(made("0", 0, 0)).alerts.empty());
    CHECK(kinds(reset.see(made("0.01", 0, 0))) == names{"doses_again"});
    // One that was given up with what it had shows just that.
    watch failed(over(made("12.5", 0, 0)));
    CHECK(failed.see(made("12.5", 0, 1)).alerts.empty());
}

TEST_CASE("an ended order with other figures than the stored ones is alerted with both (L-35, L-36)")
{
    watch w(over(made("12.5")));
    auto s = made("12.4", 1, 0);
    s.weight = "20";
    const auto r = w.see(s);
    REQUIRE(kinds(r) == names{"changed_after_end"});
    CHECK(r.alerts[0].text == "slot 3: WH/MO/00014 ended with other figures than the stored ones: silo 101: 12.4 kg, stored 12.5 kg; weight 20 kg, stored 0 kg. Nothing of it is stored or sent");
    CHECK(r.owes_acknowledgement);
}

TEST_CASE("an ended order of ours without its acknowledgement is owed one, at most once a minute, and a PLC that cannot keep it is told of (L-36)")
{
    watch w(over(made("12.5")));
    const auto forgotten = made("12.5", 1, 0);
    CHECK(w.see(forgotten).owes_acknowledgement);
    CHECK_FALSE(w.see(forgotten).owes_acknowledgement);
    CHECK_FALSE(w.see(made("12.5")).owes_acknowledgement);
    CHECK_FALSE(w.see(forgotten, 40s).owes_acknowledgement);
    CHECK(w.see(forgotten, 20s).owes_acknowledgement);
    const auto third = w.see(forgotten, 60s);
    CHECK(third.owes_acknowledgement);
    CHECK(kinds(third) == names{"acknowledgement_lost"});
    CHECK(kinds(w.see(made("12.5"))) == names{"acknowledgement_lost"});
    auto next = made("0", 0, 0);
    next.order = "WH/MO/00015";
    CHECK(w.see(next).alerts.empty());
    // The PLC gave it up: the same.
    auto failed = made("5", 0, 0);
    failed.operation = 1;
    CHECK(watch(over(failed)).see(failed).owes_acknowledgement);
    // Not ended, or acknowledged.
    CHECK_FALSE(watch(over(made("12.5"))).see(made("12.5", 0, 0)).owes_acknowledgement);
}

TEST_CASE("an ended order of ours in a slot that it was not loaded into is misplaced and not acknowledged (L-34)")
{
    auto known = over(made("12.5"));
    known.slot = 5;
    watch w(known);
    for (int i = 0; i < 2; ++i) CHECK(w.see(made("12.5", 1, 0)).alerts.empty());
    const auto third = w.see(made("12.5", 1, 0));
    CHECK(kinds(third) == names{"misplaced_order"});
    CHECK_FALSE(third.owes_acknowledgement);
    // An earlier run left it there, before the present load.
    watch before(known);
    before.in.stale = true;
    for (int i = 0; i < 5; ++i) CHECK(before.see(made("12.5", 1, 0)).alerts.empty());
}
