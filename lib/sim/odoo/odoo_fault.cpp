#include "sim/odoo/odoo_fault.hpp"

#include <fmt/format.h>

#include <map>

namespace batchbridge::sim {

namespace json = boost::json;

std::string python(const json::value& v)
{
    if (const auto* s = v.if_string()) return fmt::format("'{}'", std::string_view(*s));
    if (v.is_bool()) return v.get_bool() ? "True" : "False";
    if (v.is_null()) return "None";
    if (v.is_int64()) return std::to_string(v.get_int64());
    return "..";
}

odoo_fault user_error(const std::string& message)
{
    return {"odoo.exceptions.UserError", message};
}

odoo_fault missing(const odoo_options& o, std::string_view model, const json::value& id)
{
    return {"odoo.exceptions.MissingError", fmt::format("Record does not exist or has been deleted.\n(Record: {}({},), User: {})", model, python(id), o.uid)};
}

odoo_fault bad_read_field(const odoo_options& o, std::string_view field, std::string_view model)
{
    return {"builtins.ValueError", o.is_19() ? fmt::format("Invalid field '{}' on '{}'", field, model) : fmt::format("Invalid field '{}' on model '{}'", field, model)};
}

odoo_fault bad_write_field(const odoo_options& o, std::string_view field, std::string_view model)
{
    return {"builtins.ValueError", o.is_19() ? fmt::format("Invalid field '{}' in '{}'", field, model) : fmt::format("Invalid field '{}' on model '{}'", field, model)};
}

odoo_fault bad_domain_field(const odoo_options& o, std::string_view model, std::string_view field, const json::value& op, const json::value& value)
{
    return {"builtins.ValueError",
            fmt::format("Invalid field {}.{} in {} ('{}', {}, {})", model, field, o.is_19() ? "condition" : "leaf", field, python(op), python(value))};
}

odoo_fault denied(const odoo_options& o, std::string_view model, std::string_view operation)
{
    struct words {
        const char* name;
        const char* groups;
    };
    static const std::map<std::string_view, words> known{
        {"mrp.production", {"Manufacturing Order", "\t- Inventory/User\n\t- Manufacturing/Administrator\n\t- Manufacturing/User\n"}},
        {"maintenance.equipment", {"Maintenance Equipment", "\t- Maintenance/Equipment Manager\n"}},
        {"maintenance.request", {"Maintenance Request", "\t- Maintenance/Equipment Manager\n"}},
    };
    const auto it = known.find(model);
    const words w = it != known.end() ? it->second : words{"Decimal Precision", o.is_19() ? "\t- Role / Administrator\n" : "\t- Administration/Settings\n"};
    const char* verb = operation == "read" ? "access" : operation == "create" ? "create" : operation == "unlink" ? "delete" : "modify";
    return {"odoo.exceptions.AccessError",
            fmt::format("You are not allowed to {} '{}' ({}) records.\n\nThis operation is allowed for the following groups:\n{}\nContact your administrator to request access if necessary.",
                        verb, w.name, model, w.groups)};
}

odoo_fault private_method(const odoo_options& o, std::string_view model, std::string_view method)
{
    return {"odoo.exceptions.AccessError", o.is_19() ? fmt::format("Private methods (such as '{}.{}') cannot be called remotely.", model, method)
                                                     : fmt::format("Private methods (such as {}) cannot be called remotely.", method)};
}

odoo_fault mandatory_name(const odoo_options& o)
{
    return {"odoo.exceptions.ValidationError",
            o.is_19() ? "The operation cannot be completed: Missing required value for the field 'Subjects' (name).\nModel: 'Maintenance Request' (maintenance.request)\n"
                        "- create/update: a mandatory field is not set\n- delete: another model requires the record being deleted, you can archive it instead\n"
                      : "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another model requires the record being deleted. If possible, "
                        "archive it instead.\n\nModel: Maintenance Request (maintenance.request)\nField: Subjects (name)\n"};
}

odoo_fault no_such_equipment(const odoo_options& o)
{
    return {"odoo.exceptions.ValidationError",
            o.is_19() ? "The operation cannot be completed: Another model is using the record you are trying to delete.\n\nThe troublemaker is: 'Maintenance Request' "
                        "(maintenance.request)\nThanks to the following constraint: 'Equipment' (equipment_id)\nHow about archiving the record instead?"
                      : "The operation cannot be completed: another model requires the record being deleted. If possible, archive it instead.\n\nModel: Maintenance Request "
                        "(maintenance.request)\nConstraint: maintenance_request_equipment_id_fkey\n"};
}

}  // namespace batchbridge::sim
