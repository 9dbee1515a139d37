#include "domain/slot_parts.hpp"

#include "domain/plant_map_validate.hpp"
#include "support/catch.hpp"
#include "unit/domain/example.hpp"

#include <numeric>

using namespace batchbridge;
using domain::part;
using domain::words;

namespace {

domain::plant_map limited(int max_read)
{
    auto m = example::map();
    m.limits.max_read = max_read;
    return m;
}

// What a PLC with these registers answers.
std::vector<words> samples(const words& slot, const std::vector<part>& parts)
{
    std::vector<words> out;
    for (const auto& p : parts) out.emplace_back(slot.begin() + p.at, slot.begin() + p.at + p.count);
    return out;
}

}  // namespace

TEST_CASE("a slot is cut into the fewest parts, never through a value (field.md row 8)")
{
    const auto most = GENERATE(range(8, 126));
    CAPTURE(most);
    const auto values = domain::slot_values(example::map());
    const auto parts = domain::split_values(values, 77, most);
    int at = 0;
    for (const auto& p : parts) {
        CHECK(p.at == at);
        CHECK(p.count >= 1);
        CHECK(p.count <= most);
        at += p.count;
    }
    CHECK(at == 77);
    for (const auto& [name, f] : values) {
        INFO(name);
        CHECK(std::any_of(parts.begin(), parts.end(), [f = f](const part& p) { return f.at >= p.at && f.at + f.words <= p.at + p.count; }));
    }
    // No part could have taken the first value of the next one too.
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto& next = parts[i + 1];
        const auto first = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.second.at == next.at; });
        REQUIRE(first != values.end());
        CHECK(parts[i].count + first->second.words > most);
    }
}

TEST_CASE("a slot that fits one request is read in one, without any guard")
{
    for (const int most : {77, 125}) {
        const auto plan = domain::plan_slot_read(limited(most));
        CHECK_FALSE(plan.guarded());
        CHECK(plan.parts == std::vector<part>{{0, 77}});
        CHECK(plan.before.empty());
        CHECK(plan.after.empty());
    }
}

TEST_CASE("a slot in parts costs two more requests: the order's name before, the status words after (field.md row 9)")
{
    const auto plan = domain::plan_slot_read(limited(20));
    CHECK(plan.parts == std::vector<part>{{57, 20}, {17, 20}, {37, 20}, {0, 17}});
    CHECK(plan.before == std::vector<part>{{1, 8}});
    CHECK(plan.after == std::vector<part>{{72, 5}});
}

TEST_CASE("every key is sampled before the first and after the last word of the picture")
{
    const auto most = GENERATE(range(8, 77));
    const bool odd_layout = GENERATE(false, true);
    CAPTURE(most, odd_layout);
    auto m = limited(most);
    if (odd_layout) {
        // The status words apart from each other and before the name: only the guard's rules count, not the usual places.
        m.fields.status_manufacturing.at = 0;
        m.fields.batch_no.at = 72;
        std::swap(m.fields.mo_id.at, m.fields.finished_goods.at);
    }
    const auto plan = domain::plan_slot_read(m);
    REQUIRE(plan.guarded());
    const auto total = std::accumulate(plan.parts.begin(), plan.parts.end(), 0, [](int n, const part& p) { return n + p.count; });
    CHECK(total == 77);
    const auto holds = [](const part& p, const domain::field& f) { return f.at >= p.at && f.at + f.words <= p.at + p.count; };
    const auto in = [&](const std::vector<part>& parts, const domain::field& f) {
        return std::any_of(parts.begin(), parts.end(), [&](const part& p) { return holds(p, f); });
    };
    const auto& f = m.fields;
    for (const auto* key : {&f.mo_id, &f.status_manufacturing, &f.status_operation, &f.status_read_data}) {
        CHECK((holds(plan.parts.front(), *key) || in(plan.before, *key)));
        CHECK((holds(plan.parts.back(), *key) || in(plan.after, *key)));
    }
    // The name no later than any status word.
    const bool name_first = holds(plan.parts.front(), f.mo_id) || (!plan.before.empty() && holds(plan.before.front(), f.mo_id));
    CHECK(name_first);
    for (const auto* parts : {&plan.before, &plan.after})
        for (const auto& p : *parts) CHECK(p.count <= most);
}

TEST_CASE("keys that are not the same before, in and after the parts make no picture")
{
    const auto m = limited(20);
    const auto plan = domain::plan_slot_read(m);
    example::shown s;
    s.actual = {{101, 100}};
    const auto now = example::image(s);
    const auto good = [&](const words& before, const words& slot, const words& after) {
        return domain::same_keys(m, plan, samples(before, plan.before), slot, samples(after, plan.after));
    };
    CHECK(good(now, now, now));
    auto more = s;
    more.actual = {{101, 120}};
    CHECK(good(now, example::image(more), now));
    auto ended = s;
    ended.manufacturing = 1;
    CHECK_FALSE(good(now, now, example::image(ended)));
    auto next = s;
    next.order = "WH/MO/00015";
    CHECK_FALSE(good(now, example::image(ended), now));
    CHECK_FALSE(good(example::image(next), now, now));
    auto acknowledged = s;
    acknowledged.read_data = 1;
    CHECK_FALSE(good(now, now, example::image(acknowledged)));
}
