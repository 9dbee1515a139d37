// Task 5: what the PLC's failure block reports becomes a row and a maintenance request in one transaction, and only then
// the PLC is told that it was read (L-38, L-39). An event is believed when two reads of the block in a row are equal.
#pragma once

#include "domain/failure_event.hpp"
#include "tasks/line.hpp"

#include <map>

namespace batchbridge::tasks {

class equipment_failure {
public:
    explicit equipment_failure(line& owner) : line_(owner) {}

    // One look at the block: one request and no SQL when it shows what was settled already. Never waits for a load that is
    // being written: the acknowledgement is for the next run then. Without PLC_WRITES a failure is stored and not acknowledged.
    boost::asio::awaitable<run_result> run();
    // A new holding of the line: what an earlier one saw and told counts no more.
    void start_afresh();
    // It got no answer and waits for the PLC to answer somebody else: then it is worth asking again, at once.
    bool waits_for_plc() const noexcept { return silence_ > core::duration::zero() && !only_this_; }

private:
    boost::asio::awaitable<run_result> cycle();
    // Reads the block and acts on it.
    boost::asio::awaitable<run_result> observe();
    boost::asio::awaitable<run_result> look(const domain::words& block);
    // Flag 0 and an event. Stores it unless this process knows that it has, and acknowledges it.
    boost::asio::awaitable<run_result> take(const domain::words& block, const domain::failure_event& e);
    // True: it was not stored before.
    boost::asio::awaitable<bool> remember(const domain::failure_event& e);
    // Says in `r` what became of it.
    boost::asio::awaitable<void> acknowledge(const domain::words& block, run_result& r);
    boost::asio::awaitable<void> answered_by_plc(const plc::failure_answer& said, run_result& r);
    boost::asio::awaitable<void> kept(const domain::words& block);
    // Flag 1: is the newest failure acknowledged with it, or even one that was never stored?
    boost::asio::awaitable<run_result> settle(const domain::words& block);
    boost::asio::awaitable<std::optional<store::failure_row>> newest();
    run_result not_read_well(const std::string& why);
    void note_silence(std::exception_ptr failure);
    bool left_alone() const;
    run_result strange_flag(const domain::words& block);
    bool comes_back(const domain::failure_event& e) const;
    void not_kept();
    // The flag was 1 at the beginning of a run: what was acknowledged stays so.
    void flag_stands();
    // Alerts are kept until they are stored; each is logged when it begins.
    void raise(const std::string& kind, std::string text);
    void over(const std::string& kind);
    boost::asio::awaitable<void> tell();
    core::log::fields about(const std::string& equipment = {}) const;

    struct owed {
        std::int64_t id = 0;
        domain::words raw;               // of the failure that is stored and not acknowledged
        bool repeat = false;             // it was acknowledged before
    };
    struct answered {
        domain::words raw;
        int times = 0;                   // acknowledged in a row, and new again at the next look
    };
    // The last look met another failure than it meant: it must not wait for the next run.
    bool look_again_ = false;
    enum class told { unknown, raised, over };

    line& line_;
    domain::words settled_;              // the block with which there is nothing left to do; empty: none
    std::optional<owed> owed_;
    std::optional<store::failure_row> newest_;
    bool newest_known_ = false, codes_told_ = false;
    bool may_have_hit_another_ = false;  // the flag was written, and what the block showed then is not known to be what was meant
    answered answered_;
    int inconsistent_ = 0, refused_ = 0;
    core::duration silence_{};           // how long the block is left alone after it was not answered; 0: it was
    std::chrono::steady_clock::time_point asked_again_{};
    std::uint64_t answers_then_ = 0;     // of the PLC to anybody, when it left this unanswered
    bool only_this_ = false;             // it answers others
    std::map<std::string, told> told_;
    std::vector<store::alert_text> raised_, resolved_;
};

}  // namespace batchbridge::tasks
