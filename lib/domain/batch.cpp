#include "domain/batch.hpp"

#include <array>

namespace batchbridge::domain {

namespace {
constexpr std::array<std::string_view, 9> batch_states{"queued", "loading", "loaded", "running", "completed", "cancelling", "held", "lost", "parked"};
constexpr std::array<std::string_view, 5> statuses{"completed", "cancelled", "failed", "discarded", "reset"};
constexpr std::array<std::string_view, 4> load_states{"staged", "arming", "taken", "withdrawn"};

action_decision conflict(std::string why)
{
    return {action_answer::conflict, std::move(why)};
}
}  // namespace

std::string_view to_string(batch_state s) noexcept
{
    return batch_states[static_cast<std::size_t>(s)];
}

std::optional<batch_state> batch_state_from(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < batch_states.size(); ++i)
        if (batch_states[i] == text) return static_cast<batch_state>(i);
    return std::nullopt;
}

bool is_unfinished(batch_state s) noexcept
{
    return s == batch_state::queued || s == batch_state::loading || s == batch_state::loaded || s == batch_state::running;
}

bool is_followed(batch_state s) noexcept
{
    return is_unfinished(s) || s == batch_state::held || s == batch_state::lost || s == batch_state::cancelling;
}

std::string_view to_string(history_status s) noexcept
{
    return statuses[static_cast<std::size_t>(s)];
}

std::string_view to_string(load_state s) noexcept
{
    return load_states[static_cast<std::size_t>(s)];
}

std::optional<load_state> load_state_from(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < load_states.size(); ++i)
        if (load_states[i] == text) return static_cast<load_state>(i);
    return std::nullopt;
}

action_decision decide_action(action a, const batch& b, bool accepted)
{
    using s = batch_state;
    const auto state = std::string(to_string(b.state));
    const bool waiting = b.state == s::queued || b.state == s::loading || b.state == s::loaded;
    const bool stopped = b.state == s::held || b.state == s::lost || b.state == s::parked;
    bool any_actual = false;
    for (const auto& [silo, kg] : b.actual) any_actual = any_actual || !kg.is_zero();
    switch (a) {
    case action::cancel:
        if (waiting) return {action_answer::take_out, {}};
        if (stopped) return {action_answer::immediately, {}};
        if (b.state == s::running) return conflict("the PLC is making it: stop it at the PLC");
        return conflict("a " + state + " batch cannot be cancelled");
    case action::reset:
        if (waiting) return {action_answer::take_out, {}};
        if (stopped) {
            if (any_actual) return conflict("material was dosed: complete it with the right figures or cancel it");
            if (accepted) return conflict("Odoo has accepted figures of it: complete or cancel it");
            return {action_answer::immediately, {}};
        }
        return conflict("a " + state + " batch cannot be reset");
    case action::complete:
        if (stopped) return {action_answer::immediately, {}};
        return conflict("only a held, lost or parked batch is completed by hand; this one is " + state);
    case action::retry:
        if (b.state == s::parked || b.state == s::completed) return {action_answer::due_now, {}};
        return conflict("nothing to retry: the batch is " + state);
    }
    return conflict("unknown action");
}

}  // namespace batchbridge::domain
