// The outbox and the end of a batch against a small model: reads, sends, late answers, lost lines and persons in random order,
// on a real database, with the real dispatcher. Whatever came, in the end every order has ended once, with the right figures.
#include "delivery_bench.hpp"

#include "tasks/process_completed.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <random>
#include <set>

using namespace batchbridge;
using namespace batchbridge::tests;

namespace {

constexpr int orders = 3, events = 60;

enum class stage { running, held, completed, ended };

struct model_order {
    stage at = stage::running;
    int hundredths = 0;            // what counts now
    std::optional<int> pending;    // what is being committed: it may be sent before the commit's answer is here
    std::set<int> totals;          // every total that was ever stored
    int delivered = 0;             // the newest total that reached Odoo
    bool cancelled = false;        // a person wants it cancelled
    std::optional<std::string> late;   // a call whose effect is still to come
};

class model {
public:
    explicit model(unsigned seed) : random_(seed)
    {
        for (int id = 1; id <= orders; ++id) {
            b_.erp.add(id);
            batch_[id] = b_.batch(id, "running", {{101, "0"}});
            of_[id] = {};
        }
        b_.erp.before = [this](const std::string& call) { before(call); };
        b_.erp.after = [this](const std::string& call) { after(call); };
    }
    ~model() { b_.erp.before = b_.erp.after = nullptr; }

    void play()
    {
        for (int i = 0; i < events; ++i) {
            event();
            b_.wake();
            b_.run_for(std::chrono::milliseconds(draw(0, 8)));
        }
        calm_ = true;
        for (int i = 0; i < 400 && !all_ended(); ++i) settle_step();
    }

    std::vector<std::string> verdict()
    {
        auto out = broken_;
        for (const auto& [id, o] : of_) {
            const auto name = fmt::format("order {}: ", id);
            const auto rows = b_.sql(fmt::format("select string_agg(status || ' ' || (select sum(actual) from mo_histories_consumption c where c.history_id = h.id), ', ') from mo_histories h where odoo_id = {}", id));
            const auto kg = fmt::format("{}.{:02}0", o.hundredths / 100, o.hundredths % 100);
            const std::string state(domain::to_string(b_.erp.orders.at(id).state));
            if (rows != "completed " + kg && !(o.cancelled && rows == "cancelled " + kg)) out.push_back(name + "history '" + rows + "' instead of " + kg + " kg" + (o.cancelled ? " or cancelled" : ""));
            if (rows.starts_with("completed") && (state != "done" || o.delivered != o.hundredths)) out.push_back(name + fmt::format("{} in Odoo with {} instead of {}", state, o.delivered, o.hundredths));
            if (rows.starts_with("cancelled") && state != "cancel") out.push_back(name + state + " in Odoo, cancelled here");
            if (b_.erp.count(fmt::format("mark_done {}", id)) > 0 && done_[id] > 1) out.push_back(name + "done twice");
        }
        for (const auto& [what, from] : std::map<std::string, std::string>{{"deliveries are open", "odoo_outbox where state in ('due', 'sending', 'parked')"}, {"batches are left", "mo_batch"}})
            if (const int n = b_.count(from); n > 0) out.push_back(fmt::format("{} {}: {}", n, what, b_.sql("select string_agg(kind || ' ' || mo_id || ' ' || state || ' ' || last_error, '; ') from odoo_outbox where state in ('due', 'sending', 'parked')")));
        return out;
    }

    const std::vector<std::string>& story() const { return story_; }

private:
    int draw(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
    void say(const std::string& line) { story_.push_back(line); }
    void wrong(const std::string& line)
    {
        say("WRONG " + line);
        broken_.push_back(line);
    }

    // One call to the end, on the loop of the bench. False: the line was lost meanwhile.
    template <class T>
    bool call(asio::awaitable<T> what)
    {
        bool ended = false, good = false;
        std::exception_ptr failure;
        if constexpr (std::is_void_v<T>)
            asio::co_spawn(b_.ioc, std::move(what), [&](std::exception_ptr e) { ended = true, good = !e, failure = e; });
        else
            asio::co_spawn(b_.ioc, std::move(what), [&](std::exception_ptr e, T v) {
                ended = true;
                failure = e;
                if constexpr (std::is_same_v<T, bool>) good = !e && v;
                else good = !e;
            });
        b_.await("a transaction", [&] { return ended; });
        // As a task would: it is switched off here.
        if (failure && line().note_fenced(failure)) say("  the line is lost");
        else if (failure) wrong(core::describe(failure));
        return good;
    }

    tasks::line& line() { return *b_.service->find_line("line1"); }
    std::string row(int id, const std::string& column) { return b_.sql(fmt::format("select {} from mo_batch where id = {}", column, batch_[id])); }

    // --- Odoo ---------------------------------------------------------------------------------------------------------

    static std::pair<std::string, int> parts(const std::string& c)
    {
        const auto space = c.find(' ');
        return {c.substr(0, space), space == std::string::npos ? 0 : std::stoi(c.substr(space + 1))};
    }

    // What the call that is committed and about to be sent says, in hundredths of a kilogram.
    int value_of(int id)
    {
        const auto text = b_.sql(fmt::format("select coalesce(\"values\" -> 'moves', \"values\") -> 0 ->> 'quantity' from odoo_attempt where odoo_id = {} order by id desc limit 1", id));
        return text.empty() ? -1 : static_cast<int>(std::lround(std::stod(text) * 100));
    }

    void before(const std::string& c)
    {
        const auto [what, id] = parts(c);
        if (what == "probe" || id == 0) return;
        auto& o = of_[id];
        const bool write = what != "read";
        const auto state = b_.erp.orders.at(id).state;
        if (write) {
            if (o.late) wrong(c + " was sent while " + *o.late + " might still land");
            if (state == domain::order_state::done) wrong(c + " was sent to an order that is done");
            if (b_.count(fmt::format("odoo_attempt where odoo_id = {} and outcome is null", id)) == 0) wrong(c + " was sent without a committed attempt");
        }
        if (what == "write_consumption" || what == "write_final") {
            const int value = value_of(id);
            if (!o.totals.contains(value)) wrong(fmt::format("{} says {}, which was never stored", c, value));
            if (what == "write_final" && value != o.hundredths && value != o.pending) wrong(fmt::format("{} says {} instead of {}", c, value, o.hundredths));
            if (value < o.delivered && o.at == stage::running) wrong(fmt::format("{} says {} after {}", c, value, o.delivered));
        }
        if (calm_) return say("  " + c), landed(what, id);
        const int d = draw(0, 99);
        if (d < 6) return fail(c, "not sent", odoo::error(core::error_kind::unavailable, domain::call_outcome::not_sent, domain::error_class::retry, "connect", "odoo test", "refused"));
        if (d < 12) return fail(c, "refused for now", refused(domain::error_class::retry, "serialization failure"));
        if (write && d < 15) return fail(c, "refused for good", refused(domain::error_class::park, "no"));
        if (d < 20) return fail(c, "no answer, nothing happened", no_answer());
        if (write && d < 26) {
            o.late = c;
            late_value_[id] = what == "write_consumption" || what == "write_final" ? value_of(id) : 0;
            return fail(c, "no answer, happens later", no_answer());
        }
        if (d < 28) {
            say("  " + c + ": a fault of ours");
            throw std::runtime_error("a fault of ours");
        }
        say("  " + c);
        landed(what, id);
    }

    void after(const std::string& c)
    {
        if (calm_ || parts(c).first == "read" || draw(0, 99) >= 8) return;
        fail(c, "happened, no answer", no_answer());
    }

    void fail(const std::string& c, const char* how, const odoo::error& e)
    {
        say("  " + c + ": " + how);
        throw e;
    }

    // What the bench's Odoo is about to take over.
    void landed(const std::string& what, int id)
    {
        if (what == "write_consumption" || what == "write_final") of_[id].delivered = value_of(id);
        if (what == "mark_done") ++done_[id];
    }

    void land_late()
    {
        for (auto& [id, o] : of_) {
            if (!o.late) continue;
            say("  " + *o.late + " lands");
            const auto what = parts(*o.late).first;
            auto& order = b_.erp.orders.at(id);
            const auto kg = core::decimal::from_scaled(late_value_[id], 2);
            if (order.state == domain::order_state::done || order.state == domain::order_state::cancel) {
                wrong(*o.late + " lands on an order that has ended");
            } else if (what == "mark_done") {
                order.state = domain::order_state::done;
                order.qty_produced = order.qty_producing;
                ++done_[id];
            } else if (what == "cancel") {
                order.state = domain::order_state::cancel;
            } else {
                order.components.front().quantity = kg;
                order.components.front().picked = true;
                if (what == "write_final") order.qty_producing = kg;
                o.delivered = late_value_[id];
            }
            o.late.reset();
        }
    }

    // --- what happens -------------------------------------------------------------------------------------------------

    void event()
    {
        // For a while nobody holds it; then it is taken again.
        if (!line().held() && draw(0, 2) == 0) b_.await("the line", [this] { return line().may_write(); });
        const int id = draw(1, orders);
        const int d = draw(0, 99);
        if (d < 45) return read(id, stage::running);
        if (d < 53) return read(id, stage::completed);
        if (d < 57) return read(id, stage::held);
        if (d < 62) return complete_by_hand(id);
        if (d < 65) return cancel(id);
        if (d < 70) return retry(id);
        if (d < 73) return lose_line();
        if (d < 81) return archive();
        if (d < 90) return retries_are_due();
        time_passes();
    }

    void read(int id, stage to)
    {
        auto& o = of_[id];
        if (o.at != stage::running || !line().held()) return;
        const int next = o.hundredths + draw(1, 2000);
        store::batch_change c;
        c.batch_id = batch_[id];
        c.version = std::stoi(row(id, "version"));
        c.state = to == stage::running ? domain::batch_state::running : to == stage::held ? domain::batch_state::held : domain::batch_state::completed;
        c.values_changed = true;
        c.actual[101] = core::decimal::from_scaled(next, 2);
        c.status_manufacturing = to == stage::completed;
        c.status_operation = to == stage::held;
        c.owe = to == stage::running ? store::batch_change::delivery::consumption : to == stage::completed ? store::batch_change::delivery::finish : store::batch_change::delivery::none;
        c.state_changed = to != stage::running;
        const std::vector<store::batch_change> changes{c};
        const std::vector<std::int64_t> seen;
        say(fmt::format("read {}: {}{}", id, next, to == stage::running ? "" : to == stage::held ? ", held" : ", completed"));
        o.totals.insert(next);   // it may be stored although the line is lost in this moment
        o.pending = next;
        const bool stored = call(b_.rows->record_cycle(line().hold(), changes, seen, std::chrono::milliseconds(0)));
        o.pending.reset();
        if (!stored) return;
        o.hundredths = next;
        o.at = to;
    }

    store::journal_entry by_hand(const char* what) const
    {
        store::journal_entry e;
        e.what = what;
        e.answer = "model";
        e.who = "test";
        return e;
    }

    void complete_by_hand(int id)
    {
        auto& o = of_[id];
        if (o.at == stage::running || o.at == stage::ended || !line().held()) return;
        const int kg = draw(1, 20000);
        o.totals.insert(kg);
        o.pending = kg;
        const auto figure = core::decimal::from_scaled(kg, 2);
        const domain::silo_kg actual{{101, figure}};
        const bool accepted = call(b_.rows->complete_batch(line().hold(), batch_[id], figure, actual, by_hand("api.complete")));
        o.pending.reset();
        if (!accepted) return;
        o.hundredths = kg;
        say(fmt::format("a person completes {} with {}", id, kg));
        o.at = stage::completed;
        o.cancelled = false;
    }

    void cancel(int id)
    {
        auto& o = of_[id];
        if (o.at == stage::running || o.at == stage::ended || !line().held()) return;
        if (!call(b_.rows->ask_cancel(line().hold(), batch_[id], by_hand("api.cancel")))) return;
        say(fmt::format("a person cancels {}", id));
        o.cancelled = true;
    }

    void retry(int id)
    {
        if (of_[id].at == stage::running || !line().held()) return;
        if (call(b_.rows->retry_batch(line().hold(), batch_[id], by_hand("api.retry")))) say(fmt::format("a person retries {}", id));
    }

    void lose_line()
    {
        say("another process takes the line");
        b_.sql("update line set epoch = epoch + 1 where line = 'line1' returning 1");
    }

    void archive()
    {
        if (!line().held()) return;
        // Writes in any case, as the read cycle does: that is how a line notices that it was taken.
        const std::vector<std::int64_t> none;
        call(b_.rows->touch_read(line().hold(), none));
        if (!line().held()) return;
        call(tasks::process_completed(line()));
        note_ended();
    }

    void note_ended()
    {
        for (auto& [id, o] : of_)
            if (o.at != stage::running && b_.count(fmt::format("mo_histories where odoo_id = {}", id)) > 0) o.at = stage::ended;
    }

    // Long enough for everything that waits: what may still land has landed by then.
    void time_passes()
    {
        land_late();
        say("time passes");
        b_.sql("update odoo_attempt set started_at = started_at - interval '1 hour' where outcome is null returning 1");
        retries_are_due();
    }

    // The pauses between tries are over, not the wait after an answer that did not come.
    void retries_are_due() { b_.sql("update odoo_outbox set next_at = now() where state in ('due', 'sending') returning 1"); }

    bool all_ended()
    {
        note_ended();
        return std::all_of(of_.begin(), of_.end(), [](const auto& o) { return o.second.at == stage::ended; }) && b_.count("odoo_outbox where state in ('due', 'sending', 'parked')") == 0;
    }

    void settle_step()
    {
        for (auto& [id, o] : of_) {
            if (o.at == stage::running) read(id, stage::completed);
            else if (o.at == stage::held && row(id, "state") == "held" && !o.cancelled) complete_by_hand(id);
            else if (o.at != stage::ended && row(id, "state") == "parked") retry(id);
        }
        // What is parked of an order that has ended, a person discards.
        b_.sql("update odoo_outbox o set state = 'discarded' where state = 'parked' and not exists (select from mo_batch b where b.id = o.batch_id and b.state not in ('completed')) returning 1");
        time_passes();
        b_.wake();
        b_.run_for(40ms);
        archive();
    }

    delivery_bench b_{{{"ODOO_LIVE_INTERVAL", "10ms"}, {"ODOO_RETRY_MAX", "30s"}}};
    std::mt19937 random_;
    std::map<int, std::int64_t> batch_;
    std::map<int, model_order> of_;
    std::map<int, int> late_value_, done_;
    bool calm_ = false;
    std::vector<std::string> story_, broken_;
};

int sequences()
{
    return std::getenv("BATCHBRIDGE_LONG") != nullptr ? 300 : 6;
}

}  // namespace

TEST_CASE("model of the outbox: in any order of events every order ends once with the right figures")
{
    const char* given = std::getenv("BATCHBRIDGE_SEED");
    const auto first = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}() % 1000000;
    for (unsigned i = 0; i < static_cast<unsigned>(given != nullptr ? 1 : sequences()); ++i) {
        model m(first + i);
        m.play();
        const auto broken = m.verdict();
        if (!broken.empty()) {
            std::string text = fmt::format("BATCHBRIDGE_SEED={}\n", first + i);
            for (const auto& s : m.story()) text += s + "\n";
            for (const auto& s : broken) text += "broken: " + s + "\n";
            UNSCOPED_INFO(text);
        }
        CHECK(broken.empty());
        if (!broken.empty()) break;
    }
}
