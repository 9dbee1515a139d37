// The only sender of effects to Odoo: takes due outbox rows, keeps one call in flight per order and one finish per process,
// backs off, opens and closes the breaker (design section 2, Dispatcher).
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"
#include "tasks/environment.hpp"
#include "tasks/line.hpp"

#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace batchbridge::tasks {

class dispatcher {
public:
    // `lines` are asked each time which of them are held and may write.
    dispatcher(environment& env, const std::vector<std::unique_ptr<line>>& lines);

    // Until cancelled, or until stop() and the calls in flight have ended.
    boost::asio::awaitable<void> run();
    void stop();
    bool breaker_open() const noexcept { return open_; }
    std::size_t in_flight() const noexcept { return orders_.size(); }

private:
    boost::asio::awaitable<void> round();
    boost::asio::awaitable<void> probe_until_closed();
    boost::asio::awaitable<void> deliver_one(store::delivery d, line& l);
    bool admits(const store::delivery& d) const;
    line* line_of(const std::string& name) const;
    std::vector<std::string> active_lines() const;

    environment& env_;
    const std::vector<std::unique_ptr<line>>& lines_;
    core::task_group calls_;
    core::event ended_;
    std::set<std::int64_t> orders_;    // odoo_id of what is in flight
    int finishes_ = 0, consumptions_ = 0;
    bool open_ = false, suspect_ = false, stopping_ = false, draining_ = false;
    std::chrono::steady_clock::time_point next_drain_{};
};

}  // namespace batchbridge::tasks
