#include "support/slot_model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bb_test {

namespace {

bool ours(const figures& f, const expected& b) { return f.order == b.order && f.batch_no == history_slot; }
bool is_stale(const figures& f, const expected& b) { return f.same_content(b.stale) && (!b.begun || b.stale.order == b.order); }

void store(expected& b, const figures& f, const std::string& state)
{
    b.actual = f.dosed;
    b.weight = f.weight;
    b.manufacturing = f.manufacturing == 1;
    b.operation = f.operation == 1;
    b.state = state;
    b.begun = true;
    b.seen = f;
}

}  // namespace

bool slot_model::impossible(const figures& f, const expected& b)
{
    if (f.manufacturing > 1 || f.operation > 1 || f.weight < 0) return true;
    for (std::size_t i = 0; i < silo_count; ++i)
        if (f.dosed[i] < 0 || f.dosed[i] > max_kg || b.actual[i] - f.dosed[i] > max_fall) return true;
    return false;
}
bool slot_model::past(const std::string& order) const
{
    return std::any_of(batches.begin(), batches.end(), [&](const expected& b) { return b.order == order && !b.unfinished(); });
}

// What becomes of a batch whose slot has stood still long enough for every rule.
void slot_model::rule(expected& b, const figures& f)
{
    if (b.archived || b.state == "completed" || b.offered || is_stale(f, b)) return;
    if (b.begun && b.state != "lost" && f.same_content(b.seen)) return;
    if (!ours(f, b)) {
        if (!b.unfinished()) return;
        if (f.order.empty() ? !(recipe_stands && b.state == "running") : b.state == "loaded" && past(f.order)) return;
        b.state = "lost";
        ++count_.lost;
        return;
    }
    if (impossible(f, b)) {
        ++count_.refused;
        if (!f.ended()) return;
        count_.held += b.state == "held" ? 0 : 1;
        b.state = "held";
        b.begun = true;
        b.seen = f;
        return;
    }
    if (f.manufacturing == 1) {
        store(b, f, "completed");
        ++b.finishes;
        ++count_.completed;
        return;
    }
    if (f.operation == 1) {
        count_.held += b.state == "held" ? 0 : 1;
        store(b, f, "held");
        return;
    }
    std::string state = b.state;
    const bool slot_taken = std::any_of(batches.begin(), batches.end(), [&](const expected& o) { return &o != &b && o.unfinished(); });
    if (b.unfinished() || !slot_taken) state = f.any() ? "running" : b.unfinished() ? b.state : "loaded";
    const bool news = state != b.state || f.dosed != b.actual || f.weight != b.weight || b.manufacturing || b.operation;
    if (news) store(b, f, state);
}

// The alerts about orders that nobody follows in the slot.
void slot_model::strangers(const figures& f, std::set<std::string>& out)
{
    if (f.order != shown_) unknown_told_ = false;
    shown_ = f.order;
    if (f.order.empty()) return;
    const expected *over = nullptr, *elsewhere = nullptr;
    bool to_come = false, from_row = false;
    for (const auto& b : batches) {
        if (b.archived || b.order != f.order) continue;
        if (!ours(f, b)) elsewhere = &b;
        else if (b.state == "completed" || (b.state == "held" && b.begun && f.same_content(b.seen))) over = &b, from_row = true;
        else if (b.offered || is_stale(f, b)) to_come = true;
        else return;
    }
    if (over == nullptr)
        for (const auto& b : batches)
            if (b.archived && b.order == f.order) over = &b;
    const auto subject = fmt::format(" slot {} {}", history_slot, f.order);
    if (over != nullptr) {
        if (over->begun && f.same_content(over->seen)) return;
        bool exceeds = false;
        for (std::size_t i = 0; i < silo_count; ++i) exceeds = exceeds || f.dosed[i] > over->actual[i];
        const bool by_plc = from_row || over->manufacturing || over->operation;
        if (f.ended()) {
            if (f.dosed != over->actual || f.weight != over->weight) out.insert("changed_after_end" + subject);
        } else if (exceeds || (by_plc && f.any())) {
            out.insert("doses_again" + subject);
        }
        return;
    }
    if (to_come) return;
    const bool stale = !batches.empty() && f.same_content(batches.back().stale);
    if (stale && !unknown_told_) return;
    unknown_told_ = true;
    out.insert((elsewhere != nullptr ? "misplaced_order" : "unknown_order") + subject);
}

std::set<std::string> slot_model::alerts(const figures& f)
{
    std::set<std::string> out;
    for (const auto& b : batches) {
        if (b.archived) continue;
        if (b.state == "held" || b.state == "lost") out.insert(b.state + " " + b.order);
        const bool dealt_with = b.state == "held" && b.begun && f.same_content(b.seen);
        if (b.state != "completed" && !b.offered && !is_stale(f, b) && ours(f, b) && impossible(f, b) && !dealt_with) out.insert("implausible " + b.order);
    }
    strangers(f, out);
    return out;
}

void slot_model::settle(const figures& f)
{
    for (auto& b : batches) rule(b, f);
}

}  // namespace bb_test
