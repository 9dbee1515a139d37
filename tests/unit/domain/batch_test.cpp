// The life cycle of a batch: which states occupy a slot, and what a person may do in each (the table of design section 2).
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/batch.hpp"

#include <set>

namespace domain = batchbridge::domain;
using namespace example;
using domain::action;
using domain::action_answer;
using domain::batch_state;

namespace {

const batch_state states[] = {batch_state::queued,     batch_state::loading, batch_state::loaded, batch_state::running, batch_state::completed,
                              batch_state::cancelling, batch_state::held,    batch_state::lost,   batch_state::parked};

action_answer decide(action a, batch_state s, std::string_view actual = "0", bool accepted = false)
{
    auto b = batch();
    b.state = s;
    b.actual = {{101, kg(actual)}};
    const auto d = domain::decide_action(a, b, accepted);
    CHECK(d.why.empty() == (d.answer != action_answer::conflict));
    return d.answer;
}

}  // namespace

TEST_CASE("states have stable names that read back")
{
    std::set<std::string_view> names;
    for (const auto s : states) {
        CHECK(names.insert(domain::to_string(s)).second);
        CHECK(domain::batch_state_from(domain::to_string(s)) == s);
    }
    CHECK(domain::to_string(batch_state::cancelling) == "cancelling");
    CHECK_FALSE(domain::batch_state_from(""));
    CHECK_FALSE(domain::batch_state_from("Queued"));
    using domain::load_state;
    for (const auto s : {load_state::staged, load_state::arming, load_state::taken, load_state::withdrawn}) CHECK(domain::load_state_from(domain::to_string(s)) == s);
    CHECK_FALSE(domain::load_state_from("armed"));
    using domain::history_status;
    const std::pair<history_status, const char*> statuses[] = {{history_status::completed, "completed"}, {history_status::cancelled, "cancelled"},
        {history_status::failed, "failed"}, {history_status::discarded, "discarded"}, {history_status::reset, "reset"}};
    for (const auto& [s, name] : statuses) CHECK(domain::to_string(s) == name);
    using domain::order_state;
    for (const auto s : {order_state::draft, order_state::confirmed, order_state::progress, order_state::to_close, order_state::done, order_state::cancel})
        CHECK(domain::order_state_from(domain::to_string(s)) == s);
    CHECK(domain::order_state_from("planned") == order_state::unknown);
    CHECK(domain::order_state_from("") == order_state::unknown);
    CHECK(domain::to_string(order_state::unknown) == "unknown");
}

TEST_CASE("an ended, parked, held or lost batch never blocks the line")
{
    const std::set<batch_state> unfinished{batch_state::queued, batch_state::loading, batch_state::loaded, batch_state::running};
    for (const auto s : states) {
        INFO(domain::to_string(s));
        CHECK(domain::is_unfinished(s) == (unfinished.count(s) != 0));
        CHECK(domain::is_followed(s) == (s != batch_state::completed && s != batch_state::parked));
    }
}

TEST_CASE("cancel takes out what waits, ends what stopped, and refuses what is being made or was made")
{
    for (const auto s : {batch_state::queued, batch_state::loading, batch_state::loaded}) CHECK(decide(action::cancel, s) == action_answer::take_out);
    for (const auto s : {batch_state::held, batch_state::lost, batch_state::parked}) {
        CHECK(decide(action::cancel, s) == action_answer::immediately);
        CHECK(decide(action::cancel, s, "5", true) == action_answer::immediately);
    }
    for (const auto s : {batch_state::running, batch_state::completed, batch_state::cancelling}) CHECK(decide(action::cancel, s) == action_answer::conflict);
}

TEST_CASE("reset is refused once material was dosed or Odoo has accepted figures")
{
    for (const auto s : {batch_state::queued, batch_state::loading, batch_state::loaded}) CHECK(decide(action::reset, s) == action_answer::take_out);
    for (const auto s : {batch_state::held, batch_state::lost, batch_state::parked}) {
        CHECK(decide(action::reset, s) == action_answer::immediately);
        CHECK(decide(action::reset, s, "0.01") == action_answer::conflict);
        CHECK(decide(action::reset, s, "0", true) == action_answer::conflict);
    }
    for (const auto s : {batch_state::running, batch_state::completed, batch_state::cancelling}) CHECK(decide(action::reset, s) == action_answer::conflict);
}

TEST_CASE("complete is for held, lost and parked batches only")
{
    for (const auto s : states) {
        INFO(domain::to_string(s));
        const bool stopped = s == batch_state::held || s == batch_state::lost || s == batch_state::parked;
        CHECK(decide(action::complete, s, "5", true) == (stopped ? action_answer::immediately : action_answer::conflict));
    }
}

TEST_CASE("retry makes the delivery of a parked or completed batch due")
{
    for (const auto s : states) {
        INFO(domain::to_string(s));
        const bool delivers = s == batch_state::parked || s == batch_state::completed;
        CHECK(decide(action::retry, s, "5", true) == (delivers ? action_answer::due_now : action_answer::conflict));
    }
}

TEST_CASE("a refusal says in a sentence why")
{
    auto b = batch();
    b.state = batch_state::running;
    CHECK(domain::decide_action(action::cancel, b, false).why == "the PLC is making it: stop it at the PLC");
    CHECK(domain::decide_action(action::retry, b, false).why == "nothing to retry: the batch is running");
    b.state = batch_state::held;
    b.actual = {{101, 1}};
    CHECK(domain::decide_action(action::reset, b, false).why == "material was dosed: complete it with the right figures or cancel it");
}
