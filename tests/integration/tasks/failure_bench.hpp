// The service on a database of its own with a simulated PLC behind a real Modbus link. Every task is off: a run of
// equipment_failure_monitoring is asked for, and its outcome waited for.
#pragma once

#include "scripted_erp.hpp"

#include "core/config.hpp"
#include "pg/pool.hpp"
#include "plc/modbus_device.hpp"
#include "sim/plc/modbus_server.hpp"
#include "store/line_locks.hpp"
#include "store/store.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "tasks/service.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::tests {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class failure_bench {
public:
    using settings = std::map<std::string, std::string>;
    // `map`: text of the plant map; empty = conf/plc-map.json. `plc` and `database`: of a bench that ended.
    explicit failure_bench(const settings& changes = {}, const std::string& map = {}, std::string database = {});
    ~failure_bench();

    // One run of the task, asked for. Its outcome: "ok", "skipped" ..
    std::string run();
    const std::string& detail() const { return detail_; }
    // A new process on the same database and PLC, as far as the task can tell.
    void restart();
    // From the next restart on.
    void set(const std::string& name, const std::string& value) { changes_[name] = value; }

    void raise(const std::string& info, const std::vector<std::uint16_t>& time, const std::string& equipment = "SILO-101");
    // The PLC's clock says so, in UTC.
    static std::vector<std::uint16_t> clock(std::chrono::seconds ago = 0s);
    template <class F>
    auto plc(F f)
    {
        const std::lock_guard lock(server->guard());
        return f(*model);
    }
    int flag() { return plc([this](auto& m) { return static_cast<int>(m.registers()[static_cast<std::size_t>(map_.failure.start + map_.failure.flag.at)]); }); }
    void set_flag(int value) { plc([&](auto& m) { m.registers()[static_cast<std::size_t>(map_.failure.start + map_.failure.flag.at)] = static_cast<std::uint16_t>(value); return 0; }); }
    // What was acknowledged at the PLC, "SILO-101: MOTOR_TRIP" each, by its own log.
    std::vector<std::string> acknowledged_texts() const;
    int acknowledged() { return plc([](auto& m) { return m.failures().acknowledged; }); }

    void await(const std::string& what, const std::function<bool()>& done, std::chrono::milliseconds limit = 15s);
    void run_for(std::chrono::milliseconds time);
    std::string sql(const std::string& statement) const { return bb_test::sql_value(uri, statement); }
    int count(const std::string& from_where) const { return std::stoi(sql("select count(*) from " + from_where)); }
    int rows() const { return count("equipment_failure"); }
    int requests() const { return count("odoo_outbox where kind = 'maintenance_request'"); }
    // "failure_clock plc, .." of the alerts that are not resolved.
    std::string alerts() const { return sql("select coalesce(string_agg(kind || ' ' || subject, ', ' order by kind), '') from alert where state <> 'resolved'"); }
    std::string journal() const { return sql("select coalesce(string_agg(what || ' ' || answer, ', ' order by id), '') from journal where what ~ 'failure'"); }

    std::string uri;
    std::function<void()> before_write;       // on the PLC thread, right before a write request is sent
    scripted_erp erp;
    std::unique_ptr<sim::plc_model> model;
    std::unique_ptr<sim::modbus_server> server;
    std::unique_ptr<tasks::service> service;

private:
    void start();
    void stop();

    settings changes_;
    domain::plant_map map_;
    std::string detail_, plc_log_;
    std::unique_ptr<asio::io_context> ioc_;
    std::unique_ptr<core::config> config_;
    std::unique_ptr<pg::pool> pool_;
    std::unique_ptr<store::store> rows_;
    std::unique_ptr<store::line_locks> locks_;
    std::unique_ptr<tasks::environment> env_;
    bool ended_ = false;
};

std::string shipped_map();

}  // namespace batchbridge::tests
