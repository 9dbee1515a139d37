#include "tasks/dependency_board.hpp"

#include "core/log.hpp"

namespace batchbridge::tasks {

std::string_view to_string(dependency_board::state s) noexcept
{
    switch (s) {
    case dependency_board::state::unknown: return "unknown";
    case dependency_board::state::up: return "up";
    case dependency_board::state::down: return "down";
    }
    return "unknown";
}

void dependency_board::up(const std::string& what, const std::string& detail)
{
    auto& e = entries_[what];
    if (e.now == state::up) return;
    const bool was_down = e.now == state::down;
    e.now = state::up;
    const auto now = core::utc_now();
    const auto away = std::chrono::duration_cast<std::chrono::seconds>(now - e.since);
    e.since = now;
    const core::log::fields about{e.line, {}, {}, {}};
    if (was_down)
        core::log::info(about, "{} is back after {} s{}{}", what, away.count(), detail.empty() ? "" : ": ", detail);
    else
        core::log::info(about, "{} answers{}{}", what, detail.empty() ? "" : ": ", detail);
}

bool dependency_board::down(const std::string& what, const std::string& error)
{
    auto& e = entries_[what];
    e.last_error = error;
    if (e.now == state::down) return false;
    e.now = state::down;
    e.since = core::utc_now();
    core::log::warning({e.line, {}, {}, {}}, "{} is down, will keep trying: {}", what, error);
    return true;
}

bool dependency_board::is_up(const std::string& what) const
{
    auto it = entries_.find(what);
    return it != entries_.end() && it->second.now == state::up;
}

}  // namespace batchbridge::tasks
