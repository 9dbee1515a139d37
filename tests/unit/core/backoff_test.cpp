#include "core/backoff.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace batchbridge::core;
using namespace std::chrono_literals;

namespace {

constexpr backoff_limits pace{500ms, 5s};
constexpr double most = 1.0;   // a step's upper end, above what random_unit() gives

}  // namespace

TEST_CASE("the delay doubles with each failure until the cap")
{
    CHECK(backoff_delay(pace, 1, most) == 500ms);
    CHECK(backoff_delay(pace, 2, most) == 1s);
    CHECK(backoff_delay(pace, 3, most) == 2s);
    CHECK(backoff_delay(pace, 4, most) == 4s);
    CHECK(backoff_delay(pace, 5, most) == 5s);
    CHECK(backoff_delay(pace, 6, most) == 5s);
}

TEST_CASE("the first delay is not above the cap, and no failure yet waits like the first")
{
    CHECK(backoff_delay({10s, 5s}, 1, most) == 5s);
    CHECK(backoff_delay({5s, 5s}, 1, most) == 5s);
    CHECK(backoff_delay(pace, 0, most) == 500ms);
}

TEST_CASE("jitter spreads each delay over its upper half")
{
    for (const unsigned failures : {1U, 2U, 3U, 4U, 5U, 100U}) {
        CAPTURE(failures);
        const auto full = backoff_delay(pace, failures, most);
        CHECK(backoff_delay(pace, failures, 0.0) == full / 2);
        CHECK(backoff_delay(pace, failures, 0.5) == full / 4 * 3);
        for (int i = 0; i < 200; ++i) {
            const auto delay = backoff_delay(pace, failures, random_unit());
            CHECK(delay >= full / 2);
            CHECK(delay <= full);
        }
    }
}

TEST_CASE("a delay stays within its limits after any number of failures, and is found at once")
{
    constexpr auto longest = duration::max();
    const auto before = std::chrono::steady_clock::now();
    for (const unsigned failures : {31U, 32U, 63U, 64U, 65U, 1000U, 4000000000U, std::numeric_limits<unsigned>::max()}) {
        CAPTURE(failures);
        CHECK(backoff_delay(pace, failures, most) == 5s);
        CHECK(backoff_delay(pace, failures, 0.0) == 2500ms);
        // The cap is as large as a duration gets: doubling must stop before it turns negative.
        for (const double random : {0.0, 0.5, std::nextafter(1.0, 0.0)}) {
            const auto delay = backoff_delay({1s, longest}, failures, random);
            CHECK(delay > duration::zero());
            if (failures >= 40) CHECK(delay >= longest / 2);
        }
        // Doubling nothing gives nothing, however often.
        CHECK(backoff_delay({0s, 5s}, failures, most) == 0s);
    }
    CHECK(std::chrono::steady_clock::now() - before < 1s);
}

TEST_CASE("a random number is at least 0 and below 1, and differs from call to call")
{
    double low = 1.0, high = 0.0;
    for (int i = 0; i < 1000; ++i) {
        const double r = random_unit();
        CHECK(r >= 0.0);
        CHECK(r < 1.0);
        low = std::min(low, r);
        high = std::max(high, r);
    }
    CHECK(low < 0.1);
    CHECK(high > 0.9);
}
