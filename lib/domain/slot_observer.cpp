#include "domain/slot_observer.hpp"

#include <utility>

namespace batchbridge::domain {

namespace {

constexpr int tries = 3;

}  // namespace

slot_observer::step slot_observer::add(words image)
{
    const auto before = std::exchange(last_, std::move(image));
    if (reads_++ == 0) return last_ == stored_ ? step::unchanged : step::again;
    if (compare_reads(map_, before, last_) != consistency::inconsistent) return step::accepted;
    return reads_ > tries ? step::inconsistent : step::again;
}

}  // namespace batchbridge::domain
