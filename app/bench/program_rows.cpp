// What the program itself needs: memory, and time to start.
#include "plant.hpp"

#include <thread>

namespace batchbridge::bench {

namespace {

using clock = std::chrono::steady_clock;
constexpr double most_mb = 25, most_ms = 200;
constexpr int orders = 10;

row limited_row(std::string name, std::string unit, double ours, double target, std::size_t n)
{
    row r;
    r.name = std::move(name);
    r.unit = std::move(unit);
    r.ours = ours;
    r.target = target;
    r.by = limited::ours;
    r.ok = ours <= target;
    r.n = n;
    return r;
}

}  // namespace

row memory(const settings& s)
{
    plant p(s, orders);
    p.start_bridge({{"PLC_READ_INTERVAL", "500ms"}});
    p.await_dosing();
    std::this_thread::sleep_for(std::chrono::seconds(s.quick ? 1 : 10));   // caches and pools fill
    const auto mb = p.resident_mb();
    p.stop_bridge();
    return limited_row("memory", "MB", mb, most_mb, 1);
}

row start_to_ready(const settings& s)
{
    plant p(s, orders);
    p.start_bridge();
    p.await_ready();   // migrates
    p.stop_bridge();
    std::vector<double> ms;
    for (int i = 0; i < (s.quick ? 1 : 5); ++i) {
        const auto from = clock::now();
        p.start_bridge();
        p.await_ready();
        ms.push_back(microseconds(clock::now() - from) / 1000);
        p.stop_bridge();
    }
    return limited_row("start_to_ready", "ms", median(ms), most_ms, ms.size());
}

}  // namespace batchbridge::bench
