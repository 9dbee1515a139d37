#include "tasks/periodic.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

#include <boost/asio/this_coro.hpp>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

std::string_view to_string(run_result::kind k) noexcept
{
    switch (k) {
    case run_result::kind::ok: return "ok";
    case run_result::kind::skipped: return "skipped";
    case run_result::kind::unavailable: return "unavailable";
    case run_result::kind::failed: return "failed";
    }
    return "failed";
}

namespace {

constexpr std::size_t many_texts = 50;

bool is_failure(run_result::kind k)
{
    return k == run_result::kind::unavailable || k == run_result::kind::failed;
}

// What the record says: a peer that is away or answers nonsense may do better by itself. What the peer refused, and
// anything else that is thrown here, is ours to look at. Both are repeated.
run_result from_exception(const std::exception_ptr& e)
{
    run_result r;
    r.what = core::is_cancellation(e) ? run_result::kind::unavailable : run_result::kind::failed;
    r.detail = core::describe(e);
    try {
        std::rethrow_exception(e);
    } catch (const core::error& known) {
        if (known.kind() != core::error_kind::rejected && known.kind() != core::error_kind::internal) r.what = run_result::kind::unavailable;
    } catch (...) {
        // Of no kind that says more.
    }
    return r;
}

}  // namespace

periodic::periodic(asio::any_io_executor executor, std::string line, std::string name, domain::schedule_rule rule, bool enabled,
                   body run, recorder record, told already_told)
    : executor_(std::move(executor)), line_(std::move(line)), name_(std::move(name)), rule_(rule), run_(std::move(run)),
      record_(std::move(record)), already_told_(std::move(already_told)), wake_(executor_), finished_(executor_), enabled_(enabled)
{
}

void periodic::set_enabled(bool on)
{
    enabled_ = on;
    wake_.set();
}

void periodic::wake()
{
    if (!enabled_) return;
    wanted_ = true;
    wake_.set();
}

void periodic::stop()
{
    stopping_ = true;
    wake_.set();
}

asio::awaitable<void> periodic::loop()
{
    looping_ = true;
    const core::log::fields about{line_, name_, {}, {}};
    auto due = clock::now();
    while (!stopping_) {
        const auto now = clock::now();
        const bool asked = asked_for_;
        const bool early = asked || (enabled_ && wanted_);
        const auto decision = domain::decide_run(rule_, due, now);
        if (decision.run && enabled_ && decision.misfire)
            core::log::warning(about, "starts {} s late (misfire); {} missed start(s) merged into this run",
                               std::chrono::duration_cast<std::chrono::seconds>(now - due).count(), decision.merged);
        due = decision.next_due;
        if (early || (decision.run && enabled_)) {
            wanted_ = asked_for_ = false;
            co_await run_once(asked);
            if (is_failure(last_->result.what) || last_->result.look_again) {
                // Whatever it failed of: with an interval of an hour, waiting for the next start would idle the line.
                due = domain::decide_repeat(rule_, ++failures_, due, clock::now());
            } else {
                failures_ = 0;
            }
            continue;
        }
        co_await wake_.wait_until(due);
    }
    looping_ = false;
    finished_.set();
}

asio::awaitable<void> periodic::run_once(bool asked_for)
{
    finished_run run;
    run.asked_for = asked_for;
    run.started = core::utc_now();
    running_ = true;
    bool quiet = false;
    std::exception_ptr failure;
    try {
        run.result = co_await run_();
    } catch (...) {
        failure = std::current_exception();
    }
    running_ = false;
    if (failure) {
        if (core::is_cancellation(failure)) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none) {
                looping_ = false;
                finished_.set();
                std::rethrow_exception(failure);
            }
        }
        run.result = from_exception(failure);
        quiet = already_told_ && already_told_(failure);
    }
    run.ended = core::utc_now();
    run.news = tell(run.result, quiet);
    ++runs_;
    last_ = run;
    finished_.set();
    co_await record_(run);
}

bool periodic::tell(const run_result& r, bool already_told)
{
    const core::log::fields about{line_, name_, {}, {}};
    if (r.look_again && r.detail != told_wait_) core::log::info(about, "waits: {}", r.detail);
    told_wait_ = r.look_again ? r.detail : std::string();
    if (!is_failure(r.what)) {
        if (!told_failure_) return false;
        told_failure_.reset();
        told_texts_.clear();
        core::log::info(about, "runs again");
        return true;
    }
    const bool away = r.what == run_result::kind::unavailable;
    // What is away fails in many words while it is away; the rest is the same failure in the same words, also when another one
    // came between.
    const bool same = told_failure_ && ((away && told_failure_->what == r.what) || told_texts_.contains(r.detail));
    if (already_told || same) {
        core::log::debug(about, "run failed, will be repeated: {}", r.detail);
        return false;
    }
    told_failure_ = r;
    if (told_texts_.size() >= many_texts) told_texts_.clear();
    told_texts_.insert(r.detail);
    if (away) core::log::warning(about, "run failed, will be repeated: {}", r.detail);
    else core::log::error(about, "run failed, will be repeated: {}", r.detail);
    return true;
}

asio::awaitable<periodic::trigger_answer> periodic::trigger()
{
    trigger_answer out{answer::stopped, std::nullopt};
    if (running_) {
        out.what = answer::already_running;
        co_return out;
    }
    if (!looping_ || stopping_) co_return out;
    const auto before = runs_;
    asked_for_ = true;
    wake_.set();
    while (runs_ == before && looping_) co_await finished_.wait();
    if (runs_ != before) {
        out.what = answer::ran;
        out.run = last_;
    }
    co_return out;
}

}  // namespace batchbridge::tasks
