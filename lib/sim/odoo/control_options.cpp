#include "sim/odoo/control.hpp"

#include <fmt/format.h>

#include <functional>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

struct option {
    std::function<json::value(const odoo_options&)> show;
    std::function<void(odoo_options&, const json::value&)> change;
};

option text(std::string odoo_options::* member)
{
    return {[member](const odoo_options& o) { return json::value(o.*member); }, [member](odoo_options& o, const json::value& v) { o.*member = std::string(v.as_string()); }};
}

option flag(bool odoo_options::* member)
{
    return {[member](const odoo_options& o) { return json::value(o.*member); }, [member](odoo_options& o, const json::value& v) { o.*member = v.as_bool(); }};
}

// {"mrp.production.write": false}; what is not named is allowed.
option rights()
{
    const auto show = [](const odoo_options& o) {
        json::object out;
        for (const auto& r : o.denied) out[r] = false;
        return json::value(std::move(out));
    };
    const auto change = [](odoo_options& o, const json::value& v) {
        for (const auto& [name, may] : v.as_object()) {
            if (may.as_bool()) o.denied.erase(std::string(name));
            else o.denied.insert(std::string(name));
        }
    };
    return {show, change};
}

// {"kg": 0.001}
option rounding()
{
    const auto show = [](const odoo_options& o) {
        json::object out;
        for (const auto& [unit, step] : o.rounding) out[unit] = step.to_double();
        return json::value(std::move(out));
    };
    const auto change = [](odoo_options& o, const json::value& v) {
        for (const auto& [unit, step] : v.as_object()) {
            const auto d = core::decimal::from_double(step.to_number<double>());
            if (!d || *d <= 0) throw std::runtime_error("a rounding is a number above 0");
            o.rounding[std::string(unit)] = *d;
        }
    };
    return {show, change};
}

const std::map<std::string, option>& options()
{
    static const std::map<std::string, option> all{
        {"db", text(&odoo_options::db)},
        {"user", text(&odoo_options::user)},
        {"password", text(&odoo_options::password)},
        {"api_key", text(&odoo_options::api_key)},
        {"version", text(&odoo_options::version)},
        {"plain_db", text(&odoo_options::plain_db)},
        {"archived", flag(&odoo_options::archived)},
        {"email", flag(&odoo_options::email)},
        {"equipment_visible", flag(&odoo_options::equipment_visible)},
        {"several_databases", flag(&odoo_options::several_databases)},
        {"scada", flag(&odoo_options::scada)},
        {"scada_login", flag(&odoo_options::scada_login)},
        {"scada_bare", flag(&odoo_options::scada_bare)},
        {"scada_false", flag(&odoo_options::scada_false)},
        {"scada_complaint", text(&odoo_options::scada_complaint)},
        {"rights", rights()},
        {"rounding", rounding()},
        {"digits", {[](const odoo_options& o) { return json::value(o.digits); }, [](odoo_options& o, const json::value& v) { o.digits = static_cast<int>(v.as_int64()); }}},
        {"uid", {[](const odoo_options& o) { return json::value(o.uid); }, [](odoo_options& o, const json::value& v) { o.uid = v.as_int64(); }}},
        {"latency_ms",
         {[](const odoo_options& o) { return json::value(o.latency.count()); }, [](odoo_options& o, const json::value& v) { o.latency = std::chrono::milliseconds(v.as_int64()); }}},
        {"clock_shift_s",
         {[](const odoo_options& o) { return json::value(o.clock_shift.count()); }, [](odoo_options& o, const json::value& v) { o.clock_shift = std::chrono::seconds(v.as_int64()); }}}};
    return all;
}

}  // namespace

json::object options_json(const odoo_options& o)
{
    json::object out;
    for (const auto& [name, option] : options()) out[name] = option.show(o);
    return out;
}

void change_options(odoo_options& o, const json::object& changes)
{
    auto copy = o;
    for (const auto& [name, v] : changes) {
        const auto it = options().find(std::string(name));
        if (it == options().end()) throw std::runtime_error(fmt::format("there is no option {}", std::string_view(name)));
        it->second.change(copy, v);
    }
    o = std::move(copy);
}

}  // namespace batchbridge::sim
