// Errors, traps and maintenance as the recorded Odoo 19 answered them.
#include "bench_19.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

TEST_CASE("errors of 19 carry status and name and message as recorded")
{
    bench_19 b;
    b.feed(1, 16, 15, "66.67");
    for (const char* name : {"h_bad_context", "h_bare_json2", "h_domain_bad_type", "h_domain_unknown_field", "h_done_deleted", "h_get_instead_of_post", "h_ids_on_api_model_method", "h_ids_str",
                             "h_jsonrpc_error_on_19", "h_malformed_json", "h_missing_argument", "h_positional_args", "h_private_method", "h_read_unknown_field", "h_sql_constraint",
                             "h_unknown_method", "h_unknown_model", "h_write_bad_type", "h_write_deleted", "h_write_unknown_field", "h_wrong_argument_name", "h_wrong_argument_name_create"})
        b.replay(name);
    CHECK(b.order(1).state == "confirmed");
    CHECK(b.order(1).consumption_writes == 0);
    CHECK(b.model.requests().empty());
}

TEST_CASE("traps of 19: no ids is true and no work while no object is no arguments")
{
    bench_19 b;
    b.feed(1, 16, 15, "66.67");
    for (const char* name : {"h_write_no_ids", "h_done_no_ids"}) b.replay(name);
    CHECK(b.order(1).priority == "0");
    CHECK(b.order(1).done_calls == 0);
    for (const char* name : {"h_bad_command", "h_ids_int", "h_json_array", "h_json_string", "h_chunked_request_body", "h_lang_not_installed", "h_read_deleted", "h_web_read_deleted"}) b.replay(name);
    b.order(1).state = "to_close";
    b.replay("h_search_read_deleted");
}

TEST_CASE("without the manufacturing group 19 refuses reading and writing orders")
{
    bench_19 b;
    b.feed(1, 16, 2, "500");
    b.control("/options", R"({"api_key": "NOBODY-API-KEY", "rights": {"mrp.production.read": false, "mrp.production.write": false}})");
    b.replay("h_access_error_read");
    b.replay("h_access_error_write");
    CHECK(b.json2("mrp.production/has_access", {{"operation", "write"}}, "NOBODY-API-KEY").body() == "false");
    b.control("/options", R"({"rights": {"mrp.production.read": true, "mrp.production.write": true}})");
    CHECK(b.json2("mrp.production/has_access", {{"operation", "write"}}, "NOBODY-API-KEY").body() == "true");
}

TEST_CASE("19 finds equipment by serial number and hides it without the manager group")
{
    bench_19 b;
    for (const char* name : {"g_equipment_by_serial", "g_equipment_list_manager", "g_equipment_list_middleware", "g_stages"}) b.replay(name);
    b.control("/options", R"({"equipment_visible": false})");
    b.replay("g_equipment_list_mrp_user");
}

TEST_CASE("19 creates maintenance requests and finds them by their key and takes notes")
{
    bench_19 b;
    b.feed(1, 16, 2, "500");
    for (const char* name : {"g_request_search_before", "g_request_list_mrponly"}) b.replay(name);
    for (const char* name : {"g_request_create_missing_name", "g_request_create_bad_selection", "g_request_create_bad_equipment"}) b.replay(name);
    CHECK(b.model.requests().empty());
    b.replay("g_request_create", 0, {}, true);
    b.replay("g_request_search_ids", 0, {}, true);
    b.replay(
        "g_request_search_after", 0,
        [](recorded_exchange& e) {
            auto& request = e.response.at("body").at(0).as_object();
            request["owner_user_id"].as_array()[1] = "middleware";   // the simulated user's name is its login
            request.erase("create_date");
            auto& fields = e.request.at("body").at("fields").as_array();
            fields.erase(std::find(fields.begin(), fields.end(), json::value("create_date")));
        },
        true);
    b.replay("g_mo_message_post", 0, {}, true);
    b.replay("g_request_message_post", 0, [](recorded_exchange& e) { e.request.at("body").as_object()["ids"] = json::array{1}; }, true);
    for (const char* name : {"g_request_create_dict", "g_request_create_two", "g_request_create_mrp_user_no_equipment"}) b.replay(name, 0, {}, true);
    b.control("/options", R"({"equipment_visible": false})");
    b.replay("g_request_create_mrp_user", 0, {}, true);
    b.control("/options", R"({"api_key": "NOBODY-API-KEY"})");
    b.replay("g_request_create_plain_user", 0, {}, true);
    CHECK(b.control("/messages").as_array().size() == 2);
    CHECK(b.control("/requests").at(0).at("equipment") == "SILO-105");
    CHECK(b.model.violations().empty());
}
