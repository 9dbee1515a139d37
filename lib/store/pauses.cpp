// The pause of a line that a person asked for: it outlives the process.
#include "core/crash_point.hpp"
#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

asio::awaitable<bool> store::pause_line(const hold& h, journal_entry entry)
{
    std::vector<pg::statement> all;
    all.push_back(journaled(h.line, entry, "update line set paused = true, paused_why = $8 where line = $1 and not paused"));
    const auto r = co_await fenced_line_pipeline(pool_, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("pause.stored");
    co_return r.front().at(0, 0).as_int64() == 1;
}

asio::awaitable<bool> store::resume_line(const hold& h, journal_entry entry)
{
    std::vector<pg::statement> all;
    all.push_back(journaled(h.line, entry, "update line set paused = false, paused_why = '' where line = $1 and paused"));
    const auto r = co_await fenced_line_pipeline(pool_, h, std::move(all));
    BATCHBRIDGE_CRASH_POINT("resume.stored");
    co_return r.front().at(0, 0).as_int64() == 1;
}

asio::awaitable<std::optional<std::string>> store::pause_of(const std::string& line)
{
    pg::statement s("select paused_why from line where line = $1 and paused");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    if (r.empty()) co_return std::nullopt;
    co_return r.at(0, 0).text();
}

}  // namespace batchbridge::store
