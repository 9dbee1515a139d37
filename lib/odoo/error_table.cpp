#include "odoo/error_table.hpp"

#include <array>

namespace batchbridge::odoo {

namespace {

struct row {
    std::string_view name;   // a trailing '*' matches any end
    domain::error_class decision;
};

using enum domain::error_class;

constexpr std::array<row, 16> table{{
    {"odoo.exceptions.UserError", park},
    {"odoo.exceptions.ValidationError", park},
    {"odoo.exceptions.RedirectWarning", park},
    {"odoo.exceptions.MissingError", gone},
    {"odoo.exceptions.AccessError", configuration},
    {"odoo.exceptions.AccessDenied", new_key},
    {"odoo.exceptions.LockError", retry},
    {"odoo.http.SessionExpiredException", new_key},
    {"builtins.ValueError", our_bug},
    {"builtins.TypeError", our_bug},
    {"builtins.AttributeError", our_bug},
    {"builtins.IndexError", our_bug},
    {"builtins.KeyError", our_bug},
    {"builtins.MemoryError", retry},
    {"psycopg2.*", retry},
    {"werkzeug.exceptions.*", retry},
}};

}  // namespace

domain::error_class classify(protocol, unsigned http_status, std::string_view name, int code) noexcept
{
    if (code == 100) return new_key;
    for (const auto& r : table) {
        const bool prefix = r.name.ends_with('*');
        if (prefix ? name.starts_with(r.name.substr(0, r.name.size() - 1)) : name == r.name) return r.decision;
    }
    if (http_status == 401 || http_status == 403) return configuration;
    if (http_status == 429 || http_status >= 500) return retry;
    // An exception nobody has seen yet: a person should see it, and nothing is repeated blindly.
    return park;
}

}  // namespace batchbridge::odoo
