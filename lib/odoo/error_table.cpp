#include "odoo/error_table.hpp"

#include <array>

namespace batchbridge::odoo {

using domain::error_class;

namespace {

// A set of protocols.
constexpr unsigned in_jsonrpc = 1, in_json2 = 2, in_session = 4, in_all = 7;

struct row {
    unsigned where;
    unsigned status_from, status_to;
    std::string_view name;   // "" = no name; a trailing '*' stands for anything
    error_class meaning;
};

// The first row that fits counts.
constexpr std::array table{
    // JSON-2 says by the status what its own exceptions do not.
    row{in_json2, 401, 401, "?*", error_class::new_key},
    // A business rule said no: repeating changes nothing, a person has to look.
    row{in_all, 100, 599, "odoo.exceptions.UserError", error_class::park},
    row{in_all, 100, 599, "odoo.exceptions.ValidationError", error_class::park},
    row{in_all, 100, 599, "odoo.exceptions.MissingError", error_class::gone},
    row{in_all, 100, 599, "odoo.exceptions.AccessError", error_class::configuration},
    row{in_all, 100, 599, "odoo.exceptions.AccessDenied", error_class::new_key},
    row{in_all, 100, 599, "odoo.http.SessionExpiredException", error_class::new_key},
    // Somebody else works on the same record.
    row{in_all, 100, 599, "odoo.exceptions.LockError", error_class::retry},
    row{in_all, 100, 599, "odoo.exceptions.ConcurrencyError", error_class::retry},
    row{in_all, 100, 599, "odoo.exceptions.*", error_class::park},
    // The server has trouble of its own.
    row{in_all, 100, 599, "builtins.MemoryError", error_class::retry},
    row{in_all, 100, 599, "builtins.TimeoutError", error_class::retry},
    row{in_all, 100, 599, "builtins.OSError", error_class::retry},
    row{in_all, 100, 599, "builtins.Connection*", error_class::retry},
    // ValueError, TypeError, AttributeError, IndexError, KeyError: field, type, method or date format is wrong.
    row{in_all, 100, 599, "builtins.*", error_class::our_bug},
    // PostgreSQL down, database gone (both look the same here), conflict after Odoo's own five tries.
    row{in_all, 100, 599, "psycopg2.*", error_class::retry},
    // What the web framework says in Odoo's own form.
    row{in_json2, 400, 400, "werkzeug.*", error_class::our_bug},
    row{in_json2, 422, 422, "werkzeug.*", error_class::our_bug},        // an argument is missing, ids where none belong
    row{in_json2, 403, 405, "werkzeug.*", error_class::configuration},  // the model or method is not there: module not installed
    row{in_json2, 429, 429, "werkzeug.*", error_class::retry},
    row{in_json2, 500, 599, "werkzeug.*", error_class::retry},
    row{in_all, 100, 599, "?*", error_class::park},
    // Pages without an exception name.
    row{in_all, 300, 399, "", error_class::configuration},              // http instead of https, wrong host; 18 asked as if it were 19
    row{in_all, 400, 400, "", error_class::our_bug},
    row{in_all, 401, 401, "", error_class::configuration},
    row{in_session, 404, 404, "", error_class::retry},                  // PostgreSQL down (h42), or a wrong path: both look the same
    row{in_all, 403, 405, "", error_class::configuration},              // wrong address or path prefix, a proxy's refusal; JSON-2: wrong database
    row{in_all, 413, 413, "", error_class::configuration},
    row{in_all, 415, 415, "", error_class::our_bug},
};

bool fits(std::string_view pattern, std::string_view name) noexcept
{
    if (pattern == "?*") return !name.empty();
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return pattern == name;
}

unsigned bit_of(protocol p) noexcept
{
    switch (p) {
    case protocol::jsonrpc: return in_jsonrpc;
    case protocol::json2: return in_json2;
    case protocol::session: return in_session;
    }
    return 0;
}

}  // namespace

const char* to_string(protocol p) noexcept
{
    switch (p) {
    case protocol::jsonrpc: return "jsonrpc";
    case protocol::json2: return "json2";
    case protocol::session: return "scada";
    }
    return "?";
}

error_class classify(protocol p, unsigned status, std::string_view name) noexcept
{
    for (const auto& r : table)
        if ((r.where & bit_of(p)) != 0 && status >= r.status_from && status <= r.status_to && fits(r.name, name)) return r.meaning;
    return error_class::retry;
}

}  // namespace batchbridge::odoo
