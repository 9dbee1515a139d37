// The codec between register words and values.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include <fmt/format.h>

#include <random>
#include <set>

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;
using namespace example;
using domain::ascii_order;
using domain::value_type;
using domain::word_order;
using domain::words;

namespace {

const word_order orders[] = {word_order::abcd, word_order::cdab, word_order::badc, word_order::dcba};
const ascii_order asciis[] = {ascii_order::high, ascii_order::low};

domain::field field(value_type type, int scale, int width = 0)
{
    domain::field f;
    f.at = 1;
    f.type = type;
    f.words = width != 0 ? width : type == value_type::u32 || type == value_type::i32 ? 2 : 1;
    f.scale = scale;
    return f;
}

// The registers of one value, the untouched neighbours checked.
words encoded(const domain::plant_map& m, const domain::field& f, const decimal& value)
{
    words block(static_cast<std::size_t>(f.words) + 2, 0xdead);
    domain::encode_value(m, f, value, block);
    CHECK(block.front() == 0xdead);
    CHECK(block.back() == 0xdead);
    return {block.begin() + 1, block.end() - 1};
}

decimal decoded(const domain::plant_map& m, const domain::field& f, words value)
{
    value.insert(value.begin(), 0xdead);
    value.push_back(0xdead);
    return domain::decode_value(m, f, value);
}

words text_words(const domain::plant_map& m, std::string_view text, int width = 8)
{
    words block(static_cast<std::size_t>(width) + 2, 0xdead);
    domain::encode_text(m, field(value_type::ascii, 1, width), text, block);
    CHECK(block.front() == 0xdead);
    CHECK(block.back() == 0xdead);
    return {block.begin() + 1, block.end() - 1};
}

std::string read_text(const domain::plant_map& m, words value)
{
    const auto width = static_cast<int>(value.size());
    value.insert(value.begin(), 0x4142);
    value.push_back(0x4142);
    return domain::decode_text(m, field(value_type::ascii, 1, width), value);
}

std::string refusal(const domain::recipe& r, const domain::plant_map& m = map())
{
    try {
        static_cast<void>(domain::encode_recipe(m, r));
        return {};
    } catch (const domain::encode_error& e) {
        return e.what();
    }
}

domain::recipe recipe()
{
    domain::recipe r;
    r.batch_no = 3;
    r.mo_id = "WH/MO/00014";
    r.bom_id = "Feed";
    r.finished_goods = "FEED-1";
    r.quantity = 1000;
    return r;
}

}  // namespace

TEST_CASE("the worked examples of the design hold (L-41)")
{
    const auto kg100 = field(value_type::i32, 100);
    CHECK(encoded(map(), kg100, 1000) == words{0x0001, 0x86A0});
    CHECK(encoded(map(), kg100, 2500) == words{3, 53392});
    CHECK(encoded(map(), kg100, 900) == words{1, 24464});
    CHECK(text_words(map(), "WH/MO/00014") == words{22344, 12109, 20271, 12336, 12337, 13312, 0, 0});
}

TEST_CASE("the four word orders place the bytes A B C D of a 32-bit value (L-30)")
{
    const auto f = field(value_type::u32, 1);
    const decimal value = decimal::from_scaled(0x0A0B0C0D, 0);
    CHECK(encoded(map(word_order::abcd, ascii_order::high), f, value) == words{0x0A0B, 0x0C0D});
    CHECK(encoded(map(word_order::cdab, ascii_order::high), f, value) == words{0x0C0D, 0x0A0B});
    CHECK(encoded(map(word_order::badc, ascii_order::high), f, value) == words{0x0B0A, 0x0D0C});
    CHECK(encoded(map(word_order::dcba, ascii_order::high), f, value) == words{0x0D0C, 0x0B0A});
    // A 16-bit value is the same in all of them.
    for (const auto o : orders) CHECK(encoded(map(o, ascii_order::high), field(value_type::u16, 1), 0x0102) == words{0x0102});
}

TEST_CASE("text is packed high or low byte first (L-30)")
{
    CHECK(text_words(map(word_order::abcd, ascii_order::high), "ABC", 2) == words{0x4142, 0x4300});
    CHECK(text_words(map(word_order::abcd, ascii_order::low), "ABC", 2) == words{0x4241, 0x0043});
}

TEST_CASE("weights at the borders of 16 and 32 bits come back as they were (L-23, L-28)")
{
    const std::pair<const char*, words> borders[] = {{"0", {0, 0}}, {"0.01", {0, 1}}, {"327.67", {0, 0x7fff}}, {"327.68", {0, 0x8000}}, {"655.35", {0, 0xffff}},
        {"655.36", {1, 0}}, {"655.37", {1, 1}}, {"5000", {7, 0xA120}}, {"21474836.47", {0x7fff, 0xffff}}, {"-0.01", {0xffff, 0xffff}}, {"-21474836.48", {0x8000, 0}}};
    const auto f = field(value_type::i32, 100);
    for (const auto& [text, expected] : borders) {
        INFO(text);
        CHECK(encoded(map(), f, kg(text)) == expected);
        CHECK(decoded(map(), f, expected) == kg(text));
    }
}

TEST_CASE("a value that does not fit its type is refused, never wrapped (L-23)")
{
    struct row {
        value_type type;
        int scale;
        const char *low, *high, *below, *above;
        const char* name;
    };
    const row rows[] = {
        {value_type::u16, 1, "0", "65535", "-1", "65536", "u16"},
        {value_type::u16, 100, "0", "655.35", "-0.01", "655.36", "u16 /100"},
        {value_type::i16, 1, "-32768", "32767", "-32769", "32768", "i16"},
        {value_type::i16, 10, "-3276.8", "3276.7", "-3276.9", "3276.8", "i16 /10"},
        {value_type::i16, 100, "-327.68", "327.67", "-327.69", "327.68", "i16 /100"},
        {value_type::u32, 1, "0", "4294967295", "-1", "4294967296", "u32"},
        {value_type::u32, 1000, "0", "4294967.295", "-0.001", "4294967.296", "u32 /1000"},
        {value_type::i32, 100, "-21474836.48", "21474836.47", "-21474836.49", "21474836.48", "i32 /100"},
        {value_type::boolean, 1, "0", "1", "-1", "2", "bool"},
    };
    for (const auto& r : rows) {
        const auto f = field(r.type, r.scale);
        for (const auto o : orders) {
            const auto m = map(o, ascii_order::high);
            for (const char* good : {r.low, r.high}) {
                INFO(r.name << " " << good);
                CHECK(decoded(m, f, encoded(m, f, kg(good))) == kg(good));
            }
        }
        for (const char* bad : {r.below, r.above, "9223372036854775807", "-9223372036854775808"}) {
            INFO(r.name << " " << bad);
            words block(4, 0x5555);
            CHECK_THROWS_WITH(domain::encode_value(map(), f, kg(bad), block), kg(bad).to_string() + " does not fit " + r.name);
            CHECK(block == words(4, 0x5555));
        }
    }
}

TEST_CASE("a value between two counts is rounded half away from zero, also at the border (L-25)")
{
    const auto f = field(value_type::i32, 100);
    CHECK(encoded(map(), f, kg("1.15")) == words{0, 115});
    CHECK(encoded(map(), f, kg("0.005")) == words{0, 1});
    CHECK(encoded(map(), f, kg("0.0049")) == words{0, 0});
    CHECK(encoded(map(), f, kg("327.675")) == words{0, 0x8000});
    CHECK(encoded(map(), f, kg("21474836.4749")) == words{0x7fff, 0xffff});
    words block(4, 0);
    CHECK_THROWS_AS(domain::encode_value(map(), f, kg("21474836.475"), block), domain::encode_error);
}

TEST_CASE("what was encoded is decoded again, for all types, orders and scales (L-30)")
{
    std::mt19937_64 random(30);
    const std::tuple<value_type, std::int64_t, std::int64_t> types[] = {{value_type::u16, 0, 65535}, {value_type::i16, -32768, 32767}, {value_type::u32, 0, 4294967295LL},
        {value_type::i32, -2147483648LL, 2147483647LL}, {value_type::boolean, 0, 1}};
    for (const auto& [type, low, high] : types) {
        for (int places = 0; places <= 3; ++places) {
            int scale = 1;
            for (int i = 0; i < places; ++i) scale *= 10;
            const auto f = field(type, scale);
            std::uniform_int_distribution<std::int64_t> any(low, high);
            for (const auto o : orders) {
                const auto m = map(o, ascii_order::high);
                for (int i = 0; i < 300; ++i) {
                    const auto value = decimal::from_scaled(any(random), places);
                    REQUIRE(decoded(m, f, encoded(m, f, value)) == value);
                }
                // And the other way round: every image of a 16 or 32-bit type is a value of its own.
                for (int i = 0; i < 300 && type != value_type::boolean; ++i) {
                    words image(static_cast<std::size_t>(f.words));
                    for (auto& w : image) w = static_cast<std::uint16_t>(random());
                    REQUIRE(encoded(m, f, decoded(m, f, image)) == image);
                }
            }
        }
    }
}

TEST_CASE("text survives the registers in both orders, padding does not")
{
    std::mt19937_64 random(16);
    for (const auto a : asciis) {
        const auto m = map(word_order::abcd, a);
        for (int i = 0; i < 2000; ++i) {
            std::string text(random() % 17, ' ');
            for (auto& c : text) c = static_cast<char>(0x20 + random() % 0x5f);
            while (!text.empty() && text.back() == ' ') text.pop_back();
            REQUIRE(read_text(m, text_words(m, text)) == text);
        }
        CHECK(read_text(m, text_words(m, "")).empty());
        CHECK(read_text(m, text_words(m, "SIXTEEN LETTERS!")) == "SIXTEEN LETTERS!");
        CHECK(read_text(m, text_words(m, "blanks   ")) == "blanks");
        CHECK(read_text(m, text_words(m, " leading")) == " leading");
    }
}

TEST_CASE("text that the PLC leaves behind is read without its rest and shown in ASCII")
{
    CHECK(read_text(map(), {0x4142, 0x0043, 0x4445}) == "AB");  // behind a NUL stands what was there before
    CHECK(read_text(map(), {0x0000, 0x4344}).empty());
    CHECK(read_text(map(), {0x4109, 0xff42}) == "A??B");
    CHECK(read_text(map(), {0x2020, 0x2020}).empty());
    CHECK(read_text(map(), {0x4120, 0x2000}) == "A");
}

TEST_CASE("text that does not fit, or is no ASCII, is refused (L-26)")
{
    words block(10, 0);
    const auto f = field(value_type::ascii, 1, 8);
    CHECK_THROWS_WITH(domain::encode_text(map(), f, "SEVENTEEN LETTERS", block), "'SEVENTEEN LETTERS' has 17 characters, 16 fit");
    for (const char* bad : {"M\xc3\xbchle", "a\nb", "a\x7f", "\x1b[0m"}) CHECK_THROWS_WITH(domain::encode_text(map(), f, bad, block), Catch::Contains("outside ASCII"));
    CHECK(block == words(10, 0));
}

TEST_CASE("a recipe fills its slot: header, every silo's id, the planned amounts, no status (L-24)")
{
    auto r = recipe();
    r.planned = {{101, kg("327.68")}, {113, kg("0.01")}, {114, kg("655.36")}, {115, 5000}};
    const auto out = domain::encode_recipe(map(), r);
    REQUIRE(out.size() == 77);
    CHECK(out[0] == 3);
    CHECK(words(out.begin() + 1, out.begin() + 9) == words{22344, 12109, 20271, 12336, 12337, 13312, 0, 0});
    CHECK(words(out.begin() + 9, out.begin() + 12) == words{0x4665, 0x6564, 0});
    CHECK(words(out.begin() + 25, out.begin() + 27) == words{1, 0x86A0});
    for (std::size_t k = 0; k < 13; ++k) CHECK(out[27 + 3 * k] == 101 + k);
    CHECK(out[66] == 114);
    CHECK(out[69] == 115);
    CHECK(words(out.begin() + 28, out.begin() + 30) == words{0, 0x8000});
    CHECK(words(out.begin() + 31, out.begin() + 33) == words{0, 0});
    CHECK(words(out.begin() + 64, out.begin() + 66) == words{0, 1});
    CHECK(words(out.begin() + 67, out.begin() + 69) == words{1, 0});
    CHECK(words(out.begin() + 70, out.begin() + 72) == words{7, 0xA120});
    CHECK(words(out.begin() + 72, out.end()) == words(5, 0));

    const auto back = domain::decode_slot(map(), out);
    CHECK(back.batch_no == 3);
    CHECK(back.mo_id == "WH/MO/00014");
    CHECK(back.bom_id == "Feed");
    CHECK(back.finished_goods == "FEED-1");
    CHECK(back.quantity == 1000);
    CHECK(back.quantities.size() == 15);
    for (const auto& [silo, planned] : back.quantities) CHECK(planned == (r.planned.count(silo) != 0 ? r.planned[silo] : decimal()));
    CHECK_FALSE(back.ended());
    CHECK_FALSE(back.empty());
}

TEST_CASE("every recipe that is accepted reads back the same, in every order (L-30)")
{
    std::mt19937_64 random(24);
    for (const auto o : orders) {
        for (const auto a : asciis) {
            const auto m = map(o, a);
            for (int i = 0; i < 100; ++i) {
                domain::recipe r;
                r.batch_no = 1 + static_cast<int>(random() % 10);
                r.mo_id = fmt::format("WH/MO/{:05}", random() % 100000);
                r.bom_id = fmt::format("B{}", random() % 1000);
                r.finished_goods = fmt::format("FG-{}", random() % 1000000);
                r.quantity = decimal::from_scaled(static_cast<std::int64_t>(random() % 2147483648ULL), 2);
                for (const auto& s : m.silos) r.planned[s.id] = decimal::from_scaled(static_cast<std::int64_t>(random() % 2147483648ULL), 2);
                const auto back = domain::decode_slot(m, domain::encode_recipe(m, r));
                REQUIRE(back.batch_no == r.batch_no);
                REQUIRE(back.mo_id == r.mo_id);
                REQUIRE(back.bom_id == r.bom_id);
                REQUIRE(back.finished_goods == r.finished_goods);
                REQUIRE(back.quantity == r.quantity);
                REQUIRE(back.quantities == r.planned);
            }
        }
    }
}

TEST_CASE("a recipe that does not fit is refused with the place and the value (L-23, L-26)")
{
    auto r = recipe();
    CHECK(refusal(r).empty());
    r.planned[103] = kg("21474836.48");
    CHECK(refusal(r) == "silo 103: 21474836.48 does not fit i32 /100");
    r = recipe();
    r.quantity = kg("21474836.48");
    CHECK(refusal(r) == "quantity: 21474836.48 does not fit i32 /100");
    r = recipe();
    r.planned[115] = kg("-21474836.49");
    CHECK(refusal(r).find("silo 115: ") == 0);
    r = recipe();
    r.batch_no = 65536;
    CHECK(refusal(r) == "batch_no: 65536 does not fit u16");
    r = recipe();
    r.mo_id = "WAREHOUSE/MO/00014";
    CHECK(refusal(r) == "order name: 'WAREHOUSE/MO/00014' has 18 characters, 16 fit");
    r.mo_id = "M\xc3\xbchle/00014";
    CHECK(refusal(r).find("order name: ") == 0);
}

TEST_CASE("an order name that would not read back the same is refused: its slot could never be matched (L-34)")
{
    auto r = recipe();
    for (const char* name : {"WH/MO/00014 ", " ", "", "WH/MO/\x01"}) {
        INFO("'" << name << "'");
        r.mo_id = name;
        CHECK(refusal(r).find("order name: ") == 0);
    }
    r.mo_id = "WH MO 14";
    CHECK(refusal(r).empty());
}

TEST_CASE("an amount for a silo that the map does not know is refused, it does not vanish (L-27)")
{
    auto r = recipe();
    r.planned[199] = 5;
    CHECK(refusal(r) == "silo 199: is not in the plant map");
    r.planned[199] = 0;
    CHECK(refusal(r).empty());
}

TEST_CASE("texts for people are cleaned and cut to their width, the order's name never is (L-26)")
{
    auto r = recipe();
    r.bom_id = "[PKE] M\xc3\xbchlenfutter Gr\xc3\xb6\xc3\x9f" "e 5";
    r.finished_goods = "Kraftfutter f\xc3\xbcr K\xc3\xbche";
    const auto back = domain::decode_slot(map(), domain::encode_recipe(map(), r));
    CHECK(back.bom_id == "Muehlenfutter Gr");
    CHECK(back.finished_goods == "Kraftfutter fuer");
    CHECK(back.mo_id == "WH/MO/00014");
}

TEST_CASE("names are cleaned by rule: code in front removed, accents written out, controls blank (L-26)")
{
    const std::pair<const char*, const char*> rows[] = {{"Feed", "Feed"}, {"[PKE] Feed", "Feed"}, {"[PKE]Feed", "[PKE]Feed"}, {"[PKE] [X] Feed", "[X] Feed"}, {"[no end", "[no end"},
        {"", ""}, {"  Feed  ", "Feed"}, {"äöüÄÖÜß", "aeoeueAeOeUess"}, {"crème brûlée à ça", "creme brulee a ca"}, {"ñandú", "nandu"}, {"Łódź?", "?odz?"}, {"50 – 60", "50 - 60"},
        {"日本", "??"}, {"😀!", "?!"}, {"a\tb\nc", "a b c"}, {"\x80\xff", "??"}, {"cut \xc3", "cut ?"}, {"[PKE] ", ""}};
    for (const auto& [from, to] : rows) {
        INFO(from);
        CHECK(domain::clean_text(from) == to);
    }
    std::mt19937_64 random(26);
    for (int i = 0; i < 5000; ++i) {
        std::string any(random() % 40, ' ');
        for (auto& c : any) c = static_cast<char>(random());
        for (const char c : domain::clean_text(any)) {
            REQUIRE(c >= 0x20);
            REQUIRE(c <= 0x7e);
        }
    }
}

TEST_CASE("any registers decode to something, whatever they hold (L-28)")
{
    std::mt19937_64 random(28);
    for (const auto o : orders) {
        const auto m = map(o, ascii_order::low);
        for (int i = 0; i < 500; ++i) {
            auto slot = domain::empty_slot(m);
            for (auto& w : slot) w = static_cast<std::uint16_t>(random());
            const auto r = domain::decode_slot(m, slot);
            REQUIRE(r.quantities.size() == 15);
            REQUIRE(r.mo_id.size() <= 16);
            REQUIRE(r.status_manufacturing == slot[72]);
            REQUIRE(r.status_operation == slot[73]);
            REQUIRE(r.status_read_data == slot[76]);
        }
    }
    CHECK(domain::decode_slot(map(), domain::empty_slot(map())).empty());
}

TEST_CASE("two pictures are the same content when only the read flag differs")
{
    const auto a = image({});
    auto b = a;
    CHECK(domain::same_content(map(), a, b));
    b[76] = 1;
    CHECK(domain::same_content(map(), a, b));
    for (std::size_t i = 0; i < 76; ++i) {
        auto c = a;
        c[i] ^= 1;
        INFO(i);
        CHECK_FALSE(domain::same_content(map(), a, c));
    }
    CHECK_FALSE(domain::same_content(map(), a, words(76, 0)));
}
