// What the deliveries of every kind share: the row that is worked on, one attempt, a read of the order, and the ways a row goes on.
#pragma once

#include "core/log.hpp"
#include "tasks/deliver.hpp"
#include "tasks/line.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::tasks {

// One delivery's state while it is worked on.
struct work {
    line& l;
    store::delivery d;
    core::log::fields about;

    environment& env() const { return l.env(); }
};

// How a call ended that did not end well.
struct failed_call {
    domain::call_outcome outcome;
    domain::error_class decision;
    std::string text;
    core::error_kind kind;
};
failed_call failure_of(const odoo::error& e);

// The row waits and is tried again: for Odoo, or for a person who changes the configuration. After an unclear write it also
// waits until ODOO_UNCLEAR_WAIT after the start of the attempt: store::due_deliveries sees to that, by the database's clock,
// for every row of the order.
boost::asio::awaitable<delivery_end> back_off(work& w, const failed_call& f);
// The row waits until a person acts.
boost::asio::awaitable<delivery_end> park(work& w, const std::string& reason);
// A failed read of the order, or a failed call that leaves no doubt: as its class says.
boost::asio::awaitable<delivery_end> settle_failure(work& w, const failed_call& f);
// A no to a write that is not settled by waiting: the order is read once before anything is decided.
bool is_final(const failed_call& f);
// After such a no, with the order as it was read then: it is neither gone nor ended. MissingError about a move of ours that is
// gone is no more than an order that was changed: the next try reads it anew.
boost::asio::awaitable<delivery_end> settle_final(work& w, const failed_call& f, const domain::order& fresh, const std::vector<domain::move_value>& moves);

// The order as it is now in `out` (nullopt: deleted), or why not. An id that belongs to another order by now is a failure.
boost::asio::awaitable<std::optional<failed_call>> read_order(work& w, std::optional<domain::order>& out);

enum class attempt_result { done, moved_on, failed };
// The heart of exactly once: the attempt is committed, then the bytes are sent, then the outcome is committed. `call` is made at
// most once, and not at all when the row has moved on.
boost::asio::awaitable<attempt_result> attempt_call(work& w, std::string_view name, boost::json::value values, std::function<boost::asio::awaitable<std::string>()> call,
                                                    std::optional<failed_call>& failed, std::string& answer);

// Something may be ready for history.
void wake_archiver(line& l);

boost::json::value moves_json(const std::vector<domain::move_value>& moves);

boost::asio::awaitable<delivery_end> deliver_finish(work& w);
boost::asio::awaitable<delivery_end> deliver_consumption(work& w);
boost::asio::awaitable<delivery_end> deliver_cancel(work& w);
boost::asio::awaitable<delivery_end> deliver_request(work& w);
boost::asio::awaitable<delivery_end> deliver_note(work& w);

}  // namespace batchbridge::tasks
