#include "web/lists.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <map>

namespace batchbridge::web {

namespace asio = boost::asio;
namespace json = boost::json;
using http::server_response;

namespace {

constexpr int limit_default = 100, limit_most = 500;

using query = std::map<std::string, std::string>;

// What is wrong with it; empty: nothing.
std::string read_query(std::string_view target, std::initializer_list<std::string_view> known, query& out)
{
    const auto parsed = boost::urls::parse_origin_form(boost::urls::string_view(target.data(), target.size()));
    if (!parsed) return "the query cannot be read";
    for (const auto& p : parsed->params()) {
        const std::string key(p.key), value(p.value);
        if (std::find(known.begin(), known.end(), key) == known.end()) return fmt::format("unknown parameter '{}'; known here: {}", key, fmt::join(known, ", "));
        if (value.find('\0') != std::string::npos) return fmt::format("'{}' holds a NUL character", key);
        if (!out.emplace(key, value).second) return fmt::format("'{}' is given twice", key);
    }
    return {};
}

struct page {
    std::int64_t after = 0;
    int limit = limit_default;
};

std::string read_page(const query& q, page& out)
{
    if (const auto it = q.find("after"); it != q.end()) {
        const auto id = it->second == "0" ? std::optional<std::int64_t>(0) : id_of(it->second);
        if (!id) return "'after' is a whole number, the `next` of the page before";
        out.after = *id;
    }
    if (const auto it = q.find("limit"); it != q.end()) {
        const auto n = id_of(it->second);
        if (!n || *n > limit_most) return fmt::format("'limit' is a whole number from 1 to {}", limit_most);
        out.limit = static_cast<int>(*n);
    }
    return {};
}

std::string text_of(const query& q, const std::string& key)
{
    const auto it = q.find(key);
    return it == q.end() ? std::string() : it->second;
}

// One more than the page was asked for: so it is known whether there is a next one.
server_response list(json::array items, int limit, const char* id)
{
    json::object out;
    json::value next;
    if (items.size() > static_cast<std::size_t>(limit)) {
        items.resize(static_cast<std::size_t>(limit));
        next = items.back().at(id);
    }
    out["items"] = std::move(items);
    out["next"] = std::move(next);
    return server_response::json(200, out);
}

server_response bad_query(const std::string& why)
{
    return server_response::error(400, why);
}

json::value time_of(const std::optional<core::utc_time>& t)
{
    return t ? json::value(core::to_iso(*t)) : json::value();
}

asio::awaitable<server_response> lines(tasks::service& service, std::string_view target)
{
    query q;
    if (const auto why = read_query(target, {}, q); !why.empty()) co_return bad_query(why);
    json::array items;
    const auto describe = [&](const store::line_row& row) {
        json::object o;
        const auto* here = service.find_line(row.line);
        o["line"] = json::value(row.line);
        o["host"] = json::value(row.address.host);
        o["port"] = row.address.port;
        o["unit_id"] = row.address.unit_id;
        o["holder"] = json::value(row.holder);
        o["epoch"] = row.epoch;
        o["held"] = here != nullptr && here->held();
        o["may_write"] = here != nullptr && here->may_write();
        o["paused"] = row.paused;
        o["paused_why"] = json::value(row.paused_why);
        // What keeps it from loading that is no person's pause: the PLC forgot its recipes.
        o["waits_for"] = json::value(here != nullptr ? here->paused_why() : std::string());
        json::array tasks;
        if (here != nullptr)
            for (const auto& t : here->tasks()) tasks.push_back(json::object{{"name", t->name()}, {"enabled", t->enabled()}, {"running", t->running()}});
        o["tasks"] = std::move(tasks);
        items.push_back(std::move(o));
    };
    const auto rows = co_await service.env().store.lines();
    for (const auto& row : rows) describe(row);
    // Configured, and not taken by anybody yet.
    for (const auto& l : service.lines()) {
        if (std::any_of(rows.begin(), rows.end(), [&](const store::line_row& r) { return r.line == l->name(); })) continue;
        store::line_row row;
        row.line = l->name();
        row.address.host = l->config().host;
        row.address.port = l->config().port;
        row.address.unit_id = l->config().unit_id;
        describe(row);
    }
    const auto count = static_cast<int>(items.size());
    co_return list(std::move(items), count, "line");
}

json::object described(const store::outbox_entry& e)
{
    json::object o;
    o["id"] = e.id;
    o["line"] = json::value(e.line);
    o["odoo_db"] = json::value(e.odoo_db);
    o["odoo_id"] = e.odoo_id == 0 ? json::value() : json::value(e.odoo_id);
    o["mo_id"] = json::value(e.mo_id);
    o["batch_id"] = e.batch_id == 0 ? json::value() : json::value(e.batch_id);
    o["kind"] = json::value(domain::to_string(e.kind));
    o["state"] = json::value(domain::to_string(e.state));
    o["version"] = e.version;
    o["tries"] = e.tries;
    o["last_error"] = json::value(e.last_error);
    o["created_at"] = time_of(e.created);
    o["next_at"] = time_of(e.next);
    o["sent_at"] = time_of(e.sent);
    o["payload"] = e.payload;
    return o;
}

std::string read_states(const std::string& text, std::vector<domain::delivery_state>& out)
{
    out.clear();
    std::string_view rest = text;
    while (true) {
        const auto comma = rest.find(',');
        const auto state = domain::delivery_state_from(rest.substr(0, comma));
        if (!state) return "'state' is one or more of due, sending, sent, parked, discarded, with commas between";
        out.push_back(*state);
        if (comma == std::string_view::npos) return {};
        rest.remove_prefix(comma + 1);
    }
}

asio::awaitable<server_response> outbox(tasks::service& service, std::string_view target)
{
    query q;
    page p;
    store::outbox_filter f;
    auto why = read_query(target, {"after", "limit", "line", "kind", "batch", "state"}, q);
    if (why.empty()) why = read_page(q, p);
    if (why.empty() && q.contains("state")) why = read_states(q.at("state"), f.states);
    if (why.empty() && q.contains("kind")) {
        f.kind = domain::delivery_kind_from(q.at("kind"));
        if (!f.kind) why = "'kind' is one of finish, cancel, maintenance_request, note, webhook, consumption";
    }
    if (why.empty() && q.contains("batch")) {
        const auto id = id_of(q.at("batch"));
        if (!id) why = "'batch' is the id of a batch, a whole number";
        else f.batch = *id;
    }
    if (!why.empty()) co_return bad_query(why);
    f.line = text_of(q, "line");
    f.after = p.after;
    f.limit = p.limit + 1;
    json::array items;
    for (const auto& e : co_await service.env().store.outbox(f)) items.push_back(described(e));
    co_return list(std::move(items), p.limit, "id");
}

asio::awaitable<server_response> refusals(tasks::service& service, std::string_view target)
{
    query q;
    page p;
    auto why = read_query(target, {"after", "limit", "line"}, q);
    if (why.empty()) why = read_page(q, p);
    if (!why.empty()) co_return bad_query(why);
    auto& env = service.env();
    const auto line = text_of(q, "line");
    json::array items;
    for (const auto& e : co_await env.store.refusals(env.config.odoo_db, line, p.after, p.limit + 1)) {
        json::object o;
        o["id"] = e.odoo_id;
        o["line"] = json::value(e.line);
        o["odoo_db"] = json::value(e.odoo_db);
        o["mo_id"] = json::value(e.mo_id);
        o["reason"] = json::value(e.reason);
        o["first_at"] = time_of(e.first);
        o["last_at"] = time_of(e.last);
        o["retry_at"] = time_of(e.retry);
        items.push_back(std::move(o));
    }
    co_return list(std::move(items), p.limit, "id");
}

}  // namespace

asio::awaitable<std::optional<server_response>> look(tasks::service& service, const path_parts& path, std::string_view target)
{
    if (path.size() != 1) co_return std::nullopt;
    if (path[0] == "lines") co_return co_await lines(service, target);
    if (path[0] == "outbox") co_return co_await outbox(service, target);
    if (path[0] == "refusals") co_return co_await refusals(service, target);
    co_return std::nullopt;
}

}  // namespace batchbridge::web
