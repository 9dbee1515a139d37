// All SQL of the program, as functions named after what they mean. Speaks domain types; built on pg.
//
// Failure: pg::error (kind unavailable, timeout, rejected ..). store::fenced when the line's epoch has moved on: the
// caller no longer holds the line and must stop acting. A COMMIT without an answer is pg::error with kind timeout or
// unavailable: the outcome is unknown, drop every cached picture and read the rows again.
// Every writing function is one transaction in one pipeline (one round trip) unless its comment says otherwise, and
// begins with assert_epoch(line, epoch, since). Times that matter are the database's clock.
#pragma once

#include "core/error.hpp"
#include "core/time.hpp"
#include "domain/batch.hpp"
#include "domain/component_mapping.hpp"
#include "domain/delivery.hpp"
#include "domain/failure_event.hpp"
#include "domain/order.hpp"
#include "domain/order_plan.hpp"
#include "domain/state_table.hpp"
#include "pg/pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace batchbridge::store {

class fenced : public core::error {
    using core::error::error;
};

// The right to write for one line, as of one taking.
struct hold {
    std::string line;
    std::int64_t epoch = 0;
    std::string since;              // line.since, as PostgreSQL wrote it: an epoch is given twice when a failover lost the first taking
};

struct line_address {
    std::string host;
    int port = 502;
    int unit_id = 1;
    bool operator==(const line_address&) const = default;
};
struct line_moved {                 // the stored address differs and batches are unfinished or being taken out
    line_address stored;
};
struct line_row {
    std::string line, holder;
    line_address address;
    std::int64_t epoch = 0;
    bool paused = false;
    std::string paused_why;
};

// One journal row: an effect on Odoo or on the PLC, or a person's act.
struct journal_entry {
    std::int64_t batch_id = 0;      // 0: none
    std::optional<domain::order_identity> order;
    std::string mo_id;
    std::string what;               // "plc.load", "odoo.write", "api.cancel" ..
    boost::json::value values;      // what was sent or decided
    std::string answer;
    std::string who = "batchbridge";
};

// An alert that is raised in the transaction it is about, so that a crash between the two cannot lose it.
struct alert_note {
    std::string kind, subject, text;
};

// A row as it was read: an act that must not hit another one.
struct as_seen {
    domain::batch_state state{};
    int version = 0;
};

// A batch and where it stands in the table of states.
struct standing {
    domain::batch batch;
    domain::batch_facts facts;
};

struct staged_order {
    domain::mapped_order order;
    int slot = 0;
    std::string order_key;
};
// Orders that are already in a queue (of any line) or excluded by history: nothing was staged.
struct stage_conflict {
    std::vector<domain::order_identity> taken;
};
struct staged {
    domain::load load;
    std::vector<domain::batch> batches;
};

struct alert_text {
    std::string kind, subject, text;
};

// What one read cycle found out about one batch.
struct batch_change {
    std::int64_t batch_id = 0;
    int version = 0;                // the version it was derived from; the row gets version + 1 if `values_changed`
    domain::batch_state state = domain::batch_state::running;
    std::string reason;
    domain::words raw;
    bool values_changed = false;    // actuals, weight or status: last_changed_at, version, update_odoo = false
    domain::silo_kg actual;
    core::decimal weight;
    bool status_manufacturing = false, status_operation = false;
    enum class delivery { none, consumption, finish } owe = delivery::none;
    bool acknowledge = false;       // opens a plc_duty for the slot
    bool state_changed = false;     // journaled as "batch.<state>"; a row that is no longer held or lost resolves those alerts
    boost::json::value picture;     // what the slot showed, raw and decoded: journaled with a change of state and an end; may be null
    std::vector<alert_text> alerts; // raised with the change, or not at all
};
struct cycle_result {
    std::set<std::int64_t> not_applied;  // batches whose row had another version or state completed: read them again
    std::set<std::int64_t> kept_state;   // held or lost with a cancel on its way: figures stored, state and deliveries not
};

struct duty {
    std::int64_t id = 0;
    int slot = 0;
    std::string mo_id;              // the order key the slot shows
    std::int64_t batch_id = 0;
};

// What a cycle found out that hangs on no change of a row.
struct cycle_findings {
    std::vector<alert_text> raised, resolved;
    std::vector<journal_entry> journal;
    std::vector<duty> duties;       // acknowledgements owed, ids unused
    bool empty() const noexcept { return raised.empty() && resolved.empty() && journal.empty() && duties.empty(); }
};

// The last run of an order in history, as it was stored.
struct ended_order {
    std::int64_t batch_id = 0;
    std::string mo_id;
    int slot = 0;
    bool ended_by_plc = false;      // with one of the two status words set
    domain::silo_kg actual;
    core::decimal weight;
    domain::words raw;              // empty: not kept
};

struct delivery {
    std::int64_t id = 0;
    std::string line, odoo_db;
    std::int64_t odoo_id = 0, batch_id = 0;
    domain::delivery_kind kind{};
    domain::delivery_state state{};
    int version = 0, tries = 0;
    boost::json::value payload;     // consumption, finish: {"actual": {"101": "12.50", ..}, "weight": "..."}
    std::optional<domain::finish_values> values;  // finish: computed at step 0
    std::optional<domain::batch> batch;           // the row as it is now, with planned and actual
    std::optional<core::utc_time> order_created;  // the order's create_date, also when its batch is in history by now
    std::string mo_id;
};

struct refusal {
    domain::order_identity order;
    std::string mo_id, reason;
    core::utc_time retry_at{};
};

// What a look for a failure's equipment in Odoo brought; an empty code: it was not looked for.
struct equipment_found {
    std::string code;
    bool known = false;
    std::string advice;             // not known: the alert's text
};

// One look of the order watch. `mark`: a moment before Odoo was asked, by the database's clock, and the newest attempt then.
struct watch_mark {
    core::utc_time at{};
    std::int64_t attempt = 0;
};
struct watched_batch {
    domain::batch batch;
    domain::batch_facts facts;                 // `accepted` is not looked up: no event depends on it
    std::optional<domain::order_plan> plan;    // nullopt: not known, not compared
    std::string told;                          // watch_finding::told of the last one that was applied
};
// An order in history that Odoo still called confirmed.
struct still_open_order {
    std::string line, mo_id;
    std::int64_t history_id = 0;
    domain::order_identity order;
};
struct watch_picture {
    watch_mark mark;
    std::vector<watched_batch> batches;
    std::vector<still_open_order> still_open;
};
struct watch_finding {
    domain::odoo_event event{};
    domain::table_decision decision;
    std::string why;                           // for journal, history and the rows that end
    std::string told;                          // event and step, so that it is done once
    std::optional<domain::order_plan> plan;    // replaces the stored one
    std::optional<alert_note> alert;
};

// The same as persons see it.
struct refusal_entry {
    std::string line, odoo_db;
    std::int64_t odoo_id = 0;
    std::string mo_id, reason;
    core::utc_time first{}, last{}, retry{};
};

// A delivery as persons see it.
struct outbox_entry {
    std::int64_t id = 0;
    std::string line, odoo_db;
    std::int64_t odoo_id = 0, batch_id = 0;   // 0: about no order, of no batch
    std::string mo_id;
    domain::delivery_kind kind{};
    domain::delivery_state state{};
    int version = 0, tries = 0;
    boost::json::value payload;
    std::string last_error;
    core::utc_time created{}, next{};
    std::optional<core::utc_time> sent;
};
struct outbox_filter {
    std::string line;                         // empty: every line
    std::optional<domain::delivery_kind> kind;
    std::int64_t batch = 0;                   // 0: every batch
    std::vector<domain::delivery_state> states{domain::delivery_state::due, domain::delivery_state::sending, domain::delivery_state::parked};
    std::int64_t after = 0;
    int limit = 100;
};

struct run_record {
    std::string task;
    core::utc_time started{}, ended{};
    std::string outcome;            // "ok", "failed", "skipped", "running", "off"
    bool changed = false, asked_for = false;
    std::string detail;
};

// The line's newest failure that came from its PLC.
struct failure_row {
    std::int64_t id = 0;
    std::string equipment_code;
    domain::words raw;
    bool acknowledged = false;      // its flag was read as 1
};
struct stored_failure {
    std::int64_t id = 0;
    bool is_new = false;            // false: it was stored before, and nothing was changed
    bool acknowledged = false;      // as failure_row
};

// mo_batch rows and counts for health and API; lists are ordered by id.
class store {
public:
    explicit store(pg::pool& pool) : pool_(pool) {}

    // --- lines, settings -------------------------------------------------------------------------------------------
    // Writes something that leaves nothing behind. Throws what a transaction would (pg::refuses_writes).
    boost::asio::awaitable<void> try_to_write();
    // The number of the newest migration that was applied.
    boost::asio::awaitable<int> schema_version();
    // Creates or updates the line's row, increments its epoch and names the holder. The caller holds the line's lock. Ends
    // sessions of a former holder that left a transaction of the line open.
    boost::asio::awaitable<std::variant<hold, line_moved>> take_line(const std::string& line, const line_address& address,
                                                                     const std::string& holder, bool may_move);
    // After a failover to a server whose clock is behind: a wait that would begin in the future begins now, and none is longer than
    // an hour. Returns how many there were.
    boost::asio::awaitable<int> mend_future_times(const hold& h);
    boost::asio::awaitable<std::vector<line_row>> lines();
    // A person's pause: it stands until a person ends it, also over a restart. entry.answer is the reason. False: it was so already.
    boost::asio::awaitable<bool> pause_line(const hold& h, journal_entry entry);
    boost::asio::awaitable<bool> resume_line(const hold& h, journal_entry entry);
    // Its reason; nullopt: the line is not paused.
    boost::asio::awaitable<std::optional<std::string>> pause_of(const std::string& line);
    boost::asio::awaitable<std::map<std::string, std::string>> settings(const std::string& line);
    boost::asio::awaitable<void> put_setting(const hold& h, const std::string& name, const std::string& value, const std::string& who,
                                             const std::string& why = {});

    // --- the queue -------------------------------------------------------------------------------------------------
    // Every mo_batch row of the line with its consumption.
    boost::asio::awaitable<std::vector<domain::batch>> batches(const std::string& line);
    boost::asio::awaitable<std::optional<domain::batch>> batch(std::int64_t id);
    // The line's newest load in state staged or arming.
    boost::asio::awaitable<std::optional<domain::load>> open_load(const std::string& line);
    // Loads that a row of the line refers to, the open one and the newest that was not withdrawn, by number (their images
    // say what is stale).
    boost::asio::awaitable<std::vector<domain::load>> loads_in_use(const std::string& line);
    // All or nothing. Rows first, then the history check, so that a concurrent archive cannot slip between; unique keys
    // decide races between sessions and lines (L-11). Any unfinished batch or open load of the line also makes it a
    // stage_conflict (with `taken` empty).
    boost::asio::awaitable<std::variant<staged, stage_conflict>> stage_load(const hold& h, const std::map<int, domain::words>& images,
                                                                            const std::vector<staged_order>& orders);
    // Moves a load on, and its queued/loading/loaded batches to `batches` when given. Ends a withdrawal unless the state is arming.
    boost::asio::awaitable<void> set_load_state(const hold& h, std::int64_t load_id, domain::load_state state,
                                                std::optional<domain::batch_state> batches);
    // The last commit before slot 1 is armed. False: the load's waiting batches are no longer exactly these (one was taken
    // out meanwhile), an acknowledgement is owed, the line is paused, or it is being withdrawn; nothing was changed then.
    boost::asio::awaitable<bool> arm_load(const hold& h, std::int64_t load_id, const std::vector<std::int64_t>& batch_ids, const journal_entry& entry);
    // Before slot 1 of an offered load is blanked.
    boost::asio::awaitable<void> begin_withdrawal(const hold& h, std::int64_t load_id);
    // The load becomes withdrawn and its still waiting batches a new staged load, slots counted from 1 again, state queued,
    // with the old load's images. `was_offered`: the PLC could have seen it. nullopt: none was left.
    boost::asio::awaitable<std::optional<domain::load>> restage(const hold& h, std::int64_t load_id, bool was_offered);
    // start-over has cleared the recipes: the open load, the newest and those that rows refer to are the PLC's no more.
    boost::asio::awaitable<void> withdraw_loads(const hold& h);
    // Which of these order keys are in the line's queue or history (by mo_id, and "MO#<id>").
    boost::asio::awaitable<std::set<std::string>> known_orders(const std::string& line, const std::vector<std::string>& keys);
    // odoo_ids to leave out of a fetch: the queue of every line, refusals not yet due, history flagged still_open.
    boost::asio::awaitable<std::vector<std::int64_t>> excluded_orders(const std::string& odoo_db);
    // Of these, the ones whose history excludes them for ever; flags them still_open, with an alert on the line of the history.
    boost::asio::awaitable<std::vector<domain::order_identity>> flag_archived(const hold& h, const std::vector<domain::order_identity>& orders);

    // --- the read cycle --------------------------------------------------------------------------------------------
    // One pipeline, one transaction, one round trip however many batches changed. A row in state completed is never
    // touched (L-35). A completing change opens the finish row (unique per order) and discards an unsent consumption.
    // `seen` gets last_read_from_plc. A new consumption row is due `live_interval` after the order's last sent one.
    boost::asio::awaitable<cycle_result> record_cycle(const hold& h, const std::vector<batch_change>& changes,
                                                      const std::vector<std::int64_t>& seen, core::duration live_interval);
    // Alerts that hang on no change of a row: raised and resolved (kind, subject) in one transaction.
    boost::asio::awaitable<void> record_alerts(const hold& h, const std::vector<alert_text>& raised, const std::vector<alert_text>& resolved);
    // The same with the journal and the acknowledgements owed, all in one transaction. A duty that is open already stays one.
    boost::asio::awaitable<void> record_findings(const hold& h, const cycle_findings& f);
    // The alerts of these kinds that are open or acknowledged.
    boost::asio::awaitable<std::vector<alert_text>> open_alerts(const std::string& line, const std::vector<std::string>& kinds);
    // The newest history row of each of these order keys that has one.
    boost::asio::awaitable<std::map<std::string, ended_order>> ended_orders(const std::string& line, const std::vector<std::string>& keys);
    // last_read_from_plc = now() for these, nothing else.
    boost::asio::awaitable<void> touch_read(const hold& h, const std::vector<std::int64_t>& batch_ids);
    boost::asio::awaitable<std::vector<duty>> open_duties(const std::string& line);
    boost::asio::awaitable<void> open_duty(const hold& h, int slot, const std::string& mo_id, std::int64_t batch_id);
    // how: "acknowledged", "slot moved on", "dropped".
    boost::asio::awaitable<void> close_duty(const hold& h, std::int64_t duty_id, const std::string& how);

    // --- equipment failures ----------------------------------------------------------------------------------------
    // Stores the failure with its outbox row (maintenance_request), journal row and notes, unless it is a repeat: of one
    // whose time was the PLC's and near its receipt, by equipment, time and description (whatever became of it); of the
    // line's newest, while that is not acknowledged, by its raw words. So the same words after an acknowledgement are a new
    // failure if their time cannot tell (none, or of a clock that is wrong).
    boost::asio::awaitable<stored_failure> store_failure(const hold& h, const domain::failure_event& e, const domain::failure_notes& notes, const std::string& odoo_db);
    boost::asio::awaitable<std::optional<failure_row>> newest_failure(const std::string& line);
    // Its flag was read as 1. `how`: "acknowledged", "found acknowledged" ..
    boost::asio::awaitable<void> failure_acknowledged(const hold& h, std::int64_t failure_id, const std::string& how);

    // --- history ---------------------------------------------------------------------------------------------------
    // Completed rows without an open or sent finish get one; returns how many (0 is right).
    boost::asio::awaitable<int> sweep_completed(const hold& h);
    // Completed, acknowledged by Odoo at exactly the current version and done-marked (or `mark_done` false).
    boost::asio::awaitable<std::vector<domain::batch>> archivable(const std::string& line, bool mark_done);
    // mo_batch -> mo_histories with its consumption, in one transaction; open outbox rows of the batch end (discarded,
    // except for status completed where they are sent), and the alert of a parked one with them. False: the row is already
    // gone, or not as `seen` says (then nothing happened, L-05).
    boost::asio::awaitable<bool> archive(const hold& h, std::int64_t batch_id, domain::history_status status, const std::string& notes,
                                         std::optional<journal_entry> entry, std::optional<alert_note> alert = std::nullopt,
                                         std::optional<as_seen> seen = std::nullopt);
    // The end of a cancel delivery: the order is cancelled or gone in Odoo, as `note` says. The row is sent, and its held, lost
    // or parked batch archived as cancelled with it. A cancelling batch stays: the read cycle ends it once its slot is certain
    // to stay empty. Nothing happens if the cancel was given up meanwhile (a person completed the batch).
    // True: the batch was archived.
    boost::asio::awaitable<bool> cancelled_in_odoo(const hold& h, const delivery& d, const std::string& note);

    // --- deliveries ------------------------------------------------------------------------------------------------
    // Rows of these lines and this odoo_db that may be worked on now: state due or sending, next_at passed, no attempt of
    // the same order without outcome younger than `unclear_wait`. By kind's priority, then next_at, at most `limit` of each
    // kind: those of one that waits do not hide the others. One row per order.
    // `except`: rows of this kind wait, for a version that sends them.
    boost::asio::awaitable<std::vector<delivery>> due_deliveries(const std::vector<std::string>& lines, const std::string& odoo_db,
                                                                 core::duration unclear_wait, int limit,
                                                                 std::optional<domain::delivery_kind> except = std::nullopt);
    // How long until one may become due (0 = now); nullopt: nothing open.
    boost::asio::awaitable<std::optional<core::duration>> next_delivery_in(const std::vector<std::string>& lines, const std::string& odoo_db,
                                                                           core::duration unclear_wait, std::optional<domain::delivery_kind> except = std::nullopt);
    boost::asio::awaitable<std::optional<delivery>> delivery_by_id(std::int64_t id);
    // Raises the alert foreign_database, which names every order of the line with an open delivery for another database than
    // `odoo_db`, or resolves it when there is none. The names; such rows are never sent.
    boost::asio::awaitable<std::vector<std::string>> note_foreign_deliveries(const hold& h, const std::string& odoo_db);
    // Commits the attempt and sets the row to sending, before any byte is sent. nullopt: the row has another version or
    // is no longer open (or it is a consumption of a batch that completed: the row was discarded).
    boost::asio::awaitable<std::optional<std::int64_t>> begin_attempt(const hold& h, const delivery& d, std::string_view call,
                                                                      const boost::json::value& values);
    // outcome ok, rejected or not_sent closes it; unclear leaves outcome null and sets ended_at. Journals it.
    boost::asio::awaitable<void> end_attempt(const hold& h, std::int64_t attempt_id, domain::call_outcome outcome, const std::string& answer);
    // finish: commits the values of step 0, with the alert `unplanned_silo` if something was dosed that they book nowhere;
    // false when the row's version moved on.
    boost::asio::awaitable<bool> set_finish_values(const hold& h, const delivery& d, const domain::finish_values& v);
    // The delivery reached Odoo at d.version. Row: sent, or due again after `live_interval` if a newer version exists.
    // Batch: update_odoo if its version is d.version; done_marked as given. Also closes `attempt` as ok when given, and the
    // alert of a delivery of this order that was parked.
    boost::asio::awaitable<void> delivered(const hold& h, const delivery& d, bool done_marked, core::duration live_interval,
                                           std::optional<std::int64_t> attempt, const std::string& note);
    // Back to due after `delay`; tries + 1. A newer version that replaced it meanwhile keeps its own next_at.
    boost::asio::awaitable<void> retry_later(const hold& h, const delivery& d, core::duration delay, const std::string& error);
    // The same for a row that waits because Odoo refuses us (login, key, rights, address), with the alert `odoo_configuration`:
    // one for all rows of the line that wait so. It is resolved with whatever ends the last of them. True: it was not open before.
    boost::asio::awaitable<bool> wait_for_configuration(const hold& h, const delivery& d, core::duration delay, const std::string& error);
    // Dead letter, with its alert `delivery_parked`. A finish or cancel also makes its batch `parked` with the reason. False:
    // the row moved on meanwhile, nothing was parked.
    boost::asio::awaitable<bool> park(const hold& h, const delivery& d, const std::string& reason);
    boost::asio::awaitable<void> discard(const hold& h, const delivery& d, const std::string& reason);
    // maintenance_request: Odoo has it under this id. The row is sent and the failure knows the id, in one transaction; the
    // alert `failure_equipment` is raised with it, or resolved. A failure that has an id keeps it.
    boost::asio::awaitable<void> requested(const hold& h, const delivery& d, std::int64_t request_id, const std::string& note, const equipment_found& equipment);
    // note: the attempt and the row's end (sent) in one transaction, before any byte is sent. nullopt: the row has moved on.
    boost::asio::awaitable<std::optional<std::int64_t>> begin_note(const hold& h, const delivery& d);
    // It certainly did not leave us: the attempt is not_sent and the row due again after `delay`.
    boost::asio::awaitable<void> note_not_sent(const hold& h, const delivery& d, std::int64_t attempt_id, core::duration delay, const std::string& error);
    // Live values that Odoo must not get any more: discarded, with an alert. True: the alert was not open before.
    boost::asio::awaitable<bool> drop_consumption(const hold& h, const delivery& d, const alert_note& alert);
    // Was a value ever sent for this order by one of our attempts (for finish: may an unmapped picked value be ours)?
    boost::asio::awaitable<std::vector<domain::move_value>> attempted_values(const std::string& odoo_db, std::int64_t odoo_id, std::int64_t batch_id);

    // --- acts of persons (journaled with who) ----------------------------------------------------------------------
    // The batch and what the table of states asks about it, as of one moment. nullopt: it is not in the queue. `unclear_wait`: how
    // long a write without an answer may still take effect; 0: that is not asked.
    boost::asio::awaitable<std::optional<standing>> standing_of(std::int64_t batch_id, core::duration unclear_wait = {});
    // state cancelling with `reason` (domain::take_out_reason): the line takes the order out of the PLC. `cancelled` owes Odoo a cancel.
    boost::asio::awaitable<bool> ask_take_out(const hold& h, std::int64_t batch_id, const std::string& reason, journal_entry entry);
    // The WRITE slot of a cancelling batch was blanked.
    boost::asio::awaitable<void> disarmed(const hold& h, std::int64_t batch_id);
    // Cancelling batches whose slot is not yet blanked.
    boost::asio::awaitable<std::vector<domain::batch>> to_disarm(const std::string& line);
    // Held, lost or parked: opens a cancel delivery for the batch (which ends as cancelled when Odoo says so). False: another state.
    // `seen` here and below: only if the batch is still as it was when it was decided.
    boost::asio::awaitable<bool> ask_cancel(const hold& h, std::int64_t batch_id, journal_entry entry, std::optional<as_seen> seen = std::nullopt);
    // Parked -> completed (or held, when it is a cancel that was parked) with its delivery due now from step 0; or a finish or
    // cancel that waits due now. False: nothing to retry, or it is due already.
    boost::asio::awaitable<bool> retry_batch(const hold& h, std::int64_t batch_id, journal_entry entry, std::optional<as_seen> seen = std::nullopt);
    // A person's figures: completed, new version, new finish values.
    boost::asio::awaitable<bool> complete_batch(const hold& h, std::int64_t batch_id, const core::decimal& produced, const domain::silo_kg& actual,
                                                journal_entry entry, std::optional<as_seen> seen = std::nullopt);
    // Gives up a held, lost or parked batch of which nothing was dosed and Odoo has accepted nothing: history `reset`. False: it
    // is no longer as `version` says, or not so; look again.
    boost::asio::awaitable<bool> reset_batch(const hold& h, std::int64_t batch_id, int version, const std::string& notes, journal_entry entry);
    // Deliveries by id, from the one after `after`.
    boost::asio::awaitable<std::vector<outbox_entry>> outbox(const outbox_filter& f);
    boost::asio::awaitable<std::optional<outbox_entry>> outbox_by_id(std::int64_t id);
    // A parked or waiting delivery is due at once; a finish or cancel of a parked batch is retried by retry_batch. False: it is
    // no longer as it was seen, or due already.
    boost::asio::awaitable<bool> retry_delivery(const hold& h, const outbox_entry& seen, journal_entry entry);
    // Ends a parked or waiting delivery other than a finish, for entry.answer. The batch whose parked cancel it was is held
    // again. False: it is no longer as it was seen.
    boost::asio::awaitable<bool> discard_delivery(const hold& h, const outbox_entry& seen, journal_entry entry);
    // Ends a parked or waiting finish and its batch with it: history `discarded`, notes are entry.answer. False: one of them is
    // no longer as it was seen, or a write for the order that got no answer was begun less than `unclear_wait` ago.
    boost::asio::awaitable<bool> discard_finish(const hold& h, const outbox_entry& finish, const as_seen& batch, core::duration unclear_wait, journal_entry entry);
    // By odoo_id, from the one after `after`; an empty line is every line.
    boost::asio::awaitable<std::vector<refusal_entry>> refusals(const std::string& odoo_db, const std::string& line, std::int64_t after, int limit);
    boost::asio::awaitable<std::optional<refusal_entry>> refusal_of_order(const std::string& odoo_db, std::int64_t odoo_id);
    // The order may be fetched again at once. False: it may already.
    boost::asio::awaitable<bool> retry_refusal(const hold& h, const refusal_entry& seen, journal_entry entry);

    // --- the order watch -------------------------------------------------------------------------------------------
    // Every batch of these lines and this odoo_db, with the mark that was taken before.
    boost::asio::awaitable<watch_picture> watched(const std::vector<std::string>& lines, const std::string& odoo_db);
    // What was found out about one order, in one transaction. False: the batch is not as it was when it was read (a running one
    // may have other figures), or an attempt for its order was open or begun since the mark: nothing was changed.
    boost::asio::awaitable<bool> apply_watched(const hold& h, const watch_mark& mark, const watched_batch& w, core::duration unclear_wait, const watch_finding& found);
    // The order is not confirmed any more, or its id is another order's: the flag and its alert end.
    boost::asio::awaitable<void> not_open_any_more(const hold& h, const still_open_order& o);

    // --- refusals, alerts, runs, journal ---------------------------------------------------------------------------
    boost::asio::awaitable<void> record_refusals(const hold& h, const std::vector<refusal>& refused, core::duration retry_after);
    // At start: every refusal of the line is due again.
    boost::asio::awaitable<void> reset_refusals(const hold& h);
    // True: it was not open before.
    boost::asio::awaitable<bool> raise_alert(const hold& h, const std::string& kind, const std::string& subject, const std::string& text);
    // True: it was open.
    boost::asio::awaitable<bool> resolve_alert(const hold& h, const std::string& kind, const std::string& subject);
    // Current state always; a row of its own when it changed something, failed or was asked for.
    boost::asio::awaitable<void> record_run(const hold& h, const run_record& r);
    boost::asio::awaitable<void> journal(const hold& h, const std::vector<journal_entry>& entries);
    // Rows removed, by table.
    boost::asio::awaitable<std::map<std::string, std::int64_t>> cleanup(const hold& h, int retention_days);

private:
    pg::pool& pool_;
};

}  // namespace batchbridge::store
