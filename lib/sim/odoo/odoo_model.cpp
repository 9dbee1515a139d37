#include "sim/odoo/odoo_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>

namespace batchbridge::sim {

namespace json = boost::json;
using core::decimal;

namespace {

const decimal cent = *decimal::parse("0.01");

decimal number_of(const json::value& v)
{
    if (v.is_int64()) return *decimal::parse(std::to_string(v.get_int64()));
    if (v.is_double()) {
        if (auto d = decimal::from_double(v.get_double())) return *d;
    }
    throw odoo_fault("builtins.TypeError", "float() argument must be a string or a real number");
}

json::value odoo_text(const std::string& s)
{
    if (s.empty()) return false;
    return json::value(s);
}

json::object uom_record(const std::string& uom)
{
    static const std::map<std::string, int> ids{{"kg", 12}, {"g", 13}, {"t", 14}, {"lb", 15}};
    json::object o;
    const auto it = ids.find(uom);
    o["id"] = it == ids.end() ? 99 : it->second;
    o["name"] = uom;
    o["rounding"] = 0.01;
    return o;
}

// `value` as far as the specification asks for it; an unknown field is Odoo's ValueError.
// Which model a relation leads to, for error messages.
std::string model_behind(std::string_view field)
{
    static const std::map<std::string_view, std::string> known{{"move_raw_ids", "stock.move"}, {"product_id", "product.product"}, {"product_uom", "uom.uom"},
                                                               {"product_uom_id", "uom.uom"}, {"bom_id", "mrp.bom"}, {"location_id", "stock.location"}};
    const auto it = known.find(field);
    return it == known.end() ? std::string(field) : it->second;
}

json::value project(const json::value& value, const json::value& spec, const std::string& model)
{
    const auto* s = spec.if_object();
    const auto* fields = s != nullptr ? s->if_contains("fields") : nullptr;
    if (fields == nullptr) return value.is_object() ? value.get_object().at("id") : value;
    const auto one = [&](const json::value& v) -> json::value {
        if (!v.is_object()) return v;
        json::object out;
        out["id"] = v.get_object().at("id");
        for (const auto& [key, sub] : fields->as_object()) {
            const auto* found = v.get_object().if_contains(key);
            if (found == nullptr) throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model '{}'", std::string_view(key), model));
            out[key] = project(*found, sub, model_behind(key));
        }
        return out;
    };
    if (!value.is_array()) return one(value);
    json::array out;
    for (const auto& v : value.get_array()) out.push_back(one(v));
    return out;
}

bool matches_term(const sim_order& o, const json::array& term)
{
    const auto field = std::string(term.at(0).as_string()), op = std::string(term.at(1).as_string());
    const auto& value = term.at(2);
    json::value mine;
    if (field == "id") mine = o.id;
    else if (field == "state") mine = json::value(o.state);
    else if (field == "name") mine = json::value(o.name);
    else if (field == "priority") mine = json::value(o.priority);
    else if (field == "date_start") mine = json::value(core::to_odoo(o.date_start));
    else if (field == "product_id.default_code") mine = json::value(o.product_code);
    else throw odoo_fault("builtins.ValueError", fmt::format("Invalid field mrp.production.{} in leaf", field));
    const auto in = [&] { return std::any_of(value.as_array().begin(), value.as_array().end(), [&](const json::value& v) { return v == mine; }); };
    const auto less = [&](const json::value& a, const json::value& b) { return a.is_string() ? a.as_string() < b.as_string() : a.as_int64() < b.as_int64(); };
    if (op == "=") return mine == value;
    if (op == "!=") return mine != value;
    if (op == "in") return in();
    if (op == "not in") return !in();
    if (op == "<=") return !less(value, mine);
    if (op == ">=") return !less(mine, value);
    if (op == "<") return less(mine, value);
    if (op == ">") return less(value, mine);
    if (op == "like" || op == "ilike") return mine.as_string().find(std::string_view(value.as_string())) != json::string::npos;
    throw odoo_fault("builtins.ValueError", "Invalid operator " + op);
}

// Prefix notation; terms without an operator between them are joined by "and".
bool matches(const sim_order& o, const json::array& domain)
{
    std::size_t at = 0;
    const std::function<bool()> next = [&]() -> bool {
        const auto& v = domain.at(at++);
        if (v.is_array()) return matches_term(o, v.get_array());
        const auto op = v.as_string();
        if (op == "!") return !next();
        const bool a = next(), b = next();
        return op == "|" ? a || b : a && b;
    };
    bool all = true;
    while (at < domain.size()) all = next() && all;
    return all;
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
    const auto now = core::utc_now();
    o.create_date = std::chrono::floor<std::chrono::seconds>(now);
    o.date_start = o.create_date;
    std::string start;
    text(what, "date_start", start);
    if (const auto t = core::from_odoo(start)) o.date_start = *t;
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
    static const std::set<std::string> writes{"write", "web_save", "button_mark_done", "action_cancel", "action_start", "unlink"};
    if (!writes.contains(method) || args.empty() || !args[0].is_array() || args[0].get_array().empty() || !args[0].get_array()[0].is_int64()) return 0;
    return args[0].get_array()[0].get_int64();
}

std::vector<sim_order*> odoo_model::search(const json::array& domain)
{
    std::vector<sim_order*> out;
    for (auto& [id, o] : orders_)
        if (matches(o, domain)) out.push_back(&o);
    std::sort(out.begin(), out.end(), [](const sim_order* a, const sim_order* b) {
        if (a->priority != b->priority) return a->priority > b->priority;
        if (a->date_start != b->date_start) return a->date_start < b->date_start;
        return a->id < b->id;
    });
    return out;
}

json::object odoo_model::record(const sim_order& o, const json::object* specification, const json::array* fields)
{
    json::object all;
    all["id"] = o.id;
    all["name"] = json::value(o.name);
    all["display_name"] = json::value(o.name);
    all["state"] = json::value(o.state);
    all["priority"] = json::value(o.priority);
    all["date_start"] = json::value(core::to_odoo(o.date_start));
    all["create_date"] = json::value(core::to_odoo(o.create_date));
    all["write_date"] = json::value(core::to_odoo(o.create_date));
    json::object product;
    product["id"] = 16;
    product["default_code"] = odoo_text(o.product_code);
    product["name"] = json::value(o.product_name);
    all["product_id"] = std::move(product);
    all["product_qty"] = o.quantity.to_double();
    all["product_uom_id"] = uom_record(o.uom);
    json::object bom;
    bom["id"] = 1;
    bom["display_name"] = json::value("[" + o.product_code + "] " + o.product_name);
    all["bom_id"] = std::move(bom);
    all["consumption"] = "warning";
    all["qty_producing"] = o.qty_producing.to_double();
    all["qty_produced"] = o.qty_produced.to_double();
    all["reservation_state"] = o.state == "done" || o.state == "cancel" ? json::value(false) : json::value("assigned");
    all["origin"] = false;
    json::array moves;
    for (const auto& m : o.moves) {
        json::object r;
        r["id"] = m.id;
        json::object p;
        p["id"] = m.product_id;
        p["default_code"] = odoo_text(m.product_code);
        p["name"] = json::value(m.product_name);
        r["product_id"] = std::move(p);
        r["product_uom"] = uom_record(m.uom);
        r["product_uom_qty"] = m.planned.to_double();
        r["quantity"] = m.quantity.to_double();
        r["picked"] = m.picked;
        r["manual_consumption"] = m.manual;
        r["state"] = json::value(m.state);
        r["scrapped"] = false;
        json::object location;
        location["id"] = 8;
        location["display_name"] = "WH/Stock";
        r["location_id"] = std::move(location);
        moves.push_back(std::move(r));
    }
    all["move_raw_ids"] = std::move(moves);

    json::object out;
    out["id"] = o.id;
    if (specification != nullptr) {
        for (const auto& [key, spec] : *specification) {
            const auto* v = all.if_contains(key);
            if (v == nullptr) throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'mrp.production'", std::string_view(key)));
            out[key] = project(*v, spec, model_behind(key));
        }
    } else {
        for (const auto& f : fields != nullptr ? *fields : json::array{}) {
            const auto* v = all.if_contains(f.as_string());
            if (v == nullptr) throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'mrp.production'", std::string_view(f.as_string())));
            // read and search_read give many2one as [id, name].
            if (v->is_object()) {
                const auto* name = v->get_object().if_contains("name");
                json::array pair;
                pair.push_back(v->get_object().at("id"));
                pair.push_back(name != nullptr ? *name : json::value(""));
                out[f.as_string()] = std::move(pair);
            } else if (v->is_array()) {
                json::array ids;
                for (const auto& m : v->get_array()) ids.push_back(m.as_object().at("id"));
                out[f.as_string()] = std::move(ids);
            } else {
                out[f.as_string()] = *v;
            }
        }
    }
    for (const auto& [key, v] : o.raw)
        if (out.contains(key)) out[key] = v;
    return out;
}

void odoo_model::write(sim_order& o, const json::object& values)
{
    if (o.state == "cancel" && values.contains("move_raw_ids"))
        throw odoo_fault("odoo.exceptions.UserError", "You cannot change a cancelled stock move, create a new line instead.");
    // All of it or nothing: checked on copies.
    auto copy = o;
    std::vector<std::pair<sim_order*, sim_order>> foreign;
    bool final_write = false;
    for (const auto& [key, v] : values) {
        if (key == "qty_producing") {
            copy.qty_producing = number_of(v).rounded_to(cent);
            final_write = true;
        } else if (key == "move_raw_ids") {
            for (const auto& command : v.as_array()) {
                const auto& c = command.as_array();
                if (c.at(0).as_int64() != 1) throw odoo_fault("builtins.ValueError", "the simulator knows only update commands");
                const auto id = c.at(1).as_int64();
                auto* target = &copy;
                auto find = [id](sim_order& in) { return std::find_if(in.moves.begin(), in.moves.end(), [id](const sim_move& m) { return m.id == id; }); };
                if (find(copy) == copy.moves.end()) {
                    // Accepted, and it changes the other order (odoo18.md, section 5).
                    target = nullptr;
                    for (auto& [other_id, other] : orders_)
                        if (find(other) != other.moves.end()) target = &other;
                    if (target == nullptr) throw odoo_fault("odoo.exceptions.MissingError", "Record does not exist or has been deleted.");
                    violation(fmt::format("{}: a write changed move {} of {}", o.name, id, target->name));
                }
                auto& m = *find(*target);
                if (m.state == "cancel") throw odoo_fault("odoo.exceptions.UserError", "You cannot change a cancelled stock move, create a new line instead.");
                for (const auto& [field, value] : c.at(2).as_object()) {
                    if (field == "quantity") {
                        const auto q = number_of(value);
                        if (q < 0) throw odoo_fault("odoo.exceptions.ValidationError", "The quantity cannot be negative.");
                        m.quantity = q.rounded_to(cent);
                    } else if (field == "picked") {
                        m.picked = value.as_bool();
                    } else if (field == "manual_consumption") {
                        m.manual = value.as_bool();
                    } else {
                        throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'stock.move'", std::string_view(field)));
                    }
                }
            }
        } else {
            throw odoo_fault("builtins.ValueError", fmt::format("Invalid field '{}' on model 'mrp.production'", std::string_view(key)));
        }
    }
    if (o.state == "done") {
        const bool same = copy.qty_producing == o.qty_producing && std::equal(copy.moves.begin(), copy.moves.end(), o.moves.begin(), [](const sim_move& a, const sim_move& b) { return a.quantity == b.quantity; });
        if (!same) violation(o.name + ": a write changed an order that is done (it moves stock)");
        copy.qty_produced = copy.qty_producing;
    } else if (o.state != "cancel") {
        const bool picked = std::any_of(copy.moves.begin(), copy.moves.end(), [](const sim_move& m) { return m.picked; });
        if (picked || copy.qty_producing > 0) copy.state = "progress";
        if (copy.qty_producing >= copy.quantity && copy.qty_producing > 0) copy.state = "to_close";
    }
    if (final_write) ++copy.final_writes;
    else ++copy.consumption_writes;
    o = std::move(copy);
}

json::value odoo_model::mark_done(sim_order& o, const json::object& context)
{
    ++o.done_calls;
    const auto skip = [&](const char* key) {
        const auto* v = context.if_contains(key);
        return v != nullptr && v->is_bool() && v->get_bool();
    };
    // `true` proves nothing (odoo18.md, section 6).
    if (o.state == "cancel" || o.state == "done") return true;
    const auto wizard = [](const char* model) {
        json::object w;
        w["type"] = "ir.actions.act_window";
        w["res_model"] = model;
        return json::value(std::move(w));
    };
    const bool as_planned = o.qty_producing.is_zero();
    if (!as_planned) {
        const bool differs = std::any_of(o.moves.begin(), o.moves.end(), [](const sim_move& m) { return m.picked && m.quantity != m.planned; });
        if (differs && !skip("skip_consumption")) return wizard("mrp.consumption.warning");
        if (o.qty_producing < o.quantity && !skip("skip_backorder")) return wizard("mrp.production.backorder");
    }
    if (as_planned) {
        // The trap: planned values instead of the actual ones, unless marked as manual.
        o.qty_producing = o.quantity;
        for (auto& m : o.moves) {
            if (!m.manual) m.quantity = m.planned;
            m.picked = true;
        }
        violation(o.name + ": done with qty_producing 0 booked planned quantities");
    }
    for (auto& m : o.moves) m.state = m.picked && m.quantity > 0 ? "done" : "cancel";
    o.state = "done";
    o.qty_produced = o.qty_producing;
    if (++o.finished_times > 1) violation(o.name + ": finished twice");
    return true;
}

json::value odoo_model::execute(const std::string& model, const std::string& method, const json::array& args, const json::object& keywords)
{
    if (model == "uom.uom" && method == "search_read") {
        json::array out;
        for (const auto* u : {"kg", "g", "t", "lb"}) out.push_back(uom_record(u));
        return out;
    }
    if (model != "mrp.production") throw odoo_fault("odoo.exceptions.UserError", fmt::format("Object {} doesn't exist", model));
    const auto keyword = [&](const char* key) { return keywords.if_contains(key); };
    const auto* spec_value = keyword("specification");
    const auto* specification = spec_value != nullptr ? &spec_value->as_object() : nullptr;
    const auto* fields_value = keyword("fields");
    const auto* fields = fields_value != nullptr ? &fields_value->as_array() : nullptr;
    if (method == "web_search_read" || method == "search_read") {
        const auto found = search(args.at(0).as_array());
        const auto* limit = keyword("limit");
        const auto most = limit != nullptr && limit->is_int64() ? static_cast<std::size_t>(limit->get_int64()) : found.size();
        json::array records;
        for (const auto* o : found) {
            if (records.size() >= most) break;
            records.push_back(record(*o, method == "web_search_read" ? specification : nullptr, fields));
        }
        if (method == "search_read") return records;
        json::object out;
        out["length"] = found.size();
        out["records"] = std::move(records);
        return out;
    }
    if (method == "web_read" || method == "read") {
        json::array out;
        for (const auto& id : args.at(0).as_array())
            if (auto* o = order(id.as_int64())) out.push_back(record(*o, method == "web_read" ? specification : nullptr, method == "read" && args.size() > 1 ? &args[1].as_array() : fields));
        return out;
    }
    const auto id = written_order(method, args);
    if (id == 0) throw odoo_fault("builtins.AttributeError", fmt::format("The method 'mrp.production.{}' does not exist", method));
    auto* o = order(id);
    if (o == nullptr) throw odoo_fault("odoo.exceptions.MissingError", "Record does not exist or has been deleted.");
    if (method == "write") {
        write(*o, args.at(1).as_object());
        return true;
    }
    if (method == "button_mark_done") {
        const auto* context = keyword("context");
        return mark_done(*o, context != nullptr && context->is_object() ? context->get_object() : json::object{});
    }
    if (method == "action_start") {
        if (o->state == "confirmed") o->state = "progress";
        return nullptr;
    }
    if (method == "action_cancel") {
        if (o->state != "done") {
            o->state = "cancel";
            for (auto& m : o->moves) {
                m.state = "cancel";
                m.quantity = 0;
            }
        }
        return true;
    }
    throw odoo_fault("builtins.AttributeError", fmt::format("The method 'mrp.production.{}' does not exist", method));
}

}  // namespace batchbridge::sim
