#include "odoo/order_record.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <stdexcept>

namespace batchbridge::odoo {

namespace json = boost::json;

namespace {

// Thrown inside this file only; becomes malformed_order::reason.
struct unfit : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string kind_of(const json::value* v)
{
    if (v == nullptr) return "missing";
    switch (v->kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return v->get_bool() ? "true" : "false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "a number";
    case json::kind::string: return "a text";
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
    }
    return "unknown";
}

const json::value* find(const json::object& o, std::string_view key)
{
    return o.if_contains(key);
}

std::int64_t whole(const json::object& o, std::string_view key, const std::string& place)
{
    const auto* v = find(o, key);
    if (v == nullptr || !v->is_int64() || v->get_int64() <= 0) throw unfit(fmt::format("{}{} is {}, expected a whole number above 0", place, key, kind_of(v)));
    return v->get_int64();
}

std::string text(const json::object& o, std::string_view key, const std::string& place)
{
    const auto* v = find(o, key);
    if (v == nullptr || !v->is_string() || v->get_string().empty()) throw unfit(fmt::format("{}{} is {}, expected a text", place, key, v != nullptr && v->is_string() ? "empty" : kind_of(v)));
    return std::string(v->get_string());
}

// Null and Odoo's false are an empty text.
std::string optional_text(const json::object& o, std::string_view key, const std::string& place)
{
    const auto* v = find(o, key);
    if (v == nullptr || v->is_null() || (v->is_bool() && !v->get_bool())) return {};
    if (!v->is_string()) throw unfit(fmt::format("{}{} is {}, expected a text", place, key, kind_of(v)));
    return std::string(v->get_string());
}

core::decimal number(const json::object& o, std::string_view key, const std::string& place)
{
    const auto* v = find(o, key);
    std::optional<core::decimal> d;
    if (v != nullptr && v->is_int64()) d = core::decimal::parse(std::to_string(v->get_int64()));
    else if (v != nullptr && v->is_uint64()) d = core::decimal::parse(std::to_string(v->get_uint64()));
    else if (v != nullptr && v->is_double()) d = core::decimal::from_double(v->get_double());
    else throw unfit(fmt::format("{}{} is {}, expected a number", place, key, kind_of(v)));
    if (!d) throw unfit(fmt::format("{}{} is too large", place, key));
    return *d;
}

const json::object& object(const json::object& o, std::string_view key, const std::string& place)
{
    const auto* v = find(o, key);
    if (v == nullptr || !v->is_object()) throw unfit(fmt::format("{}{} is {}, expected a record", place, key, kind_of(v)));
    return v->get_object();
}

core::decimal rounding(const json::object& uom, const std::string& place)
{
    const auto* v = find(uom, "rounding");
    if (v == nullptr) return {};
    return number(uom, "rounding", place);
}

core::utc_time time(const json::object& o, std::string_view key, const std::string& place)
{
    const auto value = text(o, key, place);
    const auto t = core::from_odoo(value);
    if (!t) throw unfit(fmt::format("{}{} is '{}', expected YYYY-MM-DD HH:MM:SS", place, key, value));
    return *t;
}

domain::component parse_component(const json::value& v, const std::string& where)
{
    if (!v.is_object()) throw unfit(fmt::format("{} is {}, expected a record", where, kind_of(&v)));
    const auto& o = v.get_object();
    const auto place = where + ".";
    domain::component c;
    c.move_id = whole(o, "id", place);
    const auto& product = object(o, "product_id", place);
    c.product_id = whole(product, "id", place + "product_id.");
    c.product_code = optional_text(product, "default_code", place + "product_id.");
    c.product_name = optional_text(product, "name", place + "product_id.");
    const auto& uom = object(o, "product_uom", place);
    c.uom = text(uom, "name", place + "product_uom.");
    c.uom_rounding = rounding(uom, place + "product_uom.");
    c.planned = number(o, "product_uom_qty", place);
    c.quantity = number(o, "quantity", place);
    const auto* picked = find(o, "picked");
    if (picked == nullptr || !picked->is_bool()) throw unfit(fmt::format("{}picked is {}, expected true or false", place, kind_of(picked)));
    c.picked = picked->get_bool();
    c.state = optional_text(o, "state", place);
    return c;
}

bool scrapped(const json::value& move)
{
    const auto* o = move.if_object();
    const auto* v = o != nullptr ? o->if_contains("scrapped") : nullptr;
    return v != nullptr && v->is_bool() && v->get_bool();
}

}  // namespace

json::object order_specification()
{
    return json::parse(R"({"name":{},"state":{},"priority":{},"date_start":{},"create_date":{},
        "product_id":{"fields":{"default_code":{},"name":{}}},"product_qty":{},"product_uom_id":{"fields":{"name":{},"rounding":{}}},
        "bom_id":{"fields":{"display_name":{}}},"qty_producing":{},"qty_produced":{},
        "move_raw_ids":{"fields":{"product_id":{"fields":{"default_code":{},"name":{}}},"product_uom":{"fields":{"name":{},"rounding":{}}},
            "product_uom_qty":{},"quantity":{},"picked":{},"state":{},"scrapped":{}}}})")
        .as_object();
}

std::variant<domain::order, domain::malformed_order> parse_order(const json::value& record, const std::string& odoo_db)
{
    domain::malformed_order bad;
    try {
        if (!record.is_object()) throw unfit("the record is " + kind_of(&record) + ", expected an object");
        const auto& o = record.get_object();
        // What is needed to name it comes first.
        if (const auto* id = find(o, "id"); id != nullptr && id->is_int64()) bad.odoo_id = id->get_int64();
        if (const auto* name = find(o, "name"); name != nullptr && name->is_string()) bad.name = std::string(name->get_string());
        if (const auto* at = find(o, "create_date"); at != nullptr && at->is_string()) bad.create_date = core::from_odoo(std::string(at->get_string()));

        domain::order out;
        out.id.odoo_db = odoo_db;
        out.id.odoo_id = whole(o, "id", "");
        out.name = text(o, "name", "");
        out.id.create_date = time(o, "create_date", "");
        out.state = domain::order_state_from(text(o, "state", ""));
        const auto& product = object(o, "product_id", "");
        out.product_code = optional_text(product, "default_code", "product_id.");
        out.product_name = optional_text(product, "name", "product_id.");
        const auto& uom = object(o, "product_uom_id", "");
        out.uom = text(uom, "name", "product_uom_id.");
        out.uom_rounding = rounding(uom, "product_uom_id.");
        if (const auto* bom = find(o, "bom_id"); bom != nullptr && bom->is_object()) out.bom = optional_text(bom->get_object(), "display_name", "bom_id.");
        out.quantity = number(o, "product_qty", "");
        out.qty_producing = number(o, "qty_producing", "");
        out.qty_produced = number(o, "qty_produced", "");
        const auto* moves = find(o, "move_raw_ids");
        if (moves == nullptr || !moves->is_array()) throw unfit(fmt::format("move_raw_ids is {}, expected a list", kind_of(moves)));
        std::size_t i = 0;
        for (const auto& m : moves->get_array()) {
            const auto where = fmt::format("move_raw_ids[{}]", i++);
            if (!scrapped(m)) out.components.push_back(parse_component(m, where));
        }
        return out;
    } catch (const unfit& e) {
        bad.reason = e.what();
    } catch (const std::exception& e) {
        bad.reason = std::string("cannot be read: ") + e.what();
    }
    return bad;
}

}  // namespace batchbridge::odoo
