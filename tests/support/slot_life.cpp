#include "support/slot_life.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace bb_test {

namespace {

int value_at(int place)
{
    return place < 13 ? 28 + 3 * place : place == 13 ? 67 : 70;
}

void put(words& w, int at, int value)
{
    const auto bits = static_cast<std::uint32_t>(value);
    w[static_cast<std::size_t>(at)] = static_cast<std::uint16_t>(bits >> 16);
    w[static_cast<std::size_t>(at) + 1] = static_cast<std::uint16_t>(bits & 0xffff);
}

}  // namespace

words encode(const figures& f)
{
    words w(slot_words, 0);
    if (f.order.empty()) return w;
    w[0] = static_cast<std::uint16_t>(f.batch_no);
    for (std::size_t i = 0; i < f.order.size(); ++i) {
        const auto c = static_cast<std::uint16_t>(static_cast<unsigned char>(f.order[i]));
        w[1 + i / 2] = static_cast<std::uint16_t>(w[1 + i / 2] | (i % 2 == 0 ? c << 8 : c));
    }
    put(w, 25, 100000);
    for (int place = 0; place < silo_count; ++place) {
        w[static_cast<std::size_t>(value_at(place) - 1)] = static_cast<std::uint16_t>(silo_id(place));
        put(w, value_at(place), f.dosed[static_cast<std::size_t>(place)]);
    }
    w[72] = static_cast<std::uint16_t>(f.manufacturing);
    w[73] = static_cast<std::uint16_t>(f.operation);
    put(w, 74, f.weight);
    w[76] = static_cast<std::uint16_t>(f.read_data);
    return w;
}

std::string describe(const figures& f)
{
    if (f.order.empty()) return "empty";
    std::string out = fmt::format("{} batch {}", f.order, f.batch_no);
    for (int place = 0; place < silo_count; ++place)
        if (const int d = f.dosed[static_cast<std::size_t>(place)]; d != 0) out += fmt::format(" {}:{:.2f}", silo_id(place), d / 100.0);
    return out + fmt::format(" weight {:.2f} status {}/{} read {}", f.weight / 100.0, f.manufacturing, f.operation, f.read_data);
}

void slot_life::say(const std::string& line)
{
    if (keep_script) script.push_back(line);
}

void slot_life::become(figures f)
{
    before_ = image_.empty() ? words(slot_words, 0) : std::move(image_);
    now_ = std::move(f);
    image_ = encode(now_);
    mixed_ = false;
    if (keep_script) say("PLC: " + describe(now_));
    if (now_.order.empty()) return;
    auto& p = past_[now_.order];
    for (std::size_t i = 0; i < silo_count; ++i) p.dosed[i].insert(now_.dosed[i]);
    p.weight.insert(now_.weight);
}

void slot_life::go_through(std::vector<figures> path)
{
    std::reverse(path.begin(), path.end());
    path_ = std::move(path);
    if (weather_ != weather::storm) finish_path();
}

void slot_life::finish_path()
{
    for (; !path_.empty(); path_.pop_back()) become(path_.back());
}

words slot_life::torn()
{
    // High and low word of different instants: the classic tear.
    auto w = image_;
    bool any = false;
    const auto tear = [&](int at) {
        const auto i = static_cast<std::size_t>(at);
        if (w[i] == before_[i] || w[i + 1] == before_[i + 1]) return;
        const auto k = chance(50) ? i : i + 1;
        w[k] = before_[k];
        any = true;
    };
    for (int place = 0; place < silo_count; ++place) tear(value_at(place));
    tear(74);
    if (any) say("  read: torn pair");
    return w;
}

words slot_life::half_written()
{
    const auto cut = random(1, slot_words - 1);
    auto w = image_;
    if (chance(70)) std::copy(before_.begin() + cut, before_.end(), w.begin() + cut);
    else std::copy(before_.begin(), before_.begin() + cut, w.begin());
    say(fmt::format("  read: half written, cut at {}", cut));
    return w;
}

words slot_life::garbage()
{
    auto w = image_;
    switch (random(0, 3)) {
    case 0: put(w, value_at(random(0, silo_count - 1)), random(500001, 2000000000)); break;
    case 1: put(w, value_at(random(0, silo_count - 1)), -random(1, 2000000000)); break;
    case 2: w[static_cast<std::size_t>(random(72, 73))] = static_cast<std::uint16_t>(random(2, 65535)); break;
    default: put(w, 74, -random(1, 2000000000)); break;
    }
    say("  read: garbage");
    return w;
}

words slot_life::read()
{
    if (weather_ == weather::calm) return image_;
    if (weather_ == weather::away) throw no_answer();
    if (!path_.empty() && chance(35)) {
        auto next = std::move(path_.back());
        path_.pop_back();
        become(std::move(next));
    }
    const int what = random(1, 100);
    if (what <= 6) {
        say("  read: no answer");
        throw no_answer();
    }
    if (what <= 14) return garbage();
    // One step is caught half done by one request, before any has seen it whole, and not two steps in a row: two reads that
    // are torn alike look right, as the map's text says.
    const bool seen = std::exchange(mixed_, true), torn_before = std::exchange(torn_before_, false);
    if (what > 40 || seen || torn_before || image_ == before_) return image_;
    torn_before_ = true;
    return chance(50) ? torn() : half_written();
}

bool slot_life::acknowledge(const std::string& order)
{
    if (weather_ == weather::away) return false;
    if (now_.order != order) throw std::logic_error(fmt::format("acknowledged {}, but the slot holds {}", order, describe(now_)));
    // The PLC may have taken a failure back in the very moment; another batch is never acknowledged.
    if (!now_.ended() && weather_ != weather::storm) throw std::logic_error("acknowledged a batch that has not ended: " + describe(now_));
    const bool lost_before = weather_ == weather::storm && chance(10), lost_after = weather_ == weather::storm && chance(10);
    if (lost_before) return false;
    auto f = now_;
    f.read_data = 1;
    // What the PLC does next leaves the flag as we set it, unless it says otherwise.
    for (auto& next : path_)
        if (next.order == order && next.ended()) next.read_data = 1;
    const auto image_before = before_;
    become(std::move(f));
    before_ = image_before;
    mixed_ = true;
    return !lost_after;
}

bool slot_life::held(const std::string& order, int place, int hundredths) const
{
    const auto it = past_.find(order);
    return hundredths == 0 || (it != past_.end() && it->second.dosed[static_cast<std::size_t>(place)].contains(hundredths));
}

bool slot_life::held_weight(const std::string& order, int hundredths) const
{
    const auto it = past_.find(order);
    return hundredths == 0 || (it != past_.end() && it->second.weight.contains(hundredths));
}

}  // namespace bb_test
