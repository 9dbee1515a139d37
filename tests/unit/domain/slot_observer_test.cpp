// Which of several reads of a slot is the picture that counts.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/slot_observer.hpp"

namespace domain = batchbridge::domain;
using namespace example;
using step = domain::slot_observer::step;
using domain::words;

namespace {

words dosed(std::string_view a, std::string_view b = "0", int manufacturing = 0)
{
    shown s;
    s.actual = {{101, kg(a)}, {102, kg(b)}};
    s.manufacturing = manufacturing;
    return image(s);
}

struct outcome {
    step last = step::again;
    std::size_t reads = 0;
    words image;
};

// What comes of these reads against a stored picture.
outcome observe(const words& stored, const std::vector<words>& reads)
{
    domain::slot_observer o(map(), stored);
    outcome out;
    for (const auto& r : reads) {
        ++out.reads;
        out.last = o.add(r);
        if (out.last != step::again) break;
    }
    out.image = o.image();
    return out;
}

// A 32-bit value read while the PLC wrote it: the high word of one instant, the low word of the other.
words torn(words high, const words& low)
{
    const auto at = static_cast<std::size_t>(map().find_silo(101)->quantity.at);
    high[at + 1] = low[at + 1];
    return high;
}

}  // namespace

TEST_CASE("a slot that stands as it was takes one read, a changed one two")
{
    const auto stored = dosed("10");
    CHECK(observe(stored, {stored}).last == step::unchanged);
    const auto changed = observe(stored, {dosed("11"), dosed("11")});
    CHECK(changed.last == step::accepted);
    CHECK(changed.reads == 2);
    CHECK(changed.image == dosed("11"));
    CHECK(observe({}, {stored, stored}).last == step::accepted);
}

TEST_CASE("while it is dosed a read counts that lies between two others, or is seen twice (L-31)")
{
    const auto stored = dosed("10");
    auto o = observe(stored, {dosed("11"), dosed("12", "1"), dosed("13", "1"), dosed("14", "1")});
    CHECK(o.last == step::accepted);
    CHECK(o.reads == 3);
    CHECK(o.image == dosed("12", "1"));
    CHECK(observe(stored, {dosed("11"), dosed("12"), dosed("12")}).image == dosed("12"));
    // Its end is not dosing: it is read twice.
    CHECK(observe(stored, {dosed("11"), dosed("12"), dosed("12", "0", 1), dosed("12", "0", 1)}).image == dosed("12", "0", 1));
    // Neither is a fall behind it.
    CHECK(observe(stored, {dosed("11"), dosed("12"), dosed("11.5"), dosed("11.4")}).last == step::inconsistent);
}

TEST_CASE("a quantity that jumps by more than a tear is wide is not believed with its old high word (L-31)")
{
    // Written once, when the silo is done: 2612.89 -> 3274.92 kg, torn to 2619.56.
    const auto before = dosed("2612.89"), after = dosed("3274.92");
    const auto bad = torn(before, after);
    REQUIRE(domain::decode_slot(map(), bad).quantities.at(101) == kg("2619.56"));
    const auto o = observe(dosed("2600"), {before, bad, after, after});
    CHECK(o.last == step::accepted);
    CHECK(o.image == after);
    CHECK(observe(dosed("2600"), {before, bad, after, dosed("3300")}).image != bad);
    CHECK(observe(before, {bad, after, after}).image == after);
}

TEST_CASE("a register pair that tears at its carry is 65536 counts off, and never the picture (L-31)")
{
    const auto before = dosed("655.35"), after = dosed("655.40");
    const auto low = torn(before, after), high = torn(after, before);
    CHECK(domain::decode_slot(map(), low).quantities.at(101) == kg("0.04"));
    CHECK(domain::decode_slot(map(), high).quantities.at(101) == kg("1310.71"));
    for (const auto& bad : {low, high}) {
        // The torn one first, last, or between two good ones.
        auto o = observe(before, {bad, after, after});
        CHECK(o.last == step::accepted);
        CHECK(o.image == after);
        o = observe(dosed("650"), {before, bad, after, after});
        CHECK(o.last == step::accepted);
        CHECK(o.image == after);
        o = observe(dosed("650"), {before, bad, after, bad});
        CHECK(o.last == step::inconsistent);
    }
}

TEST_CASE("a slot that is half old and half new is never the picture of a new order (L-31)")
{
    shown old_order, next;
    old_order.actual = {{101, kg("600")}, {102, kg("400")}};
    old_order.manufacturing = 1;
    old_order.read_data = 1;
    next.order = "WH/MO/00015";
    const auto a = image(old_order), b = image(next);
    for (std::size_t cut = 1; cut < a.size(); ++cut) {
        words mixed = a;
        std::copy(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(cut), mixed.begin());
        INFO(cut);
        for (const auto& o : {observe({}, {a, mixed, b, b}), observe({}, {mixed, b, b}), observe(a, {mixed, b, b})})
            if (o.last == step::accepted) CHECK((o.image == b || o.image == a));
    }
}

TEST_CASE("a scale that wobbles between the reads is read again until two agree, at most three tries (L-31)")
{
    const auto o = observe(dosed("10"), {dosed("12"), dosed("11.98"), dosed("11.97"), dosed("11.97")});
    CHECK(o.last == step::accepted);
    CHECK(o.reads == 4);
    const auto never = observe(dosed("10"), {dosed("12"), dosed("11.98"), dosed("11.97"), dosed("11.96"), dosed("11.96")});
    CHECK(never.last == step::inconsistent);
    CHECK(never.reads == 4);
}

TEST_CASE("the end is believed when it was read twice the same (L-31)")
{
    const auto end = dosed("12", "3", 1);
    CHECK(observe(dosed("11"), {dosed("12", "3"), end, end}).image == end);
    CHECK(observe(dosed("11"), {dosed("12", "3"), end, dosed("12.01", "3", 1), end}).last == step::inconsistent);
}
