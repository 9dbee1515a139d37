// The life cycle of a batch: the names of its states, and which of them occupy a slot.
#include "support/catch.hpp"

#include "domain/batch.hpp"

#include <set>

namespace domain = batchbridge::domain;
using domain::batch_state;

namespace {

const batch_state states[] = {batch_state::queued,     batch_state::loading, batch_state::loaded, batch_state::running, batch_state::completed,
                              batch_state::cancelling, batch_state::held,    batch_state::lost,   batch_state::parked};

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
