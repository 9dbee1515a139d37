// Task 2: the read cycle. Keeps the last accepted picture of every slot, so that a cycle in which nothing changed costs one
// read per slot and no SQL at all.
#pragma once

#include "domain/slot_read.hpp"
#include "tasks/line.hpp"

#include <map>
#include <set>

namespace batchbridge::tasks {

class plc_read_sync {
public:
    explicit plc_read_sync(line& owner) : line_(owner) {}

    // One cycle: every followed slot, one transaction for all changes, then the acknowledgements owed to the PLC.
    boost::asio::awaitable<run_result> run();
    // The rows may have changed behind our back (new holder, unclear commit): read them again.
    void forget() noexcept { rows_version_ = 0; }

private:
    struct slot_state {
        domain::words picture;              // last accepted observation
        int inconsistent = 0;               // cycles in a row without a consistent picture
        int same_verdict = 0;               // cycles in a row with the verdict below on an unchanged picture
        domain::verdict verdict = domain::verdict::unchanged;
        std::chrono::steady_clock::time_point verdict_since{};
        int quiet = 0;                      // cancelling: cycles without an actual
        std::string order;                  // whose state this is
    };

    boost::asio::awaitable<run_result> cycle();
    boost::asio::awaitable<void> reload();
    boost::asio::awaitable<void> look_at_offer();
    // What this cycle means for one batch; nothing when its row does not change.
    boost::asio::awaitable<std::optional<store::batch_change>> look_at_slot(const domain::batch& b, std::vector<std::function<boost::asio::awaitable<void>()>>& notes);
    boost::asio::awaitable<bool> work_off_duties();
    boost::asio::awaitable<bool> end_cancelling();
    // ON_PLC_FAILURE=cancel: asks for the cancel of batches that the PLC gave up.
    boost::asio::awaitable<bool> cancel_failed();
    void apply(const store::batch_change& change);
    void log_change(const domain::batch& b, const store::batch_change& change);

    line& line_;
    std::vector<domain::batch> rows_;
    std::optional<domain::load> load_;
    std::vector<store::duty> duties_;
    std::map<int, slot_state> slots_;
    std::set<std::int64_t> asked_to_cancel_;
    std::uint64_t rows_version_ = 0;
    std::chrono::steady_clock::time_point flushed_{};
    bool was_busy_ = false;
};

}  // namespace batchbridge::tasks
