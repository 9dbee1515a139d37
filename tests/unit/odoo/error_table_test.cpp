#include "support/catch.hpp"

#include "odoo/error_table.hpp"

using namespace batchbridge;
using domain::error_class;
using odoo::classify;
using odoo::protocol;

TEST_CASE("L-06 the error table of odoo18.md section 10")
{
    struct row {
        unsigned status;
        const char* name;
        error_class meaning;
    };
    const auto r = GENERATE(values<row>({
        {200, "odoo.exceptions.UserError", error_class::park},
        {200, "odoo.exceptions.ValidationError", error_class::park},
        {200, "odoo.exceptions.RedirectWarning", error_class::park},
        {200, "odoo.exceptions.MissingError", error_class::gone},
        {200, "odoo.exceptions.AccessError", error_class::configuration},
        {200, "odoo.exceptions.AccessDenied", error_class::new_key},
        {200, "odoo.http.SessionExpiredException", error_class::new_key},
        {200, "builtins.ValueError", error_class::our_bug},
        {200, "builtins.TypeError", error_class::our_bug},
        {200, "builtins.AttributeError", error_class::our_bug},
        {200, "builtins.IndexError", error_class::our_bug},
        {200, "builtins.KeyError", error_class::our_bug},
        {200, "builtins.MemoryError", error_class::retry},
        {200, "builtins.ConnectionResetError", error_class::retry},
        {200, "psycopg2.OperationalError", error_class::retry},
        {200, "psycopg2.errors.SerializationFailure", error_class::retry},
        {500, "psycopg2.OperationalError", error_class::retry},
        {200, "custom.module.Error", error_class::park},
        {400, "", error_class::our_bug},
        {301, "", error_class::configuration},
        {401, "", error_class::configuration},
        {403, "", error_class::configuration},
        {404, "", error_class::configuration},
        {413, "", error_class::configuration},
        {408, "", error_class::retry},
        {429, "", error_class::retry},
        {500, "", error_class::retry},
        {502, "", error_class::retry},
        {503, "", error_class::retry},
        {504, "", error_class::retry},
        {200, "", error_class::retry},
    }));
    INFO(r.status << " " << r.name);
    CHECK(classify(protocol::jsonrpc, r.status, r.name) == r.meaning);
}
