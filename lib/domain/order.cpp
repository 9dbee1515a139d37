#include "domain/order.hpp"

#include <array>

namespace batchbridge::domain {

namespace {
constexpr std::array<std::pair<order_state, std::string_view>, 6> names{{{order_state::draft, "draft"},
                                                                         {order_state::confirmed, "confirmed"},
                                                                         {order_state::progress, "progress"},
                                                                         {order_state::to_close, "to_close"},
                                                                         {order_state::done, "done"},
                                                                         {order_state::cancel, "cancel"}}};
}

order_state order_state_from(std::string_view text) noexcept
{
    for (const auto& [state, name] : names)
        if (name == text) return state;
    return order_state::unknown;
}

std::string_view to_string(order_state s) noexcept
{
    for (const auto& [state, name] : names)
        if (state == s) return name;
    return "unknown";
}

}  // namespace batchbridge::domain
