// The service with its web face on a free port, a database of its own, a PLC and an Odoo that do not answer. The tasks are
// switched off, so nothing moves but what a test asks for.
#pragma once

#include "core/event.hpp"
#include "odoo/factory.hpp"
#include "pg/pool.hpp"
#include "plc/device.hpp"
#include "store/line_locks.hpp"
#include "store/store.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "tasks/service.hpp"
#include "web/web_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace batchbridge::tests {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

inline constexpr const char* token = "correct-horse";

struct reply {
    unsigned status = 0;
    std::string text, www_authenticate, content_type;
    json::value body;                   // null when it is no JSON
    std::string error() const;          // the reason given
};

struct batch_setup {
    std::string state = "held";
    double actual = 0;                  // of silo 101
    bool manufactured = false;
    std::string finish{};               // state of a finish delivery; empty: none
    bool accepted = false;              // Odoo has accepted a write
};

class web_bench {
public:
    using environment = std::map<std::string, std::string>;

    // `changes` replace the bench's own settings; an empty value unsets.
    explicit web_bench(const environment& changes = {}, const std::string& database = {});
    ~web_bench();

    // Until the line is held and its tasks take orders (a standby never does).
    web_bench& ready();
    void await(const std::function<bool()>& done);
    reply request(const std::string& method, const std::string& target, const std::string& body = {}, const std::string& authorization = std::string("Bearer ") + token);
    reply get(const std::string& target) { return request("GET", target, {}, {}); }
    // POST /api/v1/<target> with the token.
    reply post(const std::string& target, const std::string& body = {}) { return request("POST", "/api/v1/" + target, body); }
    // The same request several times at once, on connections of their own.
    std::vector<reply> post_at_once(const std::string& target, const std::string& body, std::size_t times = 2);
    // A row of the queue; its id.
    std::int64_t batch(const batch_setup& s);
    std::string sql(const std::string& statement) { return bb_test::sql_value(uri, statement); }
    std::string state(std::int64_t id) { return sql("select state from mo_batch where id = " + std::to_string(id)); }
    bool held() const { return service->find_line("line1")->held(); }

    std::string uri;
    asio::io_context ioc{1};
    bool plc_hangs = false;              // its calls wait until it is false and plc_answers is set; then they fail as always
    core::event plc_answers{ioc.get_executor()};
    core::config config;
    std::unique_ptr<pg::pool> pool;
    std::unique_ptr<store::store> rows;
    std::unique_ptr<store::line_locks> locks;
    std::unique_ptr<odoo::erp> erp;
    std::unique_ptr<tasks::environment> env;
    std::unique_ptr<tasks::service> service;
    std::unique_ptr<web::web_server> face;

private:
    asio::awaitable<void> ask(const std::string& method, const std::string& target, const std::string& body, const std::string& authorization, reply& out);

    bool ended_ = false;
    int orders_ = 0;
};

}  // namespace batchbridge::tests
