// Exact decimals: no kilogram is lost between Odoo, the database and the PLC.
#include "core/decimal.hpp"

#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <random>

namespace batchbridge::core {
std::ostream& operator<<(std::ostream& out, const decimal& d)
{
    return out << d.to_string();
}
}  // namespace batchbridge::core

using batchbridge::core::decimal;

namespace {

decimal dec(std::string_view text)
{
    const auto d = decimal::parse(text);
    INFO(text);
    REQUIRE(d);
    return *d;
}

}  // namespace

TEST_CASE("1.15 kg is 115 hundredths, and so is every other value with two places (L-25)")
{
    CHECK(dec("1.15").to_scaled(2) == 115);
    // The predecessor lost one count in 4.6 % of these; every value up to a full silo is tried, from text and from JSON's double.
    for (std::int64_t n = -1000; n <= 500000; ++n) {
        const auto text = fmt::format("{}{}.{:02}", n < 0 ? "-" : "", std::abs(n) / 100, std::abs(n) % 100);
        const auto a = decimal::parse(text);
        const auto b = decimal::from_double(std::strtod(text.c_str(), nullptr));
        if (!a || !b || a->to_scaled(2) != n || *a != *b || a->to_string(2) != text || *a != decimal::from_scaled(n, 2)) {
            INFO(text);
            REQUIRE(a);
            REQUIRE(b);
            CHECK(a->to_scaled(2) == n);
            CHECK(*a == *b);
            CHECK(a->to_string(2) == text);
            FAIL("not exact");
        }
    }
}

TEST_CASE("rounding goes half away from zero (L-25)")
{
    CHECK(dec("0.005").to_scaled(2) == 1);
    CHECK(dec("-0.005").to_scaled(2) == -1);
    CHECK(dec("0.00499999").to_scaled(2) == 0);
    CHECK(dec("-0.00499999").to_scaled(2) == 0);
    CHECK(dec("2.675").to_scaled(2) == 268);  // 267 with binary floating point
    CHECK(dec("1.005").rounded(2) == dec("1.01"));
    CHECK(dec("-2.5").rounded(0) == -3);
    CHECK(dec("2.5").rounded(0) == 3);
    CHECK(dec("1.234").rounded(5) == dec("1.234"));
    CHECK(dec("327.675").to_scaled(2) == 32768);
    CHECK(dec("12.345").rounded_to(dec("0.01")) == dec("12.35"));
    CHECK(dec("12.345").rounded_to(dec("0.05")) == dec("12.35"));
    CHECK(dec("12.32").rounded_to(dec("0.05")) == dec("12.3"));
    CHECK(dec("-12.325").rounded_to(dec("0.05")) == dec("-12.35"));
    CHECK(dec("1250").rounded_to(500) == 1500);
    CHECK(dec("1").rounded_to(dec("0.000000000001")) == 1);
    CHECK_THROWS_AS(dec("1").rounded_to(decimal()), std::invalid_argument);
    CHECK_THROWS_AS(dec("1").rounded_to(dec("-0.01")), std::invalid_argument);
}

TEST_CASE("numbers are read in every spelling that JSON and PostgreSQL use")
{
    const std::pair<const char*, const char*> spellings[] = {{"0", "0"}, {"-0", "0"}, {"0.00", "0"}, {"+12.50", "12.5"}, {"-12.50", "-12.5"}, {".5", "0.5"},
        {"5.", "5"}, {"1e3", "1000"}, {"1E+3", "1000"}, {"1.5e-3", "0.0015"}, {"100000e-5", "1"}, {"000123.4500", "123.45"}, {"0.45359237", "0.45359237"},
        {"0.000000000001", "0.000000000001"}, {"0.0000000000010000", "0.000000000001"}, {"1e-12", "0.000000000001"}, {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"}, {"922337203685477580.7", "922337203685477580.7"}, {"-0.05", "-0.05"}};
    for (const auto& [from, to] : spellings) {
        INFO(from);
        const auto d = decimal::parse(from);
        REQUIRE(d);
        CHECK(d->to_string() == to);
        CHECK(decimal::parse(d->to_string()) == d);
    }
}

TEST_CASE("what is no decimal, or does not fit, is refused and not guessed (L-25)")
{
    for (const char* text : {"", " ", "-", "+", ".", "-.", "e5", "1e", "1e+", "1e-", "1e+-5", "1e--5", "1e1.5", "1,5", "1 ", " 1", "1.2.3", "0x10", "nan", "NaN", "inf",
                             "Infinity", "-inf", "twelve", "1kg", "--1", "+-1", "1_000", "0.0000000000001", "1e-13", "9223372036854775808",
                             "-9223372036854775809", "1e19", "1e40", "1e41", "1e999999999999", "1e-99999", "99999999999999999999999999999999999999999999"}) {
        INFO("'" << text << "'");
        CHECK_FALSE(decimal::parse(text));
    }
    CHECK_FALSE(decimal::parse(std::string_view("1\0", 2)));
    CHECK_FALSE(decimal::parse(std::string(5000, '9')));
    CHECK(decimal::parse("0." + std::string(5000, '0')) == decimal());
}

TEST_CASE("a double means the shortest decimal that reads back as it, float dust is dropped")
{
    CHECK(decimal::from_double(0.1) == dec("0.1"));
    CHECK(decimal::from_double(0.1 + 0.2) == dec("0.3"));
    CHECK(decimal::from_double(742.5) == dec("742.5"));
    CHECK(decimal::from_double(1.15) == dec("1.15"));
    CHECK(decimal::from_double(-0.0) == decimal());
    CHECK(decimal::from_double(1e-13) == decimal());
    CHECK(decimal::from_double(1.0 / 3.0) == dec("0.333333333333"));
    CHECK(decimal::from_double(1234567.1 + 0.2) == dec("1234567.3"));
    CHECK(decimal::from_double(1e15) == dec("1000000000000000"));
    CHECK(decimal::from_double(21474836.47) == dec("21474836.47"));
    CHECK_FALSE(decimal::from_double(1e19));
    CHECK_FALSE(decimal::from_double(-1e300));
    CHECK_FALSE(decimal::from_double(std::numeric_limits<double>::max()));
    CHECK_FALSE(decimal::from_double(std::numeric_limits<double>::infinity()));
    CHECK_FALSE(decimal::from_double(-std::numeric_limits<double>::infinity()));
    CHECK_FALSE(decimal::from_double(std::numeric_limits<double>::quiet_NaN()));
}

TEST_CASE("a quantity survives JSON in both directions")
{
    std::mt19937_64 random(20261123);
    for (int i = 0; i < 20000; ++i) {
        const int places = static_cast<int>(random() % 5);
        const auto d = decimal::from_scaled(static_cast<std::int64_t>(random() % 20'000'000'000ULL) - 10'000'000'000, places);
        const auto value = boost::json::parse(d.to_string());
        const auto back = value.is_double() ? decimal::from_double(value.get_double()) : decimal::parse(d.to_string());
        REQUIRE(back == d);
        REQUIRE(decimal::from_double(d.to_double()) == d);
    }
}

TEST_CASE("arithmetic is exact and order agrees with it")
{
    CHECK(dec("0.1") + dec("0.2") == dec("0.3"));
    CHECK(dec("1") - dec("0.999999999999") == dec("0.000000000001"));
    CHECK(dec("1000.5") * dec("0.45359237") == dec("453.819166185"));
    CHECK(dec("2.50").to_string() == "2.5");
    CHECK(dec("2.50") == dec("2.5"));
    CHECK(-dec("2.5") == dec("-2.5"));
    CHECK(dec("-2.5").abs() == dec("2.5"));
    CHECK(dec("-2.5").is_negative());
    CHECK_FALSE(decimal().is_negative());
    CHECK(decimal::divide(1, 3, 6) == dec("0.333333"));
    CHECK(decimal::divide(2, 3, 6) == dec("0.666667"));
    CHECK(decimal::divide(-2, 3, 2) == dec("-0.67"));
    CHECK(decimal::divide(2, -3, 2) == dec("-0.67"));
    CHECK(decimal::divide(dec("0.5"), dec("0.45359237"), 6) == dec("1.102311"));
    CHECK(decimal::divide(dec("0.000001"), 1000, 2) == decimal());
    CHECK_THROWS_AS(decimal::divide(1, 0, 2), std::domain_error);
    CHECK(decimal::multiply(dec("33.333333333333"), dec("0.45359237"), 6) == dec("15.119746"));
    CHECK(decimal::multiply(dec("-0.5"), dec("0.01"), 2) == dec("-0.01"));
    CHECK(decimal::multiply(dec("2.5"), dec("0.4"), 6) == 1);
    CHECK(decimal::multiply(dec("1.25"), dec("0.5"), 12) == dec("0.625"));
    CHECK_THROWS_AS(decimal::multiply(dec("9223372036854775807"), dec("1.1"), 0), std::overflow_error);

    std::mt19937_64 random(7);
    const auto any = [&] { return decimal::from_scaled(static_cast<std::int64_t>(random() % 2'000'000) - 1'000'000, static_cast<int>(random() % 5)); };
    for (int i = 0; i < 20000; ++i) {
        const auto a = any(), b = any();
        REQUIRE(a + b - b == a);
        REQUIRE(a + b == b + a);
        REQUIRE(a * b == b * a);
        REQUIRE((a < b) == ((a - b).is_negative()));
        REQUIRE((a == b) == ((a - b).is_zero()));
        REQUIRE((a.rounded(2) - a).abs() <= dec("0.005"));
        // A long double cannot tell halves apart exactly, but it can tell the neighbours.
        REQUIRE(std::abs(a.to_double() - static_cast<double>(*a.to_scaled(4)) / 10000.0) < 1e-9);
    }
}

TEST_CASE("what does not fit 64 bits throws instead of wrapping")
{
    const auto big = dec("9223372036854775807"), low = dec("-9223372036854775808");
    CHECK_THROWS_AS(big + 1, std::overflow_error);
    CHECK_THROWS_AS(low - 1, std::overflow_error);
    CHECK_THROWS_AS(-low, std::overflow_error);
    CHECK_THROWS_AS(low.abs(), std::overflow_error);
    CHECK_THROWS_AS(big * 2, std::overflow_error);
    CHECK_THROWS_AS(dec("0.0000001") * dec("0.0000001"), std::overflow_error);
    CHECK(dec("1000000") * dec("0.0000001") == dec("0.1"));
    CHECK_FALSE(big.to_scaled(1));
    CHECK_FALSE(big.to_scaled(12));
    CHECK(big.to_scaled(0) == std::numeric_limits<std::int64_t>::max());
    CHECK(low.to_scaled(0) == std::numeric_limits<std::int64_t>::min());
    CHECK(low < big);
    CHECK(dec("0.000000000001") < big);
    CHECK(dec("9223372.036854775807") < big);
}

TEST_CASE("text with a fixed number of places is padded and rounded")
{
    CHECK(dec("12.5").to_string(2) == "12.50");
    CHECK(dec("12").to_string(2) == "12.00");
    CHECK(dec("12").to_string(0) == "12");
    CHECK(dec("12.999").to_string(2) == "13.00");
    CHECK(dec("-0.001").to_string(2) == "0.00");
    CHECK(dec("-0.5").to_string(3) == "-0.500");
    CHECK(decimal().to_string(1) == "0.0");
}
