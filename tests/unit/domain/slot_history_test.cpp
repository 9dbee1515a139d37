// Random slot histories against the reading rules, with rows in memory that obey what store::record_cycle promises.
#include "unit/domain/example.hpp"

#include "support/catch.hpp"
#include "support/slot_history.hpp"

#include "domain/slot_follow.hpp"
#include "domain/slot_observer.hpp"
#include "domain/slot_stranger.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace domain = batchbridge::domain;
using batchbridge::core::decimal;
using bb_test::history_slot;
using domain::batch_state;
using domain::words;

namespace {

int hundredths(const decimal& kg)
{
    return static_cast<int>(kg.to_scaled(2).value());
}

std::array<int, bb_test::silo_count> by_place(const domain::silo_kg& kg)
{
    std::array<int, bb_test::silo_count> out{};
    for (const auto& [silo, amount] : kg) out.at(static_cast<std::size_t>(silo - 101)) = hundredths(amount);
    return out;
}

class memory_bridge final : public bb_test::bridge {
public:
    void stage(const std::string& order) override
    {
        auto& r = rows_.emplace_back();
        r.b.id = static_cast<std::int64_t>(rows_.size());
        r.b.mo_id = r.b.order_key = order;
        r.b.slot = history_slot;
        r.b.load = r.b.id;
        r.b.state = batch_state::loaded;
        r.stale = plc->read();
    }
    void taken() override { rows_.back().taken = true; }
    void recipe_stands(bool stands) override { recipe_stands_ = stands; }

    void cycle(std::chrono::seconds later) override
    {
        now_ += later;
        try {
            if (observe()) {
                for (auto& r : rows_)
                    if (!r.archived && domain::is_followed(r.b.state)) follow(r);
                strangers();
            }
            work_off_duties();
        } catch (const bb_test::no_answer&) {
            // The next cycle is soon.
        }
    }

    bb_test::stored_batch row(const std::string& order) override
    {
        bb_test::stored_batch out;
        const auto r = std::find_if(rows_.rbegin(), rows_.rend(), [&](const entry& e) { return e.b.mo_id == order; });
        out.state = r->archived ? "archived" : std::string(domain::to_string(r->b.state));
        out.actual = by_place(r->b.actual);
        out.weight = hundredths(r->b.weight);
        out.manufacturing = r->b.status_manufacturing;
        out.operation = r->b.status_operation;
        out.finishes = r->finishes;
        out.finish_actual = r->finish_actual;
        out.finish_weight = r->finish_weight;
        return out;
    }

    void archive(const std::string& order, const std::string&) override
    {
        for (auto& r : rows_) {
            if (r.archived || r.b.mo_id != order) continue;
            r.archived = true;
            for (const auto* kind : {"held", "lost", "implausible"}) alerts_.erase(std::string(kind) + " " + order);
        }
    }

    int open_duties() override { return static_cast<int>(duties_.size()); }
    std::set<std::string> alerts() override { return alerts_; }
    void restart() override
    {
        picture_.clear();
        for (auto& r : rows_) r.memory = {};
        stranger_ = {};
    }

private:
    struct entry {
        domain::batch b;
        domain::batch_memory memory;
        words stale;
        bool taken = false, archived = false;
        int finishes = 0;
        std::array<int, bb_test::silo_count> finish_actual{};
        int finish_weight = 0;
        bool waits() const { return !archived && domain::is_unfinished(b.state); }
    };

    // The device's part.
    bool observe()
    {
        fresh_ = false;
        if (picture_.empty())
            for (const auto& r : rows_)
                if (!r.archived) picture_ = r.b.raw.empty() ? r.stale : r.b.raw;
        domain::slot_observer o(example::map(), picture_);
        auto step = domain::slot_observer::step::again;
        while (step == domain::slot_observer::step::again) step = o.add(plc->read());
        if (step == domain::slot_observer::step::inconsistent) return false;
        fresh_ = step == domain::slot_observer::step::accepted;
        if (fresh_) picture_ = o.image();
        if (fresh_ || picture_ != decoded_) {
            decoded_ = picture_;
            shown_ = domain::decode_slot(example::map(), picture_);
        }
        return true;
    }

    bool past(const std::string& order) const
    {
        return std::any_of(rows_.begin(), rows_.end(), [&](const entry& r) { return r.b.order_key == order && !r.waits(); });
    }

    // The read cycle's and the store's part.
    void follow(entry& r)
    {
        auto& b = r.b;
        domain::follow_input in;
        in.fresh = fresh_;
        in.load_taken = r.taken;
        in.load_open = !r.taken;
        in.recipe_stands = recipe_stands_;
        in.slot_taken = std::any_of(rows_.begin(), rows_.end(), [&](const entry& o) { return &o != &r && o.waits(); });
        in.shows_past = past(shown_.mo_id);
        in.told_implausible = alerts_.contains("implausible " + b.mo_id);
        in.now = now_;
        const auto seen = domain::follow_slot(example::map(), b, picture_, r.stale, in, r.memory);
        for (const auto& a : seen.alerts) alerts_.insert(a.kind + " " + a.subject);
        for (const auto& kind : seen.resolved) alerts_.erase(kind + " " + b.mo_id);
        if (!seen.change) return;
        const auto& c = *seen.change;
        if (c.state != b.state) {
            if (c.state != batch_state::held) alerts_.erase("held " + b.mo_id);
            if (c.state != batch_state::lost) alerts_.erase("lost " + b.mo_id);
            if (c.state != batch_state::held && c.state != batch_state::lost) alerts_.erase("implausible " + b.mo_id);
        }
        b.state = c.state;
        b.reason = c.reason;
        if (!c.keep_picture) b.raw = picture_;
        if (c.values_changed) {
            b.actual = seen.reading.quantities;
            b.weight = seen.reading.weight;
            b.status_manufacturing = seen.reading.status_manufacturing == 1;
            b.status_operation = seen.reading.status_operation == 1;
        }
        if (c.owe == domain::row_change::delivery::finish) {
            ++r.finishes;
            r.finish_actual = by_place(b.actual);
            r.finish_weight = hundredths(b.weight);
        }
        if (c.acknowledge) duties_.insert(b.order_key);
    }

    domain::known_order identify(const domain::slot_reading& shown, bool& followed) const
    {
        domain::known_order out;
        bool to_come = false;
        const auto over = [&](const entry& r, bool by_plc) {
            out.what = domain::known_order::kind::ended;
            out.mo_id = r.b.mo_id;
            out.slot = history_slot;
            out.ended_by_plc = by_plc;
            out.actual = r.b.actual;
            out.weight = r.b.weight;
            out.raw = r.b.raw;
        };
        for (const auto& r : rows_) {
            if (r.archived || r.b.order_key != shown.mo_id) continue;
            if (shown.batch_no != history_slot) {
                out.what = domain::known_order::kind::elsewhere;
                continue;
            }
            if (r.b.state == batch_state::completed || (r.b.state == batch_state::held && !r.b.raw.empty() && domain::same_content(example::map(), r.b.raw, picture_))) {
                over(r, true);
                return out;
            }
            if (!r.taken || domain::same_content(example::map(), r.stale, picture_)) to_come = true;
            else followed = true;
        }
        if (followed) return out;
        for (auto r = rows_.rbegin(); r != rows_.rend(); ++r) {
            if (!r->archived || r->b.order_key != shown.mo_id) continue;
            over(*r, r->b.status_manufacturing || r->b.status_operation);
            return out;
        }
        followed = to_come;
        return out;
    }

    void strangers()
    {
        static const std::vector<std::string> kinds{"unknown_order", "misplaced_order", "changed_after_end", "doses_again", "acknowledgement_lost"};
        std::erase_if(alerts_, [](const std::string& a) { return std::any_of(kinds.begin(), kinds.end(), [&](const std::string& k) { return a.starts_with(k + " "); }); });
        const auto& shown = shown_;
        bool followed = shown.empty();
        const auto known = followed ? domain::known_order{} : identify(shown, followed);
        if (followed) {
            stranger_ = {};
            return;
        }
        domain::stranger_input in;
        in.slot = history_slot;
        in.stale = !rows_.empty() && domain::same_content(example::map(), picture_, rows_.back().stale);
        in.now = now_;
        const auto before = stranger_;
        const auto out = domain::judge_stranger(example::map(), picture_, known, in, stranger_);
        for (const auto& a : out.alerts) alerts_.insert(a.kind + " " + a.subject);
        if (!out.owes_acknowledgement) return;
        if (duties_.contains(shown.mo_id) || std::any_of(rows_.begin(), rows_.end(), [](const entry& r) { return r.waits(); })) {
            stranger_.acknowledged = before.order == stranger_.order ? before.acknowledged : 0;
            stranger_.owed_at = before.owed_at;
            return;
        }
        duties_.insert(shown.mo_id);
    }

    void work_off_duties()
    {
        static const words nothing;
        const auto owed = duties_;
        for (const auto& order : owed) {
            domain::slot_observer o(example::map(), nothing);
            auto step = domain::slot_observer::step::again;
            while (step == domain::slot_observer::step::again) step = o.add(plc->read());
            if (step == domain::slot_observer::step::inconsistent) continue;
            const auto what = domain::decide_duty(domain::decode_slot(example::map(), o.image()), order);
            if (what != domain::duty_step::write || plc->acknowledge(order)) duties_.erase(order);
        }
    }

    std::vector<entry> rows_;
    std::set<std::string> duties_, alerts_;
    domain::stranger_memory stranger_;
    words picture_, decoded_;
    domain::slot_reading shown_;         // decoded_ as values
    bool fresh_ = false, recipe_stands_ = false;
    std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

// 10,000 in all, over several cases, so that they run beside each other; tests/run.sh --long plays ten times as many.
void play(std::uint64_t part)
{
    const char* one = std::getenv("BB_HISTORY_SEED");
    const std::uint64_t count = std::getenv("BATCHBRIDGE_LONG") != nullptr ? 25000 : 2500;
    const auto from = one != nullptr ? std::strtoull(one, nullptr, 10) : part * 1000000;
    bb_test::history_count total;
    for (std::uint64_t seed = from; seed < from + (one != nullptr ? 1 : count); ++seed) {
        const auto fault = bb_test::play_history(seed, [] { return std::make_unique<memory_bridge>(); }, total);
        if (fault) FAIL(*fault);
    }
    std::cout << count << " histories: " << total.cycles << " cycles, " << total.storms << " storms, " << total.batches << " batches, " << total.completed << " completed, " << total.held << " held, " << total.lost
              << " lost, " << total.refused << " refused pictures\n";
    if (one != nullptr) return;
    CHECK(total.completed > 0);
    CHECK(total.lost > 0);
    CHECK(total.held > 0);
    CHECK(total.refused > 0);
}

}  // namespace

TEST_CASE("random slot histories leave the stored picture equal to the model's, first quarter (L-28, L-31, L-34, L-35, L-36)")
{
    play(1);
}

TEST_CASE("random slot histories leave the stored picture equal to the model's, second quarter")
{
    play(2);
}

TEST_CASE("random slot histories leave the stored picture equal to the model's, third quarter")
{
    play(3);
}

TEST_CASE("random slot histories leave the stored picture equal to the model's, fourth quarter")
{
    play(4);
}
