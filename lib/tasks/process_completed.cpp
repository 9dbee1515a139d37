#include "tasks/process_completed.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"

namespace batchbridge::tasks {

namespace asio = boost::asio;

asio::awaitable<run_result> process_completed(line& l)
{
    auto& env = l.env();
    const int missing = co_await env.store.sweep_completed(l.hold());
    if (missing > 0) {
        core::log::error(l.about(task_names::process_completed),
                         "{} completed batch(es) had no finish delivery: a fault of batchbridge, please report it. They got one now", missing);
        env.deliveries.set();
    }
    const auto ready = co_await env.store.archivable(l.name(), env.config.mark_done);
    std::size_t archived = 0;
    std::string failures;
    std::exception_ptr last;
    for (const auto& b : ready) {
        std::exception_ptr failure;
        try {
            BATCHBRIDGE_CRASH_POINT("archive.before");
            if (co_await env.store.archive(l.hold(), b.id, domain::history_status::completed, "", std::nullopt)) {
                BATCHBRIDGE_CRASH_POINT("archive.after");
                ++archived;
                core::log::info(l.about(task_names::process_completed, b.id, b.mo_id), "archived as completed");
            }
        } catch (...) {
            failure = std::current_exception();
        }
        if (!failure) continue;
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) std::rethrow_exception(failure);
        // One that fails never holds up the others.
        last = failure;
        failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", b.mo_id, core::describe(failure));
    }
    if (archived > 0 || missing > 0) l.rows_changed();
    if (last && archived == 0) std::rethrow_exception(last);
    run_result r;
    r.changed = archived > 0 || missing > 0;
    r.detail = fmt::format("{} archived{}", archived, failures.empty() ? "" : ", failed: " + failures);
    if (!failures.empty()) r.what = run_result::kind::unavailable;
    co_return r;
}

}  // namespace batchbridge::tasks
