#include "domain/state_table.hpp"

#include <algorithm>
#include <array>

namespace batchbridge::domain {

namespace {

using step = table_decision::step;

constexpr std::array<std::string_view, 5> actions{"cancel", "reset", "complete", "retry", "discard"};
constexpr std::array<std::string_view, 3> events{"gone", "done", "plan_changed"};
constexpr std::array<std::string_view, 4> reasons{"cancelled", "reset", "discarded", "plan_changed"};
constexpr std::array<std::string_view, 12> steps{"nothing",  "conflict", "take_out", "cancel_in_odoo",   "archive_cancelled", "archive_discarded",
                                                 "archive_reset", "complete", "due_now",  "drop_consumption", "step0_decides",     "alert"};

// The columns. What is said of a group holds for each of its states.
enum class column { waiting, running, held_or_lost, parked, completed, cancelling };

column column_of(batch_state s) noexcept
{
    switch (s) {
    case batch_state::queued:
    case batch_state::loading:
    case batch_state::loaded: return column::waiting;
    case batch_state::running: return column::running;
    case batch_state::held:
    case batch_state::lost: return column::held_or_lost;
    case batch_state::parked: return column::parked;
    case batch_state::completed: return column::completed;
    case batch_state::cancelling: break;
    }
    return column::cancelling;
}

table_decision simply(step what)
{
    table_decision d;
    d.what = what;
    return d;
}

table_decision with_alert(step what)
{
    auto d = simply(what);
    d.alert = true;
    return d;
}

table_decision conflict(std::string why)
{
    auto d = simply(step::conflict);
    d.why = std::move(why);
    return d;
}

table_decision take_out(take_out_reason reason)
{
    auto d = simply(step::take_out);
    d.reason = reason;
    d.fetched_again = end_of(reason) == history_status::reset;
    return d;
}

// Our own cancel will find out by itself how the order stands.
bool cancel_under_way(const batch_facts& f) noexcept
{
    return f.cancel == delivery_state::due || f.cancel == delivery_state::sending;
}

std::string not_in(const batch_facts& f, const char* participle)
{
    if (f.state == batch_state::cancelling) return "the batch is cancelling: it is being taken out of the PLC, wait for its end";
    return std::string("a ") + std::string(to_string(f.state)) + " batch cannot be " + participle;
}

table_decision decide_cancel(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::waiting: {
        auto d = take_out(take_out_reason::cancelled);
        d.cancel_in_odoo = true;
        return d;
    }
    case column::running: return conflict("the PLC is making it: stop it at the PLC");
    case column::held_or_lost:
    case column::parked:
        if (cancel_under_way(f)) return conflict("its cancel is on its way to Odoo already");
        return simply(step::cancel_in_odoo);
    case column::completed: return conflict("the PLC has completed it and its finish is on its way to Odoo: a completed batch cannot be cancelled");
    case column::cancelling: break;
    }
    return conflict(not_in(f, "cancelled"));
}

table_decision decide_reset(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::waiting: return take_out(take_out_reason::reset);
    case column::running: return conflict("the PLC is making it: a running batch cannot be reset");
    case column::held_or_lost:
    case column::parked: {
        if (f.dosed) return conflict("material was dosed: complete it with the right figures or cancel it");
        if (f.accepted) return conflict("Odoo has accepted something of it, or may have: complete or cancel it");
        if (f.finish == delivery_state::sending || f.cancel == delivery_state::sending) return conflict("something of it is being sent to Odoo at this moment: ask again when that has ended");
        auto d = simply(step::archive_reset);
        d.fetched_again = true;
        return d;
    }
    case column::completed:
    case column::cancelling: break;
    }
    return conflict(not_in(f, "reset"));
}

table_decision decide_complete(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::held_or_lost:
    case column::parked:
        // It could end the order under the new figures.
        if (f.cancel == delivery_state::sending) return conflict("its cancel is being sent to Odoo at this moment: ask again when that has ended");
        return simply(step::complete);
    case column::waiting:
    case column::running:
    case column::completed:
    case column::cancelling: break;
    }
    return conflict("only a held, lost or parked batch is completed by hand; this one is " + std::string(to_string(f.state)));
}

table_decision decide_retry(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::parked:
        if (f.finish || f.cancel) return simply(step::due_now);
        return conflict("nothing to retry: no delivery of it is open");
    case column::completed:
        if (f.finish == delivery_state::sending) return conflict("nothing to retry: its finish is being sent to Odoo at this moment");
        if (f.finish) return simply(step::due_now);
        return conflict("nothing to retry: Odoo has its finish");
    case column::waiting:
    case column::running:
    case column::held_or_lost:
    case column::cancelling: break;
    }
    return conflict("nothing to retry: the batch is " + std::string(to_string(f.state)));
}

table_decision decide_discard(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::parked:
    case column::completed:
        if (!f.finish) return conflict("it has no finish to discard");
        // What is on its way could be booked after the person has booked it by hand.
        if (f.finish == delivery_state::sending) return conflict("its finish is being sent to Odoo at this moment: ask again when that has ended");
        if (f.unclear) return conflict("the last write of it to Odoo got no answer and may still take effect there: ask again when ODOO_UNCLEAR_WAIT has passed since it was begun");
        return simply(step::archive_discarded);
    case column::waiting:
    case column::running:
    case column::held_or_lost:
    case column::cancelling: break;
    }
    return conflict("it has no finish to discard: the batch is " + std::string(to_string(f.state)));
}

table_decision decide_gone(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::waiting: return take_out(take_out_reason::cancelled);
    case column::running: return with_alert(step::drop_consumption);   // cancelled when the PLC ends it, by step 0
    case column::held_or_lost:
    case column::parked: {
        if (cancel_under_way(f)) return {};
        auto d = simply(step::archive_cancelled);
        d.alert = f.dosed;   // material was used
        return d;
    }
    case column::completed: return simply(step::step0_decides);
    case column::cancelling: break;
    }
    return {};
}

table_decision decide_done(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::waiting: {
        auto d = take_out(take_out_reason::discarded);
        d.alert = true;
        return d;
    }
    case column::running: return with_alert(step::drop_consumption);   // step 0 decides when the PLC ends it
    case column::held_or_lost: return with_alert(step::alert);
    // A cancel of a done order parks again; nothing but a person helps.
    case column::parked: return f.finish ? simply(step::due_now) : with_alert(step::alert);
    case column::completed: return simply(step::step0_decides);
    case column::cancelling: break;
    }
    return {};
}

table_decision decide_plan_changed(const batch_facts& f)
{
    switch (column_of(f.state)) {
    case column::waiting: return take_out(take_out_reason::plan_changed);
    case column::running: return with_alert(step::alert);
    case column::held_or_lost:
    case column::parked:
    case column::completed:
    case column::cancelling: break;
    }
    return {};
}

}  // namespace

std::string_view to_string(action a) noexcept
{
    return actions[static_cast<std::size_t>(a)];
}

std::string_view to_string(odoo_event e) noexcept
{
    return events[static_cast<std::size_t>(e)];
}

std::string_view to_string(take_out_reason r) noexcept
{
    return reasons[static_cast<std::size_t>(r)];
}

std::string_view to_string(table_decision::step s) noexcept
{
    return steps[static_cast<std::size_t>(s)];
}

std::optional<take_out_reason> take_out_reason_from(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < reasons.size(); ++i)
        if (reasons[i] == text) return static_cast<take_out_reason>(i);
    return std::nullopt;
}

history_status end_of(take_out_reason r) noexcept
{
    switch (r) {
    case take_out_reason::reset:
    case take_out_reason::plan_changed: return history_status::reset;
    case take_out_reason::discarded: return history_status::discarded;
    case take_out_reason::cancelled: break;
    }
    return history_status::cancelled;
}

bool ordinary_when_dosed(take_out_reason r) noexcept
{
    return r != take_out_reason::cancelled;
}

batch_facts facts_of(const batch& b, bool accepted, std::optional<delivery_state> finish, std::optional<delivery_state> cancel)
{
    batch_facts f;
    f.state = b.state;
    f.dosed = std::any_of(b.actual.begin(), b.actual.end(), [](const auto& a) { return !a.second.is_zero(); });
    f.accepted = accepted;
    f.finish = finish;
    f.cancel = cancel;
    return f;
}

table_decision decide_action(action a, const batch_facts& f)
{
    switch (a) {
    case action::cancel: return decide_cancel(f);
    case action::reset: return decide_reset(f);
    case action::complete: return decide_complete(f);
    case action::retry: return decide_retry(f);
    case action::discard: break;
    }
    return decide_discard(f);
}

table_decision decide_event(odoo_event e, const batch_facts& f)
{
    switch (e) {
    case odoo_event::gone: return decide_gone(f);
    case odoo_event::done: return decide_done(f);
    case odoo_event::plan_changed: break;
    }
    return decide_plan_changed(f);
}

}  // namespace batchbridge::domain
