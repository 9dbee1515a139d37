#include "sim/odoo/odoo_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

namespace batchbridge::sim {

namespace json = boost::json;
using core::decimal;

namespace {

const decimal cent = *decimal::parse("0.01");

const char* const cancelled_move = "You cannot change a cancelled stock move, create a new line instead.";

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

core::utc_time odoo_now()
{
    return std::chrono::floor<std::chrono::seconds>(core::utc_now());
}

odoo_model::odoo_model(std::uint64_t seed) : seed_(seed)
{
    for (int silo = 101; silo <= 115; ++silo) {
        sim_equipment e;
        e.id = silo - 100;
        e.serial_no = fmt::format("{}{}", silo > 113 ? "LQ" : "SILO-", silo);
        e.name = "Machine " + e.serial_no;
        equipment_.push_back(std::move(e));
    }
}

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
    o.create_date = o.write_date = odoo_now();
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

void odoo_model::change_move(sim_move& m, const json::object& values) const
{
    if (m.state == "cancel") throw user_error(cancelled_move);
    for (const auto& [field, value] : values) {
        if (field == "quantity") {
            const auto q = number_of(value);
            if (q < 0) throw odoo_fault("odoo.exceptions.ValidationError", "Please enter a positive quantity.");
            m.quantity = q.rounded(options_.digits);
            if (m.quantity.rounded_to(options_.rounding_of(m.uom)) != m.quantity)
                throw user_error(fmt::format("\nThe quantity done for the product [{}] {} doesn't respect the rounding precision defined on the unit of measure {}.\n"
                                             "Please change the quantity done or the rounding precision of your unit of measure.",
                                             m.product_code, m.product_name, m.uom));
        } else if (field == "picked") {
            m.picked = value.as_bool();
        } else if (field == "manual_consumption") {
            m.manual = value.as_bool();
        } else {
            throw bad_write_field(options_, field, "stock.move");
        }
    }
    reserve(m);
}

// A component that is not in the recipe: a move with demand 0 (c04). Doing it twice gives two.
sim_move odoo_model::new_move(const json::object& values)
{
    sim_move m;
    m.product_id = values.at("product_id").as_int64();
    m.product_name = fmt::format("product {}", m.product_id);
    for (const auto& [id, o] : orders_)
        for (const auto& other : o.moves)
            if (other.product_id == m.product_id) {
                m.product_code = other.product_code;
                m.product_name = other.product_name;
            }
    json::object rest = values;
    for (const char* known : {"product_id", "product_uom"}) rest.erase(known);
    if (const auto* planned = rest.if_contains("product_uom_qty")) m.planned = number_of(*planned);
    rest.erase("product_uom_qty");
    change_move(m, rest);
    m.id = next_move_++;
    return m;
}

void odoo_model::complain(const call_facts& facts, std::string text)
{
    if (facts.late) late_effects_.push_back(std::move(text));
    else violation(std::move(text));
}

void odoo_model::write(sim_order& o, const json::object& values, const call_facts& facts)
{
    // All of it or nothing (j02): on copies, put in place at the end.
    std::map<std::int64_t, sim_order> changed{{o.id, o}};
    auto& mine = changed.at(o.id);
    std::vector<std::string> foreign;
    const auto move_of = [&](const json::value& id) -> sim_move& {
        const auto number = id.is_int64() ? id.get_int64() : 0;
        if (auto* m = find_move(mine, number)) return *m;
        // Accepted, and it changes the other order (odoo18.md, section 5).
        for (auto& [other_id, other] : orders_) {
            if (find_move(other, number) == nullptr) continue;
            foreign.push_back(fmt::format("{}: a write changed move {} of {}", o.name, number, other.name));
            return *find_move(changed.emplace(other_id, other).first->second, number);
        }
        throw missing(options_, "stock.move", id);
    };
    for (const auto& [key, v] : values) {
        if (key == "qty_producing") {
            mine.qty_producing = number_of(v).rounded(options_.digits);
        } else if (key == "product_qty") {
            mine.quantity = number_of(v);
            if (mine.quantity <= 0) throw odoo_fault("odoo.exceptions.ValidationError", "The operation cannot be completed: The quantity to produce must be positive!");
        } else if (key == "priority") {
            mine.priority = std::string(v.as_string());
        } else if (key == "origin") {
            mine.origin = v.is_string() ? std::string(v.get_string()) : std::string();
        } else if (key == "move_raw_ids") {
            for (const auto& command : v.as_array()) {
                const auto& c = command.as_array();
                const auto kind = c.at(0).as_int64();
                if (kind == 1) change_move(move_of(c.at(1)), c.at(2).as_object());
                else if (kind == 0) mine.moves.push_back(new_move(c.at(2).as_object()));
                // Anything else is passed over without a word (h_bad_command).
            }
        } else {
            throw bad_write_field(options_, key, "mrp.production");
        }
    }
    for (auto& [id, copy] : changed) {
        const auto& before = orders_.at(id);
        copy.write_date = odoo_now();
        progress(copy);
        if (before.state != "done") continue;
        const bool moved = !same_figures(before, copy);
        copy.qty_produced = copy.qty_producing;
        // Finished by somebody between the client's look and its write: nobody's fault.
        auto fair = facts;
        fair.late = facts.late || !facts.done_before;
        if (id == o.id || moved) complain(fair, copy.name + (moved ? ": a write changed an order that is done (it moves stock)" : ": a write to an order that is done (nothing changed)"));
    }
    if (values.contains("qty_producing")) ++mine.final_writes;
    else ++mine.consumption_writes;
    for (auto& [id, copy] : changed) orders_.at(id) = std::move(copy);
    for (auto& text : foreign) violation(std::move(text));
}

void odoo_model::cancel(sim_order& o)
{
    if (o.state == "done") return;
    o.state = "cancel";
    o.write_date = odoo_now();
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
    o.write_date = odoo_now();
}

}  // namespace batchbridge::sim
