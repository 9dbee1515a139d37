// Each fault as a raw HTTP client sees it, and what became of the call.
#include "sim_bench.hpp"

#include <boost/asio/detached.hpp>

#include <fmt/format.h>

#include <sys/socket.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::string> none;

// One order whose consumption is written under a fault.
struct fault_bench : sim_bench {
    explicit fault_bench(const std::string& fault, sim::odoo_options options = {}) : sim_bench(std::move(options))
    {
        add(7, 100, {{71, 100}});
        if (!fault.empty()) control("/fault", fault);
    }
    static json::array consumption(double kg)
    {
        return {json::array{7}, json::object{{"move_raw_ids", {{1, 71, {{"quantity", kg}, {"picked", true}}}}}}};
    }
    wire write(double kg, std::chrono::milliseconds patience = 20s) { return call("write", consumption(kg), {}, patience); }
    int processed() { return order(7).consumption_writes; }
    // Starts a call and lets it run; `out` gets its answer.
    void start(const std::string& method, json::array args, wire& out)
    {
        asio::co_spawn(ioc, fetch(request(method, std::move(args)), out), asio::detached);
    }

private:
    asio::awaitable<void> fetch(std::string body, wire& out)
    {
        out = co_await exchange("POST", "/jsonrpc", "application/json", std::move(body));
    }
};

}  // namespace

TEST_CASE("without a fault the answer comes and the connection ends")
{
    fault_bench b("");
    const auto w = b.write(5);
    CHECK(w.end == asio::error::eof);
    CHECK(w.json().at("result") == true);
    CHECK(b.processed() == 1);
}

TEST_CASE("hang: nothing comes until the faults are cleared, and the call was never processed")
{
    fault_bench b(R"({"kind": "hang"})");
    const auto w = b.write(5, 100ms);
    CHECK(w.silent());
    CHECK(w.end == asio::error::operation_aborted);
    CHECK(w.took >= 100ms);

    wire kept;
    kept.took = -1ms;
    b.start("write", fault_bench::consumption(6), kept);
    CHECK(b.write(7, 100ms).silent());
    CHECK(kept.took == -1ms);
    b.control("/clear", "{}");
    b.await([&] { return kept.took != -1ms; });
    CHECK(kept.silent());
    CHECK(kept.end == asio::error::eof);
    CHECK(b.processed() == 0);
    CHECK(b.control("/calls").as_array().empty());
    CHECK(b.write(5).json().at("result") == true);
}

TEST_CASE("delay: the answer comes later, and so does the effect")
{
    fault_bench b(R"({"kind": "delay", "delay_ms": 200})");
    CHECK(b.write(5, 100ms).silent());
    CHECK(b.processed() == 0);
    const auto w = b.write(5);
    CHECK(w.json().at("result") == true);
    CHECK(w.took >= 200ms);
    // The first one was processed too, although its client had gone.
    b.await([&] { return b.processed() == 2; });
}

TEST_CASE("drop_after: processed, and no answer")
{
    fault_bench b(R"({"kind": "drop_after"})");
    const auto w = b.write(5);
    CHECK(w.silent());
    CHECK(w.end == asio::error::eof);
    CHECK(b.processed() == 1);
    CHECK(b.order(7).moves[0].quantity == 5);
}

TEST_CASE("late_commit: the client hangs up, the call commits all the same and lands on a newer value")
{
    fault_bench b(R"({"kind": "late_commit", "delay_ms": 300, "count": 1})");
    const auto w = b.write(5, 100ms);
    CHECK(w.silent());
    CHECK(w.end == asio::error::operation_aborted);
    CHECK(b.processed() == 0);
    CHECK(b.write(9).json().at("result") == true);
    CHECK(b.order(7).moves[0].quantity == 9);
    b.await([&] { return b.processed() == 2; });
    CHECK(b.order(7).moves[0].quantity == 5);
    // The newer one was sent while the older was still at work.
    CHECK(b.model.violations() == std::vector<std::string>{"order 7: two calls in flight (write)"});
}

TEST_CASE("late_commit: a client that waits gets no answer either")
{
    fault_bench b(R"({"kind": "late_commit", "delay_ms": 50})");
    const auto w = b.write(5);
    CHECK(w.silent());
    CHECK(w.end == asio::error::eof);
    CHECK(w.took >= 100ms);
    CHECK(b.processed() == 1);
    CHECK(b.model.violations() == none);
}

TEST_CASE("http_504: a proxy's page at once, while Odoo goes on")
{
    fault_bench b(R"({"kind": "http_504", "delay_ms": 100})");
    const auto w = b.write(5);
    CHECK(w.status() == 504);
    CHECK(w.header("Content-Type") == "text/html; charset=utf-8");
    CHECK_THAT(w.body(), Contains("504 Gateway Time-out"));
    CHECK(b.processed() == 0);
    b.await([&] { return b.processed() == 1; });
    CHECK(b.order(7).moves[0].quantity == 5);
}

TEST_CASE("reset: the connection is reset, nothing was processed")
{
    fault_bench b(R"({"kind": "reset"})");
    const auto w = b.write(5);
    CHECK(w.silent());
    CHECK(w.end == asio::error::connection_reset);
    CHECK(b.processed() == 0);
}

TEST_CASE("half_open: half of the answer comes, although all of it was processed")
{
    fault_bench b(R"({"kind": "half_open"})");
    const auto w = b.write(5);
    CHECK(w.status() == 200);
    CHECK(w.end == asio::error::eof);
    REQUIRE_FALSE(w.header("Content-Length").empty());
    const auto announced = std::stoul(w.header("Content-Length"));
    CHECK(w.body().size() == announced / 2);
    CHECK(b.processed() == 1);
}

TEST_CASE("garbage, html, http_500: nothing was processed, and it does not look like Odoo")
{
    fault_bench b(R"({"kind": "garbage", "count": 1})");
    auto w = b.write(5);
    CHECK(w.status() == 200);
    boost::system::error_code ec;
    json::parse(w.body(), ec);
    CHECK(ec);
    b.control("/fault", R"({"kind": "html", "count": 1})");
    w = b.write(5);
    CHECK(w.status() == 200);
    CHECK(w.header("Content-Type") == "text/html; charset=utf-8");
    CHECK_THAT(w.body(), Contains("<!doctype html>"));
    b.control("/fault", R"({"kind": "http_500", "count": 1})");
    w = b.write(5);
    CHECK(w.status() == 500);
    CHECK_THAT(w.body(), Contains("<!doctype html>"));
    CHECK(b.processed() == 0);
    CHECK(b.write(5).json().at("result") == true);
}

TEST_CASE("operational_error: Odoo's own answer when PostgreSQL is down (h41)")
{
    fault_bench b(R"({"kind": "operational_error", "count": 2})");
    b.replay("h41", 0);
    CHECK(b.write(5).json().at("error").at("data").at("name") == "psycopg2.OperationalError");
    CHECK(b.processed() == 0);
    CHECK(b.write(5).json().at("result") == true);
}

TEST_CASE("a fault is for a method, an order and a number of calls")
{
    fault_bench b(R"({"kind": "drop_after", "method": "write", "order": 8, "count": 2})");
    b.add(8, 100, {{81, 100}});
    CHECK_FALSE(b.write(5).silent());
    const json::array other{json::array{8}, json::object{{"qty_producing", 1}}};
    CHECK_FALSE(b.call("web_read", {json::array{8}}, {{"specification", {{"state", json::object{}}}}}).silent());
    CHECK(b.call("write", other).silent());
    CHECK(b.call("write", other).silent());
    CHECK_FALSE(b.call("write", other).silent());
    // Login too, when no method is named.
    b.control("/fault", R"({"kind": "reset"})");
    CHECK(b.send("POST", "/jsonrpc", "application/json", R"({"jsonrpc":"2.0","id":1,"params":{"service":"common","method":"version","args":[]}})").silent());
    b.control("/clear", "{}");
    CHECK_FALSE(b.write(5).silent());
}

TEST_CASE("two writes in flight for one order are counted, reads and other orders are not")
{
    fault_bench b(R"({"kind": "delay", "delay_ms": 150, "method": "write", "count": 1})");
    b.add(8, 100, {{81, 100}});
    wire first;
    b.start("write", fault_bench::consumption(5), first);
    b.call("web_read", {json::array{7}}, {{"specification", {{"state", json::object{}}}}});
    b.call("write", {json::array{8}, json::object{{"qty_producing", 1}}});
    CHECK(b.model.violations() == none);
    CHECK(first.silent());
    CHECK(b.call("button_mark_done", {json::array{7}}, {{"context", {{"skip_consumption", true}}}}).json().at("result").is_object() == false);
    CHECK(first.silent());
    b.await([&] { return !first.silent(); });
    CHECK_THAT(b.control("/violations").at(0).as_string().c_str(), Contains("order 7: two calls in flight (button_mark_done)"));
}

TEST_CASE("a late commit that starts while another write is at work is counted too")
{
    for (const auto* kind : {"late_commit", "http_504"}) {
        fault_bench b(R"({"kind": "delay", "delay_ms": 150, "count": 1})");
        wire first;
        b.start("write", fault_bench::consumption(5), first);
        b.control("/fault", fmt::format(R"({{"kind": "{}", "delay_ms": 1}})", kind));
        b.await([&] { return b.front.faults() == 1; });   // the first call has taken its fault
        b.write(6);
        CAPTURE(kind);
        CHECK(b.model.violations() == std::vector<std::string>{"order 7: two calls in flight (write)"});
        b.await([&] { return !first.silent(); });
    }
}

TEST_CASE("the control port refuses what it does not know")
{
    fault_bench b("");
    using boost::beast::http::verb;
    const auto status = [&](verb v, const char* target, const char* body) {
        const http::server_request r(v, target, 11, body);
        return b.run(sim::control_odoo(b.model, b.front, r)).status;
    };
    CHECK(status(verb::post, "/fault", R"({"kind": "nosuch"})") == 400);
    CHECK(status(verb::post, "/fault", "{") == 400);
    CHECK(status(verb::post, "/fault", "[]") == 400);
    CHECK(status(verb::post, "/orders/7", R"({"act": "nosuch"})") == 400);
    CHECK(status(verb::post, "/orders/999", R"({"act": "cancel"})") == 404);
    CHECK(status(verb::post, "/nosuch", "{}") == 404);
    CHECK(status(verb::get, "/nosuch", "") == 404);
}
