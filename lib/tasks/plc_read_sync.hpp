// Task 2: the read cycle. Keeps the last accepted picture of every slot, so that a cycle in which nothing changed costs one
// read per slot and no SQL at all. What a picture means for a batch is decided by domain::follow_slot.
#pragma once

#include "domain/slot_follow.hpp"
#include "domain/turn.hpp"
#include "tasks/line.hpp"
#include "tasks/slot_strangers.hpp"
#include "tasks/take_out.hpp"

#include <functional>
#include <map>
#include <set>

namespace batchbridge::tasks {

class plc_read_sync {
public:
    using time_source = std::function<std::chrono::steady_clock::time_point()>;

    explicit plc_read_sync(line& owner, time_source now = &std::chrono::steady_clock::now) : line_(owner), strangers_(owner), now_(std::move(now)) {}

    // One cycle: every slot, one transaction for all changes, then the acknowledgements owed to the PLC and the orders to be
    // taken out of it. Never waits for a load that is being written.
    boost::asio::awaitable<run_result> run();
    // The rows may have changed behind our back (new holder, unclear commit): read them again.
    void forget() noexcept { rows_version_ = 0; }
    // A new holding of the line: what an earlier one saw and told of the PLC counts no more.
    void start_afresh() noexcept
    {
        forget();
        stands_.clear();
        watched_.clear();
        owed_.clear();
        missing_told_.clear();
        implausible_told_.clear();
        duties_told_.clear();
        findings_ = {};
        // What was told, but perhaps not stored, is told again.
        late_offer_told_ = 0;
        for (auto& [slot, state] : slots_) {
            state.inconsistent = 0;
            state.seen_well = false;
        }
        reset_ = looked_once_ = look_at_recipes_ = offer_gone_ = false;
        line_.pause({});
        connections_seen_ = 0;
        told_before_ = false;
        strangers_.start_afresh();
        turn_ = {};
        slow_told_ = false;
    }

private:
    struct slot_state {
        domain::words picture;              // last accepted observation
        bool fresh = false;                 // it is of this cycle
        int inconsistent = 0;               // cycles in a row without a consistent picture
        bool seen_well = false;             // at least once by this process
    };
    // Per batch and not per slot: a held row and the next load's row may share one.
    struct batch_watch {
        std::int64_t load = 0;
        domain::batch_memory memory;
    };

    boost::asio::awaitable<run_result> cycle();
    boost::asio::awaitable<void> reload();
    boost::asio::awaitable<void> look_at_offer();
    // After each connect, and when a slot shows nothing: does the PLC still hold the present load? Alert plc_reset, and pause.
    boost::asio::awaitable<void> look_for_reset();
    // What one pass over the slots found.
    struct pass {
        std::vector<store::batch_change> changes;
        std::vector<std::int64_t> seen;                  // batches whose slot was read
        std::map<int, const domain::words*> pictures;    // of the slots that were read well
    };
    // The failure of the PLC, if any: what was read until then counts.
    boost::asio::awaitable<std::exception_ptr> read_slots(pass& p);
    // look_at_offer; a refusal is of this look only.
    boost::asio::awaitable<std::exception_ptr> offer_refused();
    // Nothing needs the PLC: what was said about reading it is over.
    boost::asio::awaitable<void> stop_reading();
    // The alerts that an earlier process left open, so that they end with their causes.
    boost::asio::awaitable<void> load_told();
    store::journal_entry about_slot(const std::string& what, int slot, const domain::batch& b, const std::string& answer) const;
    // How long a cycle may take before it leaves the rest to the next one (L-14).
    core::duration cycle_limit() const;
    // Alert plc_slow while cycles do not get round.
    void tell_pace(std::size_t slots);
    // Alert recipe_gone of the batches that the PLC will skip.
    void tell_missing(const std::vector<const domain::batch*>& missing);
    // A cycle without a picture of the slot; the third one is told: one alert per slot, one line in the log per cause.
    void not_read_well(int slot, const std::string& why);
    void log_slots();
    // True: slots_[slot].picture is what the slot shows.
    boost::asio::awaitable<bool> observe_slot(int slot, const std::vector<const domain::batch*>& batches);
    // What this cycle means for one batch; nothing when its row does not change.
    std::optional<store::batch_change> follow(const domain::batch& b);
    boost::asio::awaitable<bool> store_changes(const pass& p);
    boost::asio::awaitable<void> store_findings(const pass& p);
    boost::asio::awaitable<bool> work_off_duties();
    enum class duty_end { open, closed };
    boost::asio::awaitable<duty_end> work_off(const store::duty& d);
    // Not a picture whose figures are not stored yet, and not where the next batch may come at any moment.
    bool may_acknowledge(const store::duty& d, const domain::words& image) const;
    // Alert duty_open of what the PLC has not kept for a minute.
    void tell_late_duties();
    boost::asio::awaitable<bool> end_cancelling();
    // ON_PLC_FAILURE=cancel: asks for the cancel of batches that the PLC gave up.
    boost::asio::awaitable<bool> cancel_failed();
    void apply(const store::batch_change& change, bool state_kept);
    void log_change(const domain::batch& b, const store::batch_change& change);
    void wake_loader_when_free(bool busy);
    domain::load* load_of(const domain::batch& b);
    domain::load* open_load();

    line& line_;
    std::vector<domain::batch> rows_;
    std::vector<domain::load> loads_;
    std::vector<store::duty> duties_;
    std::map<int, slot_state> slots_;
    std::map<std::int64_t, batch_watch> watched_;
    std::set<std::int64_t> asked_to_cancel_;
    store::cycle_findings findings_;                     // kept until they are stored
    slot_strangers strangers_;
    time_source now_;
    withdrawal_clock withdrawal_;
    domain::turn turn_, duty_turn_;
    std::set<int> unread_;                               // slots that this cycle did not come to
    std::uint64_t rows_version_ = 0;
    std::chrono::steady_clock::time_point flushed_{};
    std::int64_t late_offer_told_ = 0;                   // the load that load_not_taken was raised for
    struct owed_duty {
        std::chrono::steady_clock::time_point since{};
        std::string subject;
        bool told = false;
    };
    std::map<std::int64_t, owed_duty> owed_;
    std::set<std::int64_t> stands_, kept_state_;         // batches: named by their WRITE slot; held or lost with a cancel on its way
    std::set<std::string> missing_told_, implausible_told_, duties_told_;   // subjects of open alerts
    bool told_before_ = false;
    std::chrono::steady_clock::time_point looked_{}, looked_well_{};
    std::map<std::string, std::vector<int>> bad_since_now_;   // by cause: slots that reached their third bad cycle
    std::vector<int> good_again_;
    unsigned connections_seen_ = 0;
    bool look_at_recipes_ = false, offer_gone_ = false, reset_ = false, looked_once_ = false;
    bool was_busy_ = false, slow_told_ = false;
};

}  // namespace batchbridge::tasks
