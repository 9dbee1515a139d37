// One scheduled task of one line: timer, wake-up and manual trigger share one instance by construction, because one
// coroutine awaits the start, runs the body and only then looks again (L-12).
#pragma once

#include "core/event.hpp"
#include "core/time.hpp"
#include "domain/schedule.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace batchbridge::tasks {

struct run_result {
    // unavailable: something outside did not answer, or not with sense; failed: refused, or a fault of ours. Both are
    // repeated after 1 s, doubling to 1 min, or at the interval if that is sooner.
    enum class kind { ok, skipped, unavailable, failed } what = kind::ok;
    bool changed = false;
    bool look_again = false;         // skipped, but what it waits for may be over soon: repeated like a failure
    std::string detail;              // one sentence: what was done, or why not

    static run_result done(bool changed, std::string detail) { return {kind::ok, changed, false, std::move(detail)}; }
    static run_result skipped(std::string why) { return {kind::skipped, false, false, std::move(why)}; }
    static run_result waiting(std::string for_what) { return {kind::skipped, false, true, std::move(for_what)}; }
};
std::string_view to_string(run_result::kind k) noexcept;

// A run as it ended, for task_run and the caller of a trigger.
struct finished_run {
    run_result result;
    core::utc_time started{}, ended{};
    bool asked_for = false;
    bool news = false;               // the log told it: a failure other than the last one told, or the first success after one
};

class periodic {
public:
    using body = std::function<boost::asio::awaitable<run_result>()>;
    // Called after each run; must not throw.
    using recorder = std::function<boost::asio::awaitable<void>(const finished_run&)>;

    // Asked for each run that failed; true = the log says it already (a dependency that went down), so the run does not.
    using told = std::function<bool(std::exception_ptr)>;

    periodic(boost::asio::any_io_executor executor, std::string line, std::string name, domain::schedule_rule rule,
             bool enabled, body run, recorder record, told already_told = {});

    const std::string& name() const noexcept { return name_; }
    bool enabled() const noexcept { return enabled_; }
    void set_enabled(bool on);
    bool running() const noexcept { return running_; }
    // Of the last run; nullopt before the first.
    const std::optional<finished_run>& last() const noexcept { return last_; }
    std::uint64_t runs() const noexcept { return runs_; }
    core::duration interval() const noexcept { return rule_.interval; }

    // Runs at once and then on schedule until stop() or cancellation. A body that throws is logged and counted.
    boost::asio::awaitable<void> loop();
    // Start soon; merges with a start that is already asked for. Does nothing while disabled.
    void wake();
    // No new runs; the loop ends after the present one.
    void stop();

    enum class answer { ran, already_running, stopped };
    struct trigger_answer {
        answer what;
        std::optional<finished_run> run;
    };
    // Runs now, also when disabled (a person asked), and waits for that run's outcome.
    boost::asio::awaitable<trigger_answer> trigger();

private:
    boost::asio::awaitable<void> run_once(bool asked_for);
    // One line of log per change, not one per attempt; returns whether there was one.
    bool tell(const run_result& r, bool already_told);

    boost::asio::any_io_executor executor_;
    std::string line_, name_;
    domain::schedule_rule rule_;
    body run_;
    recorder record_;
    told already_told_;
    core::event wake_, finished_;
    std::optional<finished_run> last_;
    std::string told_wait_;          // what the log said this task waits for
    std::optional<run_result> told_failure_;   // what the log says of this task; none after "runs again"
    std::set<std::string> told_texts_;         // all it has said since then
    std::uint64_t runs_ = 0;
    unsigned failures_ = 0;
    bool enabled_, running_ = false, wanted_ = false, asked_for_ = false, stopping_ = false, looping_ = false;
};

}  // namespace batchbridge::tasks
