#include "store/rows.hpp"

#include "core/log.hpp"
#include "core/task_group.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::store {

namespace asio = boost::asio;

namespace {

// A transaction of the former holder that is at work ends within this; one whose process was stopped in the middle of
// sending it never does, and no time limit of PostgreSQL applies inside a pipeline.
constexpr std::chrono::milliseconds patience_with_former_holder{1000}, between_looks{300};

// Whoever takes a line holds its lock: nobody else may be writing for it any more. Until cancelled.
asio::awaitable<void> end_blocking_sessions(pg::pool& pool, const std::string& line, int taker)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (auto pause = patience_with_former_holder;; pause = between_looks) {
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
        // Materialized: the condition that ends a session must be asked last.
        pg::statement s("with blocking as materialized (select pid from pg_stat_activity where pid = any(pg_blocking_pids($1::int)) and application_name = 'batchbridge') "
                        "select count(*) filter (where pg_terminate_backend(pid)) from blocking");
        s.bind(taker);
        const auto ended = co_await read_one(pool, s);
        if (ended.at(0, 0).as_int() > 0) core::log::warning({line, {}, {}, {}}, "ended {} database session(s) of the former holder, which left a transaction open", ended.at(0, 0).as_int());
    }
}

asio::awaitable<pg::result> take_row(pg::pool& pool, const std::string& line, const pg::statement& take)
{
    auto connection = co_await pool.acquire();
    core::task_group helper(co_await asio::this_coro::executor, [&line](const std::string&, std::exception_ptr e) {
        core::log::debug({line, {}, {}, {}}, "what blocks the taking was not ended: {}", core::describe(e));
    });
    const auto taker = connection->backend_pid();
    helper.spawn("end blocking sessions", [&pool, &line, taker] { return end_blocking_sessions(pool, line, taker); });
    pg::result out;
    std::exception_ptr failure;
    try {
        out = co_await connection->query(take);
    } catch (...) {
        failure = std::current_exception();
    }
    // We may be cancelled already; the helper must end before `helper` does.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    helper.cancel();
    co_await helper.join();
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (failure) std::rethrow_exception(failure);
    co_return out;
}

}  // namespace

asio::awaitable<int> store::schema_version()
{
    const pg::statement s("select coalesce(max(number), 0) from schema_migration");
    const auto r = co_await read_one(pool_, s);
    co_return r.at(0, 0).as_int();
}

asio::awaitable<void> store::try_to_write()
{
    std::vector<pg::statement> all;
    all.emplace_back("create temp table batchbridge_room (x text) on commit drop");
    // Too much for what room the pages in use have left; random, so that it is not compressed away.
    all.emplace_back("insert into batchbridge_room select string_agg(md5(random()::text), '') from generate_series(1, 2000)");
    auto connection = co_await pool_.acquire();
    co_await connection->pipeline(all);
}

asio::awaitable<std::variant<hold, line_moved>> store::take_line(const std::string& line, const line_address& address, const std::string& holder, bool may_move)
{
    // One that is being taken out may still stand in the PLC: looked for in another one it would be taken for blanked.
    pg::statement look("select host, port, unit_id, exists (select from mo_batch b where b.line = $1 and b.state in ('queued', 'loading', 'loaded', 'running', 'cancelling')) as busy "
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
                       "holder = excluded.holder, since = clock_timestamp() returning epoch, since");
    take.bind(line).bind(address.host).bind(address.port).bind(address.unit_id).bind(holder);
    const auto taken = co_await take_row(pool_, line, take);
    hold h;
    h.line = line;
    h.epoch = taken.at(0, 0).as_int64();
    h.since = taken.at(0, 1).text();
    co_return h;
}

asio::awaitable<int> store::mend_future_times(const hold& h)
{
    std::vector<pg::statement> all;
    all.emplace_back("update odoo_attempt set started_at = now() where line = $1 and outcome is null and started_at > now() + interval '2 seconds'").bind(h.line);
    all.emplace_back("update odoo_outbox set next_at = now() + interval '1 hour' where line = $1 and state in ('due', 'sending') and next_at > now() + interval '1 hour'").bind(h.line);
    const auto r = co_await fenced_pipeline(pool_, h, std::move(all));
    co_return static_cast<int>(r[0].affected() + r[1].affected());
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
