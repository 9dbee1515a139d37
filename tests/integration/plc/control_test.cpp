#include "plc_bench.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace batchbridge;
using namespace batchbridge::tests;
using namespace std::chrono_literals;
namespace json = boost::json;
namespace verb = boost::beast::http;

namespace {

// The control port without its socket.
struct control : plc_bench {
    explicit control(sim::plc_options options = quick()) : plc_bench(default_map(), options) {}

    json::object ask(verb::verb v, const std::string& target, const std::string& body = {}, unsigned status = 200)
    {
        const http::server_request request(v, target, 11, body);
        const auto answer = run(sim::control_plc(model, server, request));
        CAPTURE(target, body, answer.body);
        CHECK(answer.status == status);
        return json::parse(answer.body).as_object();
    }
    json::object get(const std::string& target, unsigned status = 200) { return ask(verb::verb::get, target, {}, status); }
    json::object post(const std::string& target, const std::string& body = {}, unsigned status = 200) { return ask(verb::verb::post, target, body, status); }
};

}  // namespace

TEST_CASE("the state shows slots, finished batches in exact figures, and counters")
{
    control c;
    c.load_and_arm(c.load(2));
    plc_bench::await([&] { return c.get("/state").at("batches_finished") == 2; });
    const auto state = c.get("/state");
    CHECK(state.at("loads_taken") == 1);
    CHECK(state.at("ready") == 1);
    CHECK(state.at("idle") == true);
    CHECK(state.at("most_connections") == 1);
    CHECK(state.at("slots").as_array().size() == 10);
    const auto& slot = state.at("slots").as_array().at(1).as_object();
    CHECK(slot.at("order") == "WH/MO/00012");
    CHECK(slot.at("planned").as_object().at("101") == "100.00");
    CHECK(slot.at("status_manufacturing") == 1);
    const auto& done = state.at("finished").as_array().at(1).as_object();
    CHECK(done.at("order") == "WH/MO/00012");
    CHECK(done.at("actual") == slot.at("actual"));
    CHECK(done.at("weight") == slot.at("weight"));
    CHECK(done.at("failed") == false);
}

TEST_CASE("registers are read and written by hand")
{
    control c;
    c.post("/registers", R"({"address": 7076, "values": [1, 65535]})");
    const auto r = c.get("/registers?start=7075&count=4");
    CHECK(json::serialize(r.at("values")) == "[0,1,65535,0]");
    CHECK(c.run(c.device->read_ready()) == 1);
    c.get("/registers?start=65535&count=1");
    c.get("/registers?start=65535&count=2", 400);
    c.get("/registers?start=x&count=2", 400);
    c.get("/registers", 400);
    c.post("/registers", R"({"address": 65535, "values": [1, 2]})", 400);
    c.post("/registers", R"({"address": 1, "values": [65536]})", 400);
    c.post("/registers", R"({"values": [1]})", 400);
}

TEST_CASE("a batch is held, given up and made on request")
{
    control c;
    c.post("/pause");
    c.post("/take", R"({"enabled": false})");
    c.load_and_arm(c.load(2));
    CHECK(c.get("/state").at("loads_taken") == 0);
    c.post("/take", R"({"enabled": true})");
    plc_bench::await([&] { return c.get("/state").at("loads_taken") == 1; });
    c.post("/fail_batch", R"({"slot": 1})");
    c.post("/speed", R"({"speed": 0.5})");
    c.post("/speed", R"({"speed": 3000})");
    c.post("/resume");
    plc_bench::await([&] { return c.get("/state").at("batches_finished") == 1; });
    const auto state = c.get("/state");
    CHECK(state.at("finished").as_array().size() == 2);
    CHECK(state.at("slots").as_array().at(0).as_object().at("status_operation") == 1);
    c.post("/reboot");
    CHECK(c.get("/state").at("ready") == 0);
}

TEST_CASE("an equipment failure is raised on request")
{
    control c;
    c.post("/failure", R"({"equipment": "SILO-103", "info": "Motor overload", "time": [2026, 11, 23, 10, 46, 9]})");
    CHECK(json::serialize(c.get("/registers?start=8016&count=7").at("values")) == "[2026,11,23,10,46,9,0]");
    c.post("/failure", R"({"equipment": "A NAME THAT DOES NOT FIT", "info": ""})", 400);
    c.post("/failure", R"({"equipment": "SILO-103", "info": "X", "time": "2026-11-23"})", 400);
    c.post("/failure", R"({"keep": 1})", 400);
    // A whole block as it stands, flag included.
    c.post("/failure", R"({"words": [21313,0,0,0,0,0,0,0,22616,0,0,0,0,0,0,0,9,9,9,9,9,9,7]})");
    CHECK(json::serialize(c.get("/registers?start=8016&count=7").at("values")) == "[9,9,9,9,9,9,7]");
    CHECK(json::serialize(c.get("/state").at("failures")) == R"({"raised":2,"acknowledged":0,"overwritten":1})");
}

TEST_CASE("faults are asked for and ended")
{
    control c;
    c.post("/fault", R"({"kind": "exception", "code": 2, "count": 0})");
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(c.run(c.device->read_ready()), plc::error);
    c.post("/clear");
    CHECK(c.run(c.device->read_ready()) == 0);
    // A fault for writes leaves reads alone.
    c.post("/fault", R"({"kind": "exception", "function": 6, "count": 1})");
    CHECK(c.run(c.device->read_ready()) == 0);
    CHECK_THROWS_AS(c.run(c.device->acknowledge(1)), plc::error);
    CHECK(c.run(c.device->acknowledge(1)));
}

TEST_CASE("what the control port does not understand is refused with a reason")
{
    control c;
    CHECK_FALSE(c.post("/fault", R"({"kind": "earthquake"})", 400).at("error").as_string().empty());
    c.post("/fault", R"({"kind": "hang", "count": -1})", 400);
    c.post("/fault", R"({"kind": "torn_slot", "slot": 11})", 400);
    c.post("/fault", "not json", 400);
    c.post("/fail_batch", R"({"slot": 0})", 400);
    c.post("/speed", R"({"speed": 0})", 400);
    c.post("/speed", "{}", 400);
    c.post("/nonsense", "{}", 400);
    c.get("/nonsense", 404);
    CHECK(c.run(c.device->read_ready()) == 0);
}
