// The bound on a read cycle, and that no slot starves under it.
#include "domain/turn.hpp"

#include "support/catch.hpp"

#include <numeric>
#include <set>

using namespace batchbridge::domain;
using namespace std::chrono_literals;

namespace {

const turn::time_point start = turn::time_point(1h);
constexpr int nobody = 0;

// A PLC whose slots take `each`; at the slot `silent` a cycle ends with an error.
struct round_trip {
    turn t;
    turn::time_point now = start;
    std::vector<int> read;
    std::optional<turn::news> news;

    turn::duration cycle(turn::duration each, int silent = nobody, turn::duration limit = 6s)
    {
        const auto from = now;
        std::vector<int> slots(10);
        std::iota(slots.begin(), slots.end(), 1);
        t.begin(slots, [](int s) { return s; }, now, limit);
        read.clear();
        news.reset();
        for (const int s : slots) {
            if (!t.next(s, now)) break;
            now += each;
            if (s == silent) return now - from;
            read.push_back(s);
        }
        news = t.end();
        return now - from;
    }
};

}  // namespace

TEST_CASE("ten slots at 1.9 s each do not make a cycle of 19 s, and each is read within three cycles (L-14)")
{
    round_trip r;
    std::multiset<int> all;
    for (int i = 0; i < 3; ++i) {
        CHECK(r.cycle(1900ms) <= 6s + 1900ms);
        all.insert(r.read.begin(), r.read.end());
        CHECK(r.t.cut());
        CHECK(r.t.done() == 4);
    }
    for (int slot = 1; slot <= 10; ++slot) CHECK(all.count(slot) >= 1);
    // Over a long time all are read equally often.
    all.clear();
    for (int i = 0; i < 100; ++i) {
        r.cycle(1900ms);
        all.insert(r.read.begin(), r.read.end());
    }
    for (int slot = 1; slot <= 10; ++slot) CHECK(all.count(slot) == 40);
}

TEST_CASE("a PLC slower than the bound is still read, one slot a cycle")
{
    round_trip r;
    r.cycle(7s);
    CHECK(r.read == std::vector<int>{1});
    r.cycle(7s);
    CHECK(r.read == std::vector<int>{2});
}

TEST_CASE("a slot that never answers does not hide those behind it")
{
    round_trip r;
    std::set<int> all;
    for (int i = 0; i < 2; ++i) {
        r.cycle(300ms, 3);
        all.insert(r.read.begin(), r.read.end());
    }
    CHECK(all == std::set<int>{1, 2, 4, 5, 6, 7, 8, 9, 10});
    // It answers again: the usual order.
    r.cycle(10ms);
    r.cycle(10ms);
    CHECK(r.read == std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("slow and fast again is one piece of news each, however the cycles vary")
{
    round_trip r;
    // At first nothing is known: three good cycles say what an earlier process may have left open.
    for (int i = 0; i < 2; ++i) {
        r.cycle(10ms);
        CHECK_FALSE(r.news);
    }
    r.cycle(10ms);
    CHECK(r.news == turn::news::in_time);
    int late = 0, in_time = 0;
    for (int i = 0; i < 50; ++i) {
        r.cycle(i % 3 == 0 ? 1s : 10ms);
        late += r.news == turn::news::late ? 1 : 0;
        in_time += r.news == turn::news::in_time ? 1 : 0;
    }
    CHECK(late == 1);
    CHECK(in_time == 0);
    for (int i = 0; i < 20; ++i) {
        r.cycle(10ms);
        in_time += r.news == turn::news::in_time ? 1 : 0;
    }
    CHECK(in_time == 1);
}

TEST_CASE("what is not part of the round has its turn on a slow PLC too, now and then")
{
    round_trip r;
    int more = 0;
    for (int i = 0; i < 40; ++i) {
        r.cycle(1900ms);
        more += r.t.time_for_more() ? 1 : 0;
    }
    CHECK(more >= 9);
    CHECK(more <= 11);
    r.cycle(10ms);
    CHECK(r.t.time_for_more());
}
