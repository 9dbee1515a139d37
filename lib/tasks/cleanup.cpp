#include "tasks/cleanup.hpp"

namespace batchbridge::tasks {

boost::asio::awaitable<run_result> cleanup(line& l)
{
    const auto removed = co_await l.env().store.cleanup(l.hold(), l.env().config.retention_days);
    std::int64_t total = 0;
    std::string parts;
    for (const auto& [table, count] : removed) {
        total += count;
        if (count > 0) parts += fmt::format(" {} {}", count, table);
    }
    run_result r;
    r.changed = total > 0;
    r.detail = total > 0 ? "removed" + parts : "nothing older than the retention";
    co_return r;
}

}  // namespace batchbridge::tasks
