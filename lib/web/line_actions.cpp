#include "web/line_actions.hpp"

#include "core/log.hpp"
#include "tasks/start_over.hpp"

#include <algorithm>

namespace batchbridge::web {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

namespace {

constexpr std::string_view reason_shape = R"({"reason": text, "who": text}, who optional)";
constexpr std::string_view optional_shape = R"({"reason": text, "who": text}, both optional)";
constexpr std::string_view switch_shape = R"({"enabled": true or false, "reason": text, "who": text}, reason and who optional)";

asio::awaitable<server_response> run_task(tasks::line& l, tasks::periodic& task, const act_body& body)
{
    if (!task.running()) {
        auto entry = entry_of(body, "api.run");
        entry.values = json::object{{"task", task.name()}};
        const std::vector<store::journal_entry> entries{std::move(entry)};
        co_await l.env().store.journal(l.hold(), entries);
    }
    const auto answer = co_await task.trigger();
    if (answer.what == tasks::periodic::answer::already_running) co_return server_response::error(409, task.name() + " is already running");
    if (answer.what == tasks::periodic::answer::stopped || !answer.run) co_return server_response::error(409, task.name() + " does not run now: line " + l.name() + " is stopping or not held");
    const auto& run = *answer.run;
    json::object o;
    o["outcome"] = json::value(std::string(tasks::to_string(run.result.what)));
    o["changed"] = run.result.changed;
    o["detail"] = json::value(run.result.detail);
    o["started"] = json::value(core::to_iso(run.started));
    o["ended"] = json::value(core::to_iso(run.ended));
    const bool failed = run.result.what == tasks::run_result::kind::failed || run.result.what == tasks::run_result::kind::unavailable;
    co_return server_response::json(failed ? 502 : 200, o);
}

asio::awaitable<server_response> switch_task(tasks::line& l, tasks::periodic& task, const act_body& body, bool on)
{
    co_await l.env().store.put_setting(l.hold(), "task." + task.name() + ".enabled", on ? "true" : "false", body.who, body.reason);
    // The master switch wins; what was asked for is kept until it is on.
    const bool effective = on && l.env().config.enable_auto_sync;
    task.set_enabled(effective);
    core::log::info(l.about(task.name()), "switched {} by {}{}", on ? "on" : "off", body.who, on == effective ? "" : ", and off all the same: ENABLE_AUTO_SYNC=false");
    json::object o;
    o["enabled"] = effective;
    if (on != effective) o["reason"] = "kept; ENABLE_AUTO_SYNC=false holds every task off";
    co_return server_response::json(200, o);
}

asio::awaitable<server_response> start_over(tasks::line& l, const act_body& body)
{
    if (!l.env().config.plc_writes || !l.may_write()) co_return server_response::error(409, "line " + l.name() + " may not write to its PLC now (PLC_WRITES, or just taken)");
    json::object o;
    try {
        const auto done = co_await tasks::start_over(l, body.who, body.reason);
        o["reset"] = done.reset;
        o["failed"] = done.failed;
        co_return server_response::json(200, o);
    } catch (const plc::error& e) {
        l.rows_changed();
        co_return server_response::error(502, fmt::format("{}; ask again when the PLC answers", e.what()));
    }
}

server_response paused(const tasks::line& l, bool on)
{
    json::object o;
    o["line"] = json::value(l.name());
    o["paused"] = on;
    return server_response::json(200, o);
}

asio::awaitable<server_response> pause(tasks::line& l, const act_body& body)
{
    const auto before = l.person_pause();
    // At once: a load that is being written must not be armed any more when the caller has the answer.
    l.set_person_pause(body.reason);
    bool done = false;
    std::exception_ptr failure;
    try {
        done = co_await l.env().store.pause_line(l.hold(), entry_of(body, "api.pause"));
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        // If it was stored all the same, the next run of task 1 sees it.
        l.set_person_pause(before);
        std::rethrow_exception(failure);
    }
    if (!done) {
        co_await l.look_at_person_pause();
        co_return server_response::error(409, fmt::format("line {} is paused already: {}", l.name(), l.person_pause().value_or("")));
    }
    core::log::warning(l.about("api"), "paused by {}: {}. Nothing is loaded and no order is taken on; reading and finishing go on", body.who, body.reason);
    co_return paused(l, true);
}

asio::awaitable<server_response> resume(tasks::line& l, const act_body& body)
{
    const bool done = co_await l.env().store.resume_line(l.hold(), entry_of(body, "api.resume"));
    co_await l.look_at_person_pause();
    if (!done) co_return server_response::error(409, "line " + l.name() + " is not paused");
    core::log::info(l.about("api"), "resumed by {}{}", body.who, body.reason.empty() ? "" : ": " + body.reason);
    if (auto* sync = l.task(tasks::task_names::auto_sync_mo)) sync->wake();
    co_return paused(l, false);
}

asio::awaitable<server_response> change_task(tasks::service& service, const path_parts& path, const http::server_request& request)
{
    const bool run = path.size() == 5;
    const auto read = run ? read_act(request, optional_shape, {}, reason_rule::optional) : read_act(request, switch_shape, {"enabled"}, reason_rule::optional);
    if (const auto* refusal = std::get_if<server_response>(&read)) co_return *refusal;
    const auto& body = std::get<act_body>(read);
    auto* task = service.find_line(path[1])->task(path[3]);
    if (task == nullptr) co_return server_response::error(404, "no task " + path[3]);
    if (run) {
        const line_act act = [task, &body](tasks::line& l) { return run_task(l, *task, body); };
        co_return co_await on_line(service, path[1], act);
    }
    const auto* enabled = body.fields.if_contains("enabled");
    if (enabled == nullptr || !enabled->is_bool()) co_return bad_body("'enabled' is missing or neither true nor false", switch_shape);
    const bool on = enabled->get_bool();
    const line_act act = [task, &body, on](tasks::line& l) { return switch_task(l, *task, body, on); };
    co_return co_await on_line(service, path[1], act);
}

}  // namespace

asio::awaitable<std::optional<server_response>> change_line(tasks::service& service, const path_parts& path, const http::server_request& request)
{
    if (path.size() < 3 || path[0] != "lines") co_return std::nullopt;
    const bool task_route = path[2] == "tasks" && (path.size() == 4 || (path.size() == 5 && path[4] == "run"));
    const bool line_route = path.size() == 3 && (path[2] == "start-over" || path[2] == "pause" || path[2] == "resume");
    if (!task_route && !line_route) co_return std::nullopt;
    if (service.find_line(path[1]) == nullptr) {
        const auto known = co_await service.env().store.lines();
        const bool elsewhere = std::any_of(known.begin(), known.end(), [&path](const store::line_row& l) { return l.line == path[1]; });
        if (!elsewhere) co_return server_response::error(404, "no line " + path[1]);
        const line_act nothing;
        co_return co_await on_line(service, path[1], nothing);
    }
    if (task_route) co_return co_await change_task(service, path, request);
    const auto& what = path[2];
    const auto read = what == "resume" ? read_act(request, optional_shape, {}, reason_rule::optional) : read_act(request, reason_shape, {}, reason_rule::required);
    if (const auto* refusal = std::get_if<server_response>(&read)) co_return *refusal;
    const auto& body = std::get<act_body>(read);
    const line_act act = [&what, &body](tasks::line& l) { return what == "pause" ? pause(l, body) : what == "resume" ? resume(l, body) : start_over(l, body); };
    co_return co_await on_line(service, path[1], act);
}

}  // namespace batchbridge::web
