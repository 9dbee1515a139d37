#include "domain/delivery.hpp"

#include <array>

namespace batchbridge::domain {

namespace {
constexpr std::array<std::string_view, 6> kinds{"finish", "cancel", "maintenance_request", "note", "webhook", "consumption"};
constexpr std::array<std::string_view, 5> states{"due", "sending", "sent", "parked", "discarded"};
constexpr std::array<std::string_view, 4> outcomes{"ok", "rejected", "unclear", "not_sent"};
}  // namespace

std::string_view to_string(delivery_kind k) noexcept
{
    return kinds[static_cast<std::size_t>(k)];
}

std::optional<delivery_kind> delivery_kind_from(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < kinds.size(); ++i)
        if (kinds[i] == text) return static_cast<delivery_kind>(i);
    return std::nullopt;
}

std::string_view to_string(delivery_state s) noexcept
{
    return states[static_cast<std::size_t>(s)];
}

std::optional<delivery_state> delivery_state_from(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < states.size(); ++i)
        if (states[i] == text) return static_cast<delivery_state>(i);
    return std::nullopt;
}

std::string_view to_string(call_outcome o) noexcept
{
    return outcomes[static_cast<std::size_t>(o)];
}

delivery_step decide_delivery(error_class c) noexcept
{
    switch (c) {
    case error_class::retry: return delivery_step::back_off;
    case error_class::configuration:
    case error_class::new_key: return delivery_step::wait_for_configuration;
    case error_class::gone: return delivery_step::gone;
    case error_class::park:
    case error_class::our_bug: return delivery_step::park;
    }
    return delivery_step::park;
}

}  // namespace batchbridge::domain
