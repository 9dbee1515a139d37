// mrp.production as the protocols call it.
#include "sim/odoo/odoo_model.hpp"
#include "sim/odoo/odoo_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

constexpr std::string_view name_of_orders = "mrp.production";

std::optional<std::size_t> positive(const odoo_arguments& a, const char* key)
{
    const auto* v = a.find(key);
    if (v == nullptr || !v->is_int64() || v->get_int64() <= 0) return std::nullopt;
    return static_cast<std::size_t>(v->get_int64());
}

const json::array& domain_of(const odoo_arguments& a)
{
    static const json::array all;
    const auto* v = a.find("domain");
    if (v == nullptr || v->is_null()) return all;
    // Odoo 19's words; 18 was not tried.
    if (!v->is_array()) throw odoo_fault("builtins.TypeError", fmt::format("Domain() invalid argument type for domain: {}", python(*v)));
    return v->get_array();
}

}  // namespace

std::int64_t odoo_model::written_order(std::string_view model, std::string_view method, const json::array& ids)
{
    static const std::set<std::string_view> writes{"write", "web_save", "button_mark_done", "action_cancel", "action_start", "unlink", "set_qty_producing"};
    if (model != name_of_orders || !writes.contains(method) || ids.empty() || !ids[0].is_int64()) return 0;
    return ids[0].get_int64();
}

std::vector<sim_order*> odoo_model::search(const json::array& domain, std::string_view order)
{
    const asked_model asked{options_, name_of_orders};
    const auto reader = [](const sim_order& o) -> field_reader { return [&o](std::string_view field) { return searchable(o, field); }; };
    // A wrong field is noticed whether there are orders or not (h14).
    const sim_order none;
    matches(asked, reader(none), domain);
    comes_before(asked, reader(none), reader(none), order);
    std::vector<sim_order*> out;
    for (auto& [id, o] : orders_)
        if (matches(asked, reader(o), domain)) out.push_back(&o);
    std::stable_sort(out.begin(), out.end(), [&](const sim_order* a, const sim_order* b) { return comes_before(asked, reader(*a), reader(*b), order); });
    return out;
}

json::value odoo_model::read_many(const std::string& method, const odoo_arguments& a)
{
    const asked_model asked{options_, name_of_orders};
    const auto order = a.text("order");
    const auto found = search(domain_of(a), order.empty() ? "priority desc, date_start asc, id" : order);
    if (method == "search_count") return found.size();
    const auto first = positive(a, "offset").value_or(0);
    const auto last = std::min(found.size(), first + positive(a, "limit").value_or(found.size()));
    if (method == "search") {
        json::array ids;
        for (auto i = first; i < last; ++i) ids.push_back(found[i]->id);
        return ids;
    }
    const bool web = method == "web_search_read";
    const auto one = [&](const sim_order& o) {
        const auto whole = whole_order(options_, o);
        auto record = web ? nested(asked, whole, a.find("specification")->as_object()) : flat(asked, whole, a.list("fields"));
        override_with(record, o.raw);
        return record;
    };
    one(sim_order{});   // unknown fields are noticed without any order too (h15, h15b)
    json::array records;
    for (auto i = first; i < last; ++i) records.push_back(one(*found[i]));
    if (!web) return records;
    json::object out;
    out["length"] = found.size();
    out["records"] = std::move(records);
    return out;
}

// A missing id is left out, not an error (h02, h02c).
json::value odoo_model::read_ids(const std::string& method, const odoo_arguments& a)
{
    const asked_model asked{options_, name_of_orders};
    const bool web = method != "read";
    const auto one = [&](const sim_order& o) {
        const auto whole = whole_order(options_, o);
        auto record = web ? nested(asked, whole, a.find("specification")->as_object()) : flat(asked, whole, a.list("fields"));
        override_with(record, o.raw);
        return record;
    };
    one(sim_order{});
    json::array out;
    for (const auto& id : a.ids) {
        const auto* o = id.is_int64() ? order(id.get_int64()) : nullptr;
        if (o != nullptr) out.push_back(one(*o));
    }
    return out;
}

std::vector<sim_order*> odoo_model::all_of(const json::array& ids)
{
    std::vector<sim_order*> out;
    for (const auto& id : ids) {
        auto* o = id.is_int64() ? order(id.get_int64()) : nullptr;
        if (o == nullptr) throw missing(options_, name_of_orders, id);
        out.push_back(o);
    }
    return out;
}

json::value odoo_model::production(const std::string& method, const odoo_arguments& a, const call_facts& facts)
{
    static const std::set<std::string> searches{"web_search_read", "search_read", "search_count", "search"};
    if (searches.contains(method)) return read_many(method, a);
    if (method == "web_read" || method == "read") return read_ids(method, a);
    // Without ids there is nothing to do, and that is no error (h_write_no_ids, h_done_no_ids). One missing: nothing is done.
    const auto all = all_of(a.ids);
    if (method == "write" || method == "web_save") {
        const auto& values = a.find("vals")->as_object();
        for (auto* o : all) {
            const bool done = o->state == "done";
            try {
                write(*o, values, facts);
            } catch (const odoo_fault&) {
                if (done && facts.done_before) complain(facts, o->name + ": a write to an order that is done (refused)");
                throw;
            }
        }
        return method == "write" ? json::value(true) : read_ids(method, a);
    }
    if (method == "button_mark_done") {
        json::value out = true;
        for (auto* o : all) out = mark_done(*o, a);
        return out;
    }
    if (method == "action_start") {
        for (auto* o : all)
            if (o->state == "confirmed") o->state = "progress";
        return nullptr;   // no result member (c07)
    }
    if (method == "set_qty_producing") {
        // Overwrites what was reported (d_set_qty_producing_trap).
        for (auto* o : all) {
            violation(o->name + ": set_qty_producing overwrites reported consumption");
            for (auto& m : o->moves) m.quantity = m.planned;
        }
        return nullptr;
    }
    if (method == "unlink") {
        for (const auto* o : all)
            if (o->state == "done") throw user_error(options_.is_19() ? "You cannot cancel a manufacturing order that is already done." : "Cannot delete a manufacturing order in done state.");
        for (const auto& id : a.ids) orders_.erase(id.as_int64());
        return true;
    }
    // action_cancel: on a done order 18 says true and does nothing, 19 refuses (f_cancel_done).
    for (auto* o : all) {
        if (o->state == "done" && options_.is_19()) throw user_error("You cannot cancel a manufacturing order that is already done.");
        cancel(*o);
    }
    return true;
}

}  // namespace batchbridge::sim
