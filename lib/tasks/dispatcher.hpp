// The only sender of effects to Odoo: takes due outbox rows, keeps one call in flight per order and one finish per process,
// backs off, opens and closes the breaker (design section 2, Dispatcher).
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"
#include "tasks/environment.hpp"
#include "tasks/line.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
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
    // For a call beside the deliveries (the order watch): is the breaker closed and a connection free? Then begin_call, the call,
    // and end_call, which tells the breaker whether Odoo answered.
    bool may_call() const noexcept;
    void begin_call();
    void end_call(bool answered);
    std::size_t in_flight() const noexcept { return orders_.size(); }

private:
    using clock = std::chrono::steady_clock;
    boost::asio::awaitable<void> round();
    boost::asio::awaitable<void> probe_until_closed();
    boost::asio::awaitable<void> deliver_one(store::delivery d, line& l);
    boost::asio::awaitable<void> put_off(const store::delivery& d, line& l, std::exception_ptr failure);
    void round_failed(std::exception_ptr failure);
    bool admits(const store::delivery& d) const;
    line* line_of(const std::string& name) const;
    std::vector<std::string> active_lines() const;

    // A delivery that failed for a reason that is not Odoo's: of PostgreSQL, or of ours.
    struct setback {
        unsigned failures = 0;
        bool told = false, told_unstored = false;       // in the log, once per row
        clock::time_point last{}, not_before{};         // not_before: where the row could not be told to wait
    };

    environment& env_;
    const std::vector<std::unique_ptr<line>>& lines_;
    core::task_group calls_;
    core::event ended_;
    std::set<std::int64_t> orders_;    // odoo_id of what is in flight
    int finishes_ = 0, consumptions_ = 0, others_ = 0;   // others_: calls beside the deliveries
    bool open_ = false, suspect_ = false, stopping_ = false, draining_ = false;
    clock::time_point next_drain_{};
    std::map<std::int64_t, setback> setbacks_;   // by outbox id
    std::string round_fault_;                    // why the last round failed; empty: it did not, or PostgreSQL is away
};

}  // namespace batchbridge::tasks
