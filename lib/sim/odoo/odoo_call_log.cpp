#include "sim/odoo/odoo_call_log.hpp"

#include <boost/beast/http/status.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace batchbridge::sim {

namespace json = boost::json;
using std::chrono::steady_clock;

std::size_t bytes_of(const http::server_request& r)
{
    // "POST /jsonrpc HTTP/1.1", then each header, then an empty line.
    std::size_t n = r.method_string().size() + 1 + r.target().size() + std::string_view(" HTTP/1.1\r\n\r\n").size() + r.body().size();
    for (const auto& field : r) n += field.name_string().size() + 2 + field.value().size() + 2;
    return n;
}

std::size_t bytes_of(const http::server_response& r)
{
    using ending = http::server_response::ending;
    if (r.end == ending::close_silently || r.end == ending::reset) return 0;
    const auto length = std::to_string(r.body.size());
    if (r.end == ending::half) return fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", r.status, length).size() + r.body.size() / 2;
    const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(r.status));
    std::size_t n = fmt::format("HTTP/1.1 {} \r\n\r\n", r.status).size() + reason.size() + r.body.size();
    const auto header = [&](std::string_view name, std::string_view value) { n += name.size() + 2 + value.size() + 2; };
    header("Content-Type", r.content_type);
    header("Cache-Control", "no-store");
    header("Content-Length", length);
    if (!r.keep_alive) header("Connection", "close");
    if (!r.www_authenticate.empty()) header("WWW-Authenticate", r.www_authenticate);
    for (const auto& [name, value] : r.headers) header(name, value);
    return n;
}

odoo_call_log::odoo_call_log(const std::string& file)
{
    if (!file.empty()) file_.open(file, std::ios::app);
}

void odoo_call_log::add(const call_record& r)
{
    const auto ns = [](steady_clock::time_point t) { return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count(); };
    const auto ended = steady_clock::now();
    json::object call;
    call["ns"] = ns(ended);
    call["started_ns"] = ns(r.started);
    call["at"] = json::value(core::to_iso(core::utc_now()));
    call["protocol"] = json::value(r.protocol);
    call["model"] = json::value(r.model);
    call["method"] = json::value(r.method);
    call["order"] = r.order;
    call["orders"] = json::array(r.orders.begin(), r.orders.end());
    call["outcome"] = json::value(r.outcome);
    call["status"] = r.status;
    call["bytes_in"] = r.bytes_in;
    call["bytes_out"] = r.bytes_out;
    if (r.late) call["late"] = true;
    if (file_.is_open()) file_ << json::serialize(call) << '\n' << std::flush;
    calls_.push_back(std::move(call));

    const auto count = [&](sums& s) {
        ++s.calls;
        s.refused += r.outcome == "ok" ? 0 : 1;
        s.bytes_in += r.bytes_in;
        s.bytes_out += r.bytes_out;
        ++s.methods[r.method];
    };
    count(protocols_[r.protocol]);
    if (r.orders.size() == 1) count(orders_[r.orders[0]]);
    else
        for (const auto id : r.orders) ++orders_[id].shared;
}

void odoo_call_log::clear()
{
    calls_.clear();
    protocols_.clear();
    orders_.clear();
}

json::object odoo_call_log::shown(const sums& s)
{
    json::object methods;
    for (const auto& [name, n] : s.methods) methods[name] = n;
    json::object out;
    out["calls"] = s.calls;
    out["refused"] = s.refused;
    out["shared_calls"] = s.shared;
    out["bytes_in"] = s.bytes_in;
    out["bytes_out"] = s.bytes_out;
    out["methods"] = std::move(methods);
    return out;
}

json::object odoo_call_log::totals() const
{
    json::object protocols, orders;
    for (const auto& [name, s] : protocols_) protocols[name] = shown(s);
    for (const auto& [id, s] : orders_) orders[std::to_string(id)] = shown(s);
    json::object out;
    out["protocols"] = std::move(protocols);
    out["orders"] = std::move(orders);
    return out;
}

}  // namespace batchbridge::sim
