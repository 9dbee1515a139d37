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

TEST_CASE("L-06 the error table of odoo19.md section 2")
{
    struct row {
        unsigned status;
        const char* name;
        error_class meaning;
    };
    const auto r = GENERATE(values<row>({
        {400, "werkzeug.exceptions.BadRequest", error_class::our_bug},
        {401, "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {401, "odoo.exceptions.AccessDenied", error_class::new_key},
        {403, "odoo.exceptions.AccessDenied", error_class::new_key},
        {403, "odoo.exceptions.AccessError", error_class::configuration},
        {403, "werkzeug.exceptions.Forbidden", error_class::configuration},
        {404, "odoo.exceptions.MissingError", error_class::gone},
        {404, "werkzeug.exceptions.NotFound", error_class::configuration},
        {405, "werkzeug.exceptions.MethodNotAllowed", error_class::configuration},
        {409, "odoo.exceptions.LockError", error_class::retry},
        {409, "odoo.exceptions.ConcurrencyError", error_class::retry},
        {422, "odoo.exceptions.UserError", error_class::park},
        {422, "odoo.exceptions.ValidationError", error_class::park},
        {422, "odoo.exceptions.RedirectWarning", error_class::park},
        {422, "werkzeug.exceptions.UnprocessableEntity", error_class::our_bug},
        {429, "werkzeug.exceptions.TooManyRequests", error_class::retry},
        {500, "builtins.ValueError", error_class::our_bug},
        {500, "builtins.TypeError", error_class::our_bug},
        {500, "builtins.KeyError", error_class::our_bug},
        {500, "builtins.MemoryError", error_class::retry},
        {500, "psycopg2.errors.SerializationFailure", error_class::retry},
        {500, "psycopg2.OperationalError", error_class::retry},
        {500, "psycopg2.pool.PoolError", error_class::retry},
        {500, "werkzeug.exceptions.InternalServerError", error_class::retry},
        {503, "werkzeug.exceptions.ServiceUnavailable", error_class::retry},
        {422, "custom.module.Error", error_class::park},
        {303, "", error_class::configuration},
        {400, "", error_class::our_bug},
        {401, "", error_class::configuration},
        {403, "", error_class::configuration},
        {404, "", error_class::configuration},
        {413, "", error_class::configuration},
        {415, "", error_class::our_bug},
        {408, "", error_class::retry},
        {429, "", error_class::retry},
        {500, "", error_class::retry},
        {502, "", error_class::retry},
        {503, "", error_class::retry},
        {504, "", error_class::retry},
    }));
    INFO(r.status << " " << r.name);
    CHECK(classify(protocol::json2, r.status, r.name) == r.meaning);
}

TEST_CASE("L-06 the session way differs in one thing: PostgreSQL down is a page with 404 (h42)")
{
    CHECK(classify(protocol::session, 404, "") == error_class::retry);
    CHECK(classify(protocol::session, 200, "odoo.http.SessionExpiredException") == error_class::new_key);
    CHECK(classify(protocol::session, 200, "odoo.exceptions.UserError") == error_class::park);
    CHECK(classify(protocol::session, 200, "odoo.exceptions.LockError") == error_class::retry);
    CHECK(classify(protocol::session, 403, "") == error_class::configuration);
    CHECK(classify(protocol::session, 400, "") == error_class::our_bug);
    CHECK(classify(protocol::session, 502, "") == error_class::retry);
    CHECK(classify(protocol::jsonrpc, 200, "odoo.exceptions.LockError") == error_class::retry);
    CHECK(classify(protocol::jsonrpc, 200, "odoo.exceptions.ConcurrencyError") == error_class::retry);
}
