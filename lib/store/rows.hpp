// Shared by the .cpp files of this module: running a fenced pipeline, and rows as domain values.
#pragma once

#include "store/store.hpp"

#include "pg/connection.hpp"

namespace batchbridge::store {

// assert_epoch first, then the statements, as one transaction in one round trip. Results without the assertion's.
// Throws fenced when the line was taken meanwhile. A deadlock or serialization failure, which undoes all of it, is repeated.
boost::asio::awaitable<std::vector<pg::result>> fenced_pipeline(pg::pool& pool, const hold& h, std::vector<pg::statement> statements);
boost::asio::awaitable<pg::result> read_one(pg::pool& pool, const pg::statement& s);

extern const std::string batch_columns;      // for batch_of, table alias b
domain::batch batch_of(const pg::result& r, std::size_t row);
extern const std::string load_columns;       // for load_of, table alias l
domain::load load_of(const pg::result& r, std::size_t row);
boost::json::value words_json(const domain::words& w);
domain::words words_of(const boost::json::value& v);
boost::json::value kg_json(const domain::silo_kg& v);
domain::silo_kg kg_of(const boost::json::value& v);
boost::json::value finish_json(const domain::finish_values& v);
domain::finish_values finish_of(const boost::json::value& v);
std::vector<domain::move_value> moves_of(const boost::json::value& v);
std::string interval_of(core::duration d);    // "1500 milliseconds"
pg::statement journal_statement(const std::string& line, const journal_entry& e);
// `act` (an insert, update or delete without "returning") and the journal row only if it hit a row; the result is one row with
// the number of rows it hit. Parameters: $1 is the line, $2 the entry's batch_id; those of `act` start at $10.
pg::statement journaled(const std::string& line, const journal_entry& e, const std::string& act);

// Raises the alert, or counts it once more, if `condition` holds; parameters of the condition start at $5. The result is no
// row, or one with its count.
pg::statement alert_statement(const std::string& line, const alert_note& alert, const std::string& condition);
// The alert of a parked delivery ends when no parked one of its order is left. `order` names line, odoo_db, odoo_id and
// mo_id, for instance a row of odoo_outbox or mo_batch.
std::string resolve_parked_sql(const std::string& order);

// How odoo_outbox.last_error begins while a row waits because Odoo refuses us.
extern const std::string waits_for_configuration;
// The alert about that ends when no row of the line waits so. Part of everything that ends a row.
pg::statement resolve_configuration(const std::string& line);

}  // namespace batchbridge::store
