// One read cycle of a plant at rest: every READ slot once, through our device and through libmodbus alone.
#include "settings.hpp"

#include "child.hpp"
#include "core/config.hpp"
#include "plc/modbus_device.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <modbus/modbus.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace batchbridge::bench {

namespace {

using clock = std::chrono::steady_clock;
using pictures = std::vector<domain::words>;
constexpr double most_of_plain = 1.2;

domain::plant_map read_map(const std::filesystem::path& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return domain::parse_plant_map(text.str());
}

// libmodbus as its manual uses it.
class plain_reader {
public:
    plain_reader(const domain::plant_map& map, std::uint16_t port) : map_(map), context_(modbus_new_tcp("127.0.0.1", port), &release)
    {
        if (!context_ || modbus_connect(context_.get()) != 0) throw std::runtime_error(fmt::format("libmodbus cannot connect: {}", modbus_strerror(errno)));
        modbus_set_slave(context_.get(), 1);
        words_.resize(static_cast<std::size_t>(map.slots.words));
    }

    void cycle()
    {
        for (int slot = 1; slot <= map_.slots.count; ++slot)
            if (modbus_read_registers(context_.get(), map_.read_address(slot), map_.slots.words, words_.data()) != map_.slots.words)
                throw std::runtime_error(fmt::format("libmodbus cannot read slot {}: {}", slot, modbus_strerror(errno)));
    }

private:
    static void release(modbus_t* c)
    {
        modbus_close(c);
        modbus_free(c);
    }

    const domain::plant_map& map_;
    std::unique_ptr<modbus_t, decltype(&release)> context_;
    domain::words words_;
};

boost::asio::awaitable<void> our_cycle(plc::device& device, const pictures& stored)
{
    for (std::size_t i = 0; i < stored.size(); ++i) {
        const auto seen = co_await device.observe(static_cast<int>(i) + 1, stored[i]);
        if (seen.what != plc::observation::kind::unchanged) throw std::runtime_error("the simulated PLC changed a slot by itself");
    }
}

boost::asio::awaitable<row> measure(plc::device& device, plain_reader& plain, std::size_t warm_up, std::size_t n)
{
    const auto stored = co_await device.read_all(plc::area::read);
    std::vector<double> ours, theirs;
    for (std::size_t i = 0; i < warm_up + n; ++i) {
        // Who goes first changes, as what ran before shows in the time of what runs next.
        const bool plain_first = i % 2 == 1;
        const auto before = clock::now();
        if (plain_first) plain.cycle();
        const auto from = clock::now();
        co_await our_cycle(device, stored);
        const auto to = clock::now();
        if (!plain_first) plain.cycle();
        const auto after = clock::now();
        if (i < warm_up) continue;
        ours.push_back(microseconds(to - from));
        theirs.push_back(plain_first ? microseconds(from - before) : microseconds(after - to));
    }
    co_return compared("read_cycle", ours, theirs, most_of_plain);
}

}  // namespace

row read_cycle(const settings& s)
{
    const work_directory work;
    const auto map = read_map(s.map);
    const simulator sim(s.plc_sim, {"--map", s.map.string()}, work.path() / "plc.out");
    core::line_config line;
    line.host = "127.0.0.1";
    line.port = sim.port();
    line.timeout = std::chrono::seconds(2);
    boost::asio::io_context ioc(1);
    const auto device = plc::make_modbus_device(ioc.get_executor(), line, map, [] { return false; });
    plain_reader plain(map, sim.port());
    auto result = boost::asio::co_spawn(ioc, measure(*device, plain, s.quick ? 5 : 100, s.quick ? 30 : 2000), boost::asio::use_future);
    ioc.run();
    return result.get();
}

}  // namespace batchbridge::bench
