#include "domain/slot_observer.hpp"

#include <utility>

namespace batchbridge::domain {

namespace {

constexpr int tries = 3;

}  // namespace

slot_observer::step slot_observer::add(words image)
{
    auto before = std::exchange(last_, std::move(image));
    if (reads_++ == 0) {
        picture_ = last_;
        return last_ == stored_ ? step::unchanged : step::again;
    }
    const auto now = compare_reads(map_, before, last_);
    if (now == consistency::equal || (advanced_ && now == consistency::advancing)) {
        picture_ = std::move(before);
        return step::accepted;
    }
    advanced_ = now == consistency::advancing;
    return reads_ > tries ? step::inconsistent : step::again;
}

}  // namespace batchbridge::domain
