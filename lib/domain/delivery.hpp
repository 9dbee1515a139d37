// What becomes of a delivery to Odoo after an answer: the class of an error and the decision that follows from it.
#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::domain {

// odoo_outbox.kind, in order of priority.
enum class delivery_kind { finish, cancel, maintenance_request, note, webhook, consumption };
std::string_view to_string(delivery_kind k) noexcept;
std::optional<delivery_kind> delivery_kind_from(std::string_view text) noexcept;

// odoo_outbox.state
enum class delivery_state { due, sending, sent, parked, discarded };
std::string_view to_string(delivery_state s) noexcept;
std::optional<delivery_state> delivery_state_from(std::string_view text) noexcept;

// Error classes of the table protocol x status x exception name.
enum class error_class { retry, park, configuration, new_key, gone, our_bug };

// How one call to Odoo ended.
enum class call_outcome {
    ok,         // Odoo's own answer, no error
    rejected,   // Odoo's own answer, an error: see error_class
    unclear,    // bytes were sent and no answer of Odoo's own came back
    not_sent    // nothing was sent: resolve, connect or TLS failed
};
std::string_view to_string(call_outcome o) noexcept;

// odoo_attempt.outcome has no word for unclear (null), so that a crash leaves the same trace.

enum class delivery_step { back_off, park, wait_for_configuration, gone };
// What a row does next after a rejected or unsent call.
delivery_step decide_delivery(error_class c) noexcept;


}  // namespace batchbridge::domain
