// The program itself: it says what it is and where, answers on both ports, and ends on SIGTERM.
#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/process/child.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>

#include <csignal>
#include <regex>

namespace bp = boost::process;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;

TEST_CASE("plc-sim says that it is a simulator, serves both ports and ends on SIGTERM")
{
    bp::ipstream out;
    bp::child program(PLC_SIM, "--map", BATCHBRIDGE_CONF "/plc-map.json", "--speed", "200", bp::std_out > out);
    std::string line;
    REQUIRE(std::getline(out, line));
    std::smatch m;
    REQUIRE(std::regex_match(line, m, std::regex("plc-sim: simulator, not a PLC: modbus 127\\.0\\.0\\.1:(\\d+) control 127\\.0\\.0\\.1:(\\d+)")));

    boost::asio::io_context ioc;
    const auto loopback = boost::asio::ip::make_address("127.0.0.1");
    tcp::socket modbus(ioc), control(ioc);
    modbus.connect({loopback, static_cast<std::uint16_t>(std::stoi(m[1]))});
    const std::vector<std::uint8_t> request{0, 1, 0, 0, 0, 6, 1, 3, 0x1b, 0xa4, 0, 1};   // FC03 7076+1
    boost::asio::write(modbus, boost::asio::buffer(request));
    std::vector<std::uint8_t> answer(11);
    boost::asio::read(modbus, boost::asio::buffer(answer));
    CHECK(answer == std::vector<std::uint8_t>{0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 0});

    control.connect({loopback, static_cast<std::uint16_t>(std::stoi(m[2]))});
    http::request<http::empty_body> ask(http::verb::get, "/state", 11);
    ask.set(http::field::host, "127.0.0.1");
    http::write(control, ask);
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> state;
    http::read(control, buffer, state);
    CHECK(state.result_int() == 200);
    CHECK_THAT(state.body(), Catch::Contains("\"loads_taken\":0"));

    ::kill(program.id(), SIGTERM);
    program.wait();
    CHECK(program.exit_code() == 0);
}

TEST_CASE("plc-sim says what is wrong with its arguments")
{
    bp::ipstream err;
    bp::child program(PLC_SIM, "--map", "/nowhere/plc-map.json", bp::std_out > bp::null, bp::std_err > err);
    std::string line;
    std::getline(err, line);
    program.wait();
    CHECK(program.exit_code() == 1);
    CHECK_THAT(line, Catch::Contains("/nowhere/plc-map.json"));
}
