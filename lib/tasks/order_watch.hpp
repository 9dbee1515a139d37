// Looks at the orders of the queue in Odoo, and applies what other people did to them there (design section 2, Order watch).
#pragma once

#include "core/event.hpp"
#include "tasks/dispatcher.hpp"
#include "tasks/environment.hpp"
#include "tasks/line.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace batchbridge::tasks {

// What an order in Odoo, as it was read now (nullopt: deleted), means for the batch that is made of it. nullopt: nothing, or
// nothing that was not done before.
std::optional<store::watch_finding> judge_order(const store::watched_batch& w, const std::optional<domain::order>& now);

// One per process.
class order_watch {
public:
    order_watch(environment& env, dispatcher& deliveries, const std::vector<std::unique_ptr<line>>& lines);

    // A look every ODOO_WATCH_INTERVAL, until stop() or cancellation.
    boost::asio::awaitable<void> run();
    void stop();
    // Look now, not at the next interval.
    void wake();
    // Looks that were made so far.
    std::uint64_t looks() const noexcept { return looks_; }

private:
    using clock = std::chrono::steady_clock;
    enum class looked { yes, not_now };
    boost::asio::awaitable<looked> look();
    boost::asio::awaitable<void> judge(line& l, const store::watch_mark& mark, const store::watched_batch& w, const std::map<std::int64_t, domain::order>& answer);
    boost::asio::awaitable<void> judge_still_open(const store::still_open_order& o, const std::map<std::int64_t, domain::order>& answer);
    // New confirmed orders for a line that has nothing to do.
    boost::asio::awaitable<void> look_for_work(line& l);
    boost::asio::awaitable<bool> idle(line& l);
    // One call to Odoo through the dispatcher's connections and breaker.
    enum class asked {
        answered,
        refused,     // Odoo said no
        no_answer,   // or none that counts
        not_now      // the breaker is open, or no connection free
    };
    boost::asio::awaitable<asked> ask(const std::function<boost::asio::awaitable<void>()>& call);
    void tell(const std::string& fault);
    void failed(line& l, const std::exception_ptr& failure, const std::string& mo_id);
    line* line_of(const std::string& name) const;

    environment& env_;
    dispatcher& deliveries_;
    const std::vector<std::unique_ptr<line>>& lines_;
    core::event changed_;
    bool stopping_ = false, woken_ = false;
    std::uint64_t looks_ = 0;
    std::string fault_;                                         // of the last look, so that it is told once
    int unanswered_ = 0;                                        // calls in a row
    // Orders that task 1 was woken for, by line: they are not looked for again for a while, whatever became of them.
    std::map<std::string, std::map<std::int64_t, clock::time_point>> offered_;
    std::map<std::string, clock::time_point> not_before_;       // by line: no look for work before then
};

}  // namespace batchbridge::tasks
