// The PLC's program as the plant map's `flag` handshake describes it (design section 4, "The PLC's part"), without sockets:
// registers, the taking of a load, dosing silo by silo off plan.
#pragma once

#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace batchbridge::sim {

struct plc_options {
    double speed = 1;                 // 1 = 2 kg per second, one silo after the other
    std::uint64_t seed = 1;           // equal seeds dose equally
    std::chrono::milliseconds scan{50};
    std::chrono::milliseconds pause_between{0};
    bool big_steps = false;           // no limit on the step of a scan, for recipes of many tonnes
};

struct finished_batch {
    int slot;
    std::string order;
    domain::silo_kg planned, actual;
    core::decimal weight;
    bool failed = false;              // given up, with what was dosed until then
};

// Something that happened, for the log.
struct plc_event {
    // load_taken, started, skipped, finished, failed, rebooted, failure_raised, failure_acknowledged
    std::string kind;
    std::string text;                 // a sentence
    int slot = 0;                     // 0: none
    std::string order;
    domain::silo_kg actual;           // finished, failed
    core::decimal weight;
};

// Not thread-safe: the caller serialises everything.
class plc_model {
public:
    plc_model(domain::plant_map map, plc_options options);

    // The whole register space; address = index.
    std::vector<std::uint16_t>& registers() noexcept { return registers_; }
    // One scan. `now` moves forward.
    void tick(std::chrono::steady_clock::time_point now);

    // No batch is started and none goes on; loads are still taken.
    void pause(bool on) noexcept { paused_ = on; }
    void take_loads(bool on) noexcept { takes_ = on; }
    void set_speed(double s) noexcept { options_.speed = s; }
    // The batch in `slot` is given up: status_operation = 1.
    void fail_batch(int slot);
    // All registers and everything in hand are lost.
    void reboot();
    // A new equipment failure, not yet read. `time`: the words of the map's time field as they go into the registers (the
    // default map: year, month, day, hour, minute, second); missing ones are 0.
    void raise_failure(const std::string& equipment, const std::string& info, const std::vector<std::uint16_t>& time);
    // Off: the PLC makes the failure new again at once when it is acknowledged.
    void keep_failure_flag(bool on) noexcept { keeps_flag_ = on; }
    // A client has written something: was it the acknowledgement of a failure?
    void written();
    struct failure_counts {
        int raised = 0, acknowledged = 0, overwritten = 0;   // overwritten: raised while another one was not yet read
    };
    const failure_counts& failures() const noexcept { return failures_; }

    const std::vector<finished_batch>& finished() const noexcept { return finished_; }
    int loads_taken() const noexcept { return loads_; }
    int running_slot() const noexcept { return current_; }
    bool idle() const noexcept { return current_ == 0 && queue_.empty(); }
    const domain::plant_map& map() const noexcept { return map_; }
    std::chrono::milliseconds scan() const noexcept { return options_.scan; }
    // What happened since the last call.
    std::vector<plc_event> take_events();

    std::span<std::uint16_t> read_slot(int slot);
    std::span<std::uint16_t> write_slot(int slot);

private:
    void take_load();
    void start_next(std::chrono::steady_clock::time_point now);
    void dose();
    void finish(std::chrono::steady_clock::time_point now);
    core::decimal off_plan(const core::decimal& planned, const domain::silo& s);
    core::decimal weigh(const core::decimal& sum);

    domain::plant_map map_;
    plc_options options_;
    std::vector<std::uint16_t> registers_;
    std::mt19937_64 random_;
    std::vector<int> queue_;                 // slots still to be made
    int current_ = 0, loads_ = 0, batches_ = 0;
    enum class phase { dosing, figures } phase_ = phase::dosing;
    domain::silo_kg planned_, target_, actual_;
    core::decimal weight_, most_per_scan_;
    std::chrono::steady_clock::time_point next_start_{};
    bool paused_ = false, takes_ = true, keeps_flag_ = true;
    bool failure_pending_ = false;
    failure_counts failures_;
    std::vector<finished_batch> finished_;
    std::vector<plc_event> events_;
};

}  // namespace batchbridge::sim
