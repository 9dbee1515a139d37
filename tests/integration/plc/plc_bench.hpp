// A simulated PLC on a free port and a device connected to it, driven call by call.
#pragma once

#include "core/config.hpp"
#include "plc/modbus_device.hpp"
#include "sim/plc/control.hpp"
#include "sim/plc/modbus_server.hpp"
#include "support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>
#include <thread>

namespace batchbridge::tests {

inline std::string read_text(const std::string& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

inline domain::plant_map default_map()
{
    return domain::parse_plant_map(read_text(BATCHBRIDGE_CONF "/plc-map.json"));
}

inline core::decimal kg(std::string_view text)
{
    return core::decimal::parse(text).value();
}

struct plc_bench {
    explicit plc_bench(domain::plant_map map_used = default_map(), sim::plc_options options = quick(), const std::string& log = {})
        : map(std::move(map_used)), model(map, options), server(model, "127.0.0.1", 0, log)
    {
        core::line_config line;
        line.host = "127.0.0.1";
        line.port = server.port();
        line.unit_id = 1;
        line.timeout = std::chrono::milliseconds(300);
        device = plc::make_modbus_device(ioc.get_executor(), line, map, [this] { return may_write.load(); });
    }

    // Scans every 2 ms, so that a batch takes some hundredths of a second.
    static sim::plc_options quick()
    {
        sim::plc_options o;
        o.scan = std::chrono::milliseconds(2);
        o.speed = 5000;
        return o;
    }

    template <class T>
    T run(boost::asio::awaitable<T> call)
    {
        auto result = boost::asio::co_spawn(ioc, std::move(call), boost::asio::use_future);
        ioc.restart();
        ioc.run();
        return result.get();
    }

    template <class F>
    auto locked(F f)
    {
        const std::lock_guard lock(server.guard());
        return f(model);
    }

    // Repeats until `done`; the condition decides, ten seconds are only the end of all patience.
    static void await(const std::function<bool()>& done)
    {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!done()) {
            if (std::chrono::steady_clock::now() > until) FAIL("waited in vain");
            std::this_thread::yield();
        }
    }

    // As await, for conditions that talk to a device which may be in its back-off.
    void await_reachable()
    {
        await([this] {
            try {
                run(device->read_ready());
                return true;
            } catch (const plc::error&) {
                return false;
            }
        });
    }

    // Complete images: `orders` recipes from slot 1 on, the other slots empty.
    std::vector<domain::words> load(int orders, domain::silo_kg planned = {{101, 100}, {102, 50}, {114, 20}}) const
    {
        std::vector<domain::words> out;
        for (int slot = 1; slot <= map.slots.count; ++slot) {
            if (slot > orders) {
                out.push_back(domain::empty_slot(map));
                continue;
            }
            domain::recipe r;
            r.batch_no = slot;
            r.mo_id = "WH/MO/000" + std::to_string(10 + slot);
            r.bom_id = "BOM";
            r.finished_goods = "Feed";
            r.quantity = 170;
            r.planned = planned;
            out.push_back(domain::encode_recipe(map, r));
        }
        return out;
    }

    void load_and_arm(const std::vector<domain::words>& images)
    {
        run(device->write_disarmed(images));
        REQUIRE(run(device->verify(images)).empty());
        run(device->arm(images.front()));
    }

    domain::plant_map map;
    sim::plc_model model;
    sim::modbus_server server;
    std::atomic<bool> may_write{true};
    boost::asio::io_context ioc;
    std::unique_ptr<plc::device> device;
};

}  // namespace batchbridge::tests
