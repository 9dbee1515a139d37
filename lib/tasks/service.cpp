#include "tasks/service.hpp"

#include "core/backoff.hpp"
#include "core/deadline.hpp"
#include "core/log.hpp"
#include "tasks/lease_keeper.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto finish_grace = std::chrono::seconds(5);   // running runs may finish
constexpr auto cancel_grace = std::chrono::seconds(2);   // then they are cancelled; together below 7 s
constexpr core::backoff_limits start_pace{std::chrono::milliseconds(200), std::chrono::seconds(5)};

void log_end(const std::string& name, const std::exception_ptr& e)
{
    core::log::error({}, "{} ended: {}", name, core::describe(e));
}

}  // namespace

service::service(environment& env, pg::pool& pool, std::filesystem::path migrations, std::vector<line_setup> setups,
                 const std::function<line::device_factory(const core::line_config&, const domain::plant_map&)>& devices)
    : env_(env), pool_(pool), migrations_(std::move(migrations)), dispatcher_(env, lines_), odoo_check_(env), watch_(env, dispatcher_, lines_), preparation_(env.executor, log_end),
      group_(env.executor, log_end), stop_(env.executor)
{
    for (auto& s : setups) {
        const auto make = devices(s.config, s.map);
        lines_.push_back(std::make_unique<line>(env_, std::move(s.config), std::move(s.map), make));
    }
}

service::~service() = default;

line* service::find_line(std::string_view name) const
{
    for (const auto& l : lines_)
        if (l->name() == name) return l.get();
    return nullptr;
}

void service::stop()
{
    stopping_ = true;
    stop_.set();
    preparation_.cancel();
}

// Cancelled by stop(): it may wait ten minutes for another process's migration. Its connection is closed then, so what
// the server still did in a transaction is rolled back, or committed as a whole.
asio::awaitable<void> service::prepare_database()
{
    unsigned failures = 0;
    while (!stopping_) {
        std::exception_ptr failure;
        try {
            const auto result = co_await pg::migrate(pool_, migrations_);
            if (result.newer_schema) {
                waiting_for_ = "the database schema is newer than this version";
                core::log::error({}, "the database schema is at {}, newer than this version knows ({}): no line is taken. Update batchbridge",
                                 result.database_version, result.known_version);
                env_.board.up("database");
                co_return;
            }
            env_.known_schema = result.known_version;
            for (const auto& name : result.applied) core::log::info({}, "migration {} applied", name);
        } catch (...) {
            failure = std::current_exception();
        }
        if (stopping_) co_return;
        note_database(env_, failure);
        if (!failure) {
            migrated_ = true;
            waiting_for_.clear();
            co_return;
        }
        waiting_for_ = core::describe(failure);
        bool permanent = false;
        try {
            std::rethrow_exception(failure);
        } catch (const pg::migration_error&) {
            permanent = true;
        } catch (...) {
        }
        if (permanent && failures == 0) core::log::error({}, "migrations refused, no line is taken: {}", waiting_for_);
        co_await stop_.wait_until(clock::now() + core::backoff_delay(start_pace, ++failures, core::random_unit()));
    }
}

asio::awaitable<void> service::run()
{
    preparation_.spawn("preparing the database", [this]() { return prepare_database(); });
    co_await preparation_.join();
    if (!migrated_) {
        while (!stopping_) co_await stop_.wait();
        co_return;
    }
    group_.spawn("lease", [this]() {
        return keep_lease(
            env_,
            [this] {
                for (auto& l : lines_) l->lease_lost();
            },
            [this] {
                for (auto& l : lines_) l->lease_up();
            });
    });
    group_.spawn("database writes", [this]() { return watch_writes(env_); });
    core::task_group main(env_.executor, log_end);
    for (auto& l : lines_) {
        auto* p = l.get();
        main.spawn("line " + p->name(), [p]() { return p->run(); });
    }
    main.spawn("dispatcher", [this]() { return dispatcher_.run(); });
    group_.spawn("odoo check", [this]() { return odoo_check_.run(); });
    main.spawn("order watch", [this]() { return watch_.run(); });

    while (!stopping_) co_await stop_.wait();
    core::log::info({}, "stopping: no new runs, running ones may finish within {} s", finish_grace.count());
    for (auto& l : lines_) l->stop();
    watch_.stop();
    dispatcher_.stop();
    bool late = false;
    try {
        co_await core::with_deadline(finish_grace, main.join());
    } catch (const core::timed_out&) {
        late = true;
    }
    if (late) {
        core::log::warning({}, "still running, cancelled now: {}", main.names());
        for (auto& l : lines_) l->cut_off();
        main.cancel();
        bool stuck = false;
        try {
            co_await core::with_deadline(cancel_grace, main.join());
        } catch (const core::timed_out&) {
            stuck = true;
        }
        if (stuck) core::log::error({}, "did not end in time: {}", main.names());
        // Its coroutines refer to `main`: it must not go before they do.
        co_await main.join();
    }
    group_.cancel();
    co_await group_.join();
    env_.locks.close();
    core::log::info({}, "stopped");
}

}  // namespace batchbridge::tasks
