#include "domain/slot_stranger.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::domain {

namespace {

constexpr int cycles_for_unknown = 3;
constexpr int acknowledgements_for_alert = 3;
constexpr auto between_acknowledgements = std::chrono::minutes(1);

const core::decimal& stored_kg(const known_order& known, int silo)
{
    static const core::decimal none;
    const auto it = known.actual.find(silo);
    return it == known.actual.end() ? none : it->second;
}

// "silo 101: 12.5 kg, stored 12 kg; weight 20 kg, stored 19 kg": where they differ.
std::string differences(const slot_reading& r, const known_order& known)
{
    std::string out;
    const auto add = [&out](std::string part) { out += (out.empty() ? "" : "; ") + std::move(part); };
    for (const auto& [silo, kg] : r.quantities)
        if (kg != stored_kg(known, silo)) add(fmt::format("silo {}: {} kg, stored {} kg", silo, kg.to_string(), stored_kg(known, silo).to_string()));
    if (r.weight != known.weight) add(fmt::format("weight {} kg, stored {} kg", r.weight.to_string(), known.weight.to_string()));
    return out;
}

std::string dosed(const slot_reading& r)
{
    core::decimal sum;
    for (const auto& [silo, kg] : r.quantities) sum += kg;
    return fmt::format("{} kg dosed, {}", sum.to_string(), r.ended() ? "ended" : "not ended");
}

void judge_ended(const slot_reading& r, const known_order& known, const stranger_input& in, stranger_result& out)
{
    const bool exceeds = std::any_of(r.quantities.begin(), r.quantities.end(), [&](const auto& q) { return q.second > stored_kg(known, q.first); });
    const auto differ = differences(r, known);
    const auto say = [&](const char* kind, const std::string& what) {
        out.alerts.push_back({kind, stranger_subject(in.slot, r.mo_id), fmt::format("slot {}: {} {}: {}. Nothing of it is stored or sent", in.slot, r.mo_id, what, differ), true});
    };
    if (r.ended()) {
        if (!differ.empty()) say("changed_after_end", "ended with other figures than the stored ones");
    } else if (exceeds || (known.ended_by_plc && r.any_actual())) {
        say("doses_again", "is over for us and the PLC doses it again");
    }
}

}  // namespace

std::string stranger_subject(int slot, const std::string& order)
{
    return fmt::format("slot {} {}", slot, order);
}

stranger_result judge_stranger(const plant_map& map, const words& picture, const known_order& known, const stranger_input& in, stranger_memory& memory)
{
    stranger_result out;
    const auto r = decode_slot(map, picture);
    if (r.mo_id != memory.order) {
        memory = {};
        memory.order = r.mo_id;
    }
    if (r.empty()) return out;
    ++memory.cycles;
    // Strict in the slot too (L-34): where it was never loaded, nothing of it is ours to acknowledge.
    const bool misplaced = known.what == known_order::kind::elsewhere || (known.what == known_order::kind::ended && known.slot != in.slot);
    if (known.what == known_order::kind::ended && !misplaced) {
        memory.told = false;
        if (known.raw.empty() || !same_content(map, picture, known.raw)) judge_ended(r, known, in, out);
        if (r.ended() && r.status_read_data != 1 && (memory.acknowledged == 0 || in.now - memory.owed_at >= between_acknowledgements)) {
            ++memory.acknowledged;
            memory.owed_at = in.now;
            out.owes_acknowledgement = true;
        }
        if (memory.acknowledged >= acknowledgements_for_alert)
            out.alerts.push_back({"acknowledgement_lost", stranger_subject(in.slot, r.mo_id),
                                  fmt::format("slot {}: the PLC does not keep the acknowledgement of {} (status_read_data = 1): it was written {} times", in.slot, r.mo_id, memory.acknowledged), false});
        return out;
    }
    // What stood there before the present load was seen, and let pass, when that was loaded.
    if (!memory.told && (in.stale || memory.cycles < cycles_for_unknown)) return out;
    memory.told = true;
    if (misplaced)
        out.alerts.push_back({"misplaced_order", stranger_subject(in.slot, r.mo_id),
                              fmt::format("slot {} shows order '{}' as batch {}, which was loaded into slot {} ({}): nothing of it is stored", in.slot, r.mo_id, r.batch_no, known.slot, dosed(r)), true});
    else
        out.alerts.push_back({"unknown_order", stranger_subject(in.slot, r.mo_id), fmt::format("slot {} shows order '{}', which was never loaded here ({})", in.slot, r.mo_id, dosed(r)), true});
    return out;
}

}  // namespace batchbridge::domain
