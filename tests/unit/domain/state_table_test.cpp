// Every cell of the table 'States' of design section 2, by name: what a person or Odoo does, in which state, and what is done.
#include "support/catch.hpp"

#include "domain/state_table.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace domain = batchbridge::domain;
using domain::action;
using domain::batch_facts;
using domain::batch_state;
using domain::delivery_state;
using domain::odoo_event;
using domain::take_out_reason;

namespace {

const batch_state states[] = {batch_state::queued,     batch_state::loading, batch_state::loaded, batch_state::running, batch_state::completed,
                              batch_state::cancelling, batch_state::held,    batch_state::lost,   batch_state::parked};
const action actions[] = {action::cancel, action::reset, action::complete, action::retry, action::discard};
const odoo_event events[] = {odoo_event::gone, odoo_event::done, odoo_event::plan_changed};

// One line of the table as it is written here: "the act or event", the state, the facts, what is done.
struct cell {
    const char* row;
    batch_state state;
    const char* facts;   // words of: dosed, accepted, unclear, finish=<state>, cancel=<state>
    const char* done;
};

batch_facts facts_of(const cell& c)
{
    batch_facts f;
    f.state = c.state;
    const std::string words = c.facts;
    const auto has = [&](const std::string& word) { return (" " + words + " ").find(" " + word + " ") != std::string::npos; };
    f.dosed = has("dosed");
    f.accepted = has("accepted");
    f.unclear = has("unclear");
    for (const auto s : {delivery_state::due, delivery_state::sending, delivery_state::parked}) {
        if (has("finish=" + std::string(domain::to_string(s)))) f.finish = s;
        if (has("cancel=" + std::string(domain::to_string(s)))) f.cancel = s;
    }
    return f;
}

std::string said(const domain::table_decision& d)
{
    std::string out(domain::to_string(d.what));
    if (d.reason) out += " " + std::string(domain::to_string(*d.reason));
    if (d.cancel_in_odoo) out += " + cancel in Odoo";
    if (d.alert && d.what != domain::table_decision::step::alert) out += " + alert";
    if (d.fetched_again) out += " + fetched again";
    if (!d.why.empty()) out += ": " + d.why;
    return out;
}

domain::table_decision decide(const cell& c)
{
    const auto f = facts_of(c);
    for (const auto a : actions)
        if (domain::to_string(a) == c.row) return domain::decide_action(a, f);
    for (const auto e : events)
        if (domain::to_string(e) == c.row) return domain::decide_event(e, f);
    throw std::runtime_error(std::string("no row ") + c.row);
}

using s = batch_state;
constexpr const char* leaving = "conflict: the batch is cancelling: it is being taken out of the PLC, wait for its end";
constexpr const char* booked = "conflict: material was dosed: complete it with the right figures or cancel it";
constexpr const char* accepted = "conflict: Odoo has accepted something of it, or may have: complete or cancel it";
constexpr const char* cancel_goes = "conflict: its cancel is on its way to Odoo already";
constexpr const char* cancel_sent = "conflict: its cancel is being sent to Odoo at this moment: ask again when that has ended";
constexpr const char* something_sent = "conflict: something of it is being sent to Odoo at this moment: ask again when that has ended";
constexpr const char* finish_unclear =
    "conflict: the last write of it to Odoo got no answer and may still take effect there: ask again when ODOO_UNCLEAR_WAIT has passed since it was begun";
constexpr const char* finish_sent = "conflict: its finish is being sent to Odoo at this moment: ask again when that has ended";

const std::vector<cell> table{
    // --- cancel
    {"cancel", s::queued, "", "take_out cancelled + cancel in Odoo"},
    {"cancel", s::loading, "", "take_out cancelled + cancel in Odoo"},
    {"cancel", s::loaded, "", "take_out cancelled + cancel in Odoo"},
    {"cancel", s::running, "dosed", "conflict: the PLC is making it: stop it at the PLC"},
    {"cancel", s::held, "", "cancel_in_odoo"},
    {"cancel", s::held, "dosed accepted", "cancel_in_odoo"},
    {"cancel", s::held, "cancel=due", cancel_goes},
    {"cancel", s::held, "cancel=sending", cancel_goes},
    {"cancel", s::lost, "", "cancel_in_odoo"},
    {"cancel", s::lost, "dosed accepted", "cancel_in_odoo"},
    {"cancel", s::lost, "cancel=due", cancel_goes},
    {"cancel", s::parked, "dosed finish=parked", "cancel_in_odoo"},
    {"cancel", s::parked, "cancel=parked", "cancel_in_odoo"},
    {"cancel", s::completed, "dosed finish=due", "conflict: the PLC has completed it and its finish is on its way to Odoo: a completed batch cannot be cancelled"},
    {"cancel", s::cancelling, "", leaving},
    {"cancel", s::cancelling, "cancel=parked", leaving},
    // --- reset
    {"reset", s::queued, "", "take_out reset + fetched again"},
    {"reset", s::loading, "", "take_out reset + fetched again"},
    {"reset", s::loaded, "", "take_out reset + fetched again"},
    {"reset", s::running, "dosed", "conflict: the PLC is making it: a running batch cannot be reset"},
    {"reset", s::held, "", "archive_reset + fetched again"},
    {"reset", s::held, "dosed", booked},
    {"reset", s::held, "accepted", accepted},
    {"reset", s::held, "cancel=due", "archive_reset + fetched again"},
    {"reset", s::held, "cancel=sending", something_sent},
    {"reset", s::lost, "", "archive_reset + fetched again"},
    {"reset", s::lost, "dosed", booked},
    {"reset", s::lost, "accepted", accepted},
    {"reset", s::parked, "finish=parked", "archive_reset + fetched again"},
    {"reset", s::parked, "cancel=parked", "archive_reset + fetched again"},
    {"reset", s::parked, "dosed finish=parked", booked},
    {"reset", s::parked, "accepted finish=parked", accepted},
    {"reset", s::parked, "dosed accepted finish=parked", booked},
    {"reset", s::completed, "dosed finish=due", "conflict: a completed batch cannot be reset"},
    {"reset", s::cancelling, "", leaving},
    // --- complete
    {"complete", s::queued, "", "conflict: only a held, lost or parked batch is completed by hand; this one is queued"},
    {"complete", s::loading, "", "conflict: only a held, lost or parked batch is completed by hand; this one is loading"},
    {"complete", s::loaded, "", "conflict: only a held, lost or parked batch is completed by hand; this one is loaded"},
    {"complete", s::running, "dosed", "conflict: only a held, lost or parked batch is completed by hand; this one is running"},
    {"complete", s::held, "", "complete"},
    {"complete", s::held, "dosed accepted", "complete"},
    {"complete", s::held, "cancel=due", "complete"},
    {"complete", s::held, "cancel=sending", cancel_sent},
    {"complete", s::lost, "dosed accepted", "complete"},
    {"complete", s::parked, "dosed finish=parked", "complete"},
    {"complete", s::parked, "cancel=parked", "complete"},
    {"complete", s::completed, "dosed finish=due", "conflict: only a held, lost or parked batch is completed by hand; this one is completed"},
    {"complete", s::cancelling, "", "conflict: only a held, lost or parked batch is completed by hand; this one is cancelling"},
    // --- retry
    {"retry", s::queued, "", "conflict: nothing to retry: the batch is queued"},
    {"retry", s::loading, "", "conflict: nothing to retry: the batch is loading"},
    {"retry", s::loaded, "", "conflict: nothing to retry: the batch is loaded"},
    {"retry", s::running, "dosed", "conflict: nothing to retry: the batch is running"},
    {"retry", s::held, "", "conflict: nothing to retry: the batch is held"},
    {"retry", s::held, "cancel=due", "conflict: nothing to retry: the batch is held"},
    {"retry", s::lost, "", "conflict: nothing to retry: the batch is lost"},
    {"retry", s::parked, "dosed finish=parked", "due_now"},
    {"retry", s::parked, "cancel=parked", "due_now"},
    {"retry", s::parked, "", "conflict: nothing to retry: no delivery of it is open"},
    {"retry", s::completed, "dosed finish=due", "due_now"},
    {"retry", s::completed, "dosed finish=sending", "conflict: nothing to retry: its finish is being sent to Odoo at this moment"},
    {"retry", s::completed, "dosed accepted", "conflict: nothing to retry: Odoo has its finish"},
    {"retry", s::cancelling, "cancel=parked", "conflict: nothing to retry: the batch is cancelling"},
    // --- discard of its finish: held and lost never have one
    {"discard", s::queued, "", "conflict: it has no finish to discard: the batch is queued"},
    {"discard", s::loading, "", "conflict: it has no finish to discard: the batch is loading"},
    {"discard", s::loaded, "", "conflict: it has no finish to discard: the batch is loaded"},
    {"discard", s::running, "dosed", "conflict: it has no finish to discard: the batch is running"},
    {"discard", s::held, "", "conflict: it has no finish to discard: the batch is held"},
    {"discard", s::lost, "", "conflict: it has no finish to discard: the batch is lost"},
    {"discard", s::parked, "dosed accepted finish=parked", "archive_discarded"},
    {"discard", s::parked, "cancel=parked", "conflict: it has no finish to discard"},
    {"discard", s::completed, "dosed finish=due", "archive_discarded"},
    {"discard", s::completed, "dosed finish=sending", finish_sent},
    {"discard", s::completed, "dosed accepted unclear finish=due", finish_unclear},
    {"discard", s::parked, "dosed accepted unclear finish=parked", finish_unclear},
    {"discard", s::completed, "dosed accepted", "conflict: it has no finish to discard"},
    {"discard", s::cancelling, "", "conflict: it has no finish to discard: the batch is cancelling"},
    // --- Odoo: cancelled or missing
    {"gone", s::queued, "", "take_out cancelled"},
    {"gone", s::loading, "", "take_out cancelled"},
    {"gone", s::loaded, "", "take_out cancelled"},
    {"gone", s::running, "dosed accepted", "drop_consumption + alert"},
    {"gone", s::held, "", "archive_cancelled"},
    {"gone", s::held, "dosed", "archive_cancelled + alert"},
    {"gone", s::held, "cancel=due", "nothing"},
    {"gone", s::held, "dosed cancel=sending", "nothing"},
    {"gone", s::held, "cancel=parked", "archive_cancelled"},
    {"gone", s::lost, "", "archive_cancelled"},
    {"gone", s::lost, "dosed", "archive_cancelled + alert"},
    {"gone", s::lost, "cancel=due", "nothing"},
    {"gone", s::parked, "dosed finish=parked", "archive_cancelled + alert"},
    {"gone", s::parked, "cancel=parked", "archive_cancelled"},
    {"gone", s::completed, "dosed finish=due", "step0_decides"},
    {"gone", s::cancelling, "", "nothing"},
    {"gone", s::cancelling, "cancel=due", "nothing"},
    // --- Odoo: done
    {"done", s::queued, "", "take_out discarded + alert"},
    {"done", s::loading, "", "take_out discarded + alert"},
    {"done", s::loaded, "", "take_out discarded + alert"},
    {"done", s::running, "dosed accepted", "drop_consumption + alert"},
    {"done", s::held, "", "alert"},
    {"done", s::held, "dosed cancel=due", "alert"},
    {"done", s::lost, "", "alert"},
    {"done", s::parked, "dosed finish=parked", "due_now"},
    {"done", s::parked, "dosed cancel=parked", "alert"},
    {"done", s::completed, "dosed finish=due", "step0_decides"},
    {"done", s::cancelling, "", "nothing"},
    // --- Odoo: product_qty or a planned move changed
    {"plan_changed", s::queued, "", "take_out plan_changed + fetched again"},
    {"plan_changed", s::loading, "", "take_out plan_changed + fetched again"},
    {"plan_changed", s::loaded, "", "take_out plan_changed + fetched again"},
    {"plan_changed", s::running, "dosed", "alert"},
    {"plan_changed", s::held, "", "nothing"},
    {"plan_changed", s::lost, "", "nothing"},
    {"plan_changed", s::parked, "finish=parked", "nothing"},
    {"plan_changed", s::completed, "finish=due", "nothing"},
    {"plan_changed", s::cancelling, "", "nothing"},
};

}  // namespace

TEST_CASE("each cell of the table of states")
{
    for (const auto& c : table) {
        DYNAMIC_SECTION(c.row << " of a batch that is " << domain::to_string(c.state) << " (" << c.facts << ")") { CHECK(said(decide(c)) == c.done); }
    }
}

TEST_CASE("no cell of the table of states is left out")
{
    std::set<std::pair<std::string, batch_state>> named;
    for (const auto& c : table) named.emplace(c.row, c.state);
    for (const auto state : states) {
        CAPTURE(domain::to_string(state));
        for (const auto a : actions) {
            CAPTURE(domain::to_string(a));
            CHECK(named.count({std::string(domain::to_string(a)), state}) == 1);
        }
        for (const auto e : events) {
            CAPTURE(domain::to_string(e));
            CHECK(named.count({std::string(domain::to_string(e)), state}) == 1);
        }
    }
    CHECK(named.size() == std::size(states) * (std::size(actions) + std::size(events)));
}

TEST_CASE("whatever the facts are: a refusal has a sentence and Odoo is never refused")
{
    const std::vector<std::optional<delivery_state>> deliveries{std::nullopt, delivery_state::due, delivery_state::sending, delivery_state::parked};
    for (const auto state : states)
        for (const auto& finish : deliveries)
            for (const auto& cancel : deliveries)
                for (const int bits : {0, 1, 2, 3}) {
                    batch_facts f;
                    f.state = state;
                    f.finish = finish;
                    f.cancel = cancel;
                    f.dosed = (bits & 1) != 0;
                    f.accepted = (bits & 2) != 0;
                    CAPTURE(domain::to_string(state), bits);
                    const auto all_of = [&](const domain::table_decision& d) {
                        using step = domain::table_decision::step;
                        CHECK(d.why.empty() == (d.what != step::conflict));
                        CHECK(d.reason.has_value() == (d.what == step::take_out));
                        // Only what waits is taken out, and nothing that was dosed is made again.
                        if (d.what == step::take_out) CHECK((state == s::queued || state == s::loading || state == s::loaded));
                        if (d.fetched_again && d.what != step::take_out) CHECK_FALSE((f.dosed || f.accepted));
                        // A running batch is the PLC's: no row of it is ended.
                        if (state == s::running) CHECK((d.what == step::conflict || d.what == step::drop_consumption || d.what == step::alert));
                        if (state == s::cancelling) CHECK((d.what == step::conflict || d.what == step::nothing));
                    };
                    for (const auto a : actions) {
                        const auto d = domain::decide_action(a, f);
                        all_of(d);
                        CHECK(d.what != domain::table_decision::step::nothing);
                    }
                    for (const auto e : events) {
                        const auto d = domain::decide_event(e, f);
                        all_of(d);
                        CHECK(d.what != domain::table_decision::step::conflict);
                    }
                }
}

TEST_CASE("why an order was taken out decides its end and what becomes of it if dosed after all")
{
    using domain::history_status;
    struct line {
        take_out_reason reason;
        const char* name;
        history_status end;
        bool ordinary;
    };
    for (const auto& l : {line{take_out_reason::cancelled, "cancelled", history_status::cancelled, false}, line{take_out_reason::reset, "reset", history_status::reset, true},
                          line{take_out_reason::discarded, "discarded", history_status::discarded, true}, line{take_out_reason::plan_changed, "plan_changed", history_status::reset, true}}) {
        CAPTURE(l.name);
        CHECK(domain::to_string(l.reason) == l.name);
        CHECK(domain::take_out_reason_from(l.name) == l.reason);
        CHECK(domain::end_of(l.reason) == l.end);
        CHECK(domain::ordinary_when_dosed(l.reason) == l.ordinary);
    }
    CHECK_FALSE(domain::take_out_reason_from(""));
    CHECK_FALSE(domain::take_out_reason_from("Reset"));
}

TEST_CASE("the facts of a batch come from its row and its open deliveries")
{
    domain::batch b;
    b.state = s::parked;
    b.actual = {{101, batchbridge::core::decimal()}, {102, batchbridge::core::decimal()}};
    auto f = domain::facts_of(b, true, delivery_state::parked, std::nullopt);
    CHECK(f.state == s::parked);
    CHECK_FALSE(f.dosed);
    CHECK(f.accepted);
    CHECK(f.finish == delivery_state::parked);
    CHECK_FALSE(f.cancel);
    b.actual[102] = 1;
    f = domain::facts_of(b, false, std::nullopt, delivery_state::due);
    CHECK(f.dosed);
    CHECK_FALSE(f.accepted);
    CHECK(f.cancel == delivery_state::due);
}
