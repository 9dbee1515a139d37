// What every task of the process shares.
#pragma once

#include "core/config.hpp"
#include "core/event.hpp"
#include "odoo/erp.hpp"
#include "store/line_locks.hpp"
#include "store/store.hpp"
#include "tasks/dependency_board.hpp"

#include <boost/asio/any_io_executor.hpp>

namespace batchbridge::tasks {

struct environment {
    environment(boost::asio::any_io_executor ex, const core::config& c, store::store& s, store::line_locks& l, odoo::erp& e)
        : executor(std::move(ex)), config(c), store(s), locks(l), erp(e), deliveries(executor)
    {
    }

    boost::asio::any_io_executor executor;
    const core::config& config;
    store::store& store;
    store::line_locks& locks;
    odoo::erp& erp;
    dependency_board board;
    core::event deliveries;          // set: an outbox row may be due
    bool writes_refused = false;     // PostgreSQL answers and takes no data (disk full, read-only)
    int known_schema = 0;            // the newest migration that this version knows; 0: not looked at yet
};

// Runs `op`; notes in the board whether PostgreSQL answered. For the loops that talk to the database by themselves.
void note_database(environment& env, std::exception_ptr e);

// For a run that failed: tells the board if `e` says that the line's PLC, PostgreSQL or Odoo does not answer. True = it
// did, and the board has logged the change, so the run need not. `plc_settled` (plc::device::settled): an exception answer
// of the PLC says that it is there; without it, something else it was asked still has no answer, and it does not.
bool note_dependency(environment& env, const std::string& line, std::exception_ptr e, bool plc_settled = true);

}  // namespace batchbridge::tasks
