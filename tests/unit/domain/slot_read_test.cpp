// Which reads of a slot are believed, and what they mean for its batch.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/slot_read.hpp"

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;
using namespace example;
using domain::batch_state;
using domain::consistency;
using domain::verdict;
using domain::words;

namespace {

consistency compare(const shown& first, const shown& second)
{
    return domain::compare_reads(map(), image(first), image(second));
}

shown dosed(std::string_view a, std::string_view b = "0")
{
    shown s;
    s.actual = {{101, kg(a)}, {102, kg(b)}};
    return s;
}

shown ended(shown s, int manufacturing, int operation = 0)
{
    s.manufacturing = manufacturing;
    s.operation = operation;
    return s;
}

// A batch of which `s` is the stored picture.
domain::batch having(const shown& s, batch_state state = batch_state::running)
{
    auto b = batch();
    b.state = state;
    b.actual = s.actual;
    b.weight = kg(s.weight);
    b.raw = image(s);
    return b;
}

domain::judgement judge(const domain::batch& b, const words& now, const words& stale = {})
{
    return domain::judge_slot(map(), b, now, stale);
}

}  // namespace

TEST_CASE("two equal reads are accepted, also of an ended slot (L-31)")
{
    CHECK(compare(dosed("10"), dosed("10")) == consistency::equal);
    CHECK(compare(ended(dosed("10"), 1), ended(dosed("10"), 1)) == consistency::equal);
    CHECK(domain::compare_reads(map(), words(77, 0xffff), words(77, 0xffff)) == consistency::equal);
}

TEST_CASE("two reads that differ in rising quantities only are accepted (L-31)")
{
    CHECK(compare(dosed("10"), dosed("10.01")) == consistency::advancing);
    CHECK(compare(dosed("10", "0"), dosed("10.5", "3")) == consistency::advancing);
    CHECK(compare(dosed("10"), dosed("60")) == consistency::advancing);
    CHECK(compare(dosed("655.35"), dosed("655.36")) == consistency::advancing);
    auto weighed = dosed("10");
    weighed.weight = "50";
    CHECK(compare(dosed("10"), weighed) == consistency::advancing);
}

TEST_CASE("a fall, a jump or any other difference between two reads is torn (L-31)")
{
    CHECK(compare(dosed("10"), dosed("9.99")) == consistency::inconsistent);
    CHECK(compare(dosed("10", "5"), dosed("11", "4.99")) == consistency::inconsistent);
    CHECK(compare(dosed("10"), dosed("60.01")) == consistency::inconsistent);
    // The classic tear at a carry: 655.35 -> 655.36 seen with the new low word and the old high word, and the reverse.
    CHECK(compare(dosed("655.35"), dosed("0")) == consistency::inconsistent);
    CHECK(compare(dosed("655.35"), dosed("1310.71")) == consistency::inconsistent);
    auto other = dosed("10");
    other.order = "WH/MO/00015";
    CHECK(compare(dosed("10"), other) == consistency::inconsistent);
    other = dosed("10");
    other.slot = 4;
    CHECK(compare(dosed("10"), other) == consistency::inconsistent);
    other = dosed("10");
    other.weight = "50.01";
    CHECK(compare(dosed("10"), other) == consistency::inconsistent);
    CHECK(compare(other, dosed("10")) == consistency::inconsistent);
    // Every single word outside the quantities counts.
    const auto a = image(dosed("10"));
    for (const std::size_t i : {0U, 1U, 8U, 9U, 17U, 25U, 26U, 27U, 66U, 69U, 72U, 73U, 76U}) {
        auto b = a;
        b[i] ^= 0x100;
        INFO(i);
        CHECK(domain::compare_reads(map(), a, b) == consistency::inconsistent);
    }
    CHECK(domain::compare_reads(map(), a, words(76, 0)) == consistency::inconsistent);
}

TEST_CASE("a completing read needs two equal reads (L-31)")
{
    CHECK(compare(dosed("10"), ended(dosed("10"), 1)) == consistency::inconsistent);
    CHECK(compare(ended(dosed("10"), 1), ended(dosed("10.01"), 1)) == consistency::inconsistent);
    CHECK(compare(ended(dosed("10"), 0, 1), ended(dosed("10.01"), 0, 1)) == consistency::inconsistent);
    CHECK(compare(ended(dosed("10"), 1), dosed("10")) == consistency::inconsistent);
}

TEST_CASE("a changed slot updates its batch and a first actual starts it")
{
    auto b = batch();
    const auto echo = judge(b, image({}));
    CHECK(echo.what == verdict::update);
    CHECK_FALSE(echo.started);
    CHECK_FALSE(echo.changed_values);

    const auto first = judge(b, image(dosed("0.01")));
    CHECK(first.what == verdict::update);
    CHECK(first.started);
    CHECK(first.changed_values);
    CHECK(first.reading.quantities.at(101) == kg("0.01"));

    const auto more = judge(having(dosed("0.01")), image(dosed("5", "2")));
    CHECK(more.what == verdict::update);
    CHECK_FALSE(more.started);
    CHECK(more.changed_values);
}

TEST_CASE("the stored picture, or one where only the read flag differs, changes nothing")
{
    const auto b = having(dosed("12"));
    CHECK(judge(b, b.raw).what == verdict::unchanged);
    auto flagged = b.raw;
    flagged[76] = 1;
    CHECK(judge(b, flagged).what == verdict::unchanged);
}

TEST_CASE("the picture from before the load is stale and changes no row")
{
    // The slot still shows the last run of the same order, completed.
    const auto before = image(ended(dosed("600", "400"), 1));
    auto b = batch();
    CHECK(judge(b, before, before).what == verdict::unchanged);
    auto flagged = before;
    flagged[76] = 1;
    CHECK(judge(b, flagged, before).what == verdict::unchanged);
    CHECK(judge(b, image({}), before).what == verdict::update);
}

TEST_CASE("a completed or parked row is never changed by what its slot shows (L-35)")
{
    for (const auto state : {batch_state::completed, batch_state::parked}) {
        auto b = having(ended(dosed("600", "400"), 1), state);
        for (const auto& now : {image(dosed("1")), image(ended(dosed("700", "400"), 1)), image(ended(dosed("600"), 0, 1)), domain::empty_slot(map()), words(77, 0xffff)})
            CHECK(judge(b, now).what == verdict::unchanged);
        b.raw.clear();
        CHECK(judge(b, image(dosed("1"))).what == verdict::unchanged);
    }
}

TEST_CASE("every other state follows its slot, held and lost rows too")
{
    for (const auto state : {batch_state::queued, batch_state::loading, batch_state::loaded, batch_state::running, batch_state::cancelling, batch_state::held, batch_state::lost}) {
        INFO(domain::to_string(state));
        auto b = batch();
        b.state = state;
        CHECK(judge(b, image(dosed("1"))).what == verdict::update);
        CHECK(domain::is_followed(state));
    }
}

TEST_CASE("a slot counts for a batch only with its order and its number (L-34)")
{
    const auto b = batch();
    auto s = dosed("10");
    s.order = "WH/MO/00015";
    auto j = judge(b, image(s));
    CHECK(j.what == verdict::foreign);
    CHECK(j.why == "the slot shows order 'WH/MO/00015', batch 3");
    s = dosed("10");
    s.slot = 4;
    CHECK(judge(b, image(s)).what == verdict::foreign);
    s = ended(dosed("10"), 1);
    s.order = "WH/MO/0001";
    CHECK(judge(b, image(s)).what == verdict::foreign);
    j = judge(b, domain::empty_slot(map()));
    CHECK(j.what == verdict::foreign);
    CHECK(j.why == "the slot shows no order");
    // Another order's impossible values are not this batch's fault.
    s = ended(dosed("10"), 7);
    s.order = "WH/MO/00015";
    CHECK(judge(b, image(s)).what == verdict::foreign);
}

TEST_CASE("an order key by id is matched like a name (L-34)")
{
    auto b = batch();
    b.order_key = "MO#14";
    shown s;
    s.order = "MO#14";
    CHECK(judge(b, image(s)).what == verdict::update);
    CHECK(judge(b, image({})).what == verdict::foreign);
}

TEST_CASE("completion is one read with actuals, weight and status together (L-35)")
{
    auto s = ended(dosed("601.5", "399"), 1);
    s.weight = "1000.25";
    auto j = judge(having(dosed("600", "399")), image(s));
    CHECK(j.what == verdict::complete);
    CHECK_FALSE(j.both_status);
    CHECK(j.changed_values);
    CHECK(j.reading.weight == kg("1000.25"));
    CHECK(j.reading.quantities.at(101) == kg("601.5"));

    j = judge(having(dosed("600")), image(ended(dosed("600"), 1, 1)));
    CHECK(j.what == verdict::complete);
    CHECK(j.both_status);

    // A batch that ran from start to end between two reads (L-01).
    j = judge(batch(), image(ended(dosed("600", "400"), 1)));
    CHECK(j.what == verdict::complete);
    CHECK(j.started);
}

TEST_CASE("operation status alone means that the PLC gave up")
{
    const auto j = judge(having(dosed("600")), image(ended(dosed("600"), 0, 1)));
    CHECK(j.what == verdict::fail);
    CHECK(j.changed_values);
}

TEST_CASE("a small fall is a correction, a larger one refuses the read (L-31)")
{
    const auto b = having(dosed("600", "100"));
    CHECK(judge(b, image(dosed("599", "100"))).what == verdict::update);
    const auto j = judge(b, image(dosed("598.99", "100")));
    CHECK(j.what == verdict::refuse);
    CHECK(j.why == "silo 101 fell from 600 to 598.99 kg");
    CHECK(judge(b, image(ended(dosed("1", "100"), 1))).what == verdict::refuse);
}

TEST_CASE("a value above the silo's maximum or below 0 is refused and named (L-28)")
{
    const auto b = batch();
    CHECK(judge(b, image(dosed("5000"))).what == verdict::update);
    auto j = judge(b, image(dosed("0", "5000.01")));
    CHECK(j.what == verdict::refuse);
    CHECK(j.why == "silo 102 shows 5000.01 kg, possible is 0 to 5000");
    j = judge(b, image(dosed("-0.01")));
    CHECK(j.what == verdict::refuse);
    CHECK(j.why == "silo 101 shows -0.01 kg, possible is 0 to 5000");
    shown liquid;
    liquid.actual = {{115, kg("5000.01")}};
    CHECK(judge(b, image(liquid)).what == verdict::refuse);
    shown s;
    s.weight = "-0.01";
    CHECK(judge(b, image(s)).why == "weight_finished_good is -0.01 kg");
}

TEST_CASE("a status word other than 0 or 1 refuses the read (L-31)")
{
    const auto b = batch();
    for (const int bad : {2, 3, 255, 256, 65535}) {
        auto j = judge(b, image(ended(dosed("1"), bad)));
        CHECK(j.what == verdict::refuse);
        CHECK(j.why == "status_manufacturing is " + std::to_string(bad) + ", expected 0 or 1");
        j = judge(b, image(ended(dosed("1"), 0, bad)));
        CHECK(j.what == verdict::refuse);
        CHECK(j.why == "status_operation is " + std::to_string(bad) + ", expected 0 or 1");
        CHECK(judge(b, image(ended(dosed("1"), 1, bad))).what == verdict::refuse);
    }
}

TEST_CASE("an acknowledgement is owed until it is read back, or the slot moves on (L-36)")
{
    const auto decide = [](const shown& s) { return domain::decide_duty(domain::decode_slot(map(), image(s)), "WH/MO/00014"); };
    auto s = ended(dosed("1"), 1);
    CHECK(decide(s) == domain::duty_step::write);
    CHECK(decide(ended(dosed("1"), 0, 1)) == domain::duty_step::write);
    s.read_data = 1;
    CHECK(decide(s) == domain::duty_step::fulfilled);
    s.read_data = 0;
    s.order = "WH/MO/00015";
    CHECK(decide(s) == domain::duty_step::fulfilled);
    CHECK(domain::decide_duty(domain::decode_slot(map(), domain::empty_slot(map())), "WH/MO/00014") == domain::duty_step::fulfilled);
    CHECK(decide(dosed("1")) == domain::duty_step::dropped);
}

namespace {

// Ten slots, empty but for the given ones.
std::vector<domain::slot_reading> slots(const std::vector<shown>& filled)
{
    std::vector<domain::slot_reading> out(10, domain::decode_slot(map(), domain::empty_slot(map())));
    for (const auto& s : filled) out[static_cast<std::size_t>(s.slot - 1)] = domain::decode_slot(map(), image(s));
    return out;
}

shown in_slot(int slot, std::string order, std::string_view actual = "0", int manufacturing = 0, int flag = 0)
{
    shown s;
    s.slot = slot;
    s.order = std::move(order);
    s.actual = {{101, kg(actual)}};
    s.manufacturing = manufacturing;
    s.read_data = flag;
    return s;
}

bool nobody(const std::string&)
{
    return false;
}

}  // namespace

TEST_CASE("a virgin PLC is ready, so is one that took the last offer (L-22)")
{
    CHECK(domain::judge_load(map(), slots({}), slots({}), nobody).ready);
    const auto known = [](const std::string&) { return true; };
    CHECK(domain::judge_load(map(), slots({}), slots({in_slot(1, "A", "0", 0, 1)}), known).ready);
    CHECK_FALSE(domain::judge_load(map(), slots({}), slots({in_slot(1, "A")}), known).ready);
    // Slot 1 alone says it, whatever the other slots hold.
    CHECK(domain::judge_load(map(), slots({}), slots({in_slot(2, "A")}), known).ready);
}

TEST_CASE("an unknown order in the PLC stops a load until the PLC has ended it")
{
    auto r = domain::judge_load(map(), slots({}), slots({in_slot(4, "X")}), nobody);
    REQUIRE(r.unknown.size() == 1);
    CHECK(r.unknown[0].slot == 4);
    CHECK(r.unknown[0].order == "X");
    CHECK(r.unknown[0].in_write_area);

    r = domain::judge_load(map(), slots({in_slot(4, "X", "5")}), slots({in_slot(4, "X")}), nobody);
    CHECK(r.unknown.size() == 2);
    r = domain::judge_load(map(), slots({in_slot(4, "X", "5", 1)}), slots({in_slot(4, "X")}), nobody);
    CHECK(r.unknown.empty());
    r = domain::judge_load(map(), slots({in_slot(4, "Y", "5", 1)}), slots({in_slot(4, "X")}), nobody);
    CHECK(r.unknown.size() == 1);
    r = domain::judge_load(map(), slots({in_slot(10, "X", "0.01")}), slots({}), nobody);
    REQUIRE(r.unknown.size() == 1);
    CHECK(r.unknown[0].slot == 10);
    CHECK_FALSE(r.unknown[0].in_write_area);
    // An echo without an actual is nothing yet.
    CHECK(domain::judge_load(map(), slots({in_slot(4, "X")}), slots({}), nobody).unknown.empty());
    CHECK(domain::judge_load(map(), slots({in_slot(4, "X", "5")}), slots({in_slot(4, "X")}), [](const std::string& o) { return o == "X"; }).unknown.empty());
}

TEST_CASE("what is read back must be what was written, the words of the PLC left out (L-17)")
{
    const auto wanted = image(in_slot(2, "A", "5"));
    CHECK(domain::compare_written(map(), 2, wanted, wanted, false).empty());
    auto found = wanted;
    for (std::size_t i = 72; i <= 76; ++i) found[i] = 9;
    CHECK(domain::compare_written(map(), 2, wanted, found, false).empty());
    for (std::size_t i = 0; i < 72; ++i) {
        found = wanted;
        found[i] ^= 1;
        INFO(i);
        const auto d = domain::compare_written(map(), 2, wanted, found, false);
        REQUIRE(d.size() == 1);
        CHECK(d[0] == "slot 2 address " + std::to_string(7100 + i) + ": wrote " + std::to_string(wanted[i]) + ", read " + std::to_string(found[i]));
    }
    // Before it is armed slot 1 has no order name.
    auto blank = wanted;
    for (std::size_t i = 1; i <= 8; ++i) blank[i] = 0;
    CHECK(domain::compare_written(map(), 2, wanted, blank, true).empty());
    CHECK_FALSE(domain::compare_written(map(), 2, wanted, wanted, true).empty());
    CHECK_FALSE(domain::compare_written(map(), 2, wanted, blank, false).empty());
}

TEST_CASE("a slot that is wholly wrong is told in a few lines, one that is short is wrong")
{
    const auto wanted = image(in_slot(2, "A", "5"));
    const auto d = domain::compare_written(map(), 2, wanted, words(77, 0x7777), false);
    CHECK(d.size() == 6);
    CHECK(d.back() == "..");
    CHECK_FALSE(domain::compare_written(map(), 2, wanted, {}, false).empty());
}
