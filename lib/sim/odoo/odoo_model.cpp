#include "sim/odoo/odoo_model.hpp"

#include "sim/odoo/odoo_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <optional>
#include <set>

namespace batchbridge::sim {

namespace json = boost::json;
using core::decimal;

namespace {

const decimal cent = *decimal::parse("0.01");

const char* const cancelled_move = "You cannot change a cancelled stock move, create a new line instead.";

// As a float field takes it: empty is 0, a text must be a number (h17).
decimal number_of(const json::value& v)
{
    if (v.is_null() || (v.is_bool() && !v.get_bool())) return 0;
    if (v.is_int64()) return *decimal::parse(std::to_string(v.get_int64()));
    if (v.is_double()) {
        if (auto d = decimal::from_double(v.get_double())) return *d;
    }
    if (v.is_string()) {
        if (auto d = decimal::parse(std::string_view(v.get_string()))) return *d;
        throw odoo_fault("builtins.ValueError", fmt::format("could not convert string to float: '{}'", std::string_view(v.get_string())));
    }
    throw odoo_fault("builtins.TypeError", "float() argument must be a string or a real number");
}

odoo_fault missing(const char* model, std::int64_t id)
{
    return {"odoo.exceptions.MissingError", fmt::format("Record does not exist or has been deleted.\n(Record: {}({},), User: 6)", model, id)};
}

core::utc_time now()
{
    return std::chrono::floor<std::chrono::seconds>(core::utc_now());
}

// The reservation follows `quantity` until the move has ended (c01, z01).
void reserve(sim_move& m)
{
    if (m.state == "done" || m.state == "cancel") return;
    m.state = m.quantity >= m.planned ? "assigned" : m.quantity.is_zero() ? "confirmed" : "partially_available";
}

sim_move* find_move(sim_order& o, std::int64_t id)
{
    const auto it = std::find_if(o.moves.begin(), o.moves.end(), [id](const sim_move& m) { return m.id == id; });
    return it == o.moves.end() ? nullptr : &*it;
}

void change_move(sim_move& m, const json::object& values)
{
    if (m.state == "cancel") throw odoo_fault("odoo.exceptions.UserError", cancelled_move);
    for (const auto& [field, value] : values) {
        if (field == "quantity") {
            const auto q = number_of(value);
            if (q < 0) throw odoo_fault("odoo.exceptions.ValidationError", "Please enter a positive quantity.");
            m.quantity = q.rounded_to(cent);
        } else if (field == "picked") {
            m.picked = value.as_bool();
        } else if (field == "manual_consumption") {
            m.manual = value.as_bool();
        } else {
            throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'stock.move'", std::string_view(field)));
        }
    }
    reserve(m);
}

// What follows for the order from its moves and from qty_producing.
void progress(sim_order& o)
{
    if (o.state == "done" || o.state == "cancel") return;
    const bool picked = std::any_of(o.moves.begin(), o.moves.end(), [](const sim_move& m) { return m.picked; });
    if (picked || o.qty_producing > 0) o.state = "progress";
    if (o.qty_producing >= o.quantity && o.qty_producing > 0) o.state = "to_close";
}

bool same_figures(const sim_order& a, const sim_order& b)
{
    return a.qty_producing == b.qty_producing &&
           std::equal(a.moves.begin(), a.moves.end(), b.moves.begin(), b.moves.end(), [](const sim_move& x, const sim_move& y) { return x.quantity == y.quantity; });
}

}  // namespace

odoo_model::odoo_model(std::uint64_t seed) : seed_(seed) {}

sim_order* odoo_model::order(std::int64_t id)
{
    const auto it = orders_.find(id);
    return it == orders_.end() ? nullptr : &it->second;
}

std::int64_t odoo_model::create(const json::object& what)
{
    sim_order o;
    o.id = next_order_++;
    const auto text = [&](const json::object& from, const char* key, std::string& to) {
        if (const auto* v = from.if_contains(key); v != nullptr && v->is_string()) to = std::string(v->get_string());
    };
    o.name = fmt::format("WH/MO/{:05}", o.id);
    text(what, "name", o.name);
    text(what, "product_code", o.product_code);
    text(what, "uom", o.uom);
    text(what, "priority", o.priority);
    text(what, "state", o.state);
    text(what, "consumption", o.consumption);
    if (const auto* v = what.if_contains("auto_print")) o.auto_print = v->as_bool();
    o.create_date = o.write_date = now();
    o.date_start = o.create_date;
    std::string start;
    text(what, "date_start", start);
    if (const auto t = core::from_odoo(start)) o.date_start = *t;
    o.date_finished = o.date_start + std::chrono::hours(1);
    if (const auto* q = what.if_contains("quantity")) o.quantity = number_of(*q);
    if (const auto* list = what.if_contains("components")) {
        for (const auto& c : list->as_array()) {
            sim_move m;
            m.id = next_move_++;
            text(c.as_object(), "product_code", m.product_code);
            text(c.as_object(), "uom", m.uom);
            m.product_name = m.product_code + " material";
            m.product_id = 1000 + m.id;
            m.planned = number_of(c.as_object().at("quantity"));
            m.quantity = m.planned;   // reserved, not consumed
            o.moves.push_back(std::move(m));
        }
    }
    if (const auto* raw = what.if_contains("raw"); raw != nullptr && raw->is_object()) o.raw = raw->get_object();
    const auto id = o.id;
    orders_.emplace(id, std::move(o));
    return id;
}

std::vector<std::int64_t> odoo_model::generate(int count)
{
    std::mt19937_64 random(seed_++);
    std::uniform_int_distribution<int> parts(4, 8), silo(0, 14), cents(2000, 15000);
    std::vector<std::int64_t> out;
    for (int i = 0; i < count; ++i) {
        json::array components;
        std::set<int> used;
        decimal sum;
        const int wanted = parts(random);
        while (static_cast<int>(used.size()) < wanted) {
            const int s = silo(random);
            if (!used.insert(s).second) continue;
            const auto kg = decimal::from_scaled(cents(random), 2);
            sum += kg;
            json::object c;
            c["product_code"] = s < 13 ? fmt::format("SILO-{}", 101 + s) : fmt::format("LQ{}", 101 + s);
            c["quantity"] = kg.to_double();
            components.push_back(std::move(c));
        }
        json::object o;
        o["product_code"] = fmt::format("FG-{}", static_cast<char>('A' + i % 5));
        o["quantity"] = sum.to_double();
        o["components"] = std::move(components);
        out.push_back(create(o));
    }
    return out;
}

std::int64_t odoo_model::written_order(const std::string& method, const json::array& args)
{
    static const std::set<std::string> writes{"write", "button_mark_done", "action_cancel", "action_start", "unlink"};
    if (!writes.contains(method) || args.empty() || !args[0].is_array() || args[0].get_array().empty() || !args[0].get_array()[0].is_int64()) return 0;
    return args[0].get_array()[0].get_int64();
}

std::vector<sim_order*> odoo_model::search(const json::array& domain, std::string_view order)
{
    // A wrong field is noticed whether there are orders or not (h14).
    matches(sim_order{}, domain);
    comes_before(sim_order{}, sim_order{}, order);
    std::vector<sim_order*> out;
    for (auto& [id, o] : orders_)
        if (matches(o, domain)) out.push_back(&o);
    std::stable_sort(out.begin(), out.end(), [&](const sim_order* a, const sim_order* b) { return comes_before(*a, *b, order); });
    return out;
}

void odoo_model::write(sim_order& o, const json::object& values)
{
    // All of it or nothing (j02): on copies, put in place at the end.
    std::map<std::int64_t, sim_order> changed{{o.id, o}};
    auto& mine = changed.at(o.id);
    std::vector<std::string> complaints;
    const auto move_of = [&](std::int64_t id) -> sim_move& {
        if (auto* m = find_move(mine, id)) return *m;
        // Accepted, and it changes the other order (odoo18.md, section 5).
        for (auto& [other_id, other] : orders_) {
            if (find_move(other, id) == nullptr) continue;
            complaints.push_back(fmt::format("{}: a write changed move {} of {}", o.name, id, other.name));
            return *find_move(changed.emplace(other_id, other).first->second, id);
        }
        throw missing("stock.move", id);
    };
    for (const auto& [key, v] : values) {
        if (key == "qty_producing") {
            mine.qty_producing = number_of(v).rounded_to(cent);
        } else if (key == "move_raw_ids") {
            for (const auto& command : v.as_array()) {
                const auto& c = command.as_array();
                if (c.at(0).as_int64() != 1) throw odoo_fault("builtins.ValueError", "the simulator knows only update commands");
                change_move(move_of(c.at(1).as_int64()), c.at(2).as_object());
            }
        } else {
            throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'mrp.production'", std::string_view(key)));
        }
    }
    for (auto& [id, copy] : changed) {
        auto& before = orders_.at(id);
        copy.write_date = now();
        progress(copy);
        if (before.state == "done") {
            if (!same_figures(before, copy)) complaints.push_back(copy.name + ": a write changed an order that is done (it moves stock)");
            copy.qty_produced = copy.qty_producing;
        }
    }
    if (values.contains("qty_producing")) ++mine.final_writes;
    else ++mine.consumption_writes;
    for (auto& [id, copy] : changed) orders_.at(id) = std::move(copy);
    for (auto& text : complaints) violation(std::move(text));
}

void odoo_model::cancel(sim_order& o)
{
    if (o.state == "done") return;
    o.state = "cancel";
    o.write_date = now();
    for (auto& m : o.moves) {
        m.state = "cancel";
        m.quantity = 0;
        m.picked = false;
    }
}

void odoo_model::finish_as_planned(sim_order& o)
{
    if (o.state == "done" || o.state == "cancel") return;
    o.qty_producing = o.quantity;
    for (auto& m : o.moves) {
        m.quantity = m.planned;
        m.picked = true;
    }
    book(o);
}

void odoo_model::change_quantity(sim_order& o, const decimal& quantity)
{
    // Move ids stay (odoo18.md, section 8).
    for (auto& m : o.moves) {
        if (!o.quantity.is_zero()) m.planned = decimal::divide(m.planned * quantity, o.quantity, 6).rounded_to(cent);
        if (!m.picked) m.quantity = m.planned;
        reserve(m);
    }
    o.quantity = quantity;
    o.write_date = now();
}

json::value odoo_model::read_many(const std::string& method, const json::array& args, const json::object& keywords)
{
    const auto* order = keywords.if_contains("order");
    const auto found = search(args.at(0).as_array(), order != nullptr && order->is_string() ? std::string_view(order->get_string()) : "priority desc, date_start asc, id");
    if (method == "search_count") return found.size();
    const auto number = [&](const char* key) -> std::optional<std::size_t> {
        const auto* v = keywords.if_contains(key);
        if (v == nullptr || !v->is_int64() || v->get_int64() <= 0) return std::nullopt;
        return static_cast<std::size_t>(v->get_int64());
    };
    const bool nested = method == "web_search_read";
    const auto* specification = nested ? &keywords.at("specification").as_object() : nullptr;
    const auto* fields = keywords.if_contains("fields");
    const auto* names = fields != nullptr ? fields->if_array() : nullptr;
    const auto one = [&](const sim_order& o) { return nested ? nested_record(o, *specification) : flat_record(o, names); };
    one(sim_order{});   // unknown fields are noticed without any order too (h15, h15b)
    json::array records;
    const auto first = number("offset").value_or(0);
    const auto last = std::min(found.size(), first + number("limit").value_or(found.size()));
    for (auto i = first; i < last; ++i) records.push_back(one(*found[i]));
    if (!nested) return records;
    json::object out;
    out["length"] = found.size();
    out["records"] = std::move(records);
    return out;
}

// A missing id is left out, not an error (h02, h02c).
json::value odoo_model::read_ids(const std::string& method, const json::array& args, const json::object& keywords)
{
    const bool nested = method == "web_read";
    const auto* fields = args.size() > 1 ? &args[1] : keywords.if_contains("fields");
    json::array out;
    for (const auto& id : args.at(0).as_array()) {
        const auto* o = order(id.as_int64());
        if (o == nullptr) continue;
        out.push_back(nested ? nested_record(*o, keywords.at("specification").as_object()) : flat_record(*o, fields != nullptr ? fields->if_array() : nullptr));
    }
    return out;
}

json::value odoo_model::execute(const std::string& model, const std::string& method, const json::array& args, const json::object& keywords)
{
    static const std::set<std::string> searches{"web_search_read", "search_read", "search_count"};
    static const std::set<std::string> changes{"write", "button_mark_done", "action_start", "action_cancel", "unlink"};
    if (method.starts_with('_')) throw odoo_fault("odoo.exceptions.AccessError", fmt::format("Private methods (such as {}) cannot be called remotely.", method));
    if (model != "mrp.production") throw odoo_fault("odoo.exceptions.UserError", fmt::format("Object {} doesn't exist", model));
    if (searches.contains(method)) return read_many(method, args, keywords);
    if (method == "web_read" || method == "read") return read_ids(method, args, keywords);
    if (!changes.contains(method)) throw odoo_fault("builtins.AttributeError", fmt::format("The method '{}' does not exist on the model '{}'", method, model));

    const auto id = written_order(method, args);
    if (method == "write" && args.size() < 2) throw odoo_fault("builtins.TypeError", "MrpProduction.write() missing 1 required positional argument: 'vals'");
    auto* o = order(id);
    if (o == nullptr) throw missing("mrp.production", id);
    if (method == "write") {
        write(*o, args.at(1).as_object());
        return true;
    }
    if (method == "button_mark_done") {
        const auto* context = keywords.if_contains("context");
        return mark_done(*o, context != nullptr && context->is_object() ? context->get_object() : json::object{});
    }
    if (method == "action_start") {
        if (o->state == "confirmed") o->state = "progress";
        return nullptr;   // no result member (c07)
    }
    if (method == "unlink") {
        if (o->state == "done") throw odoo_fault("odoo.exceptions.UserError", "Cannot delete a manufacturing order in done state.");
        orders_.erase(id);
        return true;
    }
    cancel(*o);
    return true;
}

}  // namespace batchbridge::sim
