#include "domain/turn.hpp"

namespace batchbridge::domain {

namespace {

constexpr int good_cycles_for_news = 3;

}  // namespace

bool turn::next(std::int64_t key, time_point now)
{
    if (done_ > 0 && now >= until_) {
        resume_ = key;
        cut_ = true;
        return false;
    }
    ++done_;
    resume_ = key + 1;
    return true;
}

std::optional<turn::news> turn::end()
{
    if (cut_) {
        good_cycles_ = 0;
        ++late_cycles_;
        if (late_ == true) return std::nullopt;
        late_ = true;
        return news::late;
    }
    resume_ = 0;
    late_cycles_ = 0;
    if (late_ == false || ++good_cycles_ < good_cycles_for_news) return std::nullopt;
    late_ = false;
    return news::in_time;
}

}  // namespace batchbridge::domain
