#include "sim/plc/plc_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace batchbridge::sim {

using core::decimal;
using clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t register_count = 65536;
constexpr double kg_per_second = 2.0;
// However small a batch is, a reader sees it grow in at least this many steps (as far as 0.01 kg allows).
constexpr int least_steps = 12;
// Of map.limits.max_step_kg: a reader that sees two scans apart must still accept the step from one to the next.
constexpr double step_margin = 0.9;

int places_of(int scale)
{
    int places = 0;
    for (; scale > 1; scale /= 10) ++places;
    return places;
}

std::int64_t highest(domain::value_type t)
{
    switch (t) {
    case domain::value_type::i16: return 0x7fff;
    case domain::value_type::u16: return 0xffff;
    case domain::value_type::u32: return 0xffffffff;
    default: return 0x7fffffff;
    }
}

}  // namespace

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

std::vector<plc_event> plc_model::take_events()
{
    return std::exchange(events_, {});
}

void plc_model::reboot()
{
    std::fill(registers_.begin(), registers_.end(), std::uint16_t{0});
    queue_.clear();
    current_ = 0;
    failure_pending_ = false;
    events_.push_back({"rebooted", "every register is 0", 0, {}, {}, {}});
}

void plc_model::fail_batch(int slot)
{
    auto block = read_slot(slot);
    block[static_cast<std::size_t>(map_.fields.status_operation.at)] = 1;
    const auto shown = domain::decode_slot(map_, block);
    finished_.push_back({slot, shown.mo_id, domain::decode_slot(map_, write_slot(slot)).quantities, shown.quantities, shown.weight, true});
    events_.push_back({"failed", fmt::format("slot {}: order {} given up", slot, shown.mo_id), slot, shown.mo_id, shown.quantities, shown.weight});
    std::erase(queue_, slot);
    if (current_ == slot) current_ = 0;
}

void plc_model::raise_failure(const std::string& equipment, const std::string& info, const std::vector<std::uint16_t>& time)
{
    const auto& f = map_.failure;
    auto block = std::span(registers_).subspan(static_cast<std::size_t>(f.start));
    domain::encode_text(map_, f.equipment_code, equipment, block);
    domain::encode_text(map_, f.info, info, block);
    for (std::size_t i = 0; i < static_cast<std::size_t>(f.time.words); ++i) block[static_cast<std::size_t>(f.time.at) + i] = i < time.size() ? time[i] : std::uint16_t{0};
    block[static_cast<std::size_t>(f.flag.at)] = 0;
    ++failures_.raised;
    if (std::exchange(failure_pending_, true)) ++failures_.overwritten;
    events_.push_back({"failure_raised", fmt::format("{}: {}", equipment, info), 0, {}, {}, {}});
}

void plc_model::written()
{
    const auto& f = map_.failure;
    auto block = std::span(registers_).subspan(static_cast<std::size_t>(f.start));
    auto& flag = block[static_cast<std::size_t>(f.flag.at)];
    if (!failure_pending_ || flag != 1) return;
    ++failures_.acknowledged;
    events_.push_back({"failure_acknowledged", fmt::format("{}: {}", domain::decode_text(map_, f.equipment_code, block), domain::decode_text(map_, f.info, block)), 0, {}, {}, {}});
    if (keeps_flag_) failure_pending_ = false;
    else flag = 0;
}

void plc_model::take_load()
{
    auto& ready = registers_[static_cast<std::size_t>(map_.write_ready)];
    if (ready != 0 || domain::decode_text(map_, map_.fields.mo_id, write_slot(1)).empty()) return;
    for (int slot = 1; slot <= map_.slots.count; ++slot) {
        const auto from = write_slot(slot);
        auto to = read_slot(slot);
        std::fill(to.begin(), to.end(), std::uint16_t{0});
        if (domain::decode_text(map_, map_.fields.mo_id, from).empty()) continue;   // unused
        std::copy(from.begin(), from.begin() + map_.fields.status_manufacturing.at, to.begin());
        for (const auto& s : map_.silos) domain::encode_value(map_, s.quantity, 0, to);
        queue_.push_back(slot);
    }
    ready = 1;
    ++loads_;
    events_.push_back({"load_taken", fmt::format("load {} taken with {} order(s)", loads_, queue_.size()), 0, {}, {}, {}});
}

// 0.3 to 2 % off, as near as the register's resolution comes to it; a plan too small for that is met exactly.
decimal plc_model::off_plan(const decimal& planned, const domain::silo& s)
{
    std::uniform_real_distribution<double> share(0.003, 0.02), coin(0, 1);
    const double drawn = share(random_);
    const bool more = coin(random_) < 0.5;
    const int places = places_of(s.quantity.scale);
    const auto raw = planned.to_scaled(places).value_or(0);
    const auto least = (raw * 3 + 999) / 1000, most = raw * 20 / 1000;
    if (most < 1) return planned;
    const auto by = std::clamp(std::llround(static_cast<double>(raw) * drawn), std::min<long long>(least, most), static_cast<long long>(most));
    const auto ceiling = std::min(s.max_kg.to_scaled(places).value_or(0), highest(s.quantity.type));
    return decimal::from_scaled(more && raw + by <= ceiling ? raw + by : raw - by, places);
}

// 0.1 to 0.5 % below the sum; one batch in five is not weighed at all.
decimal plc_model::weigh(const decimal& sum)
{
    std::uniform_int_distribution<int> permille(1, 5);
    const int off = permille(random_);
    if (batches_ % 5 == 0) return 0;
    const auto& f = map_.fields.weight_finished_good;
    const int places = places_of(f.scale);
    const auto raw = sum.to_scaled(places).value_or(0);
    const auto weight = raw - std::max<std::int64_t>(1, raw * off / 1000);
    return decimal::from_scaled(std::clamp<std::int64_t>(weight, 0, highest(f.type)), places);
}

void plc_model::start_next(clock::time_point now)
{
    if (now < next_start_ || queue_.empty()) return;
    const int slot = queue_.front();
    queue_.erase(queue_.begin());
    // The WRITE slot again: it may have been blanked since the load was taken.
    const auto recipe = domain::decode_slot(map_, write_slot(slot));
    if (recipe.empty()) {
        const auto shown = domain::decode_text(map_, map_.fields.mo_id, read_slot(slot));
        events_.push_back({"skipped", fmt::format("slot {} was blanked: order {} is skipped", slot, shown), slot, shown, {}, {}});
        return;
    }
    current_ = slot;
    phase_ = phase::dosing;
    ++batches_;
    planned_.clear();
    target_.clear();
    actual_.clear();
    decimal sum;
    for (const auto& s : map_.silos) {
        const auto kg = recipe.quantities.at(s.id);
        if (kg <= 0) continue;
        planned_[s.id] = kg;
        target_[s.id] = off_plan(kg, s);
        actual_[s.id] = 0;
        sum += target_[s.id];
    }
    weight_ = weigh(sum);
    most_per_scan_ = decimal::divide(sum, least_steps, 2);
    events_.push_back({"started", fmt::format("slot {} starts order {}", slot, recipe.mo_id), slot, recipe.mo_id, {}, {}});
}

void plc_model::dose()
{
    auto block = read_slot(current_);
    for (const auto& [silo, target] : target_) {
        auto& now = actual_[silo];
        if (now >= target) continue;
        double step = kg_per_second * options_.speed * std::chrono::duration<double>(options_.scan).count();
        if (options_.big_steps) step = std::max(step, target.to_double() / 10);
        else step = std::min(step, map_.limits.max_step_kg.to_double() * step_margin);
        step = std::min(step, most_per_scan_.to_double());
        const auto by = std::max(decimal::from_double(step).value_or(decimal(1)).rounded(2), *decimal::parse("0.01"));
        now = std::min(now + by, target);
        domain::encode_value(map_, map_.find_silo(silo)->quantity, now, block);
        return;   // silo by silo
    }
    domain::encode_value(map_, map_.fields.weight_finished_good, weight_, block);
    phase_ = phase::figures;
}

// One scan after the final figures, so that who sees the status sees them too.
void plc_model::finish(clock::time_point now)
{
    auto block = read_slot(current_);
    block[static_cast<std::size_t>(map_.fields.status_manufacturing.at)] = 1;
    const auto order = domain::decode_text(map_, map_.fields.mo_id, block);
    finished_.push_back({current_, order, planned_, actual_, weight_, false});
    events_.push_back({"finished", fmt::format("slot {} finished order {}", current_, order), current_, order, actual_, weight_});
    current_ = 0;
    next_start_ = now + options_.pause_between;
}

void plc_model::tick(clock::time_point now)
{
    if (takes_ && idle()) take_load();
    if (paused_) return;
    if (current_ == 0) start_next(now);
    else if (phase_ == phase::figures) finish(now);
    else dose();
}

}  // namespace batchbridge::sim
