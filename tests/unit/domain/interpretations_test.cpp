#include "domain/interpretations.hpp"

#include "support/catch.hpp"
#include "unit/domain/example.hpp"

#include <cmath>

using namespace batchbridge;
using domain::word_order;
using example::joined;
using example::kg;

namespace {

// How a PLC of each order puts the bytes A (highest) to D on the wire; written out, not computed.
struct golden
{
    word_order order;
    std::uint16_t i32[2];      // -123: 0xFFFFFF85
    std::uint16_t kg[2];       // 1000.00 kg as hundredths: 0x000186A0
    std::uint16_t float32[2];  // -13.625: 0xC15A0000
    std::uint16_t bcd[2];      // 12345678
};

constexpr golden vectors[] = {
    {word_order::abcd, {0xFFFF, 0xFF85}, {0x0001, 0x86A0}, {0xC15A, 0x0000}, {0x1234, 0x5678}},
    {word_order::cdab, {0xFF85, 0xFFFF}, {0x86A0, 0x0001}, {0x0000, 0xC15A}, {0x5678, 0x1234}},
    {word_order::badc, {0xFFFF, 0x85FF}, {0x0100, 0xA086}, {0x5AC1, 0x0000}, {0x3412, 0x7856}},
    {word_order::dcba, {0x85FF, 0xFFFF}, {0xA086, 0x0100}, {0x0000, 0x5AC1}, {0x7856, 0x3412}},
};

const domain::pair_reading& of(const std::array<domain::pair_reading, 4>& all, word_order order)
{
    return all.at(static_cast<std::size_t>(order));
}

}  // namespace

TEST_CASE("golden vectors of every type in every word order (field.md row 6)")
{
    const auto g = GENERATE(from_range(std::begin(vectors), std::end(vectors)));
    CAPTURE(domain::to_string(g.order));
    const auto i32 = of(domain::read_pair(g.i32[0], g.i32[1]), g.order);
    CHECK(i32.order == g.order);
    CHECK(i32.i32 == -123);
    CHECK(i32.u32 == 4294967173U);
    CHECK(i32.hundredths == kg("-1.23"));
    const auto mass = of(domain::read_pair(g.kg[0], g.kg[1]), g.order);
    CHECK(mass.i32 == 100000);
    CHECK(mass.hundredths == kg("1000"));
    CHECK_FALSE(mass.bcd);
    CHECK(of(domain::read_pair(g.float32[0], g.float32[1]), g.order).float32 == -13.625F);
    CHECK(of(domain::read_pair(g.bcd[0], g.bcd[1]), g.order).bcd == 12345678U);
    // In the other orders it is something else: the table can tell them apart.
    for (const auto& r : domain::read_pair(g.kg[0], g.kg[1]))
        if (r.order != g.order) CHECK(r.i32 != 100000);
}

TEST_CASE("golden vectors of one register")
{
    const auto r = domain::read_word(0x8541);
    CHECK(r.u16 == 34113);
    CHECK(r.i16 == -31423);
    CHECK(r.bcd == 8541U);
    CHECK(r.high_first == ".A");
    CHECK(r.low_first == "A.");
    CHECK(domain::read_word(22344).high_first == "WH");
    CHECK(domain::read_word(22344).low_first == "HW");
    CHECK_FALSE(domain::read_word(0x00FF).bcd);
    CHECK(domain::read_word(0xFFFF).i16 == -1);
}

TEST_CASE("the table of a pair shows all orders, and marks the map's")
{
    const auto lines = domain::interpretation_table(1, 34464, word_order::abcd);
    const auto text = joined(lines);
    CAPTURE(text);
    REQUIRE(lines.size() == 9);
    CHECK(lines[0] == "registers 1 34464 (0x0001 0x86A0)");
    for (const auto* order : {"ABCD", "CDAB", "BADC", "DCBA", "first", "second", "ASCII"})
        CHECK_THAT(text, Catch::Contains(std::string("\n") + order));
    CHECK_THAT(lines[2], Catch::StartsWith("ABCD") && Catch::Contains(" 100000 ") && Catch::Contains(" 1000.00 ") &&
                             Catch::Contains("<- word_order of the map"));
    CHECK_THAT(lines[3], !Catch::Contains("<-"));
    CHECK_THAT(joined(domain::interpretation_table(1, 34464, std::nullopt)), !Catch::Contains("<-"));
    CHECK_THAT(joined(domain::interpretation_table(0x7FC0, 0, std::nullopt)), Catch::Contains(" NaN "));
    CHECK_THAT(joined(domain::interpretation_table(0x7F80, 0, std::nullopt)), Catch::Contains(" infinity "));
    CHECK_THAT(joined(domain::interpretation_table(22344, 12109, std::nullopt)),
               Catch::Contains("\"WH/M\"") && Catch::Contains("\"HWM/\""));
}

TEST_CASE("two registers are taken as people write them, anything else is named")
{
    std::string why;
    const std::array<std::uint16_t, 2> expected{1, 34464};
    for (const auto* text : {"1,34464", "1|34464", "1 34464", "1, 34464", "0x1,0x86A0", "0X0001,34464", "1,-31072"}) {
        CAPTURE(text);
        CHECK(domain::parse_pair(text, why) == expected);
    }
    for (const auto* text :
         {"", "1", "1,2,3", "1,65536", "1,-32769", "1,x", "1,0x", "1,0x-1", "1,2.5", "1,99999999999"}) {
        CAPTURE(text);
        why.clear();
        CHECK_FALSE(domain::parse_pair(text, why));
        CHECK_THAT(why, Catch::Contains("expected"));
    }
}
