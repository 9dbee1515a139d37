// odoo-sim: the part of Odoo that batchbridge uses, for demos and tests. See lib/sim/odoo.
#include "http/server.hpp"
#include "sim/odoo/control.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/program_options.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <iostream>

namespace po = boost::program_options;
using namespace batchbridge;

namespace {

int serve(const po::variables_map& args)
{
    sim::odoo_model model(args["seed"].as<std::uint64_t>());
    model.generate(args["generate"].as<int>());
    sim::odoo_options options;
    options.db = args["db"].as<std::string>();
    options.user = args["user"].as<std::string>();
    options.password = args["password"].as<std::string>();
    if (args.count("api-key") > 0) options.api_key = args["api-key"].as<std::string>();
    options.version = args["version"].as<std::string>();
    options.latency = std::chrono::milliseconds(args["latency-ms"].as<int>());

    boost::asio::io_context ioc(1);
    sim::odoo_server front(ioc.get_executor(), model, options, args.count("log") > 0 ? args["log"].as<std::string>() : "");
    http::server_limits limits;
    limits.body_bytes = 16ULL << 20;
    limits.connections = 512;
    std::optional<boost::asio::ssl::context> tls;
    if (args.count("tls-cert") > 0) {
        tls.emplace(boost::asio::ssl::context::tls_server);
        tls->use_certificate_chain_file(args["tls-cert"].as<std::string>());
        tls->use_private_key_file(args["tls-key"].as<std::string>(), boost::asio::ssl::context::pem);
    }
    http::server odoo(ioc.get_executor(), limits, [&](const http::server_request& r) { return front.answer(r); }, tls ? &*tls : nullptr);
    http::server control(ioc.get_executor(), limits, [&](const http::server_request& r) { return sim::control_odoo(model, front, r); });
    const auto host = args["listen"].as<std::string>();
    odoo.listen(host, args["port"].as<std::uint16_t>());
    control.listen(host, args["control-port"].as<std::uint16_t>());
    boost::asio::signal_set signals(ioc, SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code, int) {
        front.clear_faults();
        odoo.stop();
        control.stop();
        ioc.stop();
    });
    boost::asio::co_spawn(ioc, odoo.run(), boost::asio::detached);
    boost::asio::co_spawn(ioc, control.run(), boost::asio::detached);
    fmt::print("odoo-sim: simulator, not an Odoo: {} {}:{} control {}:{}\n", tls ? "https" : "http", host, odoo.port(), host, control.port());
    std::fflush(stdout);
    ioc.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    po::options_description options("odoo-sim: a simulated Odoo 18 or 19 with the plant's SCADA module, for demos and tests, not for production");
    options.add_options()("help", "this text")("listen", po::value<std::string>()->default_value("127.0.0.1"), "address")(
        "port", po::value<std::uint16_t>()->default_value(0), "HTTP port, 0 = any free one")("control-port", po::value<std::uint16_t>()->default_value(0), "control port")(
        "db", po::value<std::string>()->default_value("factory"), "database")("user", po::value<std::string>()->default_value("plcbridge"), "login")(
        "password", po::value<std::string>()->default_value("plc"), "password")("api-key", po::value<std::string>(), "API key")(
        "version", po::value<std::string>()->default_value("18.0+e-20241005"), "server_version; 19.0 answers /json/2 too")("generate", po::value<int>()->default_value(0), "orders to begin with")(
        "seed", po::value<std::uint64_t>()->default_value(1), "of the generated orders")("latency-ms", po::value<int>()->default_value(0), "time each call takes")(
        "tls-cert", po::value<std::string>(), "PEM file: serve https")("tls-key", po::value<std::string>(), "PEM file")("log", po::value<std::string>(), "JSON lines, one per call");
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
        fmt::print(stderr, "odoo-sim: {}\n", e.what());
        return 1;
    }
}
