// The longest pause between read cycles in a simulator's log, and how late this machine itself was meanwhile.
#pragma once

#include <boost/json/parse.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <sstream>
#include <string>
#include <thread>

namespace bb_test {

// How late a thread that only sleeps is woken on this machine, at worst: what no program could have done better.
class machine_lateness {
public:
    machine_lateness()
    {
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
                std::this_thread::sleep_until(due);
                const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - due).count();
                if (late > worst_) worst_ = late;
            }
        });
    }
    // Since the last call, or the start.
    std::int64_t worst_ms() { return worst_.exchange(0); }

private:
    std::atomic<std::int64_t> worst_{0};
    std::jthread thread_;
};

// The longest time in ms between the first requests of two read cycles, between two points of CLOCK_MONOTONIC.
inline std::int64_t longest_gap_ms(const std::string& log, std::int64_t from_ns, std::int64_t to_ns, std::int64_t interval_ms)
{
    std::istringstream in(log);
    std::string line;
    std::int64_t start = from_ns, worst = 0, last = 0;
    while (std::getline(in, line)) {
        boost::system::error_code ec;
        const auto v = boost::json::parse(line, ec);
        if (ec || !v.is_object() || !v.get_object().contains("function")) continue;
        const auto at = v.at("ns").as_int64();
        if (v.at("function").as_int64() != 3 || v.at("address").as_int64() >= 7000 || at < from_ns || at > to_ns) continue;
        // Requests of one cycle follow each other closely; a new cycle begins after a pause.
        if (last == 0 || at - last > interval_ms * 1000000 / 2) {
            if (last != 0) worst = std::max(worst, (at - start) / 1000000);
            start = at;
        }
        last = at;
    }
    return std::max(worst, (to_ns - last) / 1000000);
}

inline std::int64_t now_ns()
{
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace bb_test
