#include "web/health.hpp"

namespace batchbridge::web {

namespace json = boost::json;

namespace {

// What the start-up check found; a bad one makes the whole degraded, as an Odoo that is down does.
json::array findings(const tasks::odoo_check& check, bool& degraded)
{
    json::array out;
    for (const auto& f : check.findings()) {
        json::object one;
        one["what"] = json::value(f.what);
        one["state"] = json::value(std::string(tasks::to_string(f.how)));
        one["text"] = json::value(f.text);
        if (!f.advice.empty()) one["to_do"] = json::value(f.advice);
        out.push_back(std::move(one));
        degraded = degraded || f.how == odoo::finding::verdict::bad;
    }
    return out;
}

}  // namespace

http::server_response health()
{
    json::object o;
    o["status"] = "alive";
    return http::server_response::json(200, o);
}

http::server_response readiness(tasks::service& service)
{
    json::object out, dependencies;
    bool degraded = false;
    for (const auto& [name, e] : service.env().board.entries()) {
        json::object d;
        d["state"] = json::value(std::string(tasks::to_string(e.now)));
        d["last_error"] = e.last_error.empty() ? json::value() : json::value(e.last_error);
        d["since"] = e.now == tasks::dependency_board::state::unknown ? json::value() : json::value(core::to_iso(e.since));
        if (name == "odoo") d["findings"] = findings(service.odoo(), degraded);
        dependencies[name] = std::move(d);
        degraded = degraded || e.now == tasks::dependency_board::state::down;
    }
    json::array lines;
    for (const auto& l : service.lines()) {
        json::object one;
        one["line"] = json::value(l->name());
        one["held"] = l->held();
        one["may_write"] = l->may_write();
        lines.push_back(std::move(one));
    }
    const bool ready = service.ready();
    out["status"] = !ready ? "not ready" : degraded ? "degraded" : "ready";
    if (!ready) out["waiting_for"] = json::value(service.waiting_for().empty() ? std::string("the database") : service.waiting_for());
    out["dependencies"] = std::move(dependencies);
    out["lines"] = std::move(lines);
    return http::server_response::json(ready ? 200 : 503, out);
}

}  // namespace batchbridge::web
