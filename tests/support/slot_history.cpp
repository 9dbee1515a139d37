#include "support/slot_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace bb_test {

namespace {

using std::chrono::seconds;

struct wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class history {
public:
    history(std::uint64_t seed, const std::function<std::unique_ptr<bridge>()>& make, history_count& count, bool keep_script) : rng_(seed), plc_(rng_), count_(count), model_(count)
    {
        plc_.keep_script = keep_script;
        bridge_ = make();
        bridge_->plc = &plc_;
    }

    void play()
    {
        if (plc_.chance(30)) {
            figures past;
            past.order = "WH/MO/90001";
            past.batch_no = history_slot;
            if (plc_.chance(50)) {
                past.dosed[1] = 12345;
                past.manufacturing = 1;
            }
            plc_.become(past);
        }
        const int runs = plc_.random(1, 3);
        for (int i = 0; i < runs; ++i) {
            load();
            make_batch();
            aftermath();
        }
        calm(9);
    }

    std::vector<std::string>& script() { return plc_.script; }

private:
    // --- comparing ---------------------------------------------------------------------------------------------------

    static std::string text(const std::array<int, silo_count>& a, int weight)
    {
        std::string out;
        for (std::size_t i = 0; i < silo_count; ++i)
            if (a[i] != 0) out += fmt::format("{}:{:.2f} ", silo_id(static_cast<int>(i)), a[i] / 100.0);
        return out + fmt::format("weight {:.2f}", weight / 100.0);
    }

    // Whatever a cycle saw, nothing else is stored than what the PLC held.
    void check_cycle()
    {
        for (const auto& b : model_.batches) {
            if (b.archived) continue;
            const auto s = bridge_->row(b.order);
            auto& before = last_[b.order];
            for (int place = 0; place < silo_count; ++place) {
                const auto i = static_cast<std::size_t>(place);
                const int v = s.actual[i];
                if (!plc_.held(b.order, place, v)) throw wrong(fmt::format("{}: stored {:.2f} kg for silo {}, which the PLC never held", b.order, v / 100.0, silo_id(place)));
                if (v < 0 || v > max_kg) throw wrong(fmt::format("{}: stored impossible {:.2f} kg", b.order, v / 100.0));
                if (before && before->actual[i] - v > max_fall) throw wrong(fmt::format("{}: silo {} fell from {:.2f} to {:.2f} kg", b.order, silo_id(place), before->actual[i] / 100.0, v / 100.0));
            }
            if (!plc_.held_weight(b.order, s.weight)) throw wrong(fmt::format("{}: stored a weight of {:.2f} kg, which the PLC never held", b.order, s.weight / 100.0));
            if (s.finishes > 1) throw wrong(b.order + ": two finishes");
            if (s.finishes == 1 && (s.finish_actual != s.actual || s.finish_weight != s.weight)) throw wrong(b.order + ": the finish has other figures than the batch");
            if (before && before->state == "completed" && (s.state != "completed" || s.actual != before->actual || s.weight != before->weight)) throw wrong(b.order + ": changed after it had completed");
            before = s;
        }
    }

    void compare()
    {
        for (const auto& b : model_.batches) {
            if (b.archived) continue;
            const auto s = bridge_->row(b.order);
            const auto want = fmt::format("{} {} status {}/{} finishes {}", b.state, text(b.actual, b.weight), b.manufacturing, b.operation, b.finishes);
            const auto have = fmt::format("{} {} status {}/{} finishes {}", s.state, text(s.actual, s.weight), s.manufacturing, s.operation, s.finishes);
            if (want != have) throw wrong(fmt::format("{}: stored is    {}\n            the model says {}", b.order, have, want));
        }
        auto alerts = bridge_->alerts();
        // About one moment, or about a PLC that keeps nothing.
        std::erase_if(alerts, [](const std::string& a) { return a.starts_with("both_status ") || a.starts_with("acknowledgement_lost "); });
        const auto want = model_.alerts(plc_.truth());
        if (alerts != want) throw wrong(fmt::format("open alerts are [{}], the model says [{}]", fmt::join(alerts, ", "), fmt::join(want, ", ")));
        const auto& f = plc_.truth();
        // Under a batch that may come at any moment nothing is acknowledged: it could be that one.
        const bool next_may_come = std::any_of(model_.batches.begin(), model_.batches.end(), [](const expected& b) { return b.unfinished(); });
        if (f.ended() && model_.past(f.order) && f.batch_no == history_slot && !next_may_come) {
            if (f.read_data != 1) throw wrong("not acknowledged: " + describe(f));
            if (bridge_->open_duties() != 0) throw wrong("a duty is open for what is acknowledged");
        }
        if (f.order == "WH/MO/90001" && f.read_data != 0) throw wrong("an order that is not ours was acknowledged");
    }

    void cycle(seconds later)
    {
        ++count_.cycles;
        bridge_->cycle(later);
    }

    // --- the life ----------------------------------------------------------------------------------------------------

    void say(const std::string& line)
    {
        if (plc_.keep_script) plc_.script.push_back(line);
    }

    // The slot stands still and every request is answered: after this the stored picture is the model's.
    void calm(int cycles = 5, seconds step = seconds(10))
    {
        plc_.finish_path();
        plc_.set_weather(slot_life::weather::calm);
        say(fmt::format("calm for {} cycles", cycles));
        for (int i = 0; i < cycles; ++i) {
            cycle(step);
            if (i == 0) check_cycle();
        }
        check_cycle();
        const auto f = plc_.truth();
        model_.settle(f);
        compare();
        if (auto* b = present()) {
            peak_ = b->actual;
            doubtful_ = slot_model::impossible(f, *b);
        }
    }

    // The PLC goes through `path` while requests see all kinds of things, or nothing at all.
    void pass(std::vector<figures> path)
    {
        const int what = plc_.random(1, 100);
        if (what <= 12) {
            say("nothing is answered");
            plc_.set_weather(slot_life::weather::away);
            plc_.go_through(std::move(path));
            for (int i = plc_.random(0, 2); i > 0; --i) cycle(seconds(plc_.random(1, 20)));
        } else if (what <= 25) {
            plc_.set_weather(slot_life::weather::calm);
            for (auto& f : path) {
                plc_.become(std::move(f));
                cycle(seconds(plc_.random(1, 5)));
                check_cycle();
            }
        } else {
            ++count_.storms;
            say("storm");
            plc_.set_weather(slot_life::weather::storm);
            plc_.go_through(std::move(path));
            for (int i = 0; i < 60 && !plc_.path_done(); ++i) {
                cycle(seconds(plc_.random(1, 8)));
                check_cycle();
            }
            plc_.finish_path();
        }
    }

    expected* present()
    {
        return model_.batches.empty() || model_.batches.back().archived ? nullptr : &model_.batches.back();
    }

    void archive(expected& b, const std::string& status)
    {
        say("archive " + b.order + " as " + status);
        bridge_->archive(b.order, status);
        b.archived = true;
        last_.erase(b.order);
    }

    static bool any(const expected& b)
    {
        return std::any_of(b.actual.begin(), b.actual.end(), [](int d) { return d != 0; });
    }

    void load()
    {
        // Nothing is loaded beside an order that the PLC has in hand and nobody knows.
        auto f = plc_.truth();
        if (!f.order.empty() && !model_.past(f.order) && f.any() && !f.ended()) {
            f.manufacturing = 1;
            plc_.become(f);
        }
        // A person gives up what hangs.
        std::string again;
        for (auto& b : model_.batches) {
            if (b.archived) continue;
            const bool hangs = b.unfinished();
            if (!hangs && plc_.chance(50)) continue;
            if (!any(b) && b.state != "completed") again = b.order;
            archive(b, b.state == "completed" ? "completed" : any(b) ? "failed" : "reset");
        }
        calm(9);
        expected b;
        b.order = !again.empty() && plc_.chance(60) ? again : fmt::format("WH/MO/{:05}", ++number_);
        b.stale = plc_.truth();
        say("load " + b.order);
        bridge_->stage(b.order);
        model_.recipe_stands = plc_.chance(50);
        bridge_->recipe_stands(model_.recipe_stands);
        model_.batches.push_back(b);
        ++count_.batches;
        calm(2);
        bool forgotten = false;
        if (plc_.chance(10) && plc_.truth().ended()) {
            say("the PLC forgets the flag of an old batch under an offer");
            auto old = plc_.truth();
            old.read_data = 0;
            plc_.become(old);
            calm(2);
            if (plc_.truth().read_data != 0) throw wrong("acknowledged while the PLC may take a load");
            forgotten = true;
        }
        say("taken");
        bridge_->taken();
        model_.batches.back().offered = false;
        if (plc_.chance(40)) calm(9, seconds(1200));
        if (forgotten && plc_.truth().read_data != 0) throw wrong("acknowledged while the next batch may come");
        if (const auto old = plc_.truth(); !old.order.empty() && model_.past(old.order) && plc_.chance(25)) {
            say("the old batch moves once more before the new one comes");
            auto moved = old;
            moved.dosed[static_cast<std::size_t>(plc_.random(0, silo_count - 1))] += plc_.random(1, 300);
            if (plc_.chance(50)) moved.manufacturing = moved.operation = 0;
            plc_.become(moved);
            calm(9);
        }
        if (plc_.chance(15)) {
            plc_.become({});
            calm();
        }
        restart(15);
        // The PLC comes to it.
        figures echo;
        echo.order = model_.batches.back().order;
        echo.batch_no = history_slot;
        pass({echo});
        if (plc_.chance(40)) calm();
        peak_ = {};
    }

    void restart(int percent)
    {
        if (!plc_.chance(percent)) return;
        calm();
        say("restart");
        bridge_->restart();
        model_.restarted();
    }

    void make_batch()
    {
        std::vector<int> places;
        for (int i = plc_.random(1, 4); i > 0; --i) places.push_back(plc_.random(0, silo_count - 1));
        auto f = plc_.truth();
        for (const int place : places) {
            const auto at = static_cast<std::size_t>(place);
            // Often where the high word carries.
            int target = plc_.chance(50) ? 65536 * plc_.random(1, 6) + plc_.random(-300, 300) : plc_.random(500, 60000);
            target = std::max(target, f.dosed[at] + plc_.random(1, 500));
            if (target > max_kg) continue;
            for (int steps = plc_.random(1, 5); steps > 0; --steps) {
                std::vector<figures> path;
                for (int i = plc_.random(1, 3); i > 0; --i) {
                    // A wobble may have shown more than the target.
                    const int least = std::min(f.dosed[at], target);
                    f.dosed[at] = steps == 1 && i == 1 ? target : plc_.random(least, target);
                    f.dosed[at] = std::max(f.dosed[at], peak_[at] - (doubtful_ ? peak_[at] : max_fall));
                    f.dosed[at] = std::max(f.dosed[at], 1);
                    peak_[at] = std::max(peak_[at], f.dosed[at]);
                    path.push_back(f);
                    // A real scale wobbles.
                    if (!doubtful_ && plc_.chance(25)) {
                        f.dosed[at] = std::max({1, peak_[at] - plc_.random(0, max_fall)});
                        path.push_back(f);
                    }
                }
                pass(path);
                if (plc_.chance(40)) calm();
                if (plc_.chance(14) && !incident()) return;
                f = plc_.truth();
            }
        }
        finish();
    }

    // Something goes wrong. False: the batch will not go on from here.
    bool incident()
    {
        calm();
        auto f = plc_.truth();
        const auto was = f;
        switch (plc_.random(0, 9)) {
        case 0: {   // the scale falls by more than a correction, and perhaps comes back
            const auto at = static_cast<std::size_t>(plc_.random(0, silo_count - 1));
            if (f.dosed[at] <= max_fall + 1) return true;
            f.dosed[at] -= std::min(f.dosed[at] - 1, plc_.random(max_fall + 1, 20000));
            say("a fall");
            pass({f});
            calm();
            if (plc_.chance(50)) {
                pass({was});
                calm();
            }
            return true;
        }
        case 1: {   // registers that cannot be
            if (plc_.chance(50)) f.dosed[static_cast<std::size_t>(plc_.random(0, silo_count - 1))] = plc_.random(max_kg + 1, 2000000000);
            else if (plc_.chance(50)) f.manufacturing = plc_.random(2, 65535);
            else f.weight = -plc_.random(1, 100000);
            say("impossible registers");
            pass({f});
            calm();
            pass({was});
            calm();
            return true;
        }
        case 2: calm(6, seconds(1800)); return true;
        case 3:     // a failure, taken back before anybody believed it
            f.operation = 1;
            say("a short failure");
            if (plc_.chance(50)) {
                pass({f, was});
                return true;
            }
            plc_.set_weather(slot_life::weather::calm);
            plc_.become(f);
            for (int i = 0; i < 2; ++i) cycle(seconds(5));
            if (const auto* b = present(); b != nullptr && b->state != "held" && bridge_->row(b->order).state == "held") throw wrong("held before three equal reads");
            plc_.become(was);
            cycle(seconds(5));
            return true;
        case 4:     // the PLC gives up; the mill clears the fault and doses on
            f.operation = 1;
            say("a failure");
            pass({f});
            calm();
            restart(20);
            if (plc_.chance(30)) return false;
            f = plc_.truth();
            f.operation = 0;
            f.read_data = 0;
            pass({f});
            calm();
            return true;
        case 5:     // the memory is gone, or the slot is cleared
            say("the slot is cleared");
            plc_.become({});
            calm();
            if (plc_.chance(30)) return false;
            plc_.become(was);
            calm();
            return true;
        case 6:
        case 7: {   // the slot is used for something else
            say("another order in the slot");
            figures other;
            other.order = "WH/MO/90002";
            other.batch_no = history_slot;
            other.dosed[0] = 777;
            if (plc_.chance(25) && !model_.batches.back().stale.order.empty()) other = model_.batches.back().stale;
            else if (plc_.chance(25)) {
                other = was;
                other.batch_no = 7;
            }
            if (plc_.chance(40)) {
                pass({other, was});
                calm();
                return true;
            }
            pass({other});
            calm();
            restart(20);
            if (plc_.chance(40)) return false;
            pass({was});
            calm();
            return true;
        }
        default: restart(100); return true;
        }
    }

    void finish()
    {
        calm();
        auto f = plc_.truth();
        if (plc_.chance(10)) return;
        std::vector<figures> path;
        if (plc_.chance(80)) {
            for (const int d : f.dosed) f.weight += d;
            f.weight = std::max(0, f.weight + plc_.random(-50, 50));
            path.push_back(f);
        }
        const int how = plc_.random(1, 100);
        if (how <= 8) {          // the figures are lost before the end
            const auto at = static_cast<std::size_t>(std::distance(f.dosed.begin(), std::max_element(f.dosed.begin(), f.dosed.end())));
            pass(path);
            calm();
            f = plc_.truth();
            f.dosed[at] = 0;
            pass({f});
            calm();
            path.clear();
            f.manufacturing = 1;
        } else if (how <= 18) {
            f.operation = 1;
        } else {
            f.manufacturing = 1;
            if (how <= 24) f.operation = 1;
        }
        path.push_back(f);
        if (how > 95) {          // it ends and is gone while nobody could see it
            say("the end is never seen");
            plc_.set_weather(slot_life::weather::away);
            figures other;
            other.order = "WH/MO/90003";
            other.batch_no = history_slot;
            path.push_back(other);
            plc_.go_through(path);
            cycle(seconds(40));
            calm();
            return;
        }
        pass(path);
        calm();
    }

    // What a slot may show after its batch has ended.
    void aftermath()
    {
        calm();
        for (int i = plc_.random(0, 3); i > 0; --i) {
            auto* b = present();
            auto f = plc_.truth();
            switch (plc_.random(0, 4)) {
            case 0:
                if (!f.ended()) break;
                say("the PLC forgets the flag");
                f.read_data = 0;
                plc_.become(f);
                calm(9);
                break;
            case 1:
                if (b == nullptr || b->unfinished() || f.order != b->order) break;
                say("other figures after the end");
                if (b->state == "completed") f.dosed[static_cast<std::size_t>(plc_.random(0, silo_count - 1))] = plc_.random(0, 5000);
                else f.dosed[static_cast<std::size_t>(plc_.random(0, silo_count - 1))] += plc_.random(1, 200);
                plc_.become(f);
                calm(9);
                break;
            case 2:
                if (b == nullptr || b->unfinished()) break;
                archive(*b, b->state == "completed" ? "completed" : "cancelled");
                calm(9);
                break;
            case 3:
                if (b != nullptr && b->state != "completed") break;
                if (f.order.empty() || !model_.past(f.order)) break;
                say("it doses again");
                f.manufacturing = f.operation = 0;
                f.dosed[static_cast<std::size_t>(plc_.random(0, silo_count - 1))] += plc_.random(-5, 500);
                for (auto& d : f.dosed) d = std::max(d, 0);
                plc_.become(f);
                calm(9);
                break;
            default: restart(50); break;
            }
        }
        // A batch that was given up is mended by the mill.
        if (auto* b = present(); b != nullptr && b->state == "held" && plc_.truth().order == b->order && plc_.chance(40)) {
            auto f = plc_.truth();
            for (std::size_t i = 0; i < silo_count; ++i) f.dosed[i] = std::max(f.dosed[i], b->actual[i]);
            f.manufacturing = 1;
            f.read_data = 0;
            say("it is ended after all");
            pass({f});
            calm(9);
        }
    }

    std::mt19937_64 rng_;
    slot_life plc_;
    std::unique_ptr<bridge> bridge_;
    history_count& count_;
    slot_model model_;
    std::map<std::string, std::optional<stored_batch>> last_;
    std::array<int, silo_count> peak_{};
    bool doubtful_ = false;              // the slot shows less than is stored: what it shows next may be refused
    int number_ = 0;
};

}  // namespace

std::optional<std::string> play_history(std::uint64_t seed, const std::function<std::unique_ptr<bridge>()>& make, history_count& count)
{
    try {
        history(seed, make, count, false).play();
        return std::nullopt;
    } catch (const std::exception& e) {
        // Once more, written down.
        history_count ignored;
        std::string out = fmt::format("seed {}: {}\n", seed, e.what());
        history again(seed, make, ignored, true);
        try {
            again.play();
        } catch (const std::exception& second) {
            out += fmt::format("(played again: {})\n", second.what());
        }
        return out + fmt::format("{}\n", fmt::join(again.script(), "\n"));
    }
}

}  // namespace bb_test
