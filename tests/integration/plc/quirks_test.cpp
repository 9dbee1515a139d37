// PLCs that need to be treated gently: pauses, one connection per cycle, a second address, small requests.
#include "plc_bench.hpp"
#include "register_peer.hpp"

#include "domain/register_table.hpp"
#include "domain/slot_parts.hpp"
#include "plc/line_map.hpp"

#include <random>

using namespace batchbridge;
using namespace batchbridge::tests;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using core::error_kind;
using domain::words;
using plc::area;
using kind = plc::observation::kind;

namespace {

// A device on any port, driven call by call.
struct driver {
    driver(domain::plant_map map, std::uint16_t port)
    {
        core::line_config line;
        line.host = "127.0.0.1";
        line.port = port;
        line.timeout = 1s;
        device = plc::make_modbus_device(ioc.get_executor(), line, std::move(map), [] { return true; });
    }

    template <class T>
    T run(boost::asio::awaitable<T> call)
    {
        auto result = boost::asio::co_spawn(ioc, std::move(call), boost::asio::use_future);
        ioc.restart();
        ioc.run();
        return result.get();
    }

    boost::asio::io_context ioc;
    std::unique_ptr<plc::device> device;
};

sim::plc_fault fault(const std::string& what)
{
    sim::plc_fault f;
    f.kind = what;
    f.count = 0;
    return f;
}

domain::plant_map limited(int max_read, int max_write = 123)
{
    auto map = default_map();
    map.limits.max_read = max_read;
    map.limits.max_write = max_write;
    return map;
}

// A READ slot through a day of orders: each is dosed (or given up without a word), has its final figures, then its status,
// then the next one stands there. Every figure of order k lies in k*10 to k*10+9, and is k*10+9 once it is ended.
class day {
public:
    day(const domain::plant_map& map, unsigned seed) : map_(map), random_(seed) { begin(); }

    void advance(std::vector<std::uint16_t>& registers)
    {
        if (step_ < 9) step_ += 1 + static_cast<int>(random_() % 3);
        step_ = std::min(step_, 11);
        if (step_ < 9 && random_() % 12 == 0) begin();         // taken away without an end
        else if (step_ == 11 && random_() % 2 == 0) begin();
        else if (step_ >= 9 && step_ < 11) ++step_;            // 10: status 0 with final figures, 11: ended
        write(registers);
    }

    void write(std::vector<std::uint16_t>& registers) const
    {
        domain::recipe r;
        r.batch_no = 1;
        r.mo_id = name(order_);
        r.bom_id = r.finished_goods = r.mo_id;
        const auto figure = core::decimal(order_ * 10 + std::min(step_, 9));
        r.quantity = figure;
        for (const auto& s : map_.silos) r.planned[s.id] = figure;
        auto image = domain::encode_recipe(map_, r);
        domain::encode_value(map_, map_.fields.weight_finished_good, figure, image);
        image[static_cast<std::size_t>(map_.fields.status_manufacturing.at)] = step_ == 11 ? 1 : 0;
        std::copy(image.begin(), image.end(), registers.begin() + map_.read_address(1));
    }

    static std::string name(int order) { return "MO/" + std::to_string(100 + order); }

    // Empty: every word of the picture is of one order in one state.
    static std::string fault_of(const domain::plant_map& map, const words& image)
    {
        const auto r = domain::decode_slot(map, image);
        const int order = std::stoi(r.mo_id.substr(3)) - 100;
        if (r.bom_id != r.mo_id || r.finished_goods != r.mo_id) return "texts of several orders";
        auto figures = r.quantities;
        figures[0] = r.quantity;
        figures[1] = r.weight;
        for (const auto& [what, kg] : figures) {
            if (kg < order * 10 || kg > order * 10 + 9) return r.mo_id + ": " + std::to_string(what) + " has " + kg.to_string() + " of another order";
            if (r.ended() && kg != order * 10 + 9) return r.mo_id + ": " + std::to_string(what) + " has " + kg.to_string() + " from before its end";
        }
        return {};
    }

private:
    void begin()
    {
        ++order_;
        step_ = 0;
    }

    const domain::plant_map& map_;
    std::mt19937 random_;
    int order_ = 0, step_ = 0;
};

}  // namespace

TEST_CASE("pauses after connecting and between requests are kept by the PLC's clock")
{
    auto map = limited(40);
    map.quirk.pause_between_requests = 20ms;
    map.quirk.pause_after_connect = 60ms;
    map.quirk.close_after_cycle = true;
    register_peer peer;
    driver d(map, peer.port());
    std::vector<clock_type::time_point> asked;
    for (int cycle = 0; cycle < 3; ++cycle) {
        asked.push_back(clock_type::now());
        d.run(d.device->read_slot(area::read, 1));
        d.run(d.device->read_ready());
        d.run(d.device->end_cycle());
    }
    const auto all = peer.requests();
    REQUIRE(all.size() == 3 * 5);
    for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(i);
        const bool first = i == 0 || all[i].connection != all[i - 1].connection;
        if (first) CHECK(all[i].received - asked.at(static_cast<std::size_t>(all[i].connection) - 1) >= 60ms);
        else CHECK(all[i].received - all[i - 1].answered >= 20ms);
    }
    CHECK(all.back().connection == 3);
}

TEST_CASE("without quirks there is no pause")
{
    register_peer peer;
    driver d(default_map(), peer.port());
    const auto from = clock_type::now();
    for (int i = 0; i < 20; ++i) d.run(d.device->read_ready());
    CHECK(clock_type::now() - from < 20 * 20ms);
}

TEST_CASE("close_after_cycle makes one connection per cycle, never two at once, and none of them looks like a loss")
{
    auto map = default_map();
    map.quirk.close_after_cycle = true;
    plc_bench b(map);
    for (int cycle = 1; cycle <= 20; ++cycle) {
        b.run(b.device->read_slot(area::read, 1));
        b.run(b.device->read_ready());
        b.run(b.device->end_cycle());
        CHECK_FALSE(b.device->connected());
        // What makes the WRITE area be looked at again after a reconnect.
        CHECK(b.device->connections() == 1);
    }
    CHECK(b.server.connections() == 20);
    CHECK(b.server.most_connections() == 1);
    SECTION("a PLC that is away when we come back may have lost its registers")
    {
        b.server.set_fault(fault("refuse"));
        plc_bench::await([&] {
            try {
                b.run(b.device->read_ready());
                return false;
            } catch (const plc::error&) {
                return true;
            }
        });
        b.server.clear_faults();
        b.await_reachable();
        CHECK(b.device->connections() == 2);
    }
    SECTION("a connection that breaks within a cycle counts as ever")
    {
        b.run(b.device->read_ready());
        b.server.set_fault(fault("reset"));
        CHECK_THROWS_AS(b.run(b.device->read_ready()), plc::error);
        b.server.clear_faults();
        b.await_reachable();
        CHECK(b.device->connections() == 2);
    }
}

TEST_CASE("the second address takes over when the first is lost, and the first when the second is lost")
{
    const auto map = default_map();
    sim::plc_model first_model(map, plc_bench::quick()), second_model(map, plc_bench::quick());
    first_model.registers()[7076] = 11;
    second_model.registers()[7076] = 22;
    sim::modbus_server first(first_model, "127.0.0.1", 0, {});
    sim::modbus_server second(second_model, "127.0.0.2", first.port(), {});
    auto with_second = map;
    with_second.quirk.second_host = "127.0.0.2";
    driver d(with_second, first.port());
    const auto answers = [&](std::uint16_t expected) {
        plc_bench::await([&] {
            try {
                return d.run(d.device->read_ready()) == expected;
            } catch (const plc::error&) {
                return false;
            }
        });
    };
    answers(11);
    const auto how = GENERATE(as<std::string>(), "refuse", "hang");
    CAPTURE(how);
    first.set_fault(fault(how));
    answers(22);
    CHECK(d.device->connections() >= 2);
    first.clear_faults();
    // It stays where it is while that answers.
    for (int i = 0; i < 10; ++i) CHECK(d.run(d.device->read_ready()) == 22);
    second.set_fault(fault(how));
    answers(11);
    second.clear_faults();
    CHECK(first.most_connections() == 1);
    CHECK(second.most_connections() == 1);
}

TEST_CASE("no value is read or written in two requests, and no request is larger than the limit (field.md row 8)")
{
    const int limit = GENERATE(8, 9, 16, 20, 31, 50, 76);
    CAPTURE(limit);
    const auto map = limited(limit, limit);
    register_peer peer;
    driver d(map, peer.port());
    std::vector<words> images(static_cast<std::size_t>(map.slots.count), domain::empty_slot(map));
    domain::recipe r;
    r.batch_no = 1;
    r.mo_id = "WH/MO/00014";
    r.planned = {{101, 1000}};
    images[0] = domain::encode_recipe(map, r);
    d.run(d.device->write_disarmed(images));
    CHECK(d.run(d.device->verify(images)).empty());
    d.run(d.device->arm(images.front()));
    CHECK(domain::decode_slot(map, d.run(d.device->read_slot(area::write, 1))).mo_id == "WH/MO/00014");
    d.run(d.device->clear_recipes());
    for (const auto& image : d.run(d.device->read_all(area::write))) CHECK(domain::decode_slot(map, image).empty());
    CHECK(d.run(d.device->read_registers(8000, 23)).size() == 23);
    const auto values = domain::expand(map);
    const auto all = peer.requests();
    CHECK(all.size() > 100);
    for (const auto& q : all) {
        REQUIRE(q.count <= limit);
        for (const auto& v : values) {
            const int first = std::max(v.address, q.address), last = std::min(v.address + v.value.words, q.address + q.count);
            if (first >= last) continue;
            INFO("function " << q.function << " at " << q.address << "+" << q.count << " cuts " << v.block << " " << v.name);
            REQUIRE(last - first == v.value.words);
        }
    }
}

TEST_CASE("a load in small requests is offered by the last of them, flag before name")
{
    const auto map = limited(20, 20);
    register_peer peer;
    driver d(map, peer.port());
    std::vector<words> images(static_cast<std::size_t>(map.slots.count), domain::empty_slot(map));
    domain::recipe r;
    r.batch_no = 1;
    r.mo_id = "WH/MO/00014";
    images[0] = domain::encode_recipe(map, r);
    peer.memory()[7076] = 1;
    d.run(d.device->write_disarmed(images));
    CHECK(peer.memory()[7076] == 1);
    CHECK(std::all_of(peer.memory().begin() + 7001, peer.memory().begin() + 7009, [](auto w) { return w == 0; }));
    d.run(d.device->arm(images.front()));
    const auto all = peer.requests();
    const auto& flag = all[all.size() - 2];
    const auto& name = all.back();
    CHECK((flag.function == 6 && flag.address == 7076));
    CHECK((name.function == 16 && name.address == 7001 && name.count == 8));
}

TEST_CASE("a picture read in parts is never of two orders or across a change of status, whatever happens between two requests (L-31, field.md row 9)")
{
    // How likely the PLC goes on before a request, in percent.
    const unsigned rate = GENERATE(2, 10, 30, 60, 100);
    const int limit = GENERATE(8, 20, 33, 60, 76);
    CAPTURE(rate, limit);
    const auto map = limited(limit);
    day history(map, rate * 100 + static_cast<unsigned>(limit));
    std::mt19937 random(rate);
    register_peer peer([&](auto& registers) {
        if (random() % 100 < rate) history.advance(registers);
    });
    history.write(peer.memory());
    driver d(map, peer.port());
    int good = 0, refused = 0, accepted = 0, ended = 0;
    for (int i = 0; i < 80; ++i) {
        try {
            const auto image = d.run(d.device->read_slot(area::read, 1));
            const auto wrong = day::fault_of(map, image);
            INFO(wrong);
            REQUIRE(wrong.empty());
            ended += domain::decode_slot(map, image).ended() ? 1 : 0;
            ++good;
        } catch (const plc::error& e) {
            REQUIRE(e.kind() == error_kind::rejected);
            CHECK_THAT(e.what(), Catch::Contains("READ slot 1") && Catch::Contains("changed between the parts"));
            ++refused;
        }
    }
    for (int i = 0; i < 20; ++i) {
        try {
            const auto seen = d.run(d.device->observe(1, {}));
            if (seen.what != kind::accepted) continue;
            const auto wrong = day::fault_of(map, seen.image);
            INFO(wrong);
            REQUIRE(wrong.empty());
            ++accepted;
        } catch (const plc::error& e) {
            REQUIRE(e.kind() == error_kind::rejected);
        }
    }
    CAPTURE(good, refused, accepted, ended);
    if (rate == 2) {
        CHECK(good > 50);
        CHECK(accepted > 10);
    }
    if (rate == 10) CHECK(ended > 0);
    if (rate == 100 && limit == 8) CHECK(refused > 0);
    CHECK(d.device->connections() == 1);
}

TEST_CASE("a slot read in parts of 20 takes six requests, one in a single request takes one")
{
    register_peer peer;
    driver small(limited(20), peer.port());
    small.run(small.device->read_slot(area::read, 1));
    CHECK(peer.requests().size() == 6);
    register_peer other;
    driver large(default_map(), other.port());
    large.run(large.device->read_slot(area::read, 1));
    CHECK(other.requests().size() == 1);
}

TEST_CASE("a PLC that refuses a slot as a whole is asked once in smaller parts, and stays so if that helps (field.md row 8)")
{
    register_peer peer;
    driver d(default_map(), peer.port());
    const auto asked = [&](const std::function<void()>& call) {
        const auto before = peer.requests().size();
        call();
        return peer.requests().size() - before;
    };
    const auto read = [&] { return d.run(d.device->read_slot(area::read, 1)); };
    peer.memory()[6000] = 1;
    SECTION("it helps")
    {
        peer.allow(60);
        // Refused, three parts between two samples of the keys, refused again.
        CHECK(asked([&] { CHECK(read().at(0) == 1); }) == 1 + 5 + 1);
        for (int i = 0; i < 3; ++i) CHECK(asked([&] { CHECK(read().at(0) == 1); }) == 5);
        CHECK(asked([&] { d.run(d.device->read_all(area::write)); }) == 50);
    }
    SECTION("it does not help")
    {
        peer.allow(1);
        CHECK(asked([&] {
                  try {
                      read();
                      FAIL("was not refused");
                  } catch (const plc::error& e) {
                      CHECK(e.kind() == error_kind::rejected);
                      CHECK(e.peer_code() == "3");
                      CHECK_THAT(e.what(), Catch::Contains("FC03 read 6000+77") && Catch::Contains("limits.max_read"));
                  }
              }) == 2);
        CHECK(asked([&] { CHECK_THROWS_AS(read(), plc::error); }) == 1);
        peer.allow(125);
        CHECK(asked([&] { CHECK(read().at(0) == 1); }) == 1);
    }
}

TEST_CASE("a slot that is refused for a moment only is read as before afterwards")
{
    plc_bench b;
    auto once = fault("exception");
    once.count = 1;
    once.code = 2;
    b.server.set_fault(once);
    CHECK(b.run(b.device->read_slot(area::read, 1)).size() == 77);
    const auto before = b.server.requests();
    CHECK(b.run(b.device->read_slot(area::read, 1)).size() == 77);
    CHECK(b.server.requests() - before == 1);
}

TEST_CASE("a line's own quirks stand over its map's, and a limit that cuts a value is refused by name")
{
    core::line_config line;
    line.name = "mill";
    auto map = default_map();
    map.quirk.second_host = "10.0.0.6";
    map.quirk.pause_between_requests = 5ms;
    std::vector<std::string> faults;
    CHECK(plc::map_for_line(map, line, faults).quirk.second_host == "10.0.0.6");
    CHECK(plc::quirks_in_words(default_map()).empty());
    line.quirks.second_host = "";
    line.quirks.pause_after_connect = 100ms;
    line.quirks.close_after_cycle = true;
    line.quirks.max_read = 20;
    const auto own = plc::map_for_line(map, line, faults);
    CHECK(faults.empty());
    CHECK_FALSE(own.quirk.second_host);
    CHECK(own.quirk.pause_after_connect == 100ms);
    CHECK(own.quirk.pause_between_requests == 5ms);
    CHECK(own.quirk.close_after_cycle);
    CHECK(own.limits.max_read == 20);
    CHECK(own.limits.max_write == 123);
    CHECK(plc::quirks_in_words(own) == "100 ms pause after connecting, 5 ms pause between requests, at most 20 registers read at once, connection closed after each cycle");
    line.quirks.max_write = 7;
    plc::map_for_line(map, line, faults);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0] == "LINES_FILE: line 'mill': limits.max_write: 7 is less than the 8 words of fields.mo_id; a value is never split over two requests");
}
