// odoo-sim in process on a free port, asked byte by byte; and comparison with what a real Odoo answered.
#pragma once

#include "http/server.hpp"
#include "recordings.hpp"
#include "sim/odoo/control.hpp"
#include "sim/odoo/odoo_server.hpp"
#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace batchbridge::tests {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

// All that came on one connection, and how it ended.
struct wire {
    std::string bytes;
    boost::system::error_code end;      // eof, connection_reset; operation_aborted: we hung up
    std::chrono::milliseconds took{};
    std::size_t sent = 0;               // bytes of the request, head and body

    bool silent() const { return bytes.empty(); }
    unsigned status() const;
    std::string header(const std::string& name) const;   // empty: not there
    std::string body() const;
    json::value json() const;
};

struct sim_bench {
    explicit sim_bench(sim::odoo_options options = {});
    ~sim_bench();

    // One request on a connection of its own, the answer read to the end. Hangs up after `patience`.
    asio::awaitable<wire> exchange(std::string method, std::string path, std::string content_type, std::string body, std::chrono::milliseconds patience = 20s, std::string headers = {});
    wire send(std::string method, std::string path, std::string content_type, std::string body, std::chrono::milliseconds patience = 20s, std::string headers = {});
    // execute_kw on mrp.production.
    static std::string request(const std::string& method, json::array args, json::object keywords = {}, std::int64_t id = 1);
    wire call(const std::string& method, json::array args, json::object keywords = {}, std::chrono::milliseconds patience = 20s);
    // The control port, without its socket; expects status 200.
    json::value control(const std::string& target, const std::string& body = {});

    // Sends what was recorded (on 19, if that is the version) and complains about every difference in the answer. `shape`: numbers
    // may differ. A session cookie in an answer takes the place of the recorded one from then on.
    using adaption = std::function<void(recorded_exchange&)>;
    void replay(const std::string& recording, std::size_t step = 0, const adaption& adapt = {}, bool shape = false);
    std::string cookie;

    // The order of a recorded record as it was before anything was consumed: its own ids, planned amounts reserved.
    sim::sim_order& add(const json::object& record);
    // An order made up: moves {id, planned}, products 1, 2, ..
    sim::sim_order& add(std::int64_t id, int quantity, const std::vector<std::pair<std::int64_t, core::decimal>>& moves);
    sim::sim_order& order(std::int64_t id) { return model.orders().at(id); }

    template <class T>
    T run(asio::awaitable<T> call)
    {
        std::optional<T> out;
        std::exception_ptr failure;
        bool ended = false;
        asio::co_spawn(ioc, std::move(call), [&](std::exception_ptr e, T value) {
            ended = true;
            failure = e;
            if (!e) out = std::move(value);
            ioc.stop();
        });
        turn(ended);
        if (failure) std::rethrow_exception(failure);
        return std::move(*out);
    }
    void run(asio::awaitable<void> call);
    // Runs the loop until `done`; thirty seconds are only the end of all patience.
    void await(const std::function<bool()>& done);

    asio::io_context ioc{1};
    sim::odoo_model model{1};
    sim::odoo_server front;
    http::server server;

private:
    void turn(const bool& ended);
};

}  // namespace batchbridge::tests
