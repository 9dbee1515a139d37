// The service with its dispatcher on a database of its own and an Odoo in memory. The tasks are switched off and no PLC
// answers, so nothing moves but what a test puts into the outbox.
#pragma once

#include "scripted_erp.hpp"

#include "core/config.hpp"
#include "pg/pool.hpp"
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
#include <string>

namespace batchbridge::tests {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// Environment variables over those of the bench.
using settings = std::map<std::string, std::string>;

class delivery_bench {
public:
    // The line is held and may write when this returns.
    explicit delivery_bench(const std::map<std::string, std::string>& changes = {}, const std::function<std::unique_ptr<plc::device>()>& plc = {});
    ~delivery_bench();

    void await(const std::string& what, const std::function<bool()>& done, std::chrono::milliseconds limit = 15s);
    void run_for(std::chrono::milliseconds time);
    // What was logged meanwhile.
    std::string logged(const std::function<void()>& meanwhile);

    // A batch of an order that `erp` knows, with these kilograms per silo.
    std::int64_t batch(std::int64_t odoo_id, const std::string& state, const std::map<int, std::string>& actual);
    // An outbox row about it, due now; its id.
    std::int64_t owe(std::int64_t batch_id, const std::string& kind);
    // A completed batch with its finish due; the batch's id.
    std::int64_t completed(std::int64_t odoo_id, const std::map<int, std::string>& actual = {{101, "99.5"}});

    std::string sql(const std::string& statement) const { return bb_test::sql_value(uri, statement); }
    int count(const std::string& from_where) const { return std::stoi(sql("select count(*) from " + from_where)); }
    // "due", "sent" ..
    std::string state_of(std::int64_t outbox_id) const { return sql(fmt::format("select state from odoo_outbox where id = {}", outbox_id)); }
    std::string finish_state(std::int64_t batch_id) const { return sql(fmt::format("select state from odoo_outbox where batch_id = {} and kind = 'finish'", batch_id)); }
    void wake() { env->deliveries.set(); }

    std::string uri;
    scripted_erp erp;
    asio::io_context ioc{1};
    core::config config;
    std::unique_ptr<pg::pool> pool;
    std::unique_ptr<store::store> rows;
    std::unique_ptr<store::line_locks> locks;
    std::unique_ptr<tasks::environment> env;
    std::unique_ptr<tasks::service> service;

private:
    bool ended_ = false;
};

int occurrences(const std::string& text, const std::string& part);

}  // namespace batchbridge::tests
