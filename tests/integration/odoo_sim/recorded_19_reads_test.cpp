// Versions, keys, databases, reads and rights as the recorded Odoo 19 answered them.
#include "bench_19.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

// The orders of the b_ recordings: 1 and 2, and others behind them to come to the recorded number.
void two_orders(bench_19& b, std::size_t matches = 120)
{
    b.feed(1, 16, 15, "66.67");
    b.feed(2, 131, 15, "66.67");
    for (std::int64_t id = 1001; b.model.orders().size() < matches; ++id) b.feed(id, id * 10, 1, "100").date_start += 24h;
}

// Fields of the recorded request that the simulator does not know, and we never ask for.
void without(recorded_exchange& e, std::initializer_list<const char*> fields)
{
    const auto strip = [&](json::object& o) {
        for (const char* f : fields) o.erase(f);
    };
    auto& specification = e.request.at("body").at("specification").as_object();
    strip(specification);
    strip(specification.at("move_raw_ids").at("fields").as_object());
    for (auto& r : e.response.at("body").at("records").as_array()) {
        strip(r.as_object());
        for (auto& m : r.as_object().at("move_raw_ids").as_array())
            if (m.is_object()) strip(m.as_object());
    }
}

}  // namespace

TEST_CASE("19 says what it is without a login and still answers the old way")
{
    bench_19 b;
    for (const char* name : {"l_version_json", "l_version_web", "l_webclient_version_info", "l_jsonrpc_common_version", "l_jsonrpc_authenticate", "l_jsonrpc_authenticate_api_key", "seq_01_version"})
        b.replay(name);
}

TEST_CASE("an 18 sends /json/version elsewhere and does not know 19's other paths")
{
    sim_bench b;
    const auto version = b.send("GET", "/json/version", "", "");
    CHECK(version.status() == 303);
    CHECK(version.header("Location").starts_with("/web/login"));
    for (const char* path : {"/web/version", "/json/2/res.users/context_get"}) {
        CAPTURE(path);
        const auto answer = b.send(std::string_view(path).starts_with("/json") ? "POST" : "GET", path, "application/json", "{}");
        CHECK(answer.status() == 404);
        CHECK(answer.header("Content-Type").starts_with("text/html"));
    }
}

TEST_CASE("a key opens 19 and anything else is 401 and looks the same")
{
    bench_19 b;
    for (const char* name : {"a_auth_ok", "a_empty_body", "a_auth_basic", "a_auth_missing", "a_auth_key_expired", "a_auth_key_other_scope", "a_auth_password_as_key", "a_auth_user_archived",
                             "a_auth_wrong_key", "a_auth_wrong_key_short", "seq_02_check_key"})
        b.replay(name);
    b.control("/options", R"({"api_key": "RPCSCOPE-API-KEY"})");
    b.replay("a_auth_key_scope_rpc");
}

TEST_CASE("19 answers with a page to a wrong database and a wrong content type")
{
    bench_19 b;
    for (const char* name : {"a_wrong_db", "a_wrong_db_wrong_key", "a_no_db_header_single_db", "a_wrong_content_type", "a_form_content_type", "a_no_content_type"}) b.replay(name);
    b.control("/options", R"({"several_databases": true, "plain_db": "factory_test"})");
    b.replay("a_no_db_header_several_dbs");
    b.replay("a_db_not_initialised");
}

TEST_CASE("19 reads orders with components in one call both flat and nested")
{
    bench_19 b;
    two_orders(b);
    for (const char* name : {"b_search_count", "b_search_read", "b_search_read_load_none", "b_stock_move_read", "b_stock_move_search_read", "b_web_read_one", "b_web_search_read_recommended"}) b.replay(name);
    b.replay("b_web_search_read_full", 0, [](recorded_exchange& e) { without(e, {"should_consume_qty", "sequence", "bom_line_id", "components_availability_state"}); });
    for (auto& [id, o] : b.model.orders()) o.write_date = core::from_odoo("2026-11-23 10:43:59").value();
    b.replay("b_incremental_write_date");
}

TEST_CASE("19 gives nested reads over /jsonrpc too")
{
    bench_19 b;
    two_orders(b, 98);
    const auto records = recorded_19("b_jsonrpc_web_search_read").response.at("body").at("result").at("records").as_array();
    for (const auto& r : records) {
        auto& o = b.order(r.at("id").as_int64());
        o.state = std::string(r.at("state").as_string());
        o.qty_producing = core::decimal::from_double(r.at("qty_producing").as_double()).value();
        o.quantity = core::decimal::from_double(r.at("product_qty").as_double()).value();
        const auto& moves = r.at("move_raw_ids").as_array();
        for (std::size_t i = 0; i < o.moves.size() && i < moves.size() && moves[i].is_object(); ++i) {
            o.moves[i].quantity = core::decimal::from_double(moves[i].at("quantity").as_double()).value();
            o.moves[i].planned = core::decimal::from_double(moves[i].at("product_uom_qty").as_double()).value();
            o.moves[i].state = std::string(moves[i].at("state").as_string());
            o.moves[i].picked = moves[i].at("picked").as_bool();
        }
    }
    b.replay("b_jsonrpc_web_search_read");
}

TEST_CASE("19 tells rights and units and hides the precision")
{
    bench_19 b;
    b.feed(1, 16, 15, "66.67");
    b.order(1).create_date = core::from_odoo("2026-11-23 11:03:35").value();
    for (std::size_t step = 0; step < 6; ++step)
        b.replay("k90_rights_and_rounding", step, [step](recorded_exchange& e) {
            if (step == 4) e.response.at("body").as_object()["debug"] = "(left out when it was recorded)";
        });
    for (const char* name : {"k_has_access_equipment", "k_has_access_write", "k_has_group", "seq_03_check_rights", "c_decimal_precision"}) b.replay(name);
    b.replay("k_read_own_user", 0, [](recorded_exchange& e) {
        // We never ask for groups; the simulated user's name is its login.
        auto& fields = e.request.at("body").at("fields").as_array();
        fields.erase(std::find(fields.begin(), fields.end(), json::value("group_ids")));
        auto& user = e.response.at("body").at(0).as_object();
        user.erase("group_ids");
        user["name"] = "middleware";
    });
}

TEST_CASE("19 gives each component line its own unit")
{
    bench_19 b;
    auto& o = b.feed(30, 1786, 2, "900");
    o.moves[1].uom = "g";
    o.moves[1].planned = o.moves[1].quantity = 5000;
    b.replay("k_uom_per_move");
}
