#include "store/rows.hpp"

namespace batchbridge::store {

namespace asio = boost::asio;

asio::awaitable<std::variant<hold, line_moved>> store::take_line(const std::string& line, const line_address& address, const std::string& holder, bool may_move)
{
    pg::statement look("select host, port, unit_id, exists (select from mo_batch b where b.line = $1 and b.state in ('queued', 'loading', 'loaded', 'running')) as busy "
                       "from line where line = $1");
    look.bind(line);
    const auto row = co_await read_one(pool_, look);
    if (!row.empty() && !may_move && row.at(0, "busy").as_bool()) {
        line_moved moved;
        moved.stored.host = row.at(0, "host").text();
        moved.stored.port = row.at(0, "port").as_int();
        moved.stored.unit_id = row.at(0, "unit_id").as_int();
        if (moved.stored != address) co_return moved;
    }
    pg::statement take("insert into line (line, host, port, unit_id, epoch, holder) values ($1, $2, $3, $4, 1, $5) "
                       "on conflict (line) do update set host = excluded.host, port = excluded.port, unit_id = excluded.unit_id, epoch = line.epoch + 1, "
                       "holder = excluded.holder, since = now() returning epoch");
    take.bind(line).bind(address.host).bind(address.port).bind(address.unit_id).bind(holder);
    const auto taken = co_await read_one(pool_, take);
    hold h;
    h.line = line;
    h.epoch = taken.at(0, 0).as_int64();
    co_return h;
}

asio::awaitable<std::vector<line_row>> store::lines()
{
    const pg::statement s("select line, host, port, unit_id, epoch, holder, paused, paused_why from line order by line");
    const auto r = co_await read_one(pool_, s);
    std::vector<line_row> out;
    for (std::size_t i = 0; i < r.rows(); ++i) {
        line_row l;
        l.line = r.at(i, "line").text();
        l.holder = r.at(i, "holder").text();
        l.address.host = r.at(i, "host").text();
        l.address.port = r.at(i, "port").as_int();
        l.address.unit_id = r.at(i, "unit_id").as_int();
        l.epoch = r.at(i, "epoch").as_int64();
        l.paused = r.at(i, "paused").as_bool();
        l.paused_why = r.at(i, "paused_why").text();
        out.push_back(std::move(l));
    }
    co_return out;
}

asio::awaitable<std::map<std::string, std::string>> store::settings(const std::string& line)
{
    pg::statement s("select name, value from setting where line = $1");
    s.bind(line);
    const auto r = co_await read_one(pool_, s);
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < r.rows(); ++i) out[r.at(i, 0).text()] = r.at(i, 1).text();
    co_return out;
}

asio::awaitable<void> store::put_setting(const hold& h, const std::string& name, const std::string& value, const std::string& who, const std::string& why)
{
    std::vector<pg::statement> all;
    all.emplace_back("insert into setting (line, name, value, who) values ($1, $2, $3, $4) on conflict (line, name) do update set value = excluded.value, who = excluded.who, at = now()")
        .bind(h.line).bind(name).bind(value).bind(who);
    journal_entry e;
    e.what = "setting";
    e.answer = name + " = " + value + (why.empty() ? "" : ": " + why);
    e.who = who;
    all.push_back(journal_statement(h.line, e));
    co_await fenced_pipeline(pool_, h, std::move(all));
}

}  // namespace batchbridge::store
