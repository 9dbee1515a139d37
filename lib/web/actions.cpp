#include "web/actions.hpp"

#include "core/log.hpp"
#include "tasks/start_over.hpp"

#include <boost/json/parse.hpp>

#include <charconv>

namespace batchbridge::web {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

namespace {

// The body as an object; an empty body is an empty object. nullopt: not JSON.
std::optional<json::object> body_of(const http::server_request& request)
{
    if (request.body().empty()) return json::object{};
    boost::system::error_code ec;
    const auto v = json::parse(request.body(), ec);
    if (ec || !v.is_object()) return std::nullopt;
    return v.get_object();
}

std::string text(const json::object& o, const char* key)
{
    const auto* v = o.if_contains(key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

// As the database keeps it: grams, below 10^11 kg.
std::optional<core::decimal> kilograms(const json::value& v)
{
    static const auto most = core::decimal::from_scaled(99999999999, 0);
    std::optional<core::decimal> d;
    if (v.is_string()) d = core::decimal::parse(v.get_string());
    else if (v.is_int64()) d = core::decimal::parse(std::to_string(v.get_int64()));
    else if (v.is_double()) d = core::decimal::from_double(v.get_double());
    if (!d || *d < 0 || *d > most) return std::nullopt;
    return d->rounded(3);
}

asio::awaitable<server_response> not_here(tasks::service& service, std::string line)
{
    std::string holder = "nobody";
    for (const auto& l : co_await service.env().store.lines())
        if (l.line == line && !l.holder.empty()) holder = l.holder;
    co_return server_response::error(409, fmt::format("this process does not hold line {}; last taken by {}", line, holder));
}

asio::awaitable<server_response> run_task(tasks::line& l, tasks::periodic& task)
{
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

asio::awaitable<server_response> switch_task(tasks::line& l, tasks::periodic& task, const json::object& body)
{
    const auto* enabled = body.if_contains("enabled");
    if (enabled == nullptr || !enabled->is_bool()) co_return server_response::error(400, "expected {\"enabled\": true or false}");
    const bool on = enabled->get_bool();
    co_await l.env().store.put_setting(l.hold(), "task." + task.name() + ".enabled", on ? "true" : "false", "api");
    // The master switch wins; what was asked for is kept until it is on.
    const bool effective = on && l.env().config.enable_auto_sync;
    task.set_enabled(effective);
    core::log::info(l.about(task.name()), "switched {} by the API{}", on ? "on" : "off", on == effective ? "" : ", and off all the same: ENABLE_AUTO_SYNC=false");
    json::object o;
    o["enabled"] = effective;
    if (on != effective) o["reason"] = "kept; ENABLE_AUTO_SYNC=false holds every task off";
    co_return server_response::json(200, o);
}

asio::awaitable<server_response> start_over(tasks::line& l, const json::object& body)
{
    const auto reason = text(body, "reason");
    if (reason.empty()) co_return server_response::error(400, "expected {\"reason\": text}");
    if (!l.env().config.plc_writes || !l.may_write()) co_return server_response::error(409, "line " + l.name() + " may not write to its PLC now (PLC_WRITES, or just taken)");
    json::object o;
    try {
        const auto done = co_await tasks::start_over(l, "api", reason);
        o["reset"] = done.reset;
        o["failed"] = done.failed;
        co_return server_response::json(200, o);
    } catch (const plc::error& e) {
        l.rows_changed();
        co_return server_response::error(502, fmt::format("{}; ask again when the PLC answers", e.what()));
    }
}

asio::awaitable<server_response> act_on_batch(tasks::service& service, std::int64_t id, const std::string& name, const json::object& body)
{
    auto& store = service.env().store;
    const auto batch = co_await store.batch(id);
    if (!batch) co_return server_response::error(404, fmt::format("no batch {} in the queue", id));
    auto* line = service.find_line(batch->line);
    if (line == nullptr || !line->held()) co_return co_await not_here(service, batch->line);
    const auto act = name == "cancel" ? domain::action::cancel : name == "reset" ? domain::action::reset : name == "complete" ? domain::action::complete : domain::action::retry;
    // Also when the answer to a commit is lost: what it did is seen by the next look at the rows.
    struct rows_are_read_again {
        tasks::line& l;
        explicit rows_are_read_again(tasks::line& x) : l(x) {}
        ~rows_are_read_again() { l.rows_changed(); }
    } const again(*line);
    const bool accepted = co_await store.accepted_by_odoo(id);
    const auto decision = domain::decide_action(act, *batch, accepted);
    if (decision.answer == domain::action_answer::conflict) co_return server_response::error(409, decision.why);

    store::journal_entry entry;
    entry.order = batch->order;
    entry.mo_id = batch->mo_id;
    entry.what = "api." + name;
    entry.answer = text(body, "reason");
    entry.who = "api";
    bool done = true;
    switch (act) {
    case domain::action::retry: done = co_await store.retry_batch(line->hold(), id, std::move(entry)); break;
    case domain::action::cancel:
        if (decision.answer == domain::action_answer::take_out) done = co_await store.ask_take_out(line->hold(), id, "cancelled", std::move(entry));
        else done = co_await store.ask_cancel(line->hold(), id, std::move(entry));
        break;
    case domain::action::reset:
        if (decision.answer == domain::action_answer::take_out) done = co_await store.ask_take_out(line->hold(), id, "reset", std::move(entry));
        else done = co_await store.reset_batch(line->hold(), id, batch->version, text(body, "reason"), std::move(entry));
        break;
    case domain::action::complete: {
        const auto* produced = body.if_contains("produced");
        const auto* actuals = body.if_contains("actuals");
        const auto kg = produced != nullptr ? kilograms(*produced) : std::nullopt;
        if (!kg || kg->is_zero() || actuals == nullptr || !actuals->is_object() || entry.answer.empty())
            co_return server_response::error(400, "expected {\"produced\": kg above 0, \"actuals\": {\"101\": kg, ..}, \"reason\": text}");
        domain::silo_kg actual = batch->actual;
        for (auto& [silo, value] : actual) value = 0;
        for (const auto& [key, value] : actuals->get_object()) {
            int silo = 0;
            const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), silo);
            const auto amount = kilograms(value);
            if (ec != std::errc() || end != key.data() + key.size() || line->map().find_silo(silo) == nullptr || !amount)
                co_return server_response::error(400, fmt::format("actuals: '{}' is no silo of the map, or its value is no quantity", std::string_view(key)));
            actual[silo] = *amount;
        }
        entry.values = *actuals;
        done = co_await store.complete_batch(line->hold(), id, *kg, actual, std::move(entry));
        break;
    }
    }
    line->rows_changed();
    service.env().deliveries.set();
    if (auto* reader = line->task(tasks::task_names::plc_read_sync)) reader->wake();
    if (!done) co_return server_response::error(409, "the batch changed meanwhile; look again");
    core::log::info(line->about("api", id, batch->mo_id), "{} asked for", name);
    json::object o;
    o["batch"] = id;
    o["accepted"] = json::value(name);
    co_return server_response::json(202, o);
}

}  // namespace

asio::awaitable<std::optional<server_response>> change(tasks::service& service, const std::vector<std::string>& path, const http::server_request& request)
{
    const bool task_route = path.size() >= 4 && path[0] == "lines" && path[2] == "tasks" && (path.size() == 4 || (path.size() == 5 && path[4] == "run"));
    const bool batch_route = path.size() == 3 && path[0] == "batches" && (path[2] == "retry" || path[2] == "complete" || path[2] == "cancel" || path[2] == "reset");
    const bool start_over_route = path.size() == 3 && path[0] == "lines" && path[2] == "start-over";
    if (!task_route && !batch_route && !start_over_route) co_return std::nullopt;
    const auto body = body_of(request);
    if (!body) co_return server_response::error(400, "the body is no JSON object");
    // PostgreSQL would end the text there.
    if (text(*body, "reason").find('\0') != std::string::npos) co_return server_response::error(400, "the reason holds a NUL character");
    if (start_over_route) {
        auto* line = service.find_line(path[1]);
        if (line == nullptr) co_return server_response::error(404, "no line " + path[1]);
        if (!line->held()) co_return co_await not_here(service, path[1]);
        co_return co_await start_over(*line, *body);
    }
    if (task_route) {
        auto* line = service.find_line(path[1]);
        if (line == nullptr) co_return server_response::error(404, "no line " + path[1]);
        auto* task = line->task(path[3]);
        if (task == nullptr) co_return server_response::error(404, "no task " + path[3]);
        if (!line->held()) co_return co_await not_here(service, path[1]);
        if (path.size() == 5) co_return co_await run_task(*line, *task);
        co_return co_await switch_task(*line, *task, *body);
    }
    std::int64_t id = 0;
    const auto& number = path[1];
    const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (ec != std::errc() || end != number.data() + number.size() || id <= 0) co_return server_response::error(400, "a batch is named by its id, a whole number");
    co_return co_await act_on_batch(service, id, path[2], *body);
}

}  // namespace batchbridge::web
