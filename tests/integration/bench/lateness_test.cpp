// What the jitter row makes of the simulator's log.
#include "bench/lateness.hpp"
#include "bench/row.hpp"
#include "support/catch.hpp"

#include <sstream>

using namespace batchbridge::bench;
using namespace std::chrono_literals;

namespace {

// Starts every 50 ms from an odd moment, each late by what `late_ms` says.
std::vector<nanoseconds> starts(const std::vector<double>& late_ms)
{
    std::vector<nanoseconds> out;
    nanoseconds due = 1234567891ns;
    for (const auto ms : late_ms) {
        out.push_back(due + nanoseconds(static_cast<std::int64_t>(ms * 1e6)));
        due += 50ms;
    }
    return out;
}

}  // namespace

TEST_CASE("punctual cycle starts are not late, wherever the grid lies")
{
    for (const auto ms : lateness_ms(starts(std::vector<double>(40, 0.0)), 50ms)) CHECK(ms == 0);
}

TEST_CASE("a cycle start that was held up is late by its delay")
{
    std::vector<double> late(100, 0.0);
    late[50] = 7;
    const auto measured = lateness_ms(starts(late), 50ms);
    REQUIRE(measured.size() == 99);
    CHECK(measured[49] == Approx(7));
    CHECK(percentile(measured, 100) == Approx(7));
    CHECK(median(measured) == 0);
}

TEST_CASE("a cycle start that is held up by more than half an interval is not taken for an early one")
{
    std::vector<double> late(40, 0.0);
    late[20] = 33;
    CHECK(percentile(lateness_ms(starts(late), 50ms), 100) == Approx(33));
}

TEST_CASE("left-out cycles make the next start late by the time since they were due")
{
    auto some = starts(std::vector<double>(40, 0.0));
    some.erase(some.begin() + 20, some.begin() + 23);
    const auto measured = lateness_ms(some, 50ms);
    CHECK(percentile(measured, 100) == Approx(150));
    CHECK(median(measured) == 0);
}

TEST_CASE("the second read of a changed slot begins no cycle")
{
    std::vector<read_request> requests;
    for (const int address : {6900, 6000, 6000, 6100, 6900, 6000, 6100, 6100, 6000}) requests.push_back({nanoseconds(requests.size()), address});
    CHECK(cycle_starts(requests, 6000) == std::vector<nanoseconds>{1ns, 5ns, 8ns});
}

TEST_CASE("only whole lines about reads within the time of measuring count")
{
    std::istringstream log(R"({"ns":10,"function":3,"address":6000,"result":"ok"}
{"ns":20,"function":3,"address":6100,"result":"ok"}
{"ns":30,"function":16,"address":7000,"result":"ok"}
{"ns":40,"event":"started","text":"slot 1 starts"}
{"ns":50,"function":3,"address":6200,"result":"ok"}
{"ns":60,"func)");
    const auto found = read_requests(log, 15ns, 55ns);
    REQUIRE(found.size() == 2);
    CHECK(found[0].address == 6100);
    CHECK(found[1].address == 6200);
}

TEST_CASE("the percentile is a value that was measured, and the median of an even number lies between")
{
    CHECK(percentile({3, 1, 2}, 99) == 3);
    CHECK(percentile({3, 1, 2}, 10) == 1);
    CHECK(median({4, 1, 3, 2}) == 2.5);
    CHECK_THROWS_AS(median({}), std::invalid_argument);
}

TEST_CASE("a row without a plain figure says null, not nothing")
{
    row r;
    r.name = "memory";
    r.unit = "MB";
    r.ours = 18.6;
    r.target = 25;
    r.by = limited::ours;
    r.ok = true;
    r.n = 1;
    CHECK(to_json(r) == R"({"row":"memory","unit":"MB","ours":18.600,"plain":null,"ratio":null,"target":25.000,"target_of":"ours","ok":true,"n":1,"disturbed":false})");
}
