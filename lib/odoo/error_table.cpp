#include "odoo/error_table.hpp"

#include <array>
#include <optional>

namespace batchbridge::odoo {

using domain::error_class;

namespace {

struct row {
    protocol where;
    unsigned status_from, status_to;
    std::string_view name;   // "" = no name; a trailing '*' stands for anything
    error_class meaning;
};

// The first row that fits counts.
constexpr std::array table{
    // A business rule said no: repeating changes nothing, a person has to look.
    row{protocol::jsonrpc, 100, 599, "odoo.exceptions.UserError", error_class::park},
    row{protocol::jsonrpc, 100, 599, "odoo.exceptions.ValidationError", error_class::park},
    row{protocol::jsonrpc, 100, 599, "odoo.exceptions.MissingError", error_class::gone},
    row{protocol::jsonrpc, 100, 599, "odoo.exceptions.AccessError", error_class::configuration},
    row{protocol::jsonrpc, 100, 599, "odoo.exceptions.AccessDenied", error_class::new_key},
    row{protocol::jsonrpc, 100, 599, "odoo.http.SessionExpiredException", error_class::new_key},
    row{protocol::jsonrpc, 100, 599, "odoo.exceptions.*", error_class::park},
    // The server has trouble of its own.
    row{protocol::jsonrpc, 100, 599, "builtins.MemoryError", error_class::retry},
    row{protocol::jsonrpc, 100, 599, "builtins.TimeoutError", error_class::retry},
    row{protocol::jsonrpc, 100, 599, "builtins.OSError", error_class::retry},
    row{protocol::jsonrpc, 100, 599, "builtins.Connection*", error_class::retry},
    // ValueError, TypeError, AttributeError, IndexError, KeyError: field, type, method or date format is wrong.
    row{protocol::jsonrpc, 100, 599, "builtins.*", error_class::our_bug},
    // PostgreSQL down, database gone (both look the same here), conflict after Odoo's own five tries.
    row{protocol::jsonrpc, 100, 599, "psycopg2.*", error_class::retry},
    row{protocol::jsonrpc, 100, 599, "?*", error_class::park},
    // Pages without an exception name.
    row{protocol::jsonrpc, 300, 399, "", error_class::configuration},   // http instead of https, wrong host
    row{protocol::jsonrpc, 400, 400, "", error_class::our_bug},
    row{protocol::jsonrpc, 401, 401, "", error_class::configuration},
    row{protocol::jsonrpc, 403, 405, "", error_class::configuration},   // wrong address or path prefix, a proxy's refusal
    row{protocol::jsonrpc, 413, 413, "", error_class::configuration},
};

bool fits(std::string_view pattern, std::string_view name) noexcept
{
    if (pattern == "?*") return !name.empty();
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return pattern == name;
}

}  // namespace

error_class classify(protocol p, unsigned status, std::string_view name) noexcept
{
    for (const auto& r : table)
        if (r.where == p && status >= r.status_from && status <= r.status_to && fits(r.name, name)) return r.meaning;
    return error_class::retry;
}

}  // namespace batchbridge::odoo
