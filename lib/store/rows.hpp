// Shared by the .cpp files of this module: running a fenced pipeline, and rows as domain values.
#pragma once

#include "store/store.hpp"

#include "pg/connection.hpp"

namespace batchbridge::store {

// assert_epoch first, then the statements, as one transaction in one round trip. Results without the assertion's.
// Throws fenced when the line was taken meanwhile. A deadlock or serialization failure, which undoes all of it, is repeated.
boost::asio::awaitable<std::vector<pg::result>> fenced_pipeline(pg::pool& pool, const hold& h, std::vector<pg::statement> statements);
// The same for statements that change the row of the line itself: it is locked first, since two that hold it shared would wait
// for each other.
boost::asio::awaitable<std::vector<pg::result>> fenced_line_pipeline(pg::pool& pool, const hold& h, std::vector<pg::statement> statements);
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

// The move to history of a batch for which `guard` (more conditions on its row in mo_batch, beginning with "and") holds. The
// last result is one row with the number of batches moved, 0 or 1.
std::vector<pg::statement> archive_statements(const std::string& line, std::int64_t batch_id, domain::history_status status, const std::string& notes, const std::string& guard,
                                              std::optional<journal_entry> entry, const std::optional<alert_note>& alert);
// Has Odoo accepted a write for this batch, or may it have? A call without an outcome may have come through.
std::string accepted_sql(const std::string& batch_id);
// Did a write for this order (an alias with odoo_db and odoo_id) get no answer, and less than `wait` (a parameter) ago?
std::string unclear_sql(const std::string& order, const std::string& wait);
// What a person decides about is the same from the first statement of the transaction to the last: the batch, its open
// deliveries and their attempts, in the order in which everybody locks them.
std::vector<pg::statement> lock_statements(const std::string& line, std::int64_t batch_id);
// " and state = .. and version = ..", or nothing.
std::string seen_sql(const std::optional<as_seen>& seen);

// Raises the alert, or counts it once more, if `condition` holds; parameters of the condition start at $5. The result is no
// row, or one with its count.
pg::statement alert_statement(const std::string& line, const alert_note& alert, const std::string& condition);
// The alert of a parked delivery ends when no parked one of its order is left. `order` names line, odoo_db, odoo_id and
// mo_id, for instance a row of odoo_outbox or mo_batch.
std::string resolve_parked_sql(const std::string& order);

// mo_batch.plan
boost::json::value plan_json(const domain::order_plan& p);

// How odoo_outbox.last_error begins while a row waits because Odoo refuses us.
extern const std::string waits_for_configuration;
// The alert about that ends when no row of the line waits so. Part of everything that ends a row.
pg::statement resolve_configuration(const std::string& line);

}  // namespace batchbridge::store
