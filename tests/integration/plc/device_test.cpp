#include "plc_bench.hpp"

#include <boost/json/parse.hpp>

#include <cstdio>
#include <set>

#include <unistd.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using namespace std::chrono_literals;
using core::error_kind;
using domain::words;
using plc::area;
using kind = plc::observation::kind;

namespace {

sim::plc_fault fault(std::string what, int count = 1)
{
    sim::plc_fault f;
    f.kind = std::move(what);
    f.count = count;
    return f;
}

std::optional<plc::error> error_of(const std::function<void()>& call)
{
    try {
        call();
    } catch (const plc::error& e) {
        return e;
    }
    return std::nullopt;
}

// A log file that goes with the test.
struct log_file {
    log_file() : path("/tmp/plc-sim-test-XXXXXX") { ::close(::mkstemp(path.data())); }
    ~log_file() { std::remove(path.c_str()); }
    std::vector<boost::json::object> lines() const
    {
        std::vector<boost::json::object> out;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) out.push_back(boost::json::parse(line).as_object());
        return out;
    }
    std::string path;
};

}  // namespace

TEST_CASE("a load of ten orders is written, verified, armed, taken and made")
{
    plc_bench b;
    const auto images = b.load(10);
    b.run(b.device->write_disarmed(images));
    CHECK(b.run(b.device->verify(images)).empty());
    CHECK(b.locked([](auto& m) { return m.loads_taken(); }) == 0);   // disarmed (L-18)
    CHECK(b.run(b.device->read_ready()) == 0);
    b.run(b.device->arm(images.front()));
    plc_bench::await([&] { return b.locked([](auto& m) { return m.finished().size(); }) == 10; });
    CHECK(b.run(b.device->read_ready()) == 1);
    const auto shown = b.run(b.device->read_all(area::read));
    REQUIRE(shown.size() == 10);
    for (const auto& f : b.model.finished()) {
        const auto r = domain::decode_slot(b.map, shown[static_cast<std::size_t>(f.slot - 1)]);
        CHECK(r.mo_id == f.order);
        CHECK(r.status_manufacturing == 1);
        CHECK(r.weight == f.weight);
        CHECK(r.quantities.at(101) == f.actual.at(101));
        CHECK(r.quantities.at(114) == f.actual.at(114));
    }
    CHECK(b.device->connections() == 1);
    CHECK(b.server.most_connections() == 1);
}

TEST_CASE("a load is one FC16 per slot, slot 1 last and without its name and flag (L-17, L-19)")
{
    const log_file log;
    {
        plc_bench b(default_map(), plc_bench::quick(), log.path);
        b.locked([](auto& m) { m.registers()[7076] = 1; });   // the last load was taken
        const auto images = b.load(3);
        b.run(b.device->write_disarmed(images));
        CHECK(b.locked([](auto& m) { return m.registers()[7076]; }) == 1);
        CHECK(domain::decode_slot(b.map, b.run(b.device->read_slot(area::write, 1))).empty());
        CHECK(domain::decode_slot(b.map, b.run(b.device->read_slot(area::write, 1))).quantities.at(101) == core::decimal(100));
        b.locked([](auto& m) { m.pause(true); });
        b.run(b.device->arm(images.front()));
        plc_bench::await([&] { return b.locked([](auto& m) { return m.loads_taken(); }) == 1; });
    }
    std::vector<std::vector<std::int64_t>> writes;
    for (const auto& l : log.lines())
        if (l.contains("function") && l.at("function") == 16) writes.push_back({l.at("address").as_int64(), l.at("count").as_int64()});
    std::vector<std::vector<std::int64_t>> expected{{7001, 8}};
    for (int slot = 10; slot >= 2; --slot) expected.push_back({7000 + 100 * (slot - 1), 77});
    expected.push_back({7000, 76});
    expected.push_back({7000, 77});
    CHECK(writes == expected);
}

TEST_CASE("verify names a register that is not as written")
{
    plc_bench b;
    const auto images = b.load(2);
    b.run(b.device->write_disarmed(images));
    b.locked([](auto& m) { m.registers()[7100 + 29] = 7; });   // slot 2, silo 101, low word
    const auto wrong = b.run(b.device->verify(images));
    REQUIRE(wrong.size() == 1);
    CHECK_THAT(wrong.front(), Catch::Contains("slot 2"));
    // The PLC's own words are not ours to compare.
    b.run(b.device->write_disarmed(images));
    b.locked([](auto& m) {
        for (int i = 72; i <= 76; ++i) m.registers()[static_cast<std::size_t>(7100 + i)] = 9;
    });
    CHECK(b.run(b.device->verify(images)).empty());
}

TEST_CASE("a slot wider than the PLC's limits is read and written in parts and armed once")
{
    auto map = default_map();
    map.limits.max_read = 40;
    map.limits.max_write = 30;
    plc_bench b(map);
    b.locked([](auto& m) { m.pause(true); });
    const auto images = b.load(10);
    b.load_and_arm(images);
    plc_bench::await([&] { return b.locked([](auto& m) { return m.loads_taken(); }) == 1; });
    const auto shown = b.run(b.device->read_slot(area::read, 10));
    CHECK(shown.size() == 77);
    CHECK(domain::decode_slot(map, shown).mo_id == "WH/MO/00020");
    CHECK(domain::decode_slot(map, b.run(b.device->read_slot(area::read, 1))).mo_id == "WH/MO/00011");
    CHECK(b.locked([](auto& m) { return m.loads_taken(); }) == 1);
}

TEST_CASE("images that are no whole load are refused before anything is written")
{
    plc_bench b;
    auto images = b.load(2);
    images.pop_back();
    const auto e = error_of([&] { b.run(b.device->write_disarmed(images)); });
    REQUIRE(e);
    CHECK(e->kind() == error_kind::internal);
    CHECK(b.server.requests() == 0);
}

TEST_CASE("observing a slot that stands still takes one request, a changed one two")
{
    plc_bench b;
    b.locked([](auto& m) { m.pause(true); });
    b.load_and_arm(b.load(1));
    plc_bench::await([&] { return b.locked([](auto& m) { return m.loads_taken(); }) == 1; });
    auto before = b.server.requests();
    const auto first = b.run(b.device->observe(1, {}));
    CHECK(first.what == kind::accepted);
    CHECK(b.server.requests() - before == 2);
    before = b.server.requests();
    CHECK(b.run(b.device->observe(1, first.image)).what == kind::unchanged);
    CHECK(b.server.requests() - before == 1);
}

TEST_CASE("no torn read of a slot is ever accepted (L-31)")
{
    auto o = plc_bench::quick();
    o.scan = 1ms;
    plc_bench b(default_map(), o);
    b.locked([](auto& m) { m.pause(true); });
    b.load_and_arm(b.load(1, {{101, 1000}, {102, 700}}));
    b.locked([](auto& m) { m.pause(false); });
    words stored;
    std::set<words> seen;
    int torn = 0;
    core::decimal last;
    plc_bench::await([&] {
        // One at a time: two reads torn the same way look right, as the map's documentation says.
        if (last > 0 && seen.size() % 2 == 1) {
            b.server.set_fault(fault("torn_slot"));
            ++torn;
        }
        const auto r = b.run(b.device->observe(1, stored));
        if (r.what == kind::accepted) {
            const auto now = domain::decode_slot(b.map, r.image);
            core::decimal sum;
            for (const auto& [silo, amount] : now.quantities) sum += amount;
            CHECK(sum >= last);
            CHECK(sum <= core::decimal(1734));   // 2 % above plan
            last = sum;
            stored = r.image;
            seen.insert(stored);
        }
        return domain::decode_slot(b.map, stored.empty() ? domain::empty_slot(b.map) : stored).status_manufacturing == 1;
    });
    CHECK(torn > 2);
    CHECK(seen.size() >= 5);
    b.server.clear_faults();
    const auto& f = b.model.finished().front();
    const auto end = domain::decode_slot(b.map, stored);
    CHECK(end.quantities.at(101) == f.actual.at(101));
    CHECK(end.quantities.at(102) == f.actual.at(102));
}

TEST_CASE("a torn read between two good ones is repeated, three in a row leave the old picture (L-31)")
{
    plc_bench b;
    b.load_and_arm(b.load(1, {{101, 1000}}));
    plc_bench::await([&] { return b.locked([](auto& m) { return m.finished().size(); }) == 1; });
    const auto good = b.run(b.device->read_slot(area::read, 1));
    SECTION("once, against an older picture")
    {
        b.server.set_fault(fault("torn_slot", 1));
        const auto r = b.run(b.device->observe(1, {}));
        CHECK(r.what == kind::accepted);
        CHECK(r.image == good);
    }
    SECTION("once, against the same picture")
    {
        b.server.set_fault(fault("torn_slot", 1));
        const auto r = b.run(b.device->observe(1, good));
        CHECK(r.image == good);
    }
    SECTION("every other read")
    {
        // A delay of nothing takes its turn between two torn reads.
        for (const auto* what : {"torn_slot", "delay", "torn_slot", "delay"}) b.server.set_fault(fault(what));
        const auto before = b.server.requests();
        const auto r = b.run(b.device->observe(1, {}));
        CHECK(r.what == kind::inconsistent);
        CHECK(b.server.requests() - before == 4);
        CHECK(b.run(b.device->observe(1, good)).what == kind::unchanged);
    }
    SECTION("the second of the first pair")
    {
        b.server.set_fault(fault("delay"));
        b.server.set_fault(fault("torn_slot"));
        const auto r = b.run(b.device->observe(1, {}));
        CHECK(r.what == kind::accepted);
        CHECK(r.image == good);
    }
}

TEST_CASE("an acknowledgement is read back (L-36)")
{
    plc_bench b;
    b.load_and_arm(b.load(1));
    plc_bench::await([&] { return b.locked([](auto& m) { return m.finished().size(); }) == 1; });
    CHECK(b.run(b.device->acknowledge(1)));
    CHECK(b.locked([](auto& m) { return m.registers()[6076]; }) == 1);
    const auto before = b.server.requests();
    CHECK(b.run(b.device->acknowledge(1)));
    CHECK(b.server.requests() - before == 2);   // one write, one read
    // A write without an answer is no acknowledgement, done or not.
    b.server.set_fault(fault("drop_after"));
    CHECK(error_of([&] { b.run(b.device->acknowledge(1)); }));
}

TEST_CASE("a disarmed slot is skipped by the PLC")
{
    plc_bench b;
    b.locked([](auto& m) { m.pause(true); });
    b.load_and_arm(b.load(3));
    plc_bench::await([&] { return b.locked([](auto& m) { return m.loads_taken(); }) == 1; });
    b.run(b.device->disarm(2));
    CHECK(domain::decode_slot(b.map, b.run(b.device->read_slot(area::write, 2))).empty());
    b.locked([](auto& m) { m.pause(false); });
    plc_bench::await([&] { return b.locked([](auto& m) { return m.idle() && m.finished().size() == 2; }); });
    CHECK(b.model.finished()[1].slot == 3);
}

TEST_CASE("disarming slot 1 before the load is taken withdraws the offer")
{
    plc_bench b;
    b.locked([](auto& m) { m.take_loads(false); });
    b.load_and_arm(b.load(2));
    b.run(b.device->disarm(1));
    b.locked([](auto& m) { m.take_loads(true); });
    plc_bench::await([&, from = std::chrono::steady_clock::now()] { return std::chrono::steady_clock::now() - from > 10ms; });
    CHECK(b.locked([](auto& m) { return m.loads_taken(); }) == 0);
}

TEST_CASE("without permission nothing is written, reading goes on")
{
    plc_bench b;
    b.may_write = false;
    const auto images = b.load(2);
    for (const auto& call : std::vector<std::function<void()>>{[&] { b.run(b.device->write_disarmed(images)); }, [&] { b.run(b.device->arm(images.front())); },
                                                               [&] { b.run(b.device->disarm(1)); }, [&] { b.run(b.device->acknowledge(1)); }}) {
        const auto e = error_of(call);
        REQUIRE(e);
        CHECK(e->kind() == error_kind::cancelled);
    }
    CHECK(b.server.requests() == 0);
    CHECK(b.run(b.device->read_ready()) == 0);
    CHECK(b.device->connections() == 1);
}

TEST_CASE("each kind of fault ends as an error of its kind, and the device recovers by itself")
{
    plc_bench b;
    const auto& [what, expected] = GENERATE(table<std::string, error_kind>({{"hang", error_kind::timeout},
                                                                            {"silence", error_kind::timeout},
                                                                            {"delay", error_kind::timeout},
                                                                            {"reset", error_kind::unavailable},
                                                                            {"drop_after", error_kind::unavailable},
                                                                            {"exception", error_kind::rejected}}));
    CAPTURE(what);
    b.run(b.device->connect());
    auto f = fault(what);
    f.delay = 400ms;                 // the device waits 300 ms
    f.code = 4;
    b.server.set_fault(f);
    const auto from = std::chrono::steady_clock::now();
    const auto e = error_of([&] { b.run(b.device->read_slot(area::read, 1)); });
    CHECK(std::chrono::steady_clock::now() - from < 1s);
    REQUIRE(e);
    CHECK(e->kind() == expected);
    CHECK(e->target() == b.device->name());
    if (what == "exception") CHECK(e->peer_code() == "4");
    b.await_reachable();
    CHECK(b.device->connections() == (what == "exception" ? 1U : 2U));
    CHECK(b.server.most_connections() == 1);
    CHECK(b.server.overlapping() == 0);
}

TEST_CASE("a PLC that refuses connections is unavailable and comes back")
{
    plc_bench b;
    b.run(b.device->connect());
    b.server.set_fault(fault("refuse", 0));
    plc_bench::await([&] { return error_of([&] { b.run(b.device->read_ready()); }).has_value(); });
    const auto e = error_of([&] { b.run(b.device->read_ready()); });
    REQUIRE(e);
    CHECK(e->kind() == error_kind::unavailable);
    b.server.clear_faults();
    b.await_reachable();
    CHECK(b.device->connections() == 2);
}

TEST_CASE("after a restart of the PLC the device says so by its connections and by what it reads")
{
    plc_bench b;
    b.locked([](auto& m) { m.pause(true); });
    b.load_and_arm(b.load(2));
    plc_bench::await([&] { return b.locked([](auto& m) { return m.loads_taken(); }) == 1; });
    b.server.set_fault(fault("reset"));
    b.locked([](auto& m) { m.reboot(); });
    CHECK(error_of([&] { b.run(b.device->read_ready()); }));
    b.await_reachable();
    CHECK(b.device->connections() == 2);
    for (const auto& image : b.run(b.device->read_all(area::write))) CHECK(image == domain::empty_slot(b.map));
}

TEST_CASE("a write whose answer was lost may have happened: the same load again is right")
{
    plc_bench b;
    const auto images = b.load(4);
    auto f = fault("drop_after");
    f.function = 16;
    b.server.set_fault(f);
    const auto e = error_of([&] { b.run(b.device->write_disarmed(images)); });
    REQUIRE(e);
    CHECK(e->kind() == error_kind::unavailable);
    b.await_reachable();
    b.load_and_arm(images);
    plc_bench::await([&] { return b.locked([](auto& m) { return m.finished().size(); }) == 4; });
    CHECK(b.locked([](auto& m) { return m.loads_taken(); }) == 1);
}

TEST_CASE("the quirk close_after_cycle closes without an error")
{
    auto map = default_map();
    const bool quirk = GENERATE(true, false);
    map.quirk.close_after_cycle = quirk;
    plc_bench b(map);
    for (int cycle = 0; cycle < 3; ++cycle) {
        b.run(b.device->read_ready());
        b.run(b.device->end_cycle());
        CHECK(b.device->connected() == !quirk);
    }
    CHECK(b.server.connections() == (quirk ? 3 : 1));
    CHECK(b.device->connections() == 1);
}

TEST_CASE("the simulator's log has each request with its times, unit and result, and the effects with their figures")
{
    const log_file log;
    const auto before = std::chrono::steady_clock::now().time_since_epoch().count();
    {
        plc_bench b(default_map(), plc_bench::quick(), log.path);
        b.load_and_arm(b.load(1));
        plc_bench::await([&] { return b.locked([](auto& m) { return m.finished().size(); }) == 1; });
        plc_bench::await([&] {
            const auto lines = log.lines();
            return !lines.empty() && lines.back().contains("event") && lines.back().at("event") == "finished";
        });
    }
    std::vector<std::string> events;
    for (const auto& l : log.lines()) {
        CHECK(l.at("ns").as_int64() >= before);
        CHECK(l.at("wall_ns").as_int64() > 0);
        if (l.contains("event")) {
            events.emplace_back(l.at("event").as_string());
            if (events.back() == "finished") CHECK(l.at("actual").as_object().contains("101"));
            continue;
        }
        CHECK(l.at("unit") == 1);
        CHECK(l.at("result") == "ok");
    }
    CHECK(events == std::vector<std::string>{"load_taken", "started", "finished"});
}
