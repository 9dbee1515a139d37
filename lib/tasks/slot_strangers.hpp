// The slots that show something else than a batch of theirs: orders from the past, of another slot, or never loaded here
// (design section 4, Read and Duties). Part of the read cycle; what a picture means is decided by domain::judge_stranger.
#pragma once

#include "domain/slot_stranger.hpp"
#include "tasks/line.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace batchbridge::tasks {

class slot_strangers {
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit slot_strangers(line& owner) : line_(owner) {}

    // The rows were read anew: what history says of an order may have changed.
    void rows_changed() { history_.clear(); }
    // A new holding of the line: the alerts of an earlier one are in the database only.
    void start_afresh()
    {
        memory_.clear();
        told_.clear();
        known_told_ = false;
        history_.clear();
    }

    // The alerts that an earlier process left open, once per holding.
    boost::asio::awaitable<void> load_told();
    // Something was told that is not over: the slots are read until it is.
    bool telling() const;

    struct view {
        const std::vector<domain::batch>& rows;
        const std::vector<domain::load>& loads;
        const std::vector<store::duty>& duties;
    };
    // `pictures`: the slots that were read well in this cycle. Adds what is new to `out`. No statement unless a slot shows an
    // order that neither a row nor the last look knows. The caller has applied the changes of this cycle to the rows.
    boost::asio::awaitable<void> look(const std::map<int, const domain::words*>& pictures, view v, time_point now, store::cycle_findings& out);
    // An earlier order of ours, as far as this is known: in history, or a row that is over.
    bool is_past(const std::string& order_key, const std::vector<domain::batch>& rows) const;

private:
    using alert_key = std::pair<std::string, std::string>;   // kind, subject

    // What the rows say of the order that a slot shows.
    struct in_rows {
        bool followed = false;                    // a row follows it there: it is no stranger
        bool to_come = false;                     // a row waits for it there: what shows is the past
        std::optional<domain::known_order> over;
        const domain::batch* elsewhere = nullptr;
    };
    in_rows find(int slot, const domain::words& picture, const domain::slot_reading& shown, const view& v) const;
    // nullopt: no stranger.
    std::optional<domain::known_order> identify(const domain::slot_reading& shown, const in_rows& found) const;
    void judge(int slot, const domain::words& picture, const domain::known_order& known, const view& v, time_point now, store::cycle_findings& out);
    void tell(int slot, const domain::words& picture, std::int64_t batch_id, const std::string& mo_id, const std::vector<domain::alert_note>& alerts, store::cycle_findings& out);

    line& line_;
    std::map<std::string, std::optional<store::ended_order>> history_;   // by order key; nullopt: there is none
    std::map<int, domain::stranger_memory> memory_;
    std::map<int, std::set<alert_key>> told_;
    bool known_told_ = false;
};

}  // namespace batchbridge::tasks
