// Every error that was recorded on a real server, as the client sees it, and every row of the error table that one drives.
#include "support/catch.hpp"

#include "replay.hpp"

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

TEST_CASE("json2: each recorded error has its class (odoo19.md section 2)")
{
    struct row {
        const char* recording;
        const char* name;
        error_class meaning;
    };
    const auto r = GENERATE(values<row>({
        {"a_auth_basic", "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {"a_auth_key_other_scope", "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {"a_auth_missing", "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {"a_auth_password_as_key", "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {"a_auth_user_archived", "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {"a_auth_wrong_key_short", "werkzeug.exceptions.Unauthorized", error_class::new_key},
        {"h_malformed_json", "werkzeug.exceptions.BadRequest", error_class::our_bug},
        {"h_access_error_read", "odoo.exceptions.AccessError", error_class::configuration},
        {"h_access_error_write", "odoo.exceptions.AccessError", error_class::configuration},
        {"h_private_method", "odoo.exceptions.AccessError", error_class::configuration},
        {"c_write_missing_move", "odoo.exceptions.MissingError", error_class::gone},
        {"h_write_deleted", "odoo.exceptions.MissingError", error_class::gone},
        {"h_done_deleted", "odoo.exceptions.MissingError", error_class::gone},
        {"h_ids_str", "odoo.exceptions.MissingError", error_class::gone},
        {"h_unknown_model", "werkzeug.exceptions.NotFound", error_class::configuration},
        {"h_unknown_method", "werkzeug.exceptions.NotFound", error_class::configuration},
        {"h_get_instead_of_post", "werkzeug.exceptions.NotFound", error_class::configuration},
        {"c_write_negative", "odoo.exceptions.ValidationError", error_class::park},
        {"f_write_on_cancelled", "odoo.exceptions.UserError", error_class::park},
        {"d_lot_tracked_no_stock", "odoo.exceptions.UserError", error_class::park},
        {"h_sql_constraint", "odoo.exceptions.ValidationError", error_class::park},
        {"g_request_create_bad_equipment", "odoo.exceptions.ValidationError", error_class::park},
        {"h_missing_argument", "werkzeug.exceptions.UnprocessableEntity", error_class::our_bug},
        {"h_ids_on_api_model_method", "werkzeug.exceptions.UnprocessableEntity", error_class::our_bug},
        {"h_wrong_argument_name_create", "werkzeug.exceptions.UnprocessableEntity", error_class::our_bug},
        {"h_domain_bad_type", "builtins.*", error_class::our_bug},
        {"h_domain_unknown_field", "builtins.ValueError", error_class::our_bug},
        {"h_bad_context", "builtins.*", error_class::our_bug},
        {"h_positional_args", "builtins.TypeError", error_class::our_bug},
        {"h_read_unknown_field", "builtins.ValueError", error_class::our_bug},
        {"h_write_bad_type", "builtins.ValueError", error_class::our_bug},
        {"g_request_create_bad_selection", "builtins.ValueError", error_class::our_bug},
        {"e_serialization_retries_exhausted", "psycopg2.errors.SerializationFailure", error_class::retry},
    }));
    INFO(r.recording);
    key_bench b;
    b.peer.expect_key();
    b.peer.expect(recorded19(r.recording), match::answer_only);
    // Refused keys are tried once more, with a fresh check.
    if (r.meaning == error_class::new_key) {
        b.peer.expect_key();
        b.peer.expect(recorded19(r.recording), match::answer_only);
    }
    const auto e = b.fail(b.client().cancel(9));
    // Odoo's own no, to a write: nothing happened.
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == r.meaning);
    const std::string name = r.name;
    if (name.ends_with('*')) CHECK(e.peer_code().starts_with(name.substr(0, name.size() - 1)));
    else CHECK(e.peer_code() == name);
    CHECK_THAT(e.what(), !Contains("Traceback") && !Contains("MIDDLEWARE-API-KEY"));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("json2: each recorded page has its class for a read, and is unclear for a write")
{
    struct row {
        const char* recording;
        error_class meaning;
    };
    const auto r = GENERATE(values<row>({
        {"a_wrong_db", error_class::configuration},
        {"a_no_db_header_several_dbs", error_class::configuration},
        {"a_wrong_content_type", error_class::our_bug},
        {"a_db_not_initialised", error_class::retry},
    }));
    INFO(r.recording);
    key_bench b;
    b.peer.expect_key();
    b.peer.expect(recorded19(r.recording), match::answer_only);
    auto e = b.fail(b.client().read_order(9));
    CHECK(e.decision() == r.meaning);
    CHECK(e.outcome() == (r.meaning == error_class::retry ? call_outcome::unclear : call_outcome::rejected));
    key_bench w;
    w.peer.expect_key();
    w.peer.expect(recorded19(r.recording), match::answer_only);
    e = w.fail(w.client().cancel(9));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.decision() == error_class::retry);
}

TEST_CASE("jsonrpc: each recorded error has its class (odoo18.md section 10)")
{
    struct row {
        const char* recording;
        std::size_t step;
        const char* name;
        error_class meaning;
    };
    const auto r = GENERATE(values<row>({
        {"c03", 0, "odoo.exceptions.ValidationError", error_class::park},
        {"d08", 0, "odoo.exceptions.UserError", error_class::park},
        {"e04", 0, "odoo.exceptions.UserError", error_class::park},
        {"h06", 0, "odoo.exceptions.ValidationError", error_class::park},
        {"h10", 0, "odoo.exceptions.ValidationError", error_class::park},
        {"h13", 0, "odoo.exceptions.UserError", error_class::park},
        {"h18", 0, "odoo.exceptions.UserError", error_class::park},
        {"h32", 0, "odoo.exceptions.UserError", error_class::park},
        {"f04", 2, "odoo.exceptions.MissingError", error_class::gone},
        {"h03", 0, "odoo.exceptions.MissingError", error_class::gone},
        {"h04", 0, "odoo.exceptions.MissingError", error_class::gone},
        {"h05", 0, "odoo.exceptions.MissingError", error_class::gone},
        {"h01", 0, "odoo.exceptions.AccessError", error_class::configuration},
        {"h12", 0, "odoo.exceptions.AccessError", error_class::configuration},
        {"k90", 4, "odoo.exceptions.AccessError", error_class::configuration},
        {"h07", 0, "builtins.ValueError", error_class::our_bug},
        {"h08", 0, "builtins.ValueError", error_class::our_bug},
        {"h09", 0, "builtins.ValueError", error_class::our_bug},
        {"h11", 0, "builtins.AttributeError", error_class::our_bug},
        {"h14", 0, "builtins.ValueError", error_class::our_bug},
        {"h15", 0, "builtins.ValueError", error_class::our_bug},
        {"h16", 0, "builtins.TypeError", error_class::our_bug},
        {"h17", 0, "builtins.ValueError", error_class::our_bug},
        {"h40", 0, "psycopg2.OperationalError", error_class::retry},
        {"h41", 0, "psycopg2.OperationalError", error_class::retry},
    }));
    INFO(r.recording);
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded(r.recording, r.step), match::answer_only);
    const auto e = b.fail(b.client().cancel(26));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == r.meaning);
    CHECK(e.peer_code() == r.name);
    CHECK_THAT(e.what(), !Contains("traceback"));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("jsonrpc on Odoo 19: the old protocol's errors are told as on 18 (h_jsonrpc_error_on_19)")
{
    bench b;
    b.options.user = "middleware";
    b.options.secret.value = "MIDDLEWARE-API-KEY";
    b.options.secret_is_key = true;
    b.peer.expect(recorded19("l_jsonrpc_common_version"));
    b.peer.expect(recorded19("l_jsonrpc_authenticate_api_key"));
    const auto info = b.run(b.client().connect());
    CHECK(info.version == "19.0");
    CHECK(info.verified);
    b.peer.expect(recorded19("h_jsonrpc_error_on_19"), match::answer_only);
    const auto e = b.fail(b.client().cancel(1));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::our_bug);
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}
