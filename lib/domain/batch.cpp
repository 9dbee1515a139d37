#include "domain/batch.hpp"

#include <array>

namespace batchbridge::domain {

namespace {
constexpr std::array<std::string_view, 9> batch_states{"queued", "loading", "loaded", "running", "completed", "cancelling", "held", "lost", "parked"};
constexpr std::array<std::string_view, 5> statuses{"completed", "cancelled", "failed", "discarded", "reset"};
constexpr std::array<std::string_view, 4> load_states{"staged", "arming", "taken", "withdrawn"};
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

}  // namespace batchbridge::domain
