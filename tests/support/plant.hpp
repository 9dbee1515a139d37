// A whole plant for one test: a private PostgreSQL, plc-sim, odoo-sim and batchbridge as real processes on free ports.
#pragma once

#include "support/postgres.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bb_test {

// One HTTP request on a connection of its own. Throws std::runtime_error when nobody answers within 10 s.
struct http_answer {
    int status = 0;
    boost::json::value body;   // null when it is no JSON
    std::string text;
};
http_answer http_request(int port, std::string_view method, const std::string& target, const std::string& body = {}, const std::string& token = {});

// A child process whose output goes to a file. Killed with SIGKILL at the end of its life, if it still lives.
class program {
public:
    program() = default;
    program(std::string path, std::vector<std::string> arguments, std::map<std::string, std::string> environment, std::string log);
    program(program&&) noexcept;
    program& operator=(program&&) noexcept;
    ~program();

    bool running();
    void signal(int number);
    // Waits for the end; the exit code, or 128 + signal. Throws after `limit`.
    int wait(std::chrono::milliseconds limit = std::chrono::seconds(15));
    int pid() const noexcept { return pid_; }
    std::string output() const;

private:
    int pid_ = -1;
    int status_ = 0;
    std::string log_;
};

// A connection of the test's own, to hold a transaction open or to ask often.
class sql_session {
public:
    explicit sql_session(const std::string& uri);
    ~sql_session();
    sql_session(const sql_session&) = delete;
    sql_session& operator=(const sql_session&) = delete;
    void run(const std::string& statement);
    sql_rows rows(const std::string& statement);

private:
    void* connection_;
};

// Waits until `condition` holds, asking every 5 ms; throws std::runtime_error naming `what` after `limit`.
void wait_until(const std::string& what, std::chrono::milliseconds limit, const std::function<bool()>& condition);

struct plant_options {
    double plc_speed = 200;
    std::vector<std::string> plc_arguments, odoo_arguments;
    // Over the defaults for tests: short intervals, short timeouts (plant.cpp).
    std::map<std::string, std::string> environment;
    std::string map;               // text of the plant map; empty = conf/plc-map.json
    bool start_plc = true, start_odoo = true, start_database = true;
    bool with_database = true;     // false: there is none at all, for a test of Odoo alone
};

class plant {
public:
    explicit plant(plant_options options = {});
    ~plant();
    plant(const plant&) = delete;
    plant& operator=(const plant&) = delete;

    // batchbridge. `environment` is for this start only; an empty value removes a variable.
    void start_bridge(std::map<std::string, std::string> environment = {});
    // One more process on the same plant, with a port and a log of its own.
    program another_bridge(std::map<std::string, std::string> environment = {});
    void kill_bridge();                 // SIGKILL, and reaped
    int stop_bridge();                  // SIGTERM; its exit code
    bool bridge_runs();
    std::string bridge_log() const;     // of all starts
    http_answer bridge(std::string_view method, const std::string& target, const std::string& body = {}, const std::string& token = "test-token");

    void start_plc();
    void stop_plc();
    void start_odoo();
    void stop_odoo();
    boost::json::value plc(const std::string& target, const std::string& body = {});    // GET without a body
    boost::json::value odoo(const std::string& target, const std::string& body = {});
    std::string plc_log() const;        // JSON lines

    postgres& database() { return *postgres_; }
    std::string sql(const std::string& statement);      // the first field
    sql_rows rows(const std::string& statement);
    std::int64_t count(const std::string& from);
    const std::string& database_url() const noexcept { return url_; }
    // Where sql() and the next start of batchbridge look from now on.
    void use_database(std::string url) { url_ = std::move(url); }

    // Orders in Odoo. Names are returned in the order of making.
    void generate(int count);
    void wait_archived(int count, std::chrono::milliseconds limit);
    // Everything that must hold when `orders` have been made and nothing is left to do: each order done in Odoo once with
    // the PLC's quantities, one history row each, no row left, no violation, each made once by the PLC. Sentences; empty = good.
    std::vector<std::string> faults(int orders);

    int http_port() const noexcept { return http_port_; }
    int plc_port() const noexcept { return plc_port_; }
    std::string directory() const { return directory_; }
    // What batchbridge is started with.
    std::map<std::string, std::string> environment() const;

private:
    plant_options options_;
    std::string directory_, map_path_, url_;
    std::unique_ptr<postgres> postgres_;
    program plc_, odoo_, bridge_;
    int plc_port_ = 0, plc_control_ = 0, odoo_port_ = 0, odoo_control_ = 0, http_port_ = 0;
};

}  // namespace bb_test
