#include "domain/slot_read.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::domain {

consistency compare_reads(const plant_map& map, const words& first, const words& second)
{
    if (first == second) return consistency::equal;
    if (first.size() != second.size()) return consistency::inconsistent;
    const auto a = decode_slot(map, first), b = decode_slot(map, second);
    // The final figures stand before the PLC sets its status: an ended picture must be the same twice.
    if (a.ended() || b.ended()) return consistency::inconsistent;
    auto rest_a = first, rest_b = second;
    const auto blank = [](const field& f, words& w) {
        std::fill_n(w.begin() + f.at, f.words, std::uint16_t{0});
    };
    for (const auto& s : map.silos) {
        blank(s.quantity, rest_a);
        blank(s.quantity, rest_b);
        const auto& x = a.quantities.at(s.id);
        const auto& y = b.quantities.at(s.id);
        if (y < x || y - x > map.limits.max_step_kg) return consistency::inconsistent;
    }
    blank(map.fields.weight_finished_good, rest_a);
    blank(map.fields.weight_finished_good, rest_b);
    if (b.weight < a.weight || b.weight - a.weight > map.limits.max_step_kg) return consistency::inconsistent;
    return rest_a == rest_b ? consistency::advancing : consistency::inconsistent;
}

judgement judge_slot(const plant_map& map, const batch& b, const words& image, const words& stale)
{
    judgement j;
    j.reading = decode_slot(map, image);
    const auto& r = j.reading;
    if (b.state == batch_state::completed || b.state == batch_state::parked) return j;
    // A slot that has once shown the batch is no longer stale: what it shows then is another order again. Of the same order it
    // stays an earlier run, whose figures are not this one's.
    if (!stale.empty() && same_content(map, image, stale) && (b.raw.empty() || r.mo_id == b.order_key)) return j;
    // A lost batch whose slot is back is not lost, also with the very figures it had.
    if (!b.raw.empty() && b.state != batch_state::lost && same_content(map, image, b.raw)) return j;
    if (r.mo_id != b.order_key || r.batch_no != b.slot) {
        j.what = verdict::foreign;
        j.why = r.empty() ? "the slot shows no order" : fmt::format("the slot shows order '{}', batch {}", r.mo_id, r.batch_no);
        return j;
    }
    const auto refuse = [&](std::string why) {
        j.what = verdict::refuse;
        j.why = std::move(why);
    };
    if (r.status_manufacturing > 1) refuse(fmt::format("status_manufacturing is {}, expected 0 or 1", r.status_manufacturing));
    else if (r.status_operation > 1) refuse(fmt::format("status_operation is {}, expected 0 or 1", r.status_operation));
    else if (r.weight < 0) refuse(fmt::format("weight_finished_good is {} kg", r.weight.to_string()));
    for (const auto& s : map.silos) {
        if (j.what == verdict::refuse) break;
        const auto& now = r.quantities.at(s.id);
        if (now < 0 || now > s.max_kg) {
            refuse(fmt::format("silo {} shows {} kg, possible is 0 to {}", s.id, now.to_string(), s.max_kg.to_string()));
            break;
        }
        const auto before = b.actual.find(s.id);
        if (before != b.actual.end() && before->second - now > map.limits.max_fall_kg)
            refuse(fmt::format("silo {} fell from {} to {} kg", s.id, before->second.to_string(), now.to_string()));
    }
    if (j.what == verdict::refuse) return j;

    const auto stored = [&](int silo) {
        const auto it = b.actual.find(silo);
        return it == b.actual.end() ? core::decimal() : it->second;
    };
    for (const auto& [silo, kg] : r.quantities) j.changed_values = j.changed_values || stored(silo) != kg;
    j.changed_values = j.changed_values || r.weight != b.weight || (r.status_manufacturing == 1) != b.status_manufacturing ||
                       (r.status_operation == 1) != b.status_operation;
    j.started = b.state != batch_state::running && r.any_actual();
    if (r.status_manufacturing == 1) {
        j.what = verdict::complete;
        j.both_status = r.status_operation == 1;
    } else if (r.status_operation == 1) {
        j.what = verdict::fail;
    } else {
        j.what = verdict::update;
    }
    return j;
}

duty_step decide_duty(const slot_reading& shown, std::string_view order_key)
{
    if (shown.mo_id != order_key || shown.status_read_data == 1) return duty_step::fulfilled;
    return shown.ended() ? duty_step::write : duty_step::dropped;
}

load_readiness judge_load(const plant_map& map, const std::vector<slot_reading>& read, const std::vector<slot_reading>& write,
                          const std::function<bool(const std::string&)>& known)
{
    static_cast<void>(map);
    load_readiness out;
    for (std::size_t i = 0; i < read.size(); ++i) {
        const auto& r = read[i];
        const auto& w = write[i];
        const int slot = static_cast<int>(i) + 1;
        const bool made = r.mo_id == w.mo_id && r.ended();
        if (!w.empty() && !made && !known(w.mo_id)) out.unknown.push_back({slot, w.mo_id, true});
        if (!r.empty() && r.any_actual() && !r.ended() && !known(r.mo_id)) out.unknown.push_back({slot, r.mo_id, false});
    }
    out.ready = write.front().status_read_data == 1 || write.front().empty();
    return out;
}

offer judge_offer(const slot_reading& write_slot1, std::string_view slot1_key)
{
    if (write_slot1.empty() || write_slot1.mo_id != slot1_key) return offer::not_armed;
    return write_slot1.status_read_data == 1 ? offer::taken : offer::offered;
}

std::vector<std::string> compare_written(const plant_map& map, int slot, const words& wanted, const words& found, bool mo_id_blank)
{
    std::vector<std::string> out;
    const auto status_from = static_cast<std::size_t>(map.fields.status_manufacturing.at);
    const auto status_to = static_cast<std::size_t>(map.fields.status_read_data.at);
    const auto name_from = static_cast<std::size_t>(map.fields.mo_id.at);
    const auto name_to = name_from + static_cast<std::size_t>(map.fields.mo_id.words);
    if (wanted.size() != found.size()) return {fmt::format("slot {}: wrote {} words, read {}", slot, wanted.size(), found.size())};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (i >= status_from && i <= status_to) continue;
        const std::uint16_t want = mo_id_blank && i >= name_from && i < name_to ? std::uint16_t{0} : wanted[i];
        if (found[i] == want) continue;
        out.push_back(fmt::format("slot {} address {}: wrote {}, read {}", slot, map.write_address(slot) + static_cast<int>(i), want, found[i]));
        if (out.size() == 5) {
            out.push_back("..");
            break;
        }
    }
    return out;
}

}  // namespace batchbridge::domain
