// Odoo 19 over JSON-2. Recordings of odoo19: seq_*, a_auth_*, a_wrong_db, b_web_*, c_write_*, d_*, e_*, f_*, h_*.
#include "support/catch.hpp"

#include "replay.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace replay;
using Catch::Matchers::Contains;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

core::decimal kg(const char* text)
{
    return core::decimal::parse(text).value();
}

const std::vector<std::string> none;

}  // namespace

TEST_CASE("json2: version and key are asked once, every call carries key and database (seq_01, seq_02)")
{
    key_bench b;
    b.peer.expect_key();
    const auto info = b.run(b.client().connect());
    CHECK(info.version == "19.0");
    CHECK(info.protocol == "json2");
    CHECK(info.verified);
    b.run(b.client().connect());
    auto probe = recorded19("k90_rights_and_rounding", 5);
    probe.request.at("body").as_object()["fields"] = {"id"};
    probe.request.as_object()["headers"] = recorded19("seq_02_check_key").request.at("headers");
    b.peer.expect(probe);
    b.run(b.client().probe());
    CHECK(b.peer.complaints() == none);
    CHECK(b.peer.connections() == 3);
}

TEST_CASE("json2: orders and components come in one call (b_web_search_read_recommended)")
{
    key_bench b;
    b.peer.expect_key();
    auto e = completed(recorded19("b_web_search_read_recommended"));
    auto& asked = e.request.at("body").as_object();
    asked["order"] = "priority desc, date_start asc, id asc";   // recorded without asc, which is the same
    asked["offset"] = 0;
    b.peer.expect(e, match::specification);
    odoo::fetch_request ask;
    ask.limit = 2;
    const auto answer = b.run(b.client().fetch_confirmed(ask));
    CHECK(answer.matches == 120);
    REQUIRE(answer.orders.size() == 2);
    const auto& o = std::get<domain::order>(answer.orders[0]);
    CHECK(o.name == "WH/MO/00001");
    CHECK(o.components.at(0).product_code == "SILO-101");
    CHECK(o.components.at(0).planned.to_string() == "66.67");
    CHECK_FALSE(o.components.at(0).picked);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: one order is read with web_read, a deleted one is an empty list (b_web_read_one, seq_10, h_web_read_deleted)")
{
    key_bench b;
    b.peer.expect_key();
    b.peer.expect(completed(recorded19("b_web_read_one")), match::specification);
    auto o = b.run(b.client().read_order(1));
    REQUIRE(o);
    CHECK(o->state == domain::order_state::confirmed);
    CHECK(o->id.odoo_db == "factory");
    auto done = recorded19("seq_10_verify_done");
    auto& record = done.response.at("body").at(0).as_object();
    record["name"] = "WH/MO/00121";
    record["product_qty"] = 500.0;
    record["qty_producing"] = 498.5;
    for (auto& m : record["move_raw_ids"].as_array()) m.as_object()["product_uom_qty"] = 100.0;
    b.peer.expect(completed(done), match::specification);
    o = b.run(b.client().read_order(121));
    REQUIRE(o);
    CHECK(o->state == domain::order_state::done);
    CHECK(o->qty_produced.to_string() == "498.5");
    CHECK(o->components.at(0).quantity.to_string() == "99.4");
    b.peer.expect(recorded19("h_web_read_deleted"), match::specification);
    CHECK_FALSE(b.run(b.client().read_order(11)));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: L-02 consumption and final values are absolute totals in one write (c_write_one, c_write_all, c_write_repeat)")
{
    key_bench b;
    b.peer.expect_key();
    // Recorded without manual_consumption, which we always send.
    b.peer.expect(recorded19("c_write_one_component"), match::contains);
    b.run(b.client().write_consumption(1, {{16, kg("65.9")}}));
    b.peer.expect(recorded19("c_write_one_component_repeat"), match::contains);
    b.run(b.client().write_consumption(1, {{16, kg("65.9")}}));
    b.peer.expect(recorded19("c_write_all_components"), match::contains);
    domain::finish_values v;
    v.produced = 1000;
    auto quantity = kg("66.1");
    for (int i = 0; i < 15; ++i, quantity += kg("0.1")) v.moves.push_back({16 + i, quantity});
    b.run(b.client().write_final(1, v));
    CHECK(b.peer.complaints() == none);
    // As c90_manual_consumption has it.
    const auto& command = b.peer.requests().back().at("vals").at("move_raw_ids").at(0);
    CHECK(command.at(2).at("manual_consumption").as_bool());
}

TEST_CASE("json2: done carries the skip keys, its answer is described and not believed (seq_09, d_done_*, f_done_on_cancelled)")
{
    key_bench b;
    b.peer.expect_key();
    b.peer.expect(recorded19("seq_09_mark_done"));
    CHECK(b.run(b.client().mark_done(121, {}, {})) == "true");
    b.peer.expect(recorded19("d_done_full"));
    CHECK(b.run(b.client().mark_done(4, {}, {})) == "true");
    b.peer.expect(recorded19("d_warning_no_context"), match::contains);
    CHECK(b.run(b.client().mark_done(101, {}, {})) == "wizard mrp.consumption.warning");
    b.peer.expect(recorded19("d_done_less_no_context"), match::contains);
    CHECK(b.run(b.client().mark_done(5, {}, {})) == "wizard mrp.production.backorder");
    b.peer.expect(recorded19("f_done_on_cancelled"));
    CHECK(b.run(b.client().mark_done(9, {}, {})) == "true");
    b.peer.expect(recorded19("e_done_again"));
    CHECK(b.run(b.client().mark_done(4, {}, {})) == "true");
    b.peer.expect(recorded19("e_retry_after_lost_reply"));
    CHECK(b.run(b.client().mark_done(16, {}, {})) == "true");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: cancel is action_cancel, a no to it is Odoo's own (f_action_cancel, f_cancel_done)")
{
    key_bench b;
    b.peer.expect_key();
    auto cancel = recorded19("f_action_cancel");
    // An administrator's key was recorded.
    cancel.request.at("headers").as_object()["Authorization"] = "bearer MIDDLEWARE-API-KEY";
    b.peer.expect(cancel);
    b.run(b.client().cancel(9));
    b.peer.expect(recorded19("f_cancel_done"), match::answer_only);
    const auto e = b.fail(b.client().cancel(4));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    CHECK(e.reason() == "You cannot cancel a manufacturing order that is already done.");
    CHECK(e.peer_code() == "odoo.exceptions.UserError");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: a page instead of an answer leaves a write unclear, whatever its status")
{
    const unsigned status = GENERATE(200U, 302U, 401U, 403U, 404U, 413U, 500U, 502U, 503U, 504U);
    CAPTURE(status);
    key_bench b;
    b.peer.expect_key();
    b.peer.expect_body("<html>somebody</html>", status, "text/html");
    const auto e = b.fail(b.client().mark_done(6, {}, {}));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.decision() == error_class::retry);
    CHECK(e.operation() == "mrp.production.button_mark_done");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: a wrong key waits for a new one, is remembered, and is asked again after the pause (a_auth_wrong_key)")
{
    key_bench b;
    b.options.secret.value = "nope";
    auto wrong = recorded19("a_auth_wrong_key");
    b.peer.expect(recorded19("seq_01_version"));
    b.peer.expect(wrong, match::answer_only);
    for (int i = 0; i < 3; ++i) {
        const auto e = b.fail(b.client().cancel(9));
        CHECK(e.outcome() == call_outcome::rejected);
        CHECK(e.decision() == error_class::new_key);
        CHECK(domain::decide_delivery(e.decision()) == domain::delivery_step::wait_for_configuration);
        CHECK_THAT(e.what(), Contains("ODOO_API_KEY") && !Contains("nope"));
    }
    CHECK(b.peer.complaints() == none);
    CHECK(b.peer.connections() == 2);

    key_bench slow;
    slow.options.refused_pause = 0s;
    slow.peer.expect(recorded19("seq_01_version"));
    slow.peer.expect(wrong, match::answer_only);
    slow.peer.expect(wrong, match::answer_only);
    for (int i = 0; i < 2; ++i) CHECK(slow.fail(slow.client().cancel(9)).decision() == error_class::new_key);
    CHECK(slow.peer.complaints() == none);
}

TEST_CASE("json2: L-44 after a 401 the key's file is read again and the call repeated, detection first (a_auth_key_expired)")
{
    auto file = (std::filesystem::temp_directory_path() / "batchbridge-key-XXXXXX").string();
    const int fd = ::mkstemp(file.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::ofstream(file) << "OLD-KEY\n";
    key_bench b;
    b.options.secret.value = "OLD-KEY";
    b.options.secret.file = file;
    b.peer.expect(recorded19("seq_01_version"));
    b.peer.expect(recorded19("seq_02_check_key"), match::answer_only);
    b.run(b.client().connect());
    std::ofstream(file) << "MIDDLEWARE-API-KEY\n";
    b.peer.expect(recorded19("a_auth_key_expired"), match::answer_only);
    b.peer.expect_key();
    b.peer.expect(recorded19("d_done_full"));
    CHECK(b.run(b.client().mark_done(4, {}, {})) == "true");
    CHECK(b.peer.complaints() == none);
    std::filesystem::remove(file);
}

TEST_CASE("json2: a wrong database is configuration and says so, the next call asks the version again (a_wrong_db)")
{
    key_bench b;
    b.peer.expect(recorded19("seq_01_version"));
    b.peer.expect(recorded19("a_wrong_db"), match::answer_only);
    auto e = b.fail(b.client().cancel(9));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::configuration);
    CHECK_THAT(e.what(), Contains("ODOO_DB") && Contains("404"));
    b.peer.expect_key();
    b.peer.expect(recorded19("a_wrong_db"), match::answer_only);
    e = b.fail(b.client().read_order(1));
    CHECK(e.decision() == error_class::configuration);
    b.peer.expect(recorded19("seq_01_version"));
    b.peer.expect(recorded19("d_done_full"));
    b.run(b.client().mark_done(4, {}, {}));
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2 asked of an Odoo 18 says what is wrong, nothing is sent")
{
    key_bench b;
    b.peer.expect_body("<html>redirecting</html>", 303, "text/html");
    const auto e = b.fail(b.client().cancel(9));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::configuration);
    CHECK_THAT(e.what(), Contains("ODOO_API=json2") && Contains("no Odoo 19"));
    CHECK(b.peer.lines() == std::vector<std::string>{"GET /json/version"});
}

TEST_CASE("json2: a key that would break a header line is never sent")
{
    key_bench b;
    b.options.secret.value = "KEY\r\nX-Evil: 1";
    b.peer.expect(recorded19("seq_01_version"));
    const auto e = b.fail(b.client().cancel(9));
    CHECK(e.outcome() == call_outcome::not_sent);
    CHECK(e.decision() == error_class::configuration);
    CHECK_THAT(e.what(), Contains("ODOO_API_KEY") && !Contains("X-Evil"));
    CHECK(b.peer.connections() == 1);
}

TEST_CASE("json2: an answer of another shape is nonsense, retried")
{
    const auto* body = GENERATE("[]", "null", R"({"length":1})", R"({"length":1,"records":false})", "[1,2", "");
    INFO(body);
    key_bench b;
    b.peer.expect_key();
    b.peer.expect_body(body);
    odoo::fetch_request ask;
    const auto e = b.fail(b.client().fetch_confirmed(ask));
    CHECK(e.decision() == error_class::retry);
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.kind() == error_kind::protocol);
}

TEST_CASE("json2: a restart behind a proxy asks the version again, the key's check is kept")
{
    key_bench b;
    b.peer.expect_key();
    b.run(b.client().connect());
    b.peer.expect_body("<html>restarting</html>", 503, "text/html");
    auto e = b.fail(b.client().read_order(4));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(e.decision() == error_class::retry);
    b.peer.expect_body("<html>restarting</html>", 502, "text/html");
    e = b.fail(b.client().mark_done(4, {}, {}));
    CHECK(e.outcome() == call_outcome::not_sent);
    b.peer.expect(recorded19("seq_01_version"));
    b.peer.expect(recorded19("d_done_full"));
    b.run(b.client().mark_done(4, {}, {}));
    CHECK(b.peer.complaints() == none);
}
