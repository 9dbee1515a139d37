#include "sim/odoo/odoo_arguments.hpp"

#include "sim/odoo/odoo_fault.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

struct method_shape {
    bool ids = false;                      // works on records
    std::vector<std::string> names;
    std::size_t required = 0;              // the first ones
    bool any = false;                      // takes further names and does something with them
    const char* wants = "";                // who complains of an unknown name
};

const method_shape* shape_of(std::string_view method)
{
    static const std::map<std::string_view, method_shape> known = [] {
        std::map<std::string_view, method_shape> all;
        const auto add = [&](const char* name, bool ids, std::vector<std::string> names, std::size_t required) {
            method_shape s;
            s.ids = ids;
            s.names = std::move(names);
            s.required = required;
            all[name] = std::move(s);
        };
        add("write", true, {"vals"}, 1);
        add("web_save", true, {"vals", "specification"}, 2);
        for (const char* button : {"button_mark_done", "action_cancel", "action_start", "unlink", "set_qty_producing"}) add(button, true, {}, 0);
        add("read", true, {"fields", "load"}, 0);
        add("web_read", true, {"specification"}, 1);
        add("search_read", false, {"domain", "fields", "offset", "limit", "order", "load"}, 0);
        all["search_read"].wants = "BaseModel._read_format()";
        add("web_search_read", false, {"domain", "specification", "offset", "limit", "order", "count_limit"}, 2);
        add("search_count", false, {"domain", "limit"}, 1);
        add("search", false, {"domain", "offset", "limit", "order"}, 1);
        add("create", false, {"vals_list"}, 1);
        add("has_access", true, {"operation"}, 1);
        add("check_access_rights", false, {"operation", "raise_exception"}, 1);
        add("message_post", true, {"body", "subject", "message_type", "subtype_xmlid"}, 0);
        all["message_post"].any = true;
        add("context_get", false, {}, 0);
        add("has_group", true, {"group_ext_id"}, 1);
        return all;
    }();
    const auto it = known.find(method);
    return it == known.end() ? nullptr : &it->second;
}

// "mrp.production" is the class MrpProduction (h16).
std::string class_of(std::string_view model)
{
    std::string out;
    bool up = true;
    for (const char c : model) {
        if (c == '.' || c == '_') up = true;
        else {
            out += up ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
            up = false;
        }
    }
    return out;
}

void take_context(odoo_arguments& out, const json::value& v)
{
    if (v.is_null() || (v.is_bool() && !v.get_bool())) return;
    if (v.is_string()) throw odoo_fault("builtins.ValueError", "dictionary update sequence element #0 has length 1; 2 is required");   // h_bad_context
    out.context = v.as_object();
}

void take_ids(odoo_arguments& out, const json::value& v)
{
    if (v.is_array()) out.ids = v.get_array();
    else if (!v.is_null() && !(v.is_bool() && !v.get_bool())) out.ids.push_back(v);
}

}  // namespace

const json::array* odoo_arguments::list(std::string_view name) const
{
    const auto* v = find(name);
    return v != nullptr ? v->if_array() : nullptr;
}

std::string odoo_arguments::text(std::string_view name) const
{
    const auto* v = find(name);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

bool odoo_arguments::flag(std::string_view name) const
{
    const auto* v = find(name);
    return v != nullptr && v->is_bool() && v->get_bool();
}

bool odoo_arguments::skip(std::string_view key) const
{
    const auto* v = context.if_contains({key.data(), key.size()});
    return v != nullptr && v->is_bool() && v->get_bool();
}

odoo_arguments positional(std::string_view model, std::string_view method, const json::array& args, const json::object& keywords)
{
    odoo_arguments out;
    const auto* shape = shape_of(method);
    std::size_t at = 0;
    if (shape == nullptr) return out;
    if (shape->ids && !args.empty()) take_ids(out, args[at++]);
    // create takes its values by position only (odoo18.md, section 2).
    if (method == "create" && args.empty()) throw odoo_fault("builtins.IndexError", "list index out of range");
    for (const auto& name : shape->names) {
        if (at >= args.size()) break;
        out.named[name] = args[at++];
    }
    if (at < args.size())
        throw odoo_fault("builtins.TypeError", fmt::format("{}.{}() takes {} positional arguments but {} were given", class_of(model), method, shape->names.size() + 1, args.size()));
    for (const auto& [key, v] : keywords) {
        if (key == "context") take_context(out, v);
        else out.named[key] = v;
    }
    for (std::size_t i = 0; i < shape->required; ++i)
        if (!out.named.contains(shape->names[i]))
            throw odoo_fault("builtins.TypeError", fmt::format("{}.{}() missing 1 required positional argument: '{}'", class_of(model), method, shape->names[i]));
    return out;
}

odoo_arguments named(std::string_view model, std::string_view method, const json::object& body)
{
    odoo_arguments out;
    const auto* shape = shape_of(method);
    if (shape == nullptr) return out;
    for (const auto& [key, v] : body) {
        if (key == "context") {
            take_context(out, v);
        } else if (key == "ids") {
            if (!shape->ids) throw odoo_fault("werkzeug.exceptions.UnprocessableEntity", fmt::format("cannot call {}.{} with ids", model, method));
            take_ids(out, v);
        } else {
            if (!shape->any && std::find(shape->names.begin(), shape->names.end(), std::string_view(key)) == shape->names.end()) {
                if (*shape->wants != '\0') throw odoo_fault("builtins.TypeError", fmt::format("{} got an unexpected keyword argument '{}'", shape->wants, std::string_view(key)));
                // Said after what is missing, as Python's signature.bind does.
                for (std::size_t i = 0; i < shape->required; ++i)
                    if (!body.contains(shape->names[i])) throw odoo_fault("werkzeug.exceptions.UnprocessableEntity", fmt::format("missing a required argument: '{}'", shape->names[i]));
                throw odoo_fault("werkzeug.exceptions.UnprocessableEntity", fmt::format("got an unexpected keyword argument '{}'", std::string_view(key)));
            }
            out.named[key] = v;
        }
    }
    for (std::size_t i = 0; i < shape->required; ++i)
        if (!out.named.contains(shape->names[i])) throw odoo_fault("werkzeug.exceptions.UnprocessableEntity", fmt::format("missing a required argument: '{}'", shape->names[i]));
    return out;
}

}  // namespace batchbridge::sim
