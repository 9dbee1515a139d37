#include "tasks/line.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "pg/error.hpp"
#include "tasks/auto_sync_mo.hpp"
#include "tasks/cleanup.hpp"
#include "tasks/equipment_failure.hpp"
#include "tasks/plc_read_sync.hpp"
#include "tasks/process_completed.hpp"

#include <boost/asio/this_coro.hpp>

#include <unistd.h>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto standby_poll = std::chrono::seconds(1);
constexpr auto liveness_flush = std::chrono::seconds(10);
constexpr auto repeated_failure_row = std::chrono::minutes(1);

std::string holder_name()
{
    char host[256] = "unknown";
    ::gethostname(host, sizeof host - 1);
    return fmt::format("{}:{}", host, ::getpid());
}

// The stored switch of a task (POST .../tasks/{name}), over its environment variable and below the master switch.
std::string setting_of(const std::string& task)
{
    return "task." + task + ".enabled";
}

const char* variable_of(std::string_view task)
{
    if (task == task_names::auto_sync_mo) return "ENABLE_TASK_1_AUTO_SYNC";
    if (task == task_names::plc_read_sync) return "ENABLE_TASK_2_PLC_READ";
    if (task == task_names::process_completed) return "ENABLE_TASK_3_PROCESS_COMPLETED";
    if (task == task_names::equipment_failure) return "ENABLE_TASK_5_EQUIPMENT_FAILURE";
    return "ENABLE_TASK_6_CLEANUP";
}

}  // namespace

void note_database(environment& env, std::exception_ptr e)
{
    if (!e) {
        // That it answers questions does not say that it has room again: watch_writes finds out.
        if (!env.writes_refused) env.board.up("database");
        return;
    }
    if (core::is_cancellation(e)) return;
    try {
        std::rethrow_exception(e);
    } catch (const pg::error& x) {
        env.writes_refused = env.writes_refused || pg::refuses_writes(x);
    } catch (...) {
    }
    env.board.down("database", core::describe(e));
}

bool note_dependency(environment& env, const std::string& line, std::exception_ptr e, bool plc_settled)
{
    const auto away = [](const core::error& x) { return x.kind() != core::error_kind::rejected && x.kind() != core::error_kind::internal; };
    try {
        std::rethrow_exception(e);
    } catch (const plc::error& x) {
        if (x.kind() == core::error_kind::cancelled) return true;
        if (x.kind() == core::error_kind::internal) return false;
        // An exception answer is about the registers that were asked for: the link is as good as with any other answer.
        if (x.kind() == core::error_kind::rejected) {
            if (plc_settled) env.board.up("plc " + line);
            return false;
        }
        env.board.down("plc " + line, x.what());
    } catch (const odoo::error& x) {
        if (x.outcome() == domain::call_outcome::rejected || !away(x)) return false;
        env.board.down("odoo", x.what());
    } catch (const pg::error& x) {
        if (!pg::is_away(x)) return false;
        note_database(env, e);
    } catch (...) {
        return false;
    }
    return true;
}

line::line(environment& env, core::line_config config, domain::plant_map map, const device_factory& make_device)
    : env_(env), config_(std::move(config)), map_(std::move(map)), plc_writes_(env.executor), changed_(env.executor)
{
    env_.board.assign_line("plc " + config_.name, config_.name);
    device_ = make_device([this] { return may_write() && env_.locks.valid(); });
    reader_ = std::make_unique<plc_read_sync>(*this);
    failures_ = std::make_unique<equipment_failure>(*this);
    make_tasks();
}

line::~line() = default;

periodic* line::task(std::string_view name) const
{
    for (const auto& t : tasks_)
        if (t->name() == name) return t.get();
    return nullptr;
}

bool line::plc_in_use_beside(std::string_view name) const
{
    for (const auto* other : {task_names::auto_sync_mo, task_names::plc_read_sync, task_names::equipment_failure}) {
        const auto* t = other == name ? nullptr : task(other);
        if (t != nullptr && t->running()) return true;
    }
    return plc_writes_.locked();
}

bool line::may_write() const noexcept
{
    return held_.load() && clock::now().time_since_epoch().count() >= write_from_.load();
}

core::log::fields line::about(std::string_view task, std::int64_t batch, const std::string& order) const
{
    return {config_.name, std::string(task), batch == 0 ? std::string() : std::to_string(batch), order};
}

void line::make_tasks()
{
    const auto& c = env_.config;
    const auto add = [&](const char* name, const core::task_config& t, periodic::body body) {
        domain::schedule_rule rule;
        rule.interval = t.interval;
        tasks_.push_back(std::make_unique<periodic>(env_.executor, config_.name, name, rule, t.enabled && c.enable_auto_sync,
                                                    std::move(body),
                                                    [this, name](const finished_run& r) { return record(name, r); },
                                                    [this](std::exception_ptr e) { return note_fenced(e) || note_plc(e); }));
    };
    add(task_names::auto_sync_mo, c.auto_sync_mo, [this] { return auto_sync_mo(*this); });
    add(task_names::plc_read_sync, c.plc_read_sync, [this] { return reader_->run(); });
    add(task_names::process_completed, c.process_completed, [this] { return process_completed(*this); });
    add(task_names::equipment_failure, c.equipment_failure, [this] { return failures_->run(); });
    add(task_names::cleanup, c.cleanup, [this] { return cleanup(*this); });
}

void line::announce(const std::map<std::string, std::string>& settings) const
{
    const auto& c = env_.config;
    const core::log::fields about{config_.name, {}, {}, {}};
    for (const auto& t : tasks_) {
        const std::string state = t->enabled() ? fmt::format("on, every {}", core::to_string(t->interval())) : "off";
        std::string why;
        if (!c.enable_auto_sync) why = "the master switch, ENABLE_AUTO_SYNC=false";
        else if (settings.contains(setting_of(t->name()))) why = fmt::format("the stored switch (POST /api/v1/lines/{}/tasks/{})", config_.name, t->name());
        else why = fmt::format("{}={}", variable_of(t->name()), t->enabled());
        core::log::info(about, "task {} is {}: {}", t->name(), state, why);
    }
    core::log::info(about, "task {} is off: not in this version", task_names::health_monitor);
    if (!c.plc_writes)
        core::log::warning(about,
                           "PLC_WRITES is not true: nothing is written to the PLC and no order is taken. To commission: compare "
                           "'batchbridge check-map' with the PLC program, run 'batchbridge probe', then set PLC_WRITES=true");
}

void line::lease_lost()
{
    if (!held_) return;
    held_ = false;
    changed_.set();
}

void line::plc_answers()
{
    auto* failures = task(task_names::equipment_failure);
    if (failures_->waits_for_plc() && !failures->running()) failures->wake();
    // One that answers reads and lets writes time out would be up and down with every cycle.
    if (!device_->settled()) return;
    const auto wrong = device_->wrong_answers();
    env_.board.up("plc " + config_.name, wrong == 0 ? std::string() : fmt::format("{} wrong answer(s) so far, none used", wrong));
}

bool line::note_plc(std::exception_ptr e)
{
    return note_dependency(env_, config_.name, e, device_->settled());
}

bool line::note_fenced(std::exception_ptr e)
{
    try {
        std::rethrow_exception(e);
    } catch (const store::fenced& x) {
        if (held_) core::log::error({config_.name, {}, {}, {}}, "another process has taken this line: {}", x.what());
        lease_lost();
        return true;
    } catch (...) {
        return false;
    }
}

void line::lease_up()
{
    changed_.set();
}

void line::stop()
{
    stopping_ = true;
    for (auto& t : tasks_) t->stop();
    changed_.set();
}

// A newer version has migrated since we started. While it serves the line that is no matter; but what the new tables ask for
// we do not know, so the line is not taken again. Gives the lock back then.
asio::awaitable<bool> line::schema_is_newer(std::uint64_t session)
{
    int schema = 0;
    std::exception_ptr failure;
    try {
        schema = co_await env_.store.schema_version();
    } catch (...) {
        failure = std::current_exception();
    }
    const bool newer = env_.known_schema > 0 && schema > env_.known_schema;
    if ((failure || newer) && env_.locks.connected() && env_.locks.session() == session) co_await env_.locks.unlock(config_.name);
    if (failure) std::rethrow_exception(failure);
    if (newer && standby_reason_ != "schema") {
        standby_reason_ = "schema";
        core::log::error({config_.name, {}, {}, {}}, "not taken: the database schema is at {}, newer than this version knows ({}). Update batchbridge", schema, env_.known_schema);
    }
    co_return newer;
}

asio::awaitable<bool> line::acquire()
{
    const core::log::fields about{config_.name, {}, {}, {}};
    if (!env_.locks.connected()) co_return false;
    const auto session = env_.locks.session();
    if (!co_await env_.locks.try_lock(config_.name)) {
        if (standby_reason_ != "locked") {
            standby_reason_ = "locked";
            core::log::info(about, "another process holds this line; standing by");
        }
        co_return false;
    }
    if (co_await schema_is_newer(session)) co_return false;
    store::line_address address;
    address.host = config_.host;
    address.port = config_.port;
    address.unit_id = config_.unit_id;
    const auto locked_at = clock::now();
    BATCHBRIDGE_CRASH_POINT("line.locked");
    std::variant<store::hold, store::line_moved> taken;
    std::exception_ptr failure;
    try {
        taken = co_await env_.store.take_line(config_.name, address, holder_name(), env_.config.line_moved);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        // A lock is counted as often as it is taken: it must not stay with a process that does not serve the line.
        if (env_.locks.connected() && env_.locks.session() == session) co_await env_.locks.unlock(config_.name);
        std::rethrow_exception(failure);
    }
    if (auto* moved = std::get_if<store::line_moved>(&taken)) {
        co_await env_.locks.unlock(config_.name);
        if (standby_reason_ != "moved") {
            standby_reason_ = "moved";
            core::log::error(about,
                             "not taken: its unfinished batches were loaded into {}:{} unit {}, this process is configured for {}:{} unit "
                             "{}. If the PLC really moved, start once with LINE_MOVED=true",
                             moved->stored.host, moved->stored.port, moved->stored.unit_id, address.host, address.port, address.unit_id);
        }
        co_return false;
    }
    // The lock session may have ended meanwhile, and the lock with it: what was taken then is nobody's.
    if (!env_.locks.connected() || env_.locks.session() != session) co_return false;
    lock_session_ = session;
    hold_ = std::get<store::hold>(taken);
    BATCHBRIDGE_CRASH_POINT("line.taken");
    const auto from = locked_at + store::lease_times::for_this_build().write_delay;
    write_from_ = from.time_since_epoch().count();
    standby_reason_.clear();
    held_ = true;
    core::log::info(about, "line taken, epoch {}", hold_.epoch);
    co_return true;
}

asio::awaitable<void> line::run()
{
    const core::log::fields about{config_.name, {}, {}, {}};
    while (!stopping_) {
        bool taken = false;
        std::exception_ptr failure;
        try {
            taken = co_await acquire();
            if (taken) co_await serve();
        } catch (...) {
            failure = std::current_exception();
        }
        held_ = false;
        // A lock is counted as often as it is taken: it goes back before it is tried for again.
        if (taken && !stopping_ && env_.locks.connected() && env_.locks.session() == lock_session_) {
            try {
                co_await env_.locks.unlock(config_.name);
            } catch (const pg::error&) {
                // The session is closed with it, and the lock gone.
            }
        }
        if (failure) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none) std::rethrow_exception(failure);
            const auto text = core::describe(failure);
            // Somebody else's lock on the line's row, say.
            if (!note_dependency(env_, config_.name, failure) && text != standby_reason_) {
                standby_reason_ = text;
                core::log::warning(about, "not taken, will be tried again: {}", text);
            }
            core::log::debug(about, "line not served: {}", text);
        }
        if (stopping_) break;
        co_await changed_.wait_until(clock::now() + standby_poll);
    }
}

asio::awaitable<void> line::serve()
{
    const core::log::fields about{config_.name, {}, {}, {}};
    co_await env_.store.reset_refusals(hold_);
    if (const int mended = co_await env_.store.mend_future_times(hold_); mended > 0)
        core::log::warning(about, "{} wait(s) were to begin in the future and begin now: the clock of PostgreSQL is behind what it was", mended);
    const auto foreign = co_await env_.store.note_foreign_deliveries(hold_, env_.config.odoo_db);
    if (!foreign.empty())
        core::log::error(about, "{} order(s) wait for another Odoo database than ODOO_DB={} and are not sent: {}. Set ODOO_DB back, or settle them by hand", foreign.size(), env_.config.odoo_db, fmt::join(foreign, ", "));
    const auto settings = co_await env_.store.settings(config_.name);
    for (auto& t : tasks_) {
        const auto it = settings.find(setting_of(t->name()));
        if (it != settings.end()) t->set_enabled(it->second == "true" && env_.config.enable_auto_sync);
    }
    announce(settings);
    co_await look_at_person_pause();
    if (person_pause_)
        core::log::warning(about, "the line is paused by a person and stays so until POST /api/v1/lines/{}/resume: {}", config_.name, *person_pause_);
    rows_changed();
    reader_->start_afresh();
    failures_->start_afresh();
    env_.deliveries.set();
    core::task_group group(env_.executor, [about](const std::string& name, std::exception_ptr e) {
        core::log::error(about, "task {} ended: {}", name, core::describe(e));
    });
    for (auto& t : tasks_) {
        auto* p = t.get();
        group.spawn(p->name(), [p]() { return p->loop(); });
    }
    running_ = &group;
    std::exception_ptr failure;
    try {
        while (held_ && !stopping_) co_await changed_.wait();
    } catch (...) {
        failure = std::current_exception();
    }
    // From here on we may be cancelled already; the tasks must end before `group` does.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const bool graceful = stopping_ && !failure && held_;
    if (!graceful) {
        device_->interrupt();
        group.cancel();
        core::log::warning(about, "{}", failure ? "stopping" : "the line's lock is no longer certain: its tasks stop until it is taken again");
    }
    co_await group.join();
    running_ = nullptr;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (failure) std::rethrow_exception(failure);
}

void line::cut_off()
{
    device_->interrupt();
    if (running_ != nullptr) running_->cancel();
}

asio::awaitable<void> line::look_at_person_pause()
{
    auto why = co_await env_.store.pause_of(config_.name);
    person_pause_ = std::move(why);
}

asio::awaitable<void> line::record(std::string task, finished_run run)
{
    // Liveness is flushed at most every 10 s; a repeated failure gets a row once a minute, a change always.
    auto& last = recorded_[task];
    const auto now = clock::now();
    const std::string outcome(to_string(run.result.what));
    const bool failed = run.result.what == run_result::kind::failed || run.result.what == run_result::kind::unavailable;
    const bool repeated = failed && last.outcome == outcome && last.detail == run.result.detail && now - last.at < repeated_failure_row;
    const bool important = run.result.changed || run.asked_for || (failed && !repeated) || outcome != last.outcome;
    if (!important && now - last.at < liveness_flush) co_return;
    if (repeated && !run.asked_for) co_return;
    store::run_record r;
    r.task = task;
    r.started = run.started;
    r.ended = run.ended;
    r.outcome = outcome;
    r.changed = run.result.changed;
    r.asked_for = run.asked_for;
    r.detail = run.result.detail;
    std::exception_ptr failure;
    try {
        co_await env_.store.record_run(hold_, r);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) {
        last.at = now;
        last.outcome = outcome;
        last.detail = run.result.detail;
    } else if (!note_fenced(failure)) {
        note_dependency(env_, config_.name, failure);
    }
}

}  // namespace batchbridge::tasks
