#include "sim/odoo/odoo_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace batchbridge::sim {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

namespace {

// "Tue, 23 Nov 2027 10:47:29 GMT"
std::string http_date(core::utc_time t)
{
    return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(t))));
}

server_response silence()
{
    auto r = odoo_page(200, "");
    r.end = server_response::ending::close_silently;
    return r;
}

}  // namespace

odoo_server::odoo_server(asio::any_io_executor executor, odoo_model& model, odoo_options options, const std::string& log)
    : executor_(executor), model_(model), jsonrpc_(model), json2_(model), session_(model, sessions_), scada_(model, sessions_), log_(log), cleared_(executor)
{
    model_.options() = std::move(options);
}

void odoo_server::clear_faults()
{
    faults_.clear();
    ++clears_;
    cleared_.set();
    for (auto& w : pending_) w.landed->set();   // whoever still waits for an answer hears none
}

std::vector<std::string> odoo_server::pending() const
{
    std::vector<std::string> out;
    for (const auto& w : pending_) out.push_back(w.what->call.method);
    return out;
}

asio::awaitable<void> odoo_server::wait(std::chrono::milliseconds d)
{
    asio::steady_timer timer(executor_, d);
    co_await timer.async_wait(asio::use_awaitable);
}

front_result odoo_server::route(const http::server_request& request, call_record& record)
{
    const std::string target(request.target());
    const auto path = target.substr(0, target.find('?'));
    record.protocol = "web";
    if (path == "/jsonrpc") {
        record.protocol = "jsonrpc";
        return jsonrpc_.read(request);
    }
    if (path == "/json/2" || path.starts_with("/json/2/")) {
        record.protocol = "json2";
        return json2_.read(request);
    }
    if (path.starts_with("/api/scada/")) {
        record.protocol = "scada";
        return scada_.read(request, path);
    }
    const auto& o = model_.options();
    odoo_call c;
    c.protocol = "web";
    c.method = "version";
    session_shapes(c, model_, nullptr, true);
    if (path == "/json/version" || path == "/web/version") {
        // An 18 sends /json/version to its login page, and does not know the other one (odoo19.md, section 1).
        if (!o.is_19() && path == "/web/version") return not_found_page();
        c.run = [&o](const call_facts&) -> json::value {
            json::object out;
            out["version_info"] = version_info(o.version);
            out["version"] = json::value(o.version.substr(0, o.version.find('+')));
            return out;
        };
        if (!o.is_19())
            c.answer = [](const json::value&) {
                auto r = odoo_page(303, "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n");
                r.headers.emplace_back("Location", "/web/login?redirect=%2Fjson%2Fversion%3F");
                return r;
            };
        return c;
    }
    if (path == "/web/webclient/version_info") {
        const auto body = session_body(request);
        if (!body) return odoo_page(400, "<!doctype html><title>400 Bad Request</title>");
        session_shapes(c, model_, body->id);
        c.run = [&o](const call_facts&) -> json::value { return version_answer(o.version); };
        return c;
    }
    if (path == "/web/health") {
        // It proves the web server only (odoo18.md, section 10).
        c.method = "health";
        c.run = [](const call_facts&) -> json::value { return json::object{{"status", "pass"}}; };
        c.answer = [](const json::value& v) {
            auto r = odoo_json(200, v);
            r.content_type = "application/json";
            return r;
        };
        return c;
    }
    record.protocol = path.starts_with("/web/session/") || path.starts_with("/web/dataset/") ? "session" : "web";
    if (record.protocol == "session") return session_.read(request, path);
    return not_found_page();
}

server_response odoo_server::finished(call_record& record, server_response r)
{
    if (model_.options().is_19() && record.outcome == "ok" && r.status == 200) r.headers.emplace_back("X-Content-Type-Options", "nosniff");
    r.headers.emplace_back("Date", http_date(core::utc_now() + model_.options().clock_shift));
    record.bytes_out = bytes_of(r);
    record.status = record.bytes_out == 0 ? 0 : r.status;
    log_.add(record);
    return r;
}

// A real server works on a call for a while; a second one for the same order meanwhile is what must not happen.
std::unique_ptr<odoo_server::in_flight> odoo_server::begin(const odoo_call& c)
{
    if (c.writes == 0) return nullptr;
    if ((*busy_)[c.writes] > 0) model_.violation(fmt::format("order {}: two calls in flight ({})", c.writes, c.method));
    return std::make_unique<in_flight>(busy_, c.writes);
}

server_response odoo_server::process(job& j)
{
    const auto refuse = [&](const odoo_fault& f) {
        j.record.outcome = f.name;
        return j.call.refuse(f);
    };
    server_response out;
    try {
        out = j.call.answer(j.call.run(j.facts));
    } catch (const odoo_fault& f) {
        out = refuse(f);
    } catch (const std::exception& e) {
        // An argument of another kind than the method wants: Python would fail somewhere.
        out = refuse(odoo_fault("builtins.TypeError", e.what()));
    }
    return out;
}

// An abandoned call at last: its answer goes nowhere.
void odoo_server::land(job& j)
{
    j.facts.late = true;
    j.record.late = true;
    process(j);
    log_.add(j.record);
}

void odoo_server::land_after(const odoo_call& c)
{
    std::vector<waiting> due;
    for (auto it = pending_.begin(); it != pending_.end();) {
        const auto order = it->what->call.order;
        const bool mine = order == 0 || std::find(c.orders.begin(), c.orders.end(), order) != c.orders.end();
        const bool now = mine && (it->after.empty() ? --it->calls <= 0 : it->after == c.method);
        if (now) due.push_back(std::move(*it));
        it = now ? pending_.erase(it) : std::next(it);
    }
    for (auto& w : due) {
        land(*w.what);
        w.landed->set();
    }
}

void odoo_server::land_pending()
{
    const auto all = std::move(pending_);
    pending_.clear();
    for (const auto& w : all) {
        land(*w.what);
        w.landed->set();
    }
}

asio::awaitable<server_response> odoo_server::hang(const std::string& method)
{
    const auto before = clears_;
    hanging_.push_back(method);
    while (clears_ == before) co_await cleared_.wait();
    hanging_.erase(std::find(hanging_.begin(), hanging_.end(), method));
    co_return silence();
}

// What is said without asking the model.
std::optional<server_response> odoo_server::instead(job& j, const odoo_sim_fault& fault)
{
    const auto& kind = fault.kind;
    auto plain = odoo_page(200, "");
    if (kind == "reset") {
        plain.end = server_response::ending::reset;
        return plain;
    }
    if (kind == "http_500" || kind == "html" || kind == "garbage") {
        plain.status = kind == "http_500" ? 500 : 200;
        plain.body = kind == "garbage" ? "{\"jsonrpc\": \"2.0\", \"resu" : "<!doctype html><title>Internal Server Error</title>";
        j.record.outcome = kind;
        return plain;
    }
    if (kind == "operational_error") {
        j.record.outcome = "psycopg2.OperationalError";
        return j.call.database_down();
    }
    if (kind == "serialization_failure" || kind == "exception") {
        const auto f = kind == "exception" ? odoo_fault(fault.name, fault.message, fault.status)
                                           : odoo_fault("psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update\n");
        j.record.outcome = f.name;
        return j.call.refuse(f);
    }
    return std::nullopt;
}

void odoo_server::land_later(const std::shared_ptr<job>& j, std::chrono::milliseconds delay)
{
    std::shared_ptr<in_flight> busy = begin(j->call);
    asio::co_spawn(
        executor_,
        [this, j, busy, delay]() mutable -> asio::awaitable<void> {
            co_await wait(delay);
            busy.reset();
            land(*j);
        },
        asio::detached);
}

// late_commit and http_504: the client is sent away, or waits in vain, and the call commits all the same.
asio::awaitable<server_response> odoo_server::abandon(std::shared_ptr<job> j, const odoo_sim_fault& fault)
{
    const bool proxy = fault.kind == "http_504";
    auto page = silence();
    if (proxy) {
        page = odoo_page(504, "<html><head><title>504 Gateway Time-out</title></head></html>");
        page.headers.emplace_back("Date", http_date(core::utc_now() + model_.options().clock_shift));
    }
    if (fault.calls > 0 || !fault.after.empty()) {
        waiting w;
        w.what = j;
        w.calls = fault.calls;
        w.after = fault.after;
        w.landed = std::make_shared<core::event>(executor_);
        const auto landed = w.landed;
        pending_.push_back(std::move(w));
        if (!proxy) co_await landed->wait();
        co_return page;
    }
    land_later(j, fault.delay);
    // The client hangs up first, or hears nothing.
    if (!proxy) co_await wait(fault.delay * 2);
    co_return page;
}

asio::awaitable<server_response> odoo_server::call(std::shared_ptr<job> j)
{
    const auto fault = faults_.take(j->call);
    const std::string kind = fault ? fault->kind : "";
    if (kind == "hang") co_return co_await hang(j->call.method);
    if (fault) {
        if (auto said = instead(*j, *fault)) {
            if (said->end != server_response::ending::normal) co_return *said;
            co_return finished(j->record, std::move(*said));
        }
    }
    if (kind == "late_commit" || kind == "http_504") co_return co_await abandon(j, *fault);
    auto busy = begin(j->call);
    auto time = model_.options().latency;
    if (kind == "delay") time += fault->delay;
    if (time.count() > 0) co_await wait(time);
    busy.reset();
    auto response = process(*j);
    land_after(j->call);
    if (kind == "drop_after") response.end = server_response::ending::close_silently;
    if (kind == "half_open") response.end = server_response::ending::half;
    co_return finished(j->record, std::move(response));
}

asio::awaitable<server_response> odoo_server::answer(const http::server_request& request)
{
    auto j = std::make_shared<job>();
    j->record.bytes_in = bytes_of(request);
    auto read = route(request, j->record);
    if (auto* page = std::get_if<server_response>(&read)) {
        if (page->status >= 400) j->record.outcome = fmt::format("http {}", page->status);
        co_return finished(j->record, std::move(*page));
    }
    j->call = std::move(std::get<odoo_call>(read));
    const auto& c = j->call;
    j->record.protocol = c.protocol;
    j->record.model = c.model;
    j->record.method = c.method;
    j->record.order = c.order;
    j->record.orders = c.orders;
    if (const auto* o = model_.order(c.writes); c.values && o != nullptr) j->facts.done_before = o->state == "done";
    co_return co_await call(j);
}

}  // namespace batchbridge::sim
