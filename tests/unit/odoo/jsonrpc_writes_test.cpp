// Consumption, finish, done, cancel as recorded. Recordings: z01, d02, d04, d09, d10, f03, h30, e04, c03, h03, h05.
#include "support/catch.hpp"

#include "replay.hpp"

using namespace replay;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using match = replay::match;

namespace {

core::decimal kg(const char* text)
{
    return core::decimal::parse(text).value();
}

}  // namespace

TEST_CASE("L-02 consumption goes out as absolute totals of all moves in one write (z01)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("z01", 1));
    b.run(b.client().write_consumption(6, {{63, 105}, {64, 60}, {65, 45}, {66, 39}, {67, 27}, {68, kg("15.15")}, {69, kg("8.85")}}));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    CHECK(b.peer.connections() == 3);
}

TEST_CASE("the final write carries qty_producing and every move, zeros too (z01)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("z01", 3));
    domain::finish_values v;
    v.produced = kg("742.5");
    v.moves = {{63, kg("267.75")}, {64, 153}, {65, kg("114.75")}, {66, kg("99.45")}, {67, kg("68.85")}, {68, kg("38.64")}, {69, 0}};
    b.run(b.client().write_final(6, v));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("done is called with the skip keys (z01, d10), and its answer is described, not believed")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("z01", 4));
    CHECK(b.run(b.client().mark_done(6, {}, {})) == "true");
    // Automatic printing: an action, and the order is done.
    b.peer.expect(recorded("d10", 0));
    CHECK(b.run(b.client().mark_done(160, {}, {})) == "action do_multi_print");
    // Wizards: nothing was done. They were recorded without the skip keys that we always send.
    b.peer.expect(recorded("d02", 0), match::contains);
    CHECK(b.run(b.client().mark_done(10, {}, {})) == "wizard mrp.consumption.warning");
    b.peer.expect(recorded("d04", 0), match::contains);
    CHECK(b.run(b.client().mark_done(5, {}, {})) == "wizard mrp.production.backorder");
    // A cancelled order answers true as well (recorded without skip_redirection).
    b.peer.expect(recorded("f03", 0), match::contains);
    CHECK(b.run(b.client().mark_done(29, {}, {})) == "true");
    // A method that returns nothing (h30): no result member, and that is an answer.
    b.peer.expect(recorded("h30"), match::answer_only);
    CHECK(b.run(b.client().mark_done(29, {}, {})) == "nothing");
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("cancel is action_cancel (d09)")
{
    bench b;
    b.peer.expect_login();
    b.peer.expect(recorded("d09", 2));
    b.run(b.client().cancel(65));
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}

TEST_CASE("Odoo's own no to a write is an outcome: rejected, with its class (e04, c03, h03, h05)")
{
    bench b;
    b.peer.expect_login();
    // Recorded without manual_consumption, which we always send.
    b.peer.expect(recorded("e04"), match::contains);
    auto e = b.fail(b.client().write_consumption(2, {{34, kg("231.75")}, {35, kg("169.95")}, {36, kg("139.05")}, {37, kg("108.15")},
                                                     {38, kg("77.25")}, {39, kg("27.04")}, {40, 0}, {41, kg("7.73")}}));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    CHECK(e.peer_code() == "odoo.exceptions.UserError");
    CHECK(e.reason() == "You cannot change a cancelled stock move, create a new line instead.");
    CHECK(e.operation() == "mrp.production.write");
    CHECK(e.target() == "odoo " + b.peer.url());

    b.peer.expect(recorded("c03"), match::contains);
    e = b.fail(b.client().write_consumption(1, {{19, -3}}));
    CHECK(e.decision() == error_class::park);
    CHECK(e.peer_code() == "odoo.exceptions.ValidationError");

    b.peer.expect(recorded("h05"), match::contains);
    e = b.fail(b.client().write_consumption(65, {{999999, 5}}));
    CHECK(e.decision() == error_class::gone);
    CHECK(e.outcome() == call_outcome::rejected);

    b.peer.expect(recorded("h03"), match::answer_only);
    e = b.fail(b.client().mark_done(999999, {}, {}));
    CHECK(e.decision() == error_class::gone);
    CHECK(e.peer_code() == "odoo.exceptions.MissingError");
    CHECK(b.peer.complaints() == std::vector<std::string>{});
}
