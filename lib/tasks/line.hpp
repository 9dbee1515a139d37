// A line: one PLC with its map and its queue. Holds the line's lock, its tasks and what they share.
#pragma once

#include "core/config.hpp"
#include "core/event.hpp"
#include "core/task_group.hpp"
#include "domain/plant_map.hpp"
#include "plc/device.hpp"
#include "tasks/environment.hpp"
#include "tasks/periodic.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::tasks {

class equipment_failure;
class plc_read_sync;

class line {
public:
    using device_factory = std::function<std::unique_ptr<plc::device>(plc::device::write_permission)>;

    line(environment& env, core::line_config config, domain::plant_map map, const device_factory& make_device);
    ~line();

    // Takes the line when its lock is free, serves it until the lease is lost, and again; until stop() or cancellation.
    boost::asio::awaitable<void> run();
    // The lease is gone (from the lease keeper): end the tasks at once and go back to waiting for the lock.
    void lease_lost();
    // Told of a failure: when it says that another process has taken the line (store::fenced), the lease is lost. True = it did.
    bool note_fenced(std::exception_ptr e);
    // The PLC has answered all that a cycle or a look at it asked: it is up, unless something else still has no answer.
    void plc_answers();
    // note_dependency for this line.
    bool note_plc(std::exception_ptr e);
    // There is a lease again: try for the lock now instead of at the next poll.
    void lease_up();
    // Graceful end: running runs finish, no new ones start.
    void stop();
    // The time for that is over: running runs are cancelled. Cancelling run() alone does not reach them while it waits for their end.
    void cut_off();

    const std::string& name() const noexcept { return config_.name; }
    const core::line_config& config() const noexcept { return config_; }
    const domain::plant_map& map() const noexcept { return map_; }
    plc::device& device() noexcept { return *device_; }
    environment& env() noexcept { return env_; }
    // The tasks of the line, also while it is not held (they do not run then).
    const std::vector<std::unique_ptr<periodic>>& tasks() const noexcept { return tasks_; }
    periodic* task(std::string_view name) const;

    bool held() const noexcept { return held_; }
    // Held, and the time since the taking after which a new holder may write has passed.
    bool may_write() const noexcept;
    // Valid while held().
    const store::hold& hold() const noexcept { return hold_; }
    // Why nothing is loaded (the PLC forgot its recipes); empty: it is not paused. Set by the read cycle.
    const std::string& paused_why() const noexcept { return paused_why_; }
    void pause(std::string why) { paused_why_ = std::move(why); }
    // The reason a person gave for pausing the line: nothing is loaded and no order is taken on, while reading and finishing go
    // on. nullopt: nobody did. Stored with the line; what is here is as it was last seen or said.
    const std::optional<std::string>& person_pause() const noexcept { return person_pause_; }
    void set_person_pause(std::optional<std::string> why) { person_pause_ = std::move(why); }
    // Reads it again.
    boost::asio::awaitable<void> look_at_person_pause();

    // Whether a task other than `task` may be in the middle of asking the PLC: the connection is not closed under it.
    bool plc_in_use_beside(std::string_view task) const;
    // One coroutine at a time writes to the PLC.
    core::async_mutex& plc_writes() noexcept { return plc_writes_; }
    // Something else than the read cycle changed rows of this line: the cached picture is read again.
    void rows_changed() noexcept { rows_version_++; }
    std::uint64_t rows_version() const noexcept { return rows_version_; }

    core::log::fields about(std::string_view task, std::int64_t batch = 0, const std::string& order = {}) const;

private:
    boost::asio::awaitable<bool> acquire();
    boost::asio::awaitable<bool> schema_is_newer(std::uint64_t session);
    boost::asio::awaitable<void> serve();
    // By value: the caller is a callback whose temporaries end before this coroutine does.
    boost::asio::awaitable<void> record(std::string task, finished_run run);
    void make_tasks();
    // Says of each task whether it is on, and which switch says so. `settings`: the stored ones.
    void announce(const std::map<std::string, std::string>& settings) const;

    environment& env_;
    core::line_config config_;
    domain::plant_map map_;
    std::unique_ptr<plc::device> device_;
    core::async_mutex plc_writes_;
    core::event changed_;               // lease lost, stop
    std::unique_ptr<plc_read_sync> reader_;
    std::unique_ptr<equipment_failure> failures_;
    std::vector<std::unique_ptr<periodic>> tasks_;
    struct recorded {
        std::chrono::steady_clock::time_point at{};
        std::string outcome, detail;
    };
    std::map<std::string, recorded> recorded_;
    core::task_group* running_ = nullptr;   // the tasks, while the line is served
    store::hold hold_;
    std::uint64_t lock_session_ = 0;
    std::atomic<std::int64_t> write_from_{0};   // steady_clock count; asked on the PLC thread
    std::atomic<bool> held_{false};
    bool stopping_ = false;
    std::string standby_reason_, paused_why_;
    std::optional<std::string> person_pause_;
    std::uint64_t rows_version_ = 1;
};

// The task names, as in URLs, settings and logs.
namespace task_names {
inline constexpr const char* auto_sync_mo = "auto_sync_mo";
inline constexpr const char* plc_read_sync = "plc_read_sync";
inline constexpr const char* process_completed = "process_completed_batches";
inline constexpr const char* health_monitor = "monitor_batch_health";
inline constexpr const char* equipment_failure = "equipment_failure_monitoring";
inline constexpr const char* cleanup = "cleanup";
}  // namespace task_names

}  // namespace batchbridge::tasks
