// The table of design section 2: what becomes of a batch when a person acts on it, and when something happens to its order in
// Odoo. Pure: the facts in, what is to be done out; the API, the order watch and the deliveries carry it out, each in one
// transaction that proves the facts still stand.
#pragma once

#include "domain/batch.hpp"
#include "domain/delivery.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::domain {

// What a person may ask for. `discard` is about the batch's finish delivery.
enum class action { cancel, reset, complete, retry, discard };
std::string_view to_string(action a) noexcept;

// What is new about its order in Odoo. Each is told once, when it is first seen: a parked finish is made due by `done`, and may
// park again for the same reason.
enum class odoo_event {
    gone,           // cancelled, or deleted
    done,           // finished by somebody else
    plan_changed    // product_qty or a planned move
};
std::string_view to_string(odoo_event e) noexcept;

// mo_batch.reason of a batch that is being taken out: decides how it ends once its slot is certain to stay empty.
enum class take_out_reason { cancelled, reset, discarded, plan_changed };
std::string_view to_string(take_out_reason r) noexcept;
std::optional<take_out_reason> take_out_reason_from(std::string_view text) noexcept;
// Its status in history. `reset` does not keep the order from being fetched again, so it is the end for a changed plan too.
history_status end_of(take_out_reason r) noexcept;
// The PLC has dosed it all the same. True: it is an ordinary batch again and its figures are booked. False: its order is gone in
// Odoo, so it is archived as cancelled with its actuals, and an alert.
bool ordinary_when_dosed(take_out_reason r) noexcept;

// Where a batch stands: the columns of the table.
struct batch_facts {
    batch_state state{};
    bool dosed = false;                     // has an actual
    bool accepted = false;                  // Odoo has accepted a write of this run, or may have
    bool unclear = false;                   // a write got no answer a short while ago: it may still take effect
    // Its open deliveries: due, sending or parked; nullopt: none is open.
    std::optional<delivery_state> finish, cancel;
};
batch_facts facts_of(const batch& b, bool accepted, std::optional<delivery_state> finish, std::optional<delivery_state> cancel);

struct table_decision {
    enum class step {
        nothing,
        conflict,           // 409 with `why`
        take_out,           // disarm at the PLC, state cancelling, then as `reason` says
        cancel_in_odoo,     // a cancel is owed to Odoo; the batch ends as cancelled, with its actuals, when Odoo says so
        archive_cancelled,  // to history now, with its actuals; what is open of it is given up
        archive_discarded,
        archive_reset,      // the order is fetched again
        complete,           // the given figures, state completed, a new version of the finish
        due_now,            // its parked or waiting delivery is due at once, from step 0
        drop_consumption,   // unsent live values are given up; the PLC goes on
        step0_decides,      // its finish reads the order before it does anything
        alert               // nothing but the alert
    };
    step what = step::nothing;
    std::string why;                        // conflict: the sentence the caller sees
    std::optional<take_out_reason> reason;  // take_out
    bool cancel_in_odoo = false;            // take_out: a cancel is owed to Odoo as well
    bool alert = false;                     // a person has to know
    bool fetched_again = false;             // once that is done the order may be fetched again
};
std::string_view to_string(table_decision::step s) noexcept;

table_decision decide_action(action a, const batch_facts& f);
// Never a conflict.
table_decision decide_event(odoo_event e, const batch_facts& f);

}  // namespace batchbridge::domain
