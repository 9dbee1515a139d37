#include "sim/plc/plc_model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::sim {

using core::decimal;
using clock = std::chrono::steady_clock;

namespace {
constexpr std::size_t register_count = 65536;
constexpr double kg_per_second = 2.0;
}

plc_model::plc_model(domain::plant_map map, plc_options options)
    : map_(std::move(map)), options_(options), registers_(register_count, 0), random_(options.seed)
{
}

std::span<std::uint16_t> plc_model::read_slot(int slot)
{
    return std::span(registers_).subspan(static_cast<std::size_t>(map_.read_address(slot)), static_cast<std::size_t>(map_.slots.words));
}

std::span<std::uint16_t> plc_model::write_slot(int slot)
{
    return std::span(registers_).subspan(static_cast<std::size_t>(map_.write_address(slot)), static_cast<std::size_t>(map_.slots.words));
}

std::vector<std::string> plc_model::take_events()
{
    return std::exchange(events_, {});
}

void plc_model::reboot()
{
    std::fill(registers_.begin(), registers_.end(), std::uint16_t{0});
    queue_.clear();
    current_ = 0;
    events_.emplace_back("rebooted: every register is 0");
}

void plc_model::fail_batch(int slot)
{
    read_slot(slot)[static_cast<std::size_t>(map_.fields.status_operation.at)] = 1;
    std::erase(queue_, slot);
    if (current_ == slot) current_ = 0;
    events_.push_back(fmt::format("slot {} given up", slot));
}

void plc_model::take_load()
{
    auto& ready = registers_[static_cast<std::size_t>(map_.write_ready)];
    if (ready != 0 || domain::decode_text(map_, map_.fields.mo_id, write_slot(1)).empty()) return;
    queue_.clear();
    current_ = 0;
    for (int slot = 1; slot <= map_.slots.count; ++slot) {
        const auto recipe = domain::decode_slot(map_, write_slot(slot));
        auto to = read_slot(slot);
        std::fill(to.begin(), to.end(), std::uint16_t{0});
        if (recipe.empty()) continue;
        const auto from = write_slot(slot);
        std::copy(from.begin(), from.begin() + map_.fields.status_manufacturing.at, to.begin());
        for (const auto& s : map_.silos) domain::encode_value(map_, s.quantity, 0, to);
        queue_.push_back(slot);
    }
    ready = 1;
    ++loads_;
    events_.push_back(fmt::format("load {} taken with {} order(s)", loads_, queue_.size()));
}

bool plc_model::start_next(clock::time_point now)
{
    if (now < next_start_ || queue_.empty()) return false;
    const int slot = queue_.front();
    queue_.erase(queue_.begin());
    const auto recipe = domain::decode_slot(map_, write_slot(slot));
    if (recipe.empty()) {
        auto to = read_slot(slot);
        std::fill(to.begin(), to.end(), std::uint16_t{0});
        events_.push_back(fmt::format("slot {} was blanked: skipped", slot));
        return false;
    }
    current_ = slot;
    phase_ = phase::dosing;
    planned_.clear();
    target_.clear();
    actual_.clear();
    std::uniform_real_distribution<double> off(0.003, 0.02), sign(0, 1);
    for (const auto& [silo, kg] : recipe.quantities) {
        actual_[silo] = 0;
        if (kg <= 0) continue;
        planned_[silo] = kg;
        auto factor = off(random_);
        if (sign(random_) < 0.5) factor = -factor;
        auto target = (kg * *decimal::from_double(1000000 + static_cast<double>(static_cast<std::int64_t>(factor * 1000000))) ).rounded(2);
        target = decimal::divide(target, 1000000, 2);
        // Small or huge recipes: never 0, never above what the registers and the silo hold.
        if (target <= 0) target = kg;
        const auto* s = map_.find_silo(silo);
        target_[silo] = std::min(target, s->max_kg);
    }
    decimal sum;
    for (const auto& [silo, kg] : target_) sum += kg;
    ++batches_;
    std::uniform_int_distribution<int> permille(1, 5);
    // One batch in five leaves the weight at 0; the others weigh something else than the sum.
    weight_ = batches_ % 5 == 0 ? decimal() : decimal::divide(sum * (1000 - permille(random_)), 1000, 2);
    if (weight_ > *decimal::parse("21474836.47")) weight_ = *decimal::parse("21474836.47");
    events_.push_back(fmt::format("slot {} starts order {}", slot, recipe.mo_id));
    return true;
}

void plc_model::dose()
{
    auto block = read_slot(current_);
    const double seconds = std::chrono::duration<double>(options_.scan).count();
    double step = kg_per_second * options_.speed * seconds;
    if (!options_.big_steps) step = std::min(step, map_.limits.max_step_kg.to_double() * 0.9);
    for (auto& [silo, target] : target_) {
        auto& now = actual_[silo];
        if (now >= target) continue;
        const auto by = options_.big_steps ? std::max(step, target.to_double() / 10) : step;
        const auto next = now + std::max(decimal::from_double(by)->rounded(2), *decimal::parse("0.01"));
        now = std::min(next, target);
        domain::encode_value(map_, map_.find_silo(silo)->quantity, now, block);
        return;   // silo by silo
    }
    domain::encode_value(map_, map_.fields.weight_finished_good, weight_, block);
    phase_ = phase::figures;
}

void plc_model::finish(clock::time_point now)
{
    auto block = read_slot(current_);
    block[static_cast<std::size_t>(map_.fields.status_manufacturing.at)] = 1;
    const auto shown = domain::decode_slot(map_, block);
    finished_.push_back({current_, shown.mo_id, planned_, target_, weight_, false});
    events_.push_back(fmt::format("slot {} finished order {}", current_, shown.mo_id));
    current_ = 0;
    next_start_ = now + options_.pause_between;
}

void plc_model::tick(clock::time_point now)
{
    if (takes_ && current_ == 0 && queue_.empty()) take_load();
    if (paused_) return;
    if (current_ == 0) {
        start_next(now);
        return;
    }
    if (phase_ == phase::figures) finish(now);
    else dose();
}

}  // namespace batchbridge::sim
