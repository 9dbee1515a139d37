// Equipment, requests and notes. Recordings of odoo18: g01, k01, k02, e06, h10, h32; of odoo19: g_*.
#include "support/catch.hpp"

#include "odoo/mrp.hpp"
#include "replay.hpp"

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

const std::vector<std::string> none;

odoo::maintenance_request valve()
{
    odoo::maintenance_request r;
    r.key = "PLC-20261123T105500Z-SILO-103-F07";
    r.title = "SILO-103: discharge valve does not open";
    r.description = "Fault F07 at 2026-11-23 10:55:00 UTC, order WH/MO/00001";
    r.equipment_id = 3;
    r.equipment_code = "SILO-103";
    r.at = core::from_odoo("2026-11-23 10:55:00").value();
    return r;
}

const json::array& domain_of(const json::value& request)
{
    return request.at("params").at("args").at(5).at(0).as_array();
}

}  // namespace

TEST_CASE("jsonrpc: equipment is found by serial number and remembered, none is no error (g01, k01)")
{
    bench b;
    b.peer.expect_login();
    auto found = recorded("g01", 0);
    found.request.at("body").at("params").at("args").at(6).as_object()["fields"] = {"id"};
    b.peer.expect(found);
    CHECK(b.run(b.client().find_equipment("SILO-103")) == 3);
    CHECK(b.run(b.client().find_equipment("SILO-103")) == 3);
    CHECK(b.peer.connections() == 3);
    // Not remembered: the user may get the group.
    for (int i = 0; i < 2; ++i) {
        b.peer.expect(recorded("k01"), match::answer_only);
        CHECK_FALSE(b.run(b.client().find_equipment("SILO-104")));
    }
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("jsonrpc: a request is looked up by its key in any stage, then created by position (g01)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("g01", 1), match::answer_only);
    CHECK_FALSE(b.run(b.client().find_request("PLC-20261123T105500Z-SILO-103-F07")));
    CHECK(equal(domain_of(b.peer.requests().back()), json::array{{"name", "like", "PLC-20261123T105500Z-SILO-103-F07"}}));
    auto create = recorded("g01", 2);
    auto& values = create.request.at("body").at("params").at("args").at(5).at(0).as_object();
    // Odoo wraps a plain text by itself, we do it before.
    values["description"] = "<p>" + std::string(values["description"].as_string()) + "</p>";
    b.peer.expect(create);
    CHECK(b.run(b.client().create_request(valve())) == 1);
    b.peer.expect(recorded("g01", 3), match::answer_only);
    CHECK(b.run(b.client().find_request("PLC-20261123T105500Z-SILO-103-F07")) == 1);
    CHECK(b.peer.complaints() == none);
    CHECK(b.peer.connections() == 5);
}

TEST_CASE("jsonrpc: equipment that Odoo no longer knows is looked up again after the create it refused (h10)")
{
    bench b;
    b.peer.expect_login();
    auto found = recorded("g01", 0);
    b.peer.expect(found, match::answer_only);
    CHECK(b.run(b.client().find_equipment("SILO-103")) == 3);
    b.peer.expect(recorded("h10"), match::answer_only);
    const auto e = b.fail(b.client().create_request(valve()));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    b.peer.expect(recorded("k01"), match::answer_only);
    CHECK_FALSE(b.run(b.client().find_equipment("SILO-103")));
    // Without equipment the request is complete all the same (k02: by a user without the group).
    auto r = valve();
    r.equipment_id.reset();
    r.urgent = false;
    b.peer.expect(recorded("k02"), match::answer_only);
    CHECK(b.run(b.client().create_request(r)) == 6);
    const auto& sent = b.peer.requests().back().at("params").at("args").at(5).at(0).as_object();
    CHECK_FALSE(sent.contains("equipment_id"));
    CHECK(sent.at("priority") == "2");
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("jsonrpc: a note is one message_post, a user without an address is told so (e06, h32)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("e06", 0));
    b.run(b.client().post_note(80, "PLC batch 0001: SILO-101 37.5 kg"));
    b.peer.expect(recorded("h32"), match::answer_only);
    auto e = b.fail(b.client().post_note(166, "x"));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    CHECK_THAT(e.what(), Contains("email address"));
    // Whether it was posted is not known.
    b.peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":true})");
    e = b.fail(b.client().post_note(166, "x"));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("json2: equipment, request and note by name (g_equipment_by_serial, g_request_*, g_mo_message_post)")
{
    key_bench b;
    b.peer.expect_key();
    b.peer.expect(recorded19("g_equipment_by_serial"));
    CHECK(b.run(b.client().find_equipment("SILO-105")) == 5);
    CHECK(b.run(b.client().find_equipment("SILO-105")) == 5);
    auto before = recorded19("g_request_search_before");
    const std::string key = "silo-mw:2026-11-23T10:57:00Z:SILO-105:4711";
    before.request.at("body").as_object()["domain"] = {{"name", "like", key}};
    b.peer.expect(before);
    CHECK_FALSE(b.run(b.client().find_request(key)));
    auto r = valve();
    r.key = key;
    r.title = "Silo 105: gate valve does not close";
    r.equipment_id = 5;
    r.description = "PLC alarm 4711, MO WH/MO/00030, step 5. Reported by the dosing line.";
    b.peer.expect(recorded19("g_request_create"));
    CHECK(b.run(b.client().create_request(r)) == 18);
    b.peer.expect(recorded19("g_mo_message_post"));
    b.run(b.client().post_note(1, "Dosing finished, batch 77"));
    b.peer.expect(recorded19("g_request_create_bad_equipment"), match::answer_only);
    CHECK(b.fail(b.client().create_request(r)).decision() == error_class::park);
    b.peer.expect(recorded19("g_equipment_by_serial"));
    CHECK(b.run(b.client().find_equipment("SILO-105")) == 5);
    CHECK(b.peer.complaints() == none);
}

TEST_CASE("a create whose answer never came is unclear, it is not repeated")
{
    key_bench b;
    b.options.write_timeout = 300ms;
    b.peer.expect_key();
    b.run(b.client().connect());
    b.peer.expect_silence();
    const auto e = b.fail(b.client().create_request(valve()));
    CHECK(e.outcome() == call_outcome::unclear);
    CHECK(b.peer.complaints() == none);
    CHECK(b.peer.connections() == 3);
}

TEST_CASE("a description is escaped, a key's wildcards are taken literally")
{
    CHECK(odoo::to_html("a < b & \"c\"\r\nd > e") == "<p>a &lt; b &amp; &quot;c&quot;<br/>d &gt; e</p>");
    CHECK(odoo::to_html("") == "<p></p>");
    CHECK(odoo::like_pattern("line_1 50% a\\b") == "line\\_1 50\\% a\\\\b");
    CHECK(odoo::one_id_of(json::value(7)) == 7);
    CHECK(odoo::one_id_of(json::array{7}) == 7);
    CHECK_FALSE(odoo::one_id_of(json::array{7, 8}));
    CHECK_FALSE(odoo::one_id_of(json::value(true)));
    CHECK_FALSE(odoo::one_id_of(json::value(-7)));
}
