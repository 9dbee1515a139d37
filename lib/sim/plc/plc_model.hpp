// The PLC's program as the plant map's `flag` handshake describes it (design section 4, "The PLC's part"), without sockets:
// registers, the taking of a load, dosing silo by silo off plan.
#pragma once

#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace batchbridge::sim {

struct plc_options {
    double speed = 1;                 // 1 = 2 kg per second and silo
    std::uint64_t seed = 1;
    std::chrono::milliseconds scan{50};
    std::chrono::milliseconds pause_between{0};
    bool big_steps = false;           // no limit on the step, for recipes of many tonnes
};

struct finished_batch {
    int slot;
    std::string order;
    domain::silo_kg planned, actual;
    core::decimal weight;
    bool failed = false;
};

class plc_model {
public:
    plc_model(domain::plant_map map, plc_options options);

    // The whole register space; address = index. The caller serialises access.
    std::vector<std::uint16_t>& registers() noexcept { return registers_; }
    // One scan. `now` moves forward.
    void tick(std::chrono::steady_clock::time_point now);

    void pause(bool on) noexcept { paused_ = on; }
    void take_loads(bool on) noexcept { takes_ = on; }
    void set_speed(double s) noexcept { options_.speed = s; }
    // The batch in `slot` is given up: status_operation = 1.
    void fail_batch(int slot);
    // All registers and everything in hand are lost.
    void reboot();

    const std::vector<finished_batch>& finished() const noexcept { return finished_; }
    int loads_taken() const noexcept { return loads_; }
    int running_slot() const noexcept { return current_; }
    bool idle() const noexcept { return current_ == 0 && queue_.empty(); }
    const domain::plant_map& map() const noexcept { return map_; }
    // What happened since the last call, one sentence each.
    std::vector<std::string> take_events();

private:
    std::span<std::uint16_t> read_slot(int slot);
    std::span<std::uint16_t> write_slot(int slot);
    void take_load();
    bool start_next(std::chrono::steady_clock::time_point now);
    void dose();
    void finish(std::chrono::steady_clock::time_point now);

    domain::plant_map map_;
    plc_options options_;
    std::vector<std::uint16_t> registers_;
    std::mt19937_64 random_;
    std::vector<int> queue_;                 // slots still to be made
    int current_ = 0, loads_ = 0, batches_ = 0;
    enum class phase { dosing, figures } phase_ = phase::dosing;
    domain::silo_kg planned_, target_, actual_;
    core::decimal weight_;
    std::chrono::steady_clock::time_point next_start_{};
    bool paused_ = false, takes_ = true;
    std::vector<finished_batch> finished_;
    std::vector<std::string> events_;
};

}  // namespace batchbridge::sim
