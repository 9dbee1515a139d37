// Plays what a real Odoo 18 or 19 answered (tests/data) to the client, and checks that the client asks what was asked then.
#pragma once

#include "odoo/json2.hpp"
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
// The same of Odoo 19; the whole name ("seq_02_check_key"). Texts that stand for what was cut out of a list are dropped.
exchange recorded19(const std::string& name, std::size_t index = 0);

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
    // seq_01 and seq_02: version and key.
    void expect_key();
    // Any request; these bytes as the answer, then the connection is closed.
    void expect_raw(std::string bytes);
    // Any request; an answer of this body, with the request's id put in for "$ID".
    void expect_body(std::string body, unsigned status = 200, std::string content_type = "application/json");
    // Any request; no answer, ever.
    void expect_silence();
    // The answer that was expected last is held back for so long.
    void hold_back(std::chrono::milliseconds time) { steps_.back().late = time; }
    // Requests that are compared with no recording must go to this path; empty: to any.
    void only_path(std::string path) { only_path_ = std::move(path); }

    std::string url() const;
    // What did not fit, and what was expected and never came.
    std::vector<std::string> complaints() const;
    // The bodies, and "POST /jsonrpc".
    const std::vector<json::value>& requests() const { return requests_; }
    const std::vector<std::string>& lines() const { return lines_; }
    int connections() const { return connections_; }

private:
    struct step {
        std::optional<exchange> what;
        match how = match::exact;
        std::string raw, body, content_type;
        unsigned status = 200;
        bool silent = false;
        std::chrono::milliseconds late{};
    };
    asio::awaitable<void> accept(asio::ip::tcp::acceptor acceptor);
    asio::awaitable<void> serve(asio::ip::tcp::socket socket);
    using headers = std::function<std::string(const char*)>;
    void check(const step& s, const std::string& method, const std::string& path, const headers& sent, const json::value& body);

    unsigned short port_ = 0;
    int connections_ = 0;
    std::deque<step> steps_;
    std::vector<std::string> complaints_;
    std::vector<json::value> requests_;
    std::vector<std::string> lines_;
    std::string only_path_ = "/jsonrpc";
};

// The arguments by name that a request carries, in any of the protocols.
json::object& keyword_of(json::value& body);

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

// The same for Odoo 19: the recordings' API key.
struct key_bench : bench {
    key_bench();
    // Made at the first use, from `options`.
    odoo::json2& client();

private:
    std::optional<odoo::json2> client_;
};

}  // namespace replay
