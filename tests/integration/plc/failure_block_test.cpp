// The failure block on a simulated PLC: believed only when two reads agree, acknowledged only while it shows what was stored.
#include "plc_bench.hpp"

#include "domain/failure_event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace batchbridge;
using namespace batchbridge::tests;
using domain::words;
using answer = plc::failure_answer::kind;
using seen = plc::observation::kind;

namespace {

const words noon{2026, 11, 24, 12, 0, 0};

void raise(plc_bench& b, const std::string& info = "MOTOR_TRIP", const words& time = noon, const std::string& equipment = "SILO-101")
{
    b.locked([&](auto& m) { m.raise_failure(equipment, info, time); });
}

int acknowledged(plc_bench& b)
{
    return b.locked([](auto& m) { return m.failures().acknowledged; });
}

// Other bytes in the block between two reads, on another thread: what a PLC does that is in the middle of writing it.
class scribbler {
public:
    scribbler(plc_bench& b, int offset) : thread_([&b, offset, this] {
        std::uint16_t n = 1;
        while (!stop_) {
            b.locked([&](auto& m) { m.registers()[static_cast<std::size_t>(b.map.failure.start + offset)] = n++; });
            std::this_thread::yield();
        }
    })
    {
    }
    ~scribbler()
    {
        stop_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

domain::plant_map map_with_time(const std::string& time)
{
    auto json = boost::json::parse(read_text(BATCHBRIDGE_CONF "/plc-map.json"));
    json.at("failure").as_object()["time"] = boost::json::parse(time);
    return domain::parse_plant_map(boost::json::serialize(json));
}

}  // namespace

TEST_CASE("a failure block is one request while it shows what is known and two when it has changed")
{
    plc_bench b;
    raise(b);
    auto before = b.server.requests();
    const auto first = b.run(b.device->observe_failure({}));
    CHECK(b.server.requests() - before == 2);
    CHECK(first.what == seen::accepted);
    REQUIRE(first.image.size() == 23);
    CHECK(domain::failure_flag(b.map, first.image) == 0);
    CHECK(domain::decode_failure(b.map, first.image, "UTC", core::utc_now())->equipment_code == "SILO-101");
    before = b.server.requests();
    const auto again = b.run(b.device->observe_failure(first.image));
    CHECK(b.server.requests() - before == 1);
    CHECK(again.what == seen::unchanged);
    // The flag alone is a change.
    b.locked([&](auto& m) { m.registers()[8022] = 1; });
    CHECK(b.run(b.device->observe_failure(first.image)).what == seen::accepted);
}

TEST_CASE("a failure block that changes from read to read is not believed (L-31)")
{
    plc_bench b;
    raise(b);
    {
        // Answers take long enough for the other thread to write between two of them.
        sim::plc_fault slow;
        slow.kind = "delay";
        slow.delay = std::chrono::milliseconds(10);
        b.server.set_fault(slow);
        const scribbler writing(b, 9);
        // A busy machine may hold that thread up once.
        bool seen_inconsistent = false;
        for (int i = 0; i < 20 && !seen_inconsistent; ++i) seen_inconsistent = b.run(b.device->observe_failure({})).what == seen::inconsistent;
        CHECK(seen_inconsistent);
    }
    b.server.clear_faults();
    CHECK(b.run(b.device->observe_failure({})).what == seen::accepted);
}

TEST_CASE("an acknowledgement is kept and read back and the simulator tells of it (L-39)")
{
    plc_bench b;
    raise(b);
    const auto block = b.run(b.device->observe_failure({})).image;
    CHECK(acknowledged(b) == 0);
    const auto said = b.run(b.device->acknowledge_failure(block));
    CHECK(said.what == answer::kept);
    CHECK(domain::failure_flag(b.map, said.image) == 1);
    CHECK(domain::same_failure(b.map, said.image, block));
    CHECK(acknowledged(b) == 1);
    // Once more: it is not new any more, and nothing is written.
    CHECK(b.run(b.device->acknowledge_failure(block)).what == answer::moved_on);
    CHECK(acknowledged(b) == 1);
}

TEST_CASE("a failure that the PLC has replaced meanwhile is not acknowledged (L-39)")
{
    plc_bench b;
    raise(b);
    const auto block = b.run(b.device->observe_failure({})).image;
    raise(b, "OVERLOAD");
    const auto said = b.run(b.device->acknowledge_failure(block));
    CHECK(said.what == answer::moved_on);
    CHECK(domain::failure_flag(b.map, said.image) == 0);
    CHECK(b.locked([](auto& m) { return m.registers()[8022]; }) == 0);
    CHECK(acknowledged(b) == 0);
    CHECK(b.locked([](auto& m) { return m.failures().overwritten; }) == 1);
}

TEST_CASE("a PLC that does not keep the flag is told from one that does")
{
    plc_bench b;
    raise(b);
    b.locked([](auto& m) { m.keep_failure_flag(false); });
    const auto block = b.run(b.device->observe_failure({})).image;
    CHECK(b.run(b.device->acknowledge_failure(block)).what == answer::not_kept);
    b.locked([](auto& m) { m.keep_failure_flag(true); });
    CHECK(b.run(b.device->acknowledge_failure(block)).what == answer::kept);
}

TEST_CASE("a failure is not acknowledged without the permission to write")
{
    plc_bench b;
    raise(b);
    const auto block = b.run(b.device->observe_failure({})).image;
    b.may_write = false;
    CHECK_THROWS_AS(b.run(b.device->acknowledge_failure(block)), plc::error);
    CHECK(b.locked([](auto& m) { return m.registers()[8022]; }) == 0);
    CHECK(acknowledged(b) == 0);
    CHECK(b.run(b.device->observe_failure(block)).what == seen::unchanged);
}

TEST_CASE("a failure block with its time as text or as seconds is read and acknowledged like the other (L-42)")
{
    const bool text = GENERATE(true, false);
    CAPTURE(text);
    plc_bench b(map_with_time(text ? R"({"at": 24, "format": "text", "words": 12})" : R"({"at": 23, "format": "epoch"})"));
    const auto post = [&](const std::string& body) {
        const http::server_request request(boost::beast::http::verb::post, "/failure", 11, body);
        return b.run(sim::control_plc(b.model, b.server, request)).status;
    };
    CHECK(post(text ? R"({"equipment": "SILO-101", "info": "MOTOR_TRIP", "time": "24.11.2026 09:58:07"})" : R"({"equipment": "SILO-101", "info": "MOTOR_TRIP", "time": 1795514287})") == 200);
    const auto block = b.run(b.device->observe_failure({})).image;
    CHECK(block.size() == (text ? 36U : 25U));
    const auto e = domain::decode_failure(b.map, block, "UTC", core::utc_now());
    REQUIRE(e);
    CHECK(e->source == domain::time_source::plc);
    CHECK(core::to_iso(e->at).substr(0, 19) == "2026-11-24T09:58:07");
    CHECK(b.run(b.device->acknowledge_failure(block)).what == answer::kept);
    // A time of the other kind, and a whole block of another size, are refused by the simulator.
    CHECK(post(text ? R"({"equipment": "S", "info": "X", "time": 1795514287})" : R"({"equipment": "S", "info": "X", "time": "24.11.2026"})") == 400);
    CHECK(post(R"({"words": [1, 2, 3]})") == 400);
}
