// plc-sim: a PLC for demos and tests. See lib/sim/plc.
#include "http/server.hpp"
#include "sim/plc/control.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/program_options.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

namespace po = boost::program_options;
using namespace batchbridge;

namespace {

int serve(const po::variables_map& args)
{
    std::ifstream file(args["map"].as<std::string>());
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw std::runtime_error("cannot read the map " + args["map"].as<std::string>());
    sim::plc_options options;
    options.speed = args["speed"].as<double>();
    options.seed = args["seed"].as<std::uint64_t>();
    options.pause_between = std::chrono::milliseconds(args["pause-between-ms"].as<int>());
    options.scan = std::chrono::milliseconds(args["scan-ms"].as<int>());
    options.big_steps = args.count("big-steps") > 0;
    sim::plc_model model(domain::parse_plant_map(text.str()), options);
    const auto host = args["listen"].as<std::string>();
    sim::modbus_server modbus(model, host, args["port"].as<std::uint16_t>(), args.count("log") > 0 ? args["log"].as<std::string>() : "");

    boost::asio::io_context ioc(1);
    http::server control(ioc.get_executor(), http::server_limits{},
                         [&](const http::server_request& r) { return sim::control_plc(model, modbus, r); });
    control.listen(host, args["control-port"].as<std::uint16_t>());
    boost::asio::signal_set signals(ioc, SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code, int) { control.stop(); });
    boost::asio::co_spawn(ioc, control.run(), boost::asio::detached);
    fmt::print("plc-sim: simulator, not a PLC: modbus {}:{} control {}:{}\n", host, modbus.port(), host, control.port());
    std::fflush(stdout);
    ioc.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    po::options_description options("plc-sim: a simulated PLC for demos and tests, not for production");
    options.add_options()("help", "this text")("listen", po::value<std::string>()->default_value("127.0.0.1"), "address")(
        "port", po::value<std::uint16_t>()->default_value(0), "Modbus TCP port, 0 = any free one")(
        "control-port", po::value<std::uint16_t>()->default_value(0), "HTTP control port")("map", po::value<std::string>()->default_value("conf/plc-map.json"), "plant map")(
        "speed", po::value<double>()->default_value(1), "dosing speed, 1 = 2 kg/s")("seed", po::value<std::uint64_t>()->default_value(1), "of the dosing errors")(
        "pause-between-ms", po::value<int>()->default_value(0), "pause between batches")("scan-ms", po::value<int>()->default_value(50), "time of a scan")("big-steps", "no limit on the step of a scan")(
        "log", po::value<std::string>(), "JSON lines, one per request");
    try {
        po::variables_map args;
        po::store(po::parse_command_line(argc, argv, options), args);
        po::notify(args);
        if (args.count("help") > 0) {
            std::cout << options;
            return 0;
        }
        return serve(args);
    } catch (const std::exception& e) {
        fmt::print(stderr, "plc-sim: {}\n", e.what());
        return 1;
    }
}
