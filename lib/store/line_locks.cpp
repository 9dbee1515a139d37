#include "store/line_locks.hpp"

#include "core/event.hpp"
#include "pg/connection.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <ctime>

namespace batchbridge::store {

namespace asio = boost::asio;

namespace {

constexpr auto lock_class = 1651663212;   // any number of ours; the second key is the line's

std::int64_t boot_ns()
{
    timespec t{};
    ::clock_gettime(CLOCK_BOOTTIME, &t);
    return std::int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

}  // namespace

lease_times lease_times::for_this_build()
{
    lease_times t;
#ifdef BATCHBRIDGE_CRASH_POINTS
    if (const char* percent = std::getenv("BATCHBRIDGE_LEASE_SCALE"); percent != nullptr && std::atoi(percent) > 0) {
        const int p = std::atoi(percent);
        for (auto* d : {&t.heartbeat, &t.valid_for, &t.idle_session_timeout, &t.write_delay, &t.statement_timeout}) *d = *d * p / 100;
    }
#endif
    return t;
}

struct line_locks::impl {
    impl(asio::any_io_executor executor, std::string url, lease_times t) : connection(executor, std::move(url)), turn(executor), times(t) {}
    pg::connection connection;
    core::async_mutex turn;          // heartbeats and locks share the session
    lease_times times;
    std::atomic<std::int64_t> valid_until{0};
    std::uint64_t session = 0;

    void extend(std::int64_t sent)
    {
        valid_until = sent + std::chrono::duration_cast<std::chrono::nanoseconds>(times.valid_for).count();
    }
    void lose()
    {
        valid_until = 0;
        connection.close();
    }

    // Any failure ends the session and with it every lock: a session whose state is in doubt proves nothing.
    asio::awaitable<pg::result> ask(const pg::statement& s, core::duration limit)
    {
        std::exception_ptr failure;
        pg::result out;
        try {
            out = co_await connection.query(s, limit);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {
            lose();
            std::rethrow_exception(failure);
        }
        co_return out;
    }
};

line_locks::line_locks(asio::any_io_executor executor, std::string url, lease_times times) : impl_(std::make_unique<impl>(std::move(executor), std::move(url), times)) {}

line_locks::~line_locks() = default;

bool line_locks::connected() const noexcept
{
    return impl_->connection.is_open();
}

std::uint64_t line_locks::session() const noexcept
{
    return impl_->session;
}

bool line_locks::valid() const noexcept
{
    return boot_ns() < impl_->valid_until.load();
}

void line_locks::close() noexcept
{
    impl_->lose();
}

namespace {

std::int64_t ms(core::duration d)
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace

asio::awaitable<void> line_locks::connect()
{
    const auto turn = co_await impl_->turn.lock();
    impl_->valid_until = 0;
    const auto sent = boot_ns();
    co_await impl_->connection.connect(std::chrono::seconds(3));
    // If we fall silent, PostgreSQL ends the session and with it our locks.
    const pg::statement idle(fmt::format("set idle_session_timeout = '{}ms'", ms(impl_->times.idle_session_timeout)));
    const pg::statement limit(fmt::format("set statement_timeout = '{}ms'", ms(impl_->times.statement_timeout)));
    co_await impl_->ask(idle, impl_->times.valid_for);
    co_await impl_->ask(limit, impl_->times.valid_for);
    ++impl_->session;
    impl_->extend(sent);
}

asio::awaitable<bool> line_locks::try_lock(const std::string& line)
{
    const auto turn = co_await impl_->turn.lock();
    pg::statement s("select pg_try_advisory_lock($1, hashtext($2))");
    s.bind(lock_class).bind(line);
    const auto r = co_await impl_->ask(s, impl_->times.valid_for);
    co_return r.at(0, 0).as_bool();
}

asio::awaitable<void> line_locks::unlock(const std::string& line)
{
    const auto turn = co_await impl_->turn.lock();
    pg::statement s("select pg_advisory_unlock($1, hashtext($2))");
    s.bind(lock_class).bind(line);
    co_await impl_->ask(s, impl_->times.valid_for);
}

asio::awaitable<void> line_locks::heartbeat()
{
    const auto turn = co_await impl_->turn.lock();
    const auto sent = boot_ns();
    pg::statement beat("select pg_backend_pid() = $1::int");
    beat.bind(impl_->connection.backend_pid());
    const auto same = co_await impl_->ask(beat, impl_->times.valid_for);
    if (!same.at(0, 0).as_bool()) {
        const auto target = impl_->connection.target();
        impl_->lose();
        throw pg::error(core::error_kind::rejected, "heartbeat", target,
                        "the session of the locks is served by another process of PostgreSQL than before: a connection pooler is in between, which breaks advisory locks; give the address of PostgreSQL itself");
    }
    impl_->extend(sent);
}

}  // namespace batchbridge::store
