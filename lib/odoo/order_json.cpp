#include "odoo/order_json.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace batchbridge::odoo {

namespace json = boost::json;
using core::decimal;

namespace {

// One field that is not what it must be. Internal: parse_order turns it into a malformed_order.
struct bad_field : std::runtime_error {
    using std::runtime_error::runtime_error;
};

json::string_view sv(std::string_view s)
{
    return {s.data(), s.size()};
}

bool is_empty(const json::value& v)
{
    return v.is_null() || (v.is_bool() && !v.get_bool());
}

// One JSON object at a known place of the record.
class place {
public:
    place(const json::object& o, std::string path) : object_(o), path_(std::move(path)) {}

    [[noreturn]] void refuse(std::string_view field, const json::value* v, std::string_view expected) const
    {
        throw bad_field(fmt::format("{}{} is {}, expected {}", path_, field, v == nullptr ? "missing" : kind_of(*v), expected));
    }

    const json::value* find(std::string_view field) const { return object_.if_contains(sv(field)); }

    std::int64_t id(std::string_view field = "id") const
    {
        const auto* v = find(field);
        if (v == nullptr || !v->is_int64() || v->get_int64() <= 0) refuse(field, v, "a positive whole number");
        return v->get_int64();
    }

    decimal number(std::string_view field) const
    {
        const auto* v = find(field);
        std::optional<decimal> out;
        if (v != nullptr && v->is_double()) out = decimal::from_double(v->get_double());
        if (v != nullptr && v->is_int64()) out = decimal::parse(std::to_string(v->get_int64()));
        if (!out) refuse(field, v, "a number of at most 18 digits");
        return *out;
    }

    // A number that old or other servers may leave out: 0 then.
    decimal number_if_there(std::string_view field) const
    {
        const auto* v = find(field);
        return v == nullptr || is_empty(*v) ? decimal{} : number(field);
    }

    std::string text(std::string_view field) const
    {
        const auto* v = find(field);
        if (v == nullptr || !v->is_string() || v->get_string().empty()) refuse(field, v, "a text");
        return std::string(v->get_string());
    }

    // Odoo's empty text is false.
    std::string text_or_empty(std::string_view field) const
    {
        const auto* v = find(field);
        if (v == nullptr || is_empty(*v)) return {};
        if (!v->is_string()) refuse(field, v, "a text or false");
        return std::string(v->get_string());
    }

    bool truth(std::string_view field) const
    {
        const auto* v = find(field);
        if (v == nullptr || !v->is_bool()) refuse(field, v, "true or false");
        return v->get_bool();
    }

    core::utc_time time(std::string_view field) const
    {
        const auto* v = find(field);
        const auto out = v != nullptr && v->is_string() ? core::from_odoo(std::string_view(v->get_string().data(), v->get_string().size())) : std::nullopt;
        if (!out) refuse(field, v, "a time like '2026-11-23 10:46:09'");
        return *out;
    }

    // A many2one with sub-fields: an object.
    place record(std::string_view field) const
    {
        const auto* v = find(field);
        if (v == nullptr || !v->is_object()) refuse(field, v, "a record");
        return {v->get_object(), fmt::format("{}{}.", path_, field)};
    }

    // The same, but false when there is none, and a bare id when its sub-fields were not asked for.
    std::optional<place> record_if_there(std::string_view field) const
    {
        const auto* v = find(field);
        if (v == nullptr || is_empty(*v) || v->is_int64()) return std::nullopt;
        return record(field);
    }

private:
    const json::object& object_;
    std::string path_;
};

domain::component parse_component(const place& p)
{
    domain::component c;
    c.move_id = p.id();
    const auto product = p.record("product_id");
    c.product_id = product.id();
    c.product_code = product.text_or_empty("default_code");
    c.product_name = product.text_or_empty("name");
    if (const auto location = p.record_if_there("location_id")) c.location = location->text_or_empty("display_name");
    const auto uom = p.record("product_uom");
    c.uom = uom.text("name");
    c.uom_rounding = uom.number_if_there("rounding");
    c.planned = p.number("product_uom_qty");
    c.quantity = p.number("quantity");
    c.picked = p.truth("picked");
    c.state = p.text("state");
    return c;
}

std::vector<domain::component> parse_components(const place& order)
{
    const auto* moves = order.find("move_raw_ids");
    if (moves == nullptr || !moves->is_array()) order.refuse("move_raw_ids", moves, "a list of components");
    std::vector<domain::component> out;
    std::size_t index = 0;
    for (const auto& move : moves->get_array()) {
        const auto here = fmt::format("move_raw_ids[{}]", index++);
        if (!move.is_object()) throw bad_field(fmt::format("{} is {}, expected a record", here, kind_of(move)));
        const place p(move.get_object(), here + ".");
        const auto* scrapped = p.find("scrapped");
        if (scrapped != nullptr && !is_empty(*scrapped) && p.truth("scrapped")) continue;
        out.push_back(parse_component(p));
    }
    return out;
}

domain::order parse_fields(const place& p, const std::string& odoo_db)
{
    domain::order o;
    o.id.odoo_db = odoo_db;
    o.id.odoo_id = p.id();
    o.id.create_date = p.time("create_date");
    o.name = p.text("name");
    o.state = domain::order_state_from(p.text("state"));
    if (const auto bom = p.record_if_there("bom_id")) o.bom = bom->text_or_empty("display_name");
    const auto product = p.record("product_id");
    o.product_code = product.text_or_empty("default_code");
    o.product_name = product.text_or_empty("name");
    const auto uom = p.record("product_uom_id");
    o.uom = uom.text("name");
    o.uom_rounding = uom.number_if_there("rounding");
    o.quantity = p.number("product_qty");
    o.qty_producing = p.number("qty_producing");
    o.qty_produced = p.number("qty_produced");
    o.components = parse_components(p);
    return o;
}

// What can still be said about a record that is not an order.
domain::malformed_order remains(const json::object& record, std::string reason)
{
    domain::malformed_order out;
    out.reason = std::move(reason);
    const place p(record, "");
    const auto quietly = [](auto read) {
        try {
            read();
        } catch (const bad_field&) {
        }
    };
    quietly([&] { out.odoo_id = p.id(); });
    quietly([&] { out.name = p.text("name"); });
    quietly([&] { out.create_date = p.time("create_date"); });
    return out;
}

json::object fields(std::initializer_list<std::string_view> names)
{
    json::object inner;
    for (const auto n : names) inner[sv(n)] = json::object{};
    json::object out;
    out["fields"] = std::move(inner);
    return out;
}

}  // namespace

std::string kind_of(const json::value& v)
{
    switch (v.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return v.get_bool() ? "true" : "false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "the number " + json::serialize(v);
    case json::kind::string: {
        // Cut at a character, not inside of one.
        std::string text(v.get_string());
        std::size_t cut = std::min<std::size_t>(text.size(), 40);
        while (cut > 0 && cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
        return fmt::format("the text '{}'{}", text.substr(0, cut), cut < text.size() ? ".." : "");
    }
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
    }
    return "unknown";
}

json::object order_specification(detail d)
{
    const bool rounding = d != detail::minimal;
    json::object move;
    move["product_id"] = fields({"default_code", "name"});
    move["product_uom"] = rounding ? fields({"name", "rounding"}) : fields({"name"});
    for (const auto* n : {"product_uom_qty", "quantity", "picked", "state"}) move[n] = json::object{};
    if (d < detail::without_scrapped) move["scrapped"] = json::object{};
    if (d < detail::without_location) move["location_id"] = fields({"display_name"});

    json::object out;
    for (const auto* n : {"name", "state", "create_date", "priority", "date_start", "product_qty", "qty_producing", "qty_produced"}) out[n] = json::object{};
    out["product_id"] = fields({"default_code", "name"});
    out["product_uom_id"] = rounding ? fields({"name", "rounding"}) : fields({"name"});
    out["bom_id"] = rounding ? fields({"display_name"}) : json::object{};
    json::object moves;
    moves["fields"] = std::move(move);
    out["move_raw_ids"] = std::move(moves);
    return out;
}

std::variant<domain::order, domain::malformed_order> parse_order(const json::value& record, const std::string& odoo_db)
{
    if (!record.is_object()) {
        domain::malformed_order out;
        out.reason = fmt::format("the record is {}, expected an order", kind_of(record));
        return out;
    }
    try {
        return parse_fields(place(record.get_object(), ""), odoo_db);
    } catch (const bad_field& e) {
        return remains(record.get_object(), e.what());
    }
}

json::array move_commands(const std::vector<domain::move_value>& moves)
{
    json::array out;
    for (const auto& m : moves) {
        json::object values;
        values["quantity"] = m.quantity.to_double();
        values["picked"] = true;
        // Without it Odoo may put the planned value in place of ours (d07, c08).
        values["manual_consumption"] = true;
        json::array command;
        command.emplace_back(1);
        command.emplace_back(m.move_id);
        command.emplace_back(std::move(values));
        out.emplace_back(std::move(command));
    }
    return out;
}

}  // namespace batchbridge::odoo
