// How late the cycles of the real program start while every call to Odoo hangs, and while nothing calls Odoo.
#include "lateness.hpp"
#include "plant.hpp"

#include "domain/plant_map.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace batchbridge::bench {

namespace {

using clock = std::chrono::steady_clock;
constexpr auto interval = std::chrono::milliseconds(50);
constexpr double most_of_idle = 1.1, always_good_ms = 2.0;
constexpr int orders = 10;   // every slot is followed, so a cycle begins at slot 1

int first_address(const settings& s)
{
    std::ifstream file(s.map);
    std::ostringstream text;
    text << file.rdbuf();
    return domain::parse_plant_map(text.str()).read_address(1);
}

struct run_figures {
    double p99_ms;
    std::size_t cycles;
};

// The PLC doses all the time, so that each cycle stores a change; with `hung` each change owes Odoo a delivery, and every
// call of those ends in its timeout and is tried again. Without, the program has no reason to call Odoo.
run_figures one_run(const settings& s, bool hung, std::chrono::milliseconds length)
{
    plant p(s, orders);
    p.start_bridge({{"PLC_READ_INTERVAL", "50ms"}, {"TASK2_ODOO_SYNC", hung ? "true" : "false"}, {"ODOO_LIVE_INTERVAL", "300ms"}, {"ODOO_CONNECT_TIMEOUT", "400ms"},
                    {"ODOO_TIMEOUT", "500ms"}, {"ODOO_WRITE_TIMEOUT", "600ms"}, {"ODOO_UNCLEAR_WAIT", "1500ms"}, {"ODOO_RETRY_MAX", "1s"}});
    p.await_dosing();
    if (hung) {
        p.odoo().post("/fault", R"({"kind": "hang"})");
        await("a hung call to end in its timeout", std::chrono::seconds(30), [&] { return p.odoo_is("down"); });
    }
    const auto calls = p.odoo().get("/calls").as_array().size();
    const auto from = clock::now();
    std::this_thread::sleep_for(length);   // the time of measuring
    const auto to = clock::now();
    if (p.odoo().get("/calls").as_array().size() != calls) throw std::runtime_error(hung ? "Odoo answered although it hangs" : "Odoo was called although it should be idle");
    if (hung && !p.odoo_is("down")) throw std::runtime_error("batchbridge does not see that Odoo hangs");
    p.kill_bridge();

    std::ifstream log(p.plc_log());
    const auto starts = cycle_starts(read_requests(log, from.time_since_epoch(), to.time_since_epoch()), first_address(s));
    const auto late = lateness_ms(starts, interval);
    // Left-out cycles make some fewer; half of them missing means that this is not what we think it is.
    if (late.size() < static_cast<std::size_t>(length / interval / 2)) throw std::runtime_error(fmt::format("only {} cycles in {} ms", late.size(), length.count()));
    return {percentile(late, 99), late.size()};
}

}  // namespace

row cycle_jitter(const settings& s)
{
    const int pairs = s.quick ? 1 : 5;
    const auto length = std::chrono::milliseconds(s.quick ? 2000 : 5000);
    std::vector<double> hung, idle, ratios;
    row r;
    for (int i = 0; i < pairs; ++i) {
        // In turn also within the pairs, so that neither is always the later one.
        const bool hung_first = i % 2 == 1;
        const auto a = one_run(s, hung_first, length), b = one_run(s, !hung_first, length);
        const auto &h = hung_first ? a : b, &d = hung_first ? b : a;
        fmt::print(stderr, "cycle_jitter: pair {} of {}: p99 {:.3f} ms hung, {:.3f} ms idle\n", i + 1, pairs, h.p99_ms, d.p99_ms);
        hung.push_back(h.p99_ms);
        idle.push_back(d.p99_ms);
        ratios.push_back(h.p99_ms / d.p99_ms);
        r.n += h.cycles + d.cycles;
    }
    r.name = "cycle_jitter";
    r.unit = "ms";
    r.ours = median(hung);
    r.plain = median(idle);
    r.ratio = median(ratios);
    r.by = limited::ours;
    r.target = std::max(always_good_ms, most_of_idle * *r.plain);
    r.ok = r.ours <= always_good_ms || *r.ratio <= most_of_idle;
    // Each cycle commits, so a slow disk under the database shows, and so does a busy machine; then the ratio compares noise.
    r.disturbed = *r.plain > always_good_ms;
    if (r.disturbed) fmt::print(stderr, "cycle_jitter: cycles start late without Odoo too (slow disk under the database, or a busy machine): the ratio says little\n");
    return r;
}

}  // namespace batchbridge::bench
