// Who comes next when a cycle cannot get round: a bound on its time, and a beginning where the one before left off, so
// that nobody starves behind somebody slow or silent (L-14). Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace batchbridge::domain {

class turn {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using duration = std::chrono::steady_clock::duration;

    // A cycle begins. `things` are sorted by their keys (above 0) and are put into the order of this cycle: those that the
    // cycle before did not come to are the first. A cycle that broke off at a thing goes on behind it.
    template <class T, class Key>
    void begin(std::vector<T>& things, Key key, time_point now, duration limit)
    {
        const auto first = std::find_if(things.begin(), things.end(), [&](const T& t) { return key(t) >= resume_; });
        std::rotate(things.begin(), first == things.end() ? things.begin() : first, things.end());
        until_ = now + limit;
        done_ = 0;
        cut_ = false;
    }

    // Before each thing: false when the time is up; then the rest is for the next cycle. Never false for the first one.
    bool next(std::int64_t key, time_point now);

    // A cycle ended without an error. News: it did not get round in time and those before did, or the other way round for
    // three cycles (also the first three of all, as nothing is known of an earlier process). Otherwise nothing.
    enum class news { late, in_time };
    std::optional<news> end();

    bool cut() const noexcept { return cut_; }
    // In this cycle so far.
    int done() const noexcept { return done_; }
    // Whether this cycle may take up what is not part of the round: after each that got round, after every fourth that did not.
    bool time_for_more() const noexcept { return !cut_ || late_cycles_ % 4 == 3; }

private:
    std::int64_t resume_ = 0;
    time_point until_{};
    int done_ = 0, late_cycles_ = 0, good_cycles_ = 0;
    bool cut_ = false;
    std::optional<bool> late_;   // nothing: not known yet
};

}  // namespace batchbridge::domain
