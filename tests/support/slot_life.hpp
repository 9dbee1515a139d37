// The life of one READ slot as its PLC lives it, and what requests see of it: true images, register pairs caught while they
// are written, half-written slots, garbage, no answer. Written from the register table of the design, without our codec.
#pragma once

#include "domain/slot.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace bb_test {

using batchbridge::domain::words;

inline constexpr int silo_count = 15;
inline constexpr int slot_words = 77;
inline constexpr int silo_id(int place) { return 101 + place; }

// What a slot holds; kilograms in hundredths.
struct figures {
    std::string order;
    int batch_no = 0;
    std::array<int, silo_count> dosed{};
    int weight = 0;
    int manufacturing = 0, operation = 0, read_data = 0;

    bool operator==(const figures&) const = default;
    bool same_content(const figures& o) const
    {
        return order == o.order && batch_no == o.batch_no && dosed == o.dosed && weight == o.weight && manufacturing == o.manufacturing && operation == o.operation;
    }
    bool ended() const { return manufacturing == 1 || operation == 1; }
    bool any() const
    {
        for (const int d : dosed)
            if (d > 0) return true;
        return false;
    }
};
words encode(const figures& f);
std::string describe(const figures& f);

// A request without an answer.
struct no_answer : std::runtime_error {
    no_answer() : std::runtime_error("no answer") {}
};

class slot_life {
public:
    explicit slot_life(std::mt19937_64& rng) : rng_(rng) { become({}); }

    enum class weather {
        calm,      // every request sees what is there
        storm,     // the PLC goes on between requests, and they may see anything
        away       // no request is answered
    };
    void set_weather(weather w) { weather_ = w; }
    const figures& truth() const { return now_; }
    // The PLC has changed its registers.
    void become(figures f);
    // What comes next, one by one: between the requests of a storm, at once otherwise.
    void go_through(std::vector<figures> path);
    bool path_done() const { return path_.empty(); }
    void finish_path();

    // One request. Throws no_answer.
    words read();
    // The read flag is written; false: without an answer, and perhaps without effect. Throws std::logic_error if it is not an
    // ended batch of this order that is acknowledged.
    bool acknowledge(const std::string& order);

    // Did the slot ever hold this while it showed the order?
    bool held(const std::string& order, int place, int hundredths) const;
    bool held_weight(const std::string& order, int hundredths) const;

    // Every change and every defective read, when `keep` was asked for.
    std::vector<std::string> script;
    bool keep_script = false;

    int random(int from, int to) { return from + static_cast<int>(rng_() % static_cast<std::uint64_t>(to - from + 1)); }
    bool chance(int percent) { return random(1, 100) <= percent; }

private:
    void say(const std::string& line);
    words torn();
    words half_written();
    words garbage();

    std::mt19937_64& rng_;
    weather weather_ = weather::calm;
    figures now_;
    words image_, before_;
    std::vector<figures> path_;          // the next one last
    bool mixed_ = false;                 // this very step was already seen, whole or half done
    bool torn_before_ = false;           // so was what the request before saw
    struct past {
        std::array<std::set<int>, silo_count> dosed;
        std::set<int> weight;
    };
    std::map<std::string, past> past_;
};

}  // namespace bb_test
