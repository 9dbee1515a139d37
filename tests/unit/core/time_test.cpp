// Instants and durations in text, and the delays between tries.
#include "core/backoff.hpp"
#include "core/time.hpp"

#include "support/catch.hpp"

#include <random>

using namespace batchbridge::core;
using namespace std::chrono_literals;

namespace {

utc_time at(std::int64_t seconds_since_1970)
{
    return utc_time(std::chrono::seconds(seconds_since_1970));
}

}  // namespace

TEST_CASE("an instant goes to Odoo as UTC in whole seconds and comes back the same (L-48)")
{
    CHECK(to_odoo(at(1795431000)) == "2026-11-23 10:50:00");
    CHECK(to_iso(at(1795431000)) == "2026-11-23T10:50:00Z");
    CHECK(to_odoo(at(0) + 999999us) == "1970-01-01 00:00:00");
    CHECK(to_odoo(at(0) - 1us) == "1969-12-31 23:59:59");
    CHECK(from_odoo("2026-11-23 10:50:00") == at(1795431000));
    CHECK(from_odoo("2024-02-29 23:59:59") == at(1709251199));
    std::mt19937_64 random(48);
    for (int i = 0; i < 5000; ++i) {
        const auto t = at(static_cast<std::int64_t>(random() % 4'000'000'000ULL));
        REQUIRE(from_odoo(to_odoo(t)) == t);
    }
}

TEST_CASE("what is no time of Odoo's is refused")
{
    for (const char* text : {"", "false", "2026-11-23", "2026-11-23T11:30:00", "2026-11-23 11:30", "2026-11-23 11:30:00Z", "2026-11-23 11:30:00 ", " 2026-11-23 10:50:00",
                             "2026-13-01 00:00:00", "2026-02-30 00:00:00", "2025-02-29 00:00:00", "2026-11-23 24:00:00", "2026-11-23 11:60:00", "2026-11-23 11:30:61",
                             "23.11.2026 11:30:00", "2026-11-23 11:30:00+02:00", "now"}) {
        INFO("'" << text << "'");
        CHECK_FALSE(from_odoo(text));
    }
}

TEST_CASE("a duration is a whole number and its unit, nothing else (L-49)")
{
    CHECK(parse_duration("500ms") == duration(500ms));
    CHECK(parse_duration("5s") == duration(5s));
    CHECK(parse_duration("3m") == duration(3min));
    CHECK(parse_duration("1h") == duration(1h));
    CHECK(parse_duration("0s") == duration(0));
    CHECK(parse_duration("24h") == duration(24h));
    for (const char* text : {"", "5", "s", "ms", "-1s", "+1s", "1.5s", "1,5s", "5 s", " 5s", "5s ", "5S", "5sec", "5d", "1h30m", "5us", "0x5s", "1e3s", "99999999999999999999s",
                             "9223372036854775807h", "9223372036854775807ms"}) {
        INFO("'" << text << "'");
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("a duration is shown in the largest exact unit and reads back")
{
    CHECK(to_string(duration(500ms)) == "500ms");
    CHECK(to_string(duration(1500ms)) == "1500ms");
    CHECK(to_string(duration(90s)) == "90s");
    CHECK(to_string(duration(180s)) == "3m");
    CHECK(to_string(duration(24h)) == "24h");
    CHECK(to_string(duration(0)) == "0ms");
    std::mt19937_64 random(5);
    for (int i = 0; i < 5000; ++i) {
        const duration d = std::chrono::milliseconds(random() % 1'000'000'000);
        REQUIRE(parse_duration(to_string(d)) == d);
    }
}

TEST_CASE("the delay doubles up to the cap and its jitter keeps it between half and whole")
{
    const backoff_limits limits{1s, 60s};
    CHECK(backoff_delay(limits, 1, 1.0) == 1s);
    CHECK(backoff_delay(limits, 2, 1.0) == 2s);
    CHECK(backoff_delay(limits, 3, 1.0) == 4s);
    CHECK(backoff_delay(limits, 6, 1.0) == 32s);
    CHECK(backoff_delay(limits, 7, 1.0) == 60s);
    CHECK(backoff_delay(limits, 8, 1.0) == 60s);
    CHECK(backoff_delay(limits, 1, 0.0) == 500ms);
    CHECK(backoff_delay(limits, 7, 0.0) == 30s);
    // Years of failures neither overflow nor take long.
    CHECK(backoff_delay(limits, 4'000'000'000U, 0.5) == 45s);
    CHECK(backoff_delay({10s, 1s}, 1, 1.0) == 1s);
    CHECK(backoff_delay({1s, 24h * 365}, 60, 1.0) == 24h * 365);

    double lowest = 1, highest = 0;
    for (unsigned i = 0; i < 20000; ++i) {
        const double r = random_unit();
        REQUIRE(r >= 0);
        REQUIRE(r < 1);
        lowest = std::min(lowest, r);
        highest = std::max(highest, r);
        const auto d = backoff_delay(limits, i % 12 + 1, r), whole = backoff_delay(limits, i % 12 + 1, 1.0);
        REQUIRE(d >= whole / 2);
        REQUIRE(d <= whole);
        REQUIRE(d <= limits.cap);
    }
    CHECK(lowest < 0.01);
    CHECK(highest > 0.99);
}
