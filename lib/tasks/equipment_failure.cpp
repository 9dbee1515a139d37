#include "tasks/equipment_failure.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"

#include <utility>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using answer = plc::failure_answer::kind;

namespace {

constexpr int torn_runs_for_alert = 3;
constexpr int refused_for_alert = 3;
constexpr int looks_in_a_run = 5;
constexpr core::duration wait_for_plc = std::chrono::seconds(5);
constexpr core::duration first_silence = std::chrono::seconds(10), longest_silence = std::chrono::minutes(1);
// A PLC that makes the same failure new again at every look does not report so many: it does not keep the flag.
constexpr int comebacks_believed = 3;

constexpr const char* inconsistent = "failure_inconsistent";
constexpr const char* unknown_flag = "failure_flag";
constexpr const char* not_acknowledged = "failure_not_acknowledged";
constexpr const char* clock_stands = "failure_clock";

}  // namespace

core::log::fields equipment_failure::about(const std::string& equipment) const
{
    return line_.about(task_names::equipment_failure, 0, equipment);
}

void equipment_failure::start_afresh()
{
    settled_.clear();
    owed_.reset();
    newest_.reset();
    newest_known_ = codes_told_ = may_have_hit_another_ = false;
    answered_ = {};
    inconsistent_ = refused_ = 0;
    told_.clear();
    raised_.clear();
    resolved_.clear();
}

void equipment_failure::raise(const std::string& kind, std::string text)
{
    if (std::exchange(told_[kind], told::raised) == told::raised) return;
    core::log::warning(about(), "{}", text);
    store::alert_text alert{kind, domain::failure_subject, std::move(text)};
    raised_.push_back(std::move(alert));
}

// Also the first time after a start: the alert may be of the process before.
void equipment_failure::over(const std::string& kind)
{
    const auto before = std::exchange(told_[kind], told::over);
    if (before == told::over) return;
    if (before == told::raised) core::log::info(about(), "{} is over", kind);
    store::alert_text alert{kind, domain::failure_subject, {}};
    resolved_.push_back(std::move(alert));
}

asio::awaitable<void> equipment_failure::tell()
{
    if (!codes_told_)
        for (const auto& s : line_.map().silos) {
            store::alert_text known{"failure_equipment", s.equipment, {}};
            resolved_.push_back(std::move(known));
        }
    if (!raised_.empty() || !resolved_.empty()) co_await line_.env().store.record_alerts(line_.hold(), raised_, resolved_);
    codes_told_ = true;
    raised_.clear();
    resolved_.clear();
}

run_result equipment_failure::not_read_well(const std::string& why)
{
    if (++inconsistent_ >= torn_runs_for_alert) raise(inconsistent, fmt::format("the failure block {}, for {} runs: a failure would not be noticed", why, inconsistent_));
    return run_result::skipped("the failure block " + why);
}

run_result equipment_failure::strange_flag(const domain::words& block)
{
    settled_ = block;
    raise(unknown_flag, fmt::format("the read flag of the failure block is {}, neither 0 (new) nor 1 (read): nothing of it is taken. Compare 'batchbridge check-map' with the PLC program",
                                    domain::failure_flag(line_.map(), block)));
    return run_result::skipped("the read flag of the failure block is neither 0 nor 1");
}

asio::awaitable<std::optional<store::failure_row>> equipment_failure::newest()
{
    if (!newest_known_) newest_ = co_await line_.env().store.newest_failure(line_.name());
    newest_known_ = true;
    co_return newest_;
}

asio::awaitable<bool> equipment_failure::remember(const domain::failure_event& e)
{
    auto& env = line_.env();
    const auto notes = domain::notes_on(line_.map(), e, line_.config().timezone);
    BATCHBRIDGE_CRASH_POINT("failure.before_commit");
    const auto stored = co_await env.store.store_failure(line_.hold(), e, notes, env.config.odoo_db);
    BATCHBRIDGE_CRASH_POINT("failure.stored");
    owed_ = owed{stored.id, e.raw, stored.acknowledged};
    newest_known_ = false;
    if (!stored.is_new && stored.acknowledged && e.doubtful_clock)
        raise(clock_stands, fmt::format("the PLC shows the failure of {} ({}) at {} once more, after it was acknowledged: it is taken for the same one. If it is another one, the PLC's clock stands still",
                                        e.equipment_code, e.info, e.time_text));
    if (!stored.is_new) co_return false;
    core::log::warning(about(e.equipment_code), "equipment failure: {} at {} ({}), stored as failure {}; its maintenance request is owed to Odoo",
                       e.info, core::to_iso(e.at), domain::to_string(e.source), stored.id);
    for (const auto& n : notes.raised) core::log::warning(about(e.equipment_code), "{}: {}", n.kind, n.text);
    // They were stored with the failure.
    for (const auto& n : notes.raised) told_[n.kind] = told::raised;
    for (const auto& kind : notes.over) told_[kind] = told::over;
    env.deliveries.set();
    co_return true;
}

void equipment_failure::not_kept()
{
    if (++refused_ >= refused_for_alert)
        raise(not_acknowledged, "the PLC does not keep the acknowledgement of a failure (its read flag = 1): the failure is stored, but the PLC may not report another one before it does");
}

void equipment_failure::flag_stands()
{
    over(not_acknowledged);
    answered_ = {};
    refused_ = 0;
}

asio::awaitable<void> equipment_failure::kept(const domain::words& block)
{
    const auto done = *owed_;
    if (done.raw == answered_.raw) ++answered_.times;
    else answered_ = {done.raw, 1};
    settled_ = block;
    owed_.reset();
    // What comes back for ever is journaled no more.
    if (answered_.times > comebacks_believed) co_return not_kept();
    co_await line_.env().store.failure_acknowledged(line_.hold(), done.id, done.repeat ? "acknowledged again" : "acknowledged");
    BATCHBRIDGE_CRASH_POINT("failure.acknowledged");
    newest_known_ = false;
    core::log::info(about(), "failure {} is acknowledged at the PLC", done.id);
}

asio::awaitable<void> equipment_failure::answered_by_plc(const plc::failure_answer& said, run_result& r)
{
    switch (said.what) {
    case answer::kept:
        r.detail += "stored and acknowledged";
        co_return co_await kept(said.image);
    case answer::not_kept:
        r.detail += "stored; the PLC did not keep the acknowledgement";
        co_return not_kept();
    case answer::moved_on:
    case answer::overwritten: break;
    }
    // Another one stands there, acknowledged with this one perhaps: it is stored before the PLC puts the next in its place.
    r.detail += "stored; the PLC shows something else by now";
    look_again_ = true;
}

asio::awaitable<void> equipment_failure::acknowledge(const domain::words& block, run_result& r)
{
    if (!line_.env().config.plc_writes) {
        settled_ = block;
        r.detail += "stored; not acknowledged, as PLC_WRITES is not true";
        co_return;
    }
    // Never waits for a load that is being written, nor for the right to write: the next run is soon.
    auto lock = line_.plc_writes().try_lock();
    if (!lock || !line_.may_write()) {
        r.detail += lock ? "stored; acknowledged when this process may write to the PLC" : "stored; acknowledged when nobody else writes to the PLC";
        co_return;
    }
    plc::failure_answer said;
    may_have_hit_another_ = true;
    try {
        said = co_await line_.device().acknowledge_failure(block);
    } catch (const plc::error& e) {
        if (e.kind() != core::error_kind::rejected) throw;
        // An exception answer is about this register; the failure is stored all the same.
        r.what = run_result::kind::failed;
        r.detail += fmt::format("stored; the PLC refuses the acknowledgement: {}", e.what());
    }
    lock.reset();
    BATCHBRIDGE_CRASH_POINT("failure.flag_written");
    if (r.what == run_result::kind::failed) co_return not_kept();
    may_have_hit_another_ = said.what == answer::overwritten;
    co_await answered_by_plc(said, r);
}

bool equipment_failure::comes_back(const domain::failure_event& e) const
{
    return answered_.times >= comebacks_believed && answered_.raw == e.raw;
}

asio::awaitable<run_result> equipment_failure::take(const domain::words& block, const domain::failure_event& e)
{
    const auto is_owed = [&] { return owed_ && owed_->raw == e.raw; };
    if (!is_owed() && comes_back(e)) {
        const auto row = co_await newest();
        if (row) owed_ = owed{row->id, e.raw, true};
    }
    bool is_new = false;
    if (!is_owed()) is_new = co_await remember(e);
    auto r = run_result::done(is_new, fmt::format("{}: {}, ", e.equipment_code, e.info));
    co_await acknowledge(block, r);
    co_return r;
}

asio::awaitable<run_result> equipment_failure::settle(const domain::words& block)
{
    flag_stands();
    owed_.reset();
    const auto row = co_await newest();
    const auto e = domain::decode_failure(line_.map(), block, line_.config().timezone, core::utc_now());
    const bool another = row && e && e->raw != row->raw;
    if (!row || (row->acknowledged && !(another && may_have_hit_another_))) {
        may_have_hit_another_ = false;
        settled_ = block;
        co_return run_result::skipped("the PLC reports no new failure");
    }
    auto id = row->id;
    if (another) {
        // The PLC put it there in the moment in which the one before was acknowledged, by us or by another hand.
        co_await remember(*e);
        id = owed_->id;
        owed_.reset();
    }
    co_await line_.env().store.failure_acknowledged(line_.hold(), id, "found acknowledged");
    newest_known_ = may_have_hit_another_ = false;
    settled_ = block;
    core::log::info(about(), "failure {} was found acknowledged at the PLC", id);
    co_return run_result::done(true, "a failure was found acknowledged");
}

asio::awaitable<run_result> equipment_failure::look(const domain::words& block)
{
    const auto flag = domain::failure_flag(line_.map(), block);
    if (flag > 1) co_return strange_flag(block);
    over(unknown_flag);
    if (flag == 1) co_return co_await settle(block);
    const auto e = domain::decode_failure(line_.map(), block, line_.config().timezone, core::utc_now());
    may_have_hit_another_ = false;
    if (!e) {
        over(not_acknowledged);
        owed_.reset();
        settled_ = block;
        co_return run_result::skipped("the PLC reports no failure");
    }
    co_return co_await take(block, *e);
}

asio::awaitable<run_result> equipment_failure::observe()
{
    const auto seen = co_await line_.device().observe_failure(settled_);
    line_.plc_answers();
    if (seen.what == plc::observation::kind::inconsistent) co_return not_read_well("changes while it is read");
    inconsistent_ = 0;
    over(inconsistent);
    if (seen.what == plc::observation::kind::accepted) co_return co_await look(seen.image);
    if (domain::failure_flag(line_.map(), seen.image) == 1) flag_stands();
    co_return run_result::skipped("the PLC reports no new failure");
}

asio::awaitable<run_result> equipment_failure::cycle()
{
    auto result = run_result::skipped({});
    std::exception_ptr refused;
    std::string why;
    for (int i = 0; i < looks_in_a_run && !refused && (i == 0 || look_again_); ++i) {
        look_again_ = false;
        const bool changed = result.changed;
        try {
            result = co_await observe();
        } catch (const plc::error& e) {
            if (e.kind() != core::error_kind::rejected) throw;
            refused = std::current_exception();
            why = fmt::format("is refused: {}", e.what());
        }
        result.changed = result.changed || changed;
    }
    // The whole run had its answers, exceptions among them.
    silence_ = {};
    only_this_ = false;
    if (refused) not_read_well(why);
    co_await tell();
    if (refused) std::rethrow_exception(refused);
    if (!line_.plc_in_use_beside(task_names::equipment_failure)) co_await line_.device().end_cycle();
    co_return result;
}

// A request without an answer closes the connection. A block that never has one, asked at every interval and in step with the
// read cycle, would keep the slots from being read (field.md, row 4): it is left alone for a while. When the whole PLC is
// silent, this waits for it to answer somebody else.
void equipment_failure::note_silence(std::exception_ptr failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const plc::error& e) {
        const bool silent = e.kind() == core::error_kind::timeout || e.kind() == core::error_kind::unavailable || e.kind() == core::error_kind::protocol;
        if (!silent || e.operation() == "connect") return;
        const auto answers = line_.device().answers();
        only_this_ = silence_ > core::duration::zero() && answers != answers_then_;
        answers_then_ = answers;
        silence_ = only_this_ ? std::clamp<core::duration>(2 * silence_, first_silence, longest_silence) : wait_for_plc;
        asked_again_ = clock::now() + silence_;
    } catch (...) {
    }
}

bool equipment_failure::left_alone() const
{
    if (silence_ == core::duration::zero() || clock::now() >= asked_again_) return false;
    if (only_this_) return true;
    // Nobody knows yet whether it is this block or the PLC. Whoever else waits for the PLC is let in first.
    const auto kept_out = [this](const char* task) {
        const auto* t = line_.task(task);
        return t != nullptr && t->last() && (t->last()->result.what == run_result::kind::failed || t->last()->result.what == run_result::kind::unavailable);
    };
    return (kept_out(task_names::plc_read_sync) || kept_out(task_names::auto_sync_mo)) && line_.device().answers() == answers_then_;
}

asio::awaitable<run_result> equipment_failure::run()
{
    if (left_alone()) co_return run_result::waiting("the PLC did not answer for its failure block; it is asked again within a minute");
    try {
        co_return co_await cycle();
    } catch (...) {
        note_silence(std::current_exception());
        // What was committed, and what the PLC has taken, is not certain: read both again.
        settled_.clear();
        owed_.reset();
        newest_known_ = false;
        throw;
    }
}

}  // namespace batchbridge::tasks
