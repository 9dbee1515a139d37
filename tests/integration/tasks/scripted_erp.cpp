#include "scripted_erp.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::tests {

using domain::order_state;

odoo::error refused(domain::error_class decision, const std::string& text, const std::string& name)
{
    const auto kind = decision == domain::error_class::retry ? core::error_kind::unavailable : core::error_kind::rejected;
    return {kind, domain::call_outcome::rejected, decision, "call", "odoo test", text, name};
}

odoo::error no_answer()
{
    return {core::error_kind::timeout, domain::call_outcome::unclear, domain::error_class::retry, "call", "odoo test", "no answer"};
}

domain::order& scripted_erp::add(std::int64_t id, const std::vector<std::string>& products)
{
    auto& o = orders[id];
    o.id.odoo_db = "factory";
    o.id.odoo_id = id;
    // As the batches of delivery_bench say.
    o.id.create_date = core::from_odoo("2026-11-23 10:46:09").value();
    o.name = fmt::format("WH/MO/{:05}", id);
    o.state = order_state::confirmed;
    o.uom = "kg";
    o.uom_rounding = *core::decimal::parse("0.01");
    o.quantity = 100;
    for (const auto& product : products) {
        domain::component c;
        c.move_id = 10 * id + static_cast<std::int64_t>(o.components.size()) + 1;
        c.product_code = product;
        c.uom = "kg";
        c.uom_rounding = o.uom_rounding;
        c.planned = 100;
        c.state = "confirmed";
        o.components.push_back(c);
    }
    return o;
}

int scripted_erp::count(const std::string& call) const
{
    return static_cast<int>(std::count(calls.begin(), calls.end(), call));
}

void scripted_erp::begin(const std::string& call)
{
    calls.push_back(call);
    if (before) before(call);
}

void scripted_erp::end(const std::string& call)
{
    if (after) after(call);
}

void scripted_erp::write(std::int64_t odoo_id, const std::vector<domain::move_value>& moves)
{
    for (auto& c : orders.at(odoo_id).components)
        for (const auto& m : moves)
            if (m.move_id == c.move_id) {
                c.quantity = m.quantity;
                c.picked = true;
            }
}

boost::asio::awaitable<odoo::server_info> scripted_erp::connect()
{
    odoo::server_info info;
    info.version = "18.0";
    info.protocol = "memory";
    info.verified = true;
    co_return info;
}

boost::asio::awaitable<void> scripted_erp::probe()
{
    begin("probe");
    co_return;
}

boost::asio::awaitable<odoo::fetch_answer> scripted_erp::fetch_confirmed(const odoo::fetch_request& what)
{
    begin("fetch");
    odoo::fetch_answer out;
    for (const auto& [id, o] : orders) {
        if (o.state != order_state::confirmed || std::find(what.exclude_ids.begin(), what.exclude_ids.end(), id) != what.exclude_ids.end()) continue;
        ++out.matches;
        if (static_cast<int>(out.orders.size()) < what.limit) out.orders.emplace_back(o);
    }
    fetched.push_back(what);
    end("fetch");
    co_return out;
}

boost::asio::awaitable<std::optional<domain::order>> scripted_erp::read_order(std::int64_t odoo_id)
{
    const auto call = fmt::format("read {}", odoo_id);
    begin(call);
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    while (hang_all || hangs == call) {
        timer.expires_after(std::chrono::milliseconds(10));
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
    const auto it = orders.find(odoo_id);
    if (it == orders.end()) co_return std::nullopt;
    co_return it->second;
}

boost::asio::awaitable<std::vector<domain::order>> scripted_erp::read_orders(const std::vector<std::int64_t>& ids)
{
    begin("read_orders");
    std::vector<domain::order> out;
    for (const auto id : ids)
        if (const auto it = orders.find(id); it != orders.end()) out.push_back(it->second);
    end("read_orders");
    co_return out;
}

boost::asio::awaitable<void> scripted_erp::write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves)
{
    const auto call = fmt::format("write_consumption {}", odoo_id);
    begin(call);
    write(odoo_id, moves);
    end(call);
    co_return;
}

boost::asio::awaitable<void> scripted_erp::write_final(std::int64_t odoo_id, const domain::finish_values& values)
{
    const auto call = fmt::format("write_final {}", odoo_id);
    begin(call);
    write(odoo_id, values.moves);
    orders.at(odoo_id).qty_producing = values.produced;
    end(call);
    co_return;
}

boost::asio::awaitable<std::string> scripted_erp::mark_done(std::int64_t odoo_id, const domain::finish_values&, core::utc_time)
{
    const auto call = fmt::format("mark_done {}", odoo_id);
    begin(call);
    auto& o = orders.at(odoo_id);
    o.state = order_state::done;
    o.qty_produced = o.qty_producing;
    for (auto& c : o.components) c.state = "done";
    end(call);
    co_return "true";
}

boost::asio::awaitable<void> scripted_erp::cancel(std::int64_t odoo_id)
{
    const auto call = fmt::format("cancel {}", odoo_id);
    begin(call);
    orders.at(odoo_id).state = order_state::cancel;
    end(call);
    co_return;
}

boost::asio::awaitable<std::optional<std::int64_t>> scripted_erp::find_equipment(const std::string& serial_no)
{
    const auto call = "find_equipment " + serial_no;
    begin(call);
    const auto it = equipment.find(serial_no);
    end(call);
    if (it == equipment.end()) co_return std::nullopt;
    co_return it->second;
}

boost::asio::awaitable<std::optional<std::int64_t>> scripted_erp::find_request(const std::string& key)
{
    begin("find_request");
    std::optional<std::int64_t> found;
    for (std::size_t i = 0; i < requests.size(); ++i)
        if (requests[i].key == key) found = static_cast<std::int64_t>(i) + 1;
    end("find_request");
    co_return found;
}

boost::asio::awaitable<std::int64_t> scripted_erp::create_request(const odoo::maintenance_request& what)
{
    begin("create_request");
    requests.push_back(what);
    end("create_request");
    co_return static_cast<std::int64_t>(requests.size());
}

boost::asio::awaitable<void> scripted_erp::post_note(std::int64_t odoo_id, const std::string& text)
{
    const auto call = fmt::format("post_note {}", odoo_id);
    begin(call);
    notes.emplace_back(odoo_id, text);
    end(call);
    co_return;
}

boost::asio::awaitable<std::vector<odoo::finding>> scripted_erp::check()
{
    // Not one of the calls: the start-up check comes at a time of its own.
    co_return std::vector<odoo::finding>{};
}

}  // namespace batchbridge::tests
