// Plays what a real Odoo 18 answered (tests/data/odoo18) to the client, and checks that the client asks what was asked then.
#pragma once

#include "odoo/jsonrpc.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace replay {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;
using namespace batchbridge;

// One recorded request and answer: {"request": {..}, "response": {..}}.
struct exchange {
    json::value request, response;
};
// Step `index` of the recording whose file name starts with `name` ("z01", "h15b").
exchange recorded(const std::string& name, std::size_t index = 0);

// Recordings of lists and reads asked for fewer fields than we need: this adds the missing ones (create_date as in k90,
// units, products) to the orders and moves of the answer; what was recorded stays.
exchange completed(exchange e);

enum class match {
    exact,              // method, path and body equal, but for the id
    specification,      // equal but for `specification`, whose common part has the same shape: ours asks for more fields
    contains,           // everything recorded is in ours, which says more (manual_consumption, skip keys)
    answer_only         // the request was another call; only its answer matters here
};

// Numbers compare by value: 105 is 105.0.
bool equal(const json::value& a, const json::value& b);
bool is_part_of(const json::value& recorded, const json::value& ours);

class server {
public:
    explicit server(asio::io_context& ioc);

    void expect(exchange e, match how = match::exact);
    // a00 and a01: version and login.
    void expect_login();
    // Any request; these bytes as the answer, then the connection is closed.
    void expect_raw(std::string bytes);
    // Any request; an answer of this body, with the request's id put in for "$ID".
    void expect_body(std::string body, unsigned status = 200, std::string content_type = "application/json");
    // Any request; no answer, ever.
    void expect_silence();

    std::string url() const;
    // What did not fit, and what was expected and never came.
    std::vector<std::string> complaints() const;
    const std::vector<json::value>& requests() const { return requests_; }
    int connections() const { return connections_; }

private:
    struct step {
        std::optional<exchange> what;
        match how = match::exact;
        std::string raw, body, content_type;
        unsigned status = 200;
        bool silent = false;
    };
    asio::awaitable<void> accept(asio::ip::tcp::acceptor acceptor);
    asio::awaitable<void> serve(asio::ip::tcp::socket socket);
    void check(const step& s, const std::string& method, const std::string& path, const json::value& body);

    unsigned short port_ = 0;
    int connections_ = 0;
    std::deque<step> steps_;
    std::vector<std::string> complaints_;
    std::vector<json::value> requests_;
};

// Loop, server and a client as in the recordings: database factory, user plcbridge, password plc.
struct bench {
    bench();

    // Made at the first use, from `options`.
    odoo::jsonrpc& client();

    // Runs one call to its end (10 s at most); rethrows what it throws.
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
        wait(ended);
        if (failure) std::rethrow_exception(failure);
        return std::move(*out);
    }
    void run(asio::awaitable<void> call);
    // The odoo::error of a call that must fail.
    template <class T>
    odoo::error fail(asio::awaitable<T> call)
    {
        try {
            run(std::move(call));
        } catch (const odoo::error& e) {
            return e;
        }
        throw std::runtime_error("the call did not fail");
    }

    asio::io_context ioc;
    server peer{ioc};
    odoo::jsonrpc_options options;

private:
    void wait(const bool& ended);
    std::optional<odoo::jsonrpc> client_;
};

}  // namespace replay
