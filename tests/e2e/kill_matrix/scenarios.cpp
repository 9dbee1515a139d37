#include "e2e/kill_matrix/scenarios.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <ctime>
#include <stdexcept>

namespace bb_test::matrix {

namespace {

std::string text(std::int64_t n)
{
    return std::to_string(n);
}

std::string batch_of(bench& b, int order)
{
    return b.sql("select id from mo_batch where odoo_id = " + text(b.id(order)));
}

bool is(bench& b, int order, const std::string& state)
{
    return b.count("mo_batch where odoo_id = " + text(b.id(order)) + " and state = '" + state + "'") > 0;
}

bool archived(bench& b, int order)
{
    return b.count("mo_histories where odoo_id = " + text(b.id(order))) > 0;
}

void speed(bench& b, int n)
{
    b.at().plc("/speed", "{\"speed\": " + text(n) + "}");
}

constexpr int slow = 20, fast = 2000;

void take(bench& b, bool enabled)
{
    b.at().plc("/take", enabled ? R"({"enabled": true})" : R"({"enabled": false})");
}

// An order that waits is taken out: done when it is on its way, or gone.
void take_out(bench& b, int order, const std::string& act)
{
    b.ask(act + " of order " + text(order),
          [&b, order, act] {
              const auto id = batch_of(b, order);
              return id.empty() ? id : "/api/v1/batches/" + id + "/" + act;
          },
          R"({"reason": "wrong recipe"})", [&b, order] { return is(b, order, "cancelling") || archived(b, order); });
}

void until_running(bench& b, int order)
{
    b.until("order " + text(order) + " to run", [&] { return is(b, order, "running"); });
}

void ordinary(bench& b)
{
    b.make(2);
}

void live(bench& b)
{
    speed(b, 60);
    b.make(1);
    until_running(b, 1);
    b.until("a live value", [&] {
        return b.count("odoo_attempt where call = 'write_consumption' and started_at < now() - interval '300 milliseconds' and odoo_id = " + text(b.id(1))) > 0;
    });
    speed(b, fast);
}

void offer_withdrawn(bench& b)
{
    take(b, false);
    b.make(3);
    b.until("the offer", [&] { return is(b, 1, "loaded") && is(b, 2, "loaded") && is(b, 3, "loaded"); });
    take_out(b, 1, "cancel");
    b.until("the new offer", [&] {
        return b.count("mo_batch where state = 'loaded' and batch_no = 1 and odoo_id = " + text(b.id(2)) + " and load = (select max(id) from plc_load where state = 'arming')") == 1;
    });
    take(b, true);
}

void taken_out_of_a_taken_load(bench& b)
{
    speed(b, slow);
    b.make(3);
    until_running(b, 1);
    take_out(b, 2, "cancel");
    take_out(b, 3, "reset");
    b.until("both to be blanked", [&] {
        return b.count("mo_batch where state = 'cancelling' and not disarmed") == 0 && b.count("mo_batch where state in ('loaded', 'queued', 'loading')") == 0;
    });
    speed(b, fast);
}

// The figures of a person who weighed what lay there: of a silo that the order names.
std::string weighed(bench& b, int order)
{
    const auto silo = b.sql("select c.silo from mo_batch_consumption c join mo_batch b on b.id = c.batch_id where c.planned > 0 and b.odoo_id = " + text(b.id(order)) + " order by c.silo limit 1");
    return R"({"produced": "12.34", "actuals": {")" + silo + R"(": "12.34"}, "reason": "weighed by hand"})";
}

void given_up_by_the_plc(bench& b)
{
    speed(b, slow);
    b.make(2);
    until_running(b, 1);
    b.at().plc("/fail_batch", R"({"slot": 1})");
    speed(b, fast);
    b.until("the held batch", [&] { return is(b, 1, "held"); });
    b.ask("complete", [&b] { return "/api/v1/batches/" + batch_of(b, 1) + "/complete"; }, weighed(b, 1), [&b] { return !is(b, 1, "held"); });
}

void cancelled_by_policy(bench& b)
{
    speed(b, slow);
    b.make(2);
    until_running(b, 1);
    b.at().plc("/fail_batch", R"({"slot": 1})");
    speed(b, fast);
}

// Of an order that runs; the watch notices it.
void act_in_odoo(bench& b, int order, const std::string& act)
{
    b.at().odoo("/orders/" + text(b.id(order)), "{\"act\": \"" + act + "\"}");
    b.until("the watch to notice", [&] { return b.count("journal where what like 'watch.%' and mo_id = '" + b.name(order) + "'") > 0; });
}

void cancelled_in_odoo(bench& b)
{
    speed(b, slow);
    b.make(2);
    until_running(b, 1);
    act_in_odoo(b, 1, "cancel");
    speed(b, fast);
}

// What Odoo has booked for an order, as the body of a completion wants it: silos and the produced quantity. How far the batch
// was when the person finished it there depends on the machine.
std::pair<std::string, std::string> booked_in_odoo(bench& b, int n)
{
    std::string actuals;
    const auto orders = b.at().odoo("/orders");
    for (const auto& o : orders.as_array()) {
        if (o.at("id").as_int64() != b.id(n)) continue;
        for (const auto& m : o.at("moves").as_array()) {
            const std::string code(m.at("product_code").as_string());
            actuals += (actuals.empty() ? "\"" : ", \"") + code.substr(code.find_first_of("0123456789")) + "\": \"" + std::string(m.at("quantity").as_string()) + "\"";
        }
        return {actuals, std::string(o.at("qty_produced").as_string())};
    }
    throw std::runtime_error("Odoo has no such order");
}

// Somebody has finished it in Odoo as planned: parked, tried again in vain, and settled with Odoo's figures.
void parked(bench& b)
{
    speed(b, slow);
    b.make(2);
    until_running(b, 1);
    act_in_odoo(b, 1, "finish");
    speed(b, fast);
    b.until("the parked order", [&] { return is(b, 1, "parked"); });
    const auto parkings = [&] { return b.count("journal where what = 'parked.finish' and mo_id = '" + b.name(1) + "'"); };
    const auto before = parkings();
    b.ask("retry", [&b] { return "/api/v1/batches/" + batch_of(b, 1) + "/retry"; }, R"({"reason": "looked at it"})", [&] { return b.count("journal where what = 'api.retry' and mo_id = '" + b.name(1) + "'") > 0; });
    b.until("it to be parked again", [&] { return is(b, 1, "parked") && parkings() > before; });
    const auto [actuals, produced] = booked_in_odoo(b, 1);
    b.ask("complete", [&b] { return "/api/v1/batches/" + batch_of(b, 1) + "/complete"; }, R"({"produced": ")" + produced + R"(", "actuals": {)" + actuals + R"(}, "reason": "as booked in Odoo"})",
          [&b] { return b.count("journal where what = 'api.complete' and mo_id = '" + b.name(1) + "'") > 0; });
}

// The same, and a person gives the finish up.
void discarded(bench& b)
{
    speed(b, slow);
    b.make(2);
    until_running(b, 1);
    act_in_odoo(b, 1, "finish");
    speed(b, fast);
    b.until("the parked order", [&] { return is(b, 1, "parked"); });
    const auto finish = b.sql("select id from odoo_outbox where kind = 'finish' and odoo_id = " + text(b.id(1)) + " order by id desc limit 1");
    b.ask("discard", [finish] { return "/api/v1/outbox/" + finish + "/discard"; }, R"({"reason": "booked by hand"})", [&b] { return archived(b, 1); });
}

// The watch finds an order that waits cancelled in Odoo, and another one done.
void changed_in_odoo(bench& b)
{
    speed(b, slow);
    b.make(3);
    until_running(b, 1);
    b.at().odoo("/orders/" + text(b.id(2)), R"({"act": "cancel"})");
    b.at().odoo("/orders/" + text(b.id(3)), R"({"act": "finish"})");
    b.until("both to be taken out", [&] {
        return !is(b, 2, "loaded") && !is(b, 3, "loaded") && b.count("mo_batch where state = 'cancelling' and not disarmed") == 0;
    });
    speed(b, fast);
}

void paused(bench& b)
{
    const auto said = [&b](const char* what) { return b.count("journal where what = 'api." + std::string(what) + "' and id > " + text(b.base().journal)) > 0; };
    b.ask("pause", [] { return std::string("/api/v1/lines/line1/pause"); }, R"({"reason": "inventory"})", [&] { return said("pause"); });
    b.make(2);
    b.ask("resume", [] { return std::string("/api/v1/lines/line1/resume"); }, R"({"reason": "done"})", [&] { return said("resume"); });
}

std::string clock_words()
{
    const auto now = std::time(nullptr);
    std::tm t{};
    ::gmtime_r(&now, &t);
    std::string out = "[";
    for (const int v : {t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec}) out += (out.size() > 1 ? ", " : "") + std::to_string(v);
    return out + "]";
}

void failure_with(bench& b, const std::string& time)
{
    b.at().plc("/failure", R"({"equipment": "SILO-103", "info": "TRIP )" + text(b.round()) + R"(", "time": )" + time + "}");
    b.until("the failure", [&] { return b.count("equipment_failure where acknowledged_at is not null and id > " + text(b.base().failures)) == 1; });
}

void failure(bench& b)
{
    failure_with(b, clock_words());
}

void failure_without_a_time(bench& b)
{
    failure_with(b, "[0, 0, 0, 0, 0, 0]");
}

// Odoo says no to a maintenance request; a person tries it again in vain and gives it up.
void request_given_up(bench& b)
{
    const auto mine = [&b](const std::string& more) { return "odoo_outbox where kind = 'maintenance_request' and id > " + text(b.base().requests) + more; };
    const auto parkings = [&b] { return b.count("journal where what = 'parked.maintenance_request' and id > " + text(b.base().journal)); };
    b.at().odoo("/fault", R"({"kind": "exception", "model": "maintenance.request", "name": "odoo.exceptions.ValidationError", "message": "no team"})");
    b.at().plc("/failure", R"({"equipment": "SILO-104", "info": "TRIP )" + text(b.round()) + R"(", "time": )" + clock_words() + "}");
    b.until("the parked request", [&] { return b.count(mine(" and state = 'parked'")) == 1; });
    const auto target = "/api/v1/outbox/" + b.sql("select id from " + mine("")) + "/";
    const auto before = parkings();
    b.ask("retry", [target] { return target + "retry"; }, R"({"reason": "a team was made"})", [&b] { return b.count("journal where what = 'api.retry' and id > " + text(b.base().journal)) > 0; });
    b.until("it to be parked again", [&] { return parkings() > before && b.count(mine(" and state = 'parked'")) == 1; });
    b.ask("discard", [target] { return target + "discard"; }, R"({"reason": "told by phone"})", [&] { return b.count(mine(" and state = 'discarded'")) == 1; });
    b.at().odoo("/clear", "{}");
}

// Of two orders one cannot be made.
void refused(bench& b)
{
    b.make_refused();
    b.make(1);
    b.until("the refusal", [&b] {
        return b.count("order_refusal where odoo_id = " + text(b.id(1))) == 1 && b.count("alert where kind = 'order_refused' and state = 'open' and subject = '" + b.name(1) + "'") == 1;
    });
    b.until("the other order", [&b] { return archived(b, 2); });
    // Whoever starts asks for it again: not in the next round.
    b.at().odoo("/orders/" + text(b.id(1)), R"({"act": "cancel"})");
}

void started_over(bench& b)
{
    take(b, false);
    b.make(2);
    b.until("the offer", [&] { return is(b, 1, "loaded") && is(b, 2, "loaded"); });
    b.at().plc("/reboot", "{}");
    b.until("the line to pause", [&] { return b.count("alert where kind = 'plc_reset' and state = 'open'") == 1; });
    b.ask("start-over", [] { return std::string("/api/v1/lines/line1/start-over"); }, R"({"reason": "battery replaced"})",
          [&b] { return b.count("mo_batch where run = 1 and odoo_id > " + text(b.base().orders)) == 0; });
    take(b, true);
}

plant_options rig(const std::map<std::string, std::string>& environment = {})
{
    plant_options o;
    o.plc_speed = fast;
    o.plc_arguments = {"--scan-ms", "20"};
    o.environment = {{"PLC_READ_INTERVAL", "50ms"}, {"PROCESS_COMPLETED_INTERVAL", "300ms"}, {"SYNC_INTERVAL", "200ms"}, {"EQUIPMENT_FAILURE_INTERVAL", "50ms"},
                     {"ODOO_WATCH_INTERVAL", "1h"}};
    for (const auto& [name, value] : environment) o.environment[name] = value;
    return o;
}

std::vector<scenario> table()
{
    // Without live values the first request of an order is its final write, the second marks it done.
    const auto without_live = rig({{"TASK2_ODOO_SYNC", "false"}});
    const auto watched = rig({{"TASK2_ODOO_SYNC", "false"}, {"ODOO_WATCH_INTERVAL", "200ms"}});
    std::vector<scenario> out;
    out.push_back({"load", ordinary,
                   {"sync.fetched", "sync.staged", "load.loading", "load.writing", "plc.writing", "plc.writing:7", "plc.written", "plc.written:12", "load.written", "load.verified", "load.arming", "load.armed", "load.offered",
                    "load.seen_taken", "load.armed then load.seen_taken", "load.arming then line.locked", "load.written then line.taken", "commit.before", "commit.after"},
                   {"load.armed"}, {"sync.staged", "load.loading", "plc.writing:7", "plc.written:12", "load.written", "load.armed"}, without_live});
    out.push_back({"run", ordinary,
                   {"read.before_commit", "read.committed", "read.before_commit:9", "read.committed:9", "plc.flag_writing", "plc.flag_written", "duty.before", "duty.after", "duty.closed", "commit.before:12", "commit.after:12"},
                   {"duty.after"}, {"read.committed", "plc.flag_written", "duty.before", "commit.before:12"}, without_live});
    out.push_back({"finish", ordinary,
                   {"finish.guarded", "finish.values", "odoo.attempt_committed", "odoo.answered", "finish.written", "odoo.attempt_committed:2", "odoo.answered:2", "finish.marked", "finish.recorded", "archive.before",
                    "archive.after"},
                   {"odoo.attempt_committed:2", "finish.marked"}, {"finish.guarded", "odoo.attempt_committed", "odoo.answered:2", "finish.marked", "archive.before"}, without_live});
    out.push_back({"live consumption", live, {"odoo.attempt_committed", "odoo.answered", "consumption.written", "consumption.recorded", "http.sent:4", "http.sent:6", "http.sent:8"}, {"odoo.answered"}, {"consumption.written", "http.sent:6"}, rig()});
    out.push_back({"offer withdrawn", offer_withdrawn,
                   {"load.armed then load.found_armed", "act.before_commit", "act.committed", "take_out.withdrawing", "take_out.blanking", "take_out.disarmed", "take_out.recorded", "take_out.restaging", "take_out.restaged", "cancelling.ending",
                    "cancelling.archived"},
                   {"take_out.disarmed"}, {"act.before_commit", "take_out.disarmed", "take_out.restaging"}, without_live});
    out.push_back({"taken out of a taken load", taken_out_of_a_taken_load,
                   {"act.committed", "act.committed:2", "take_out.blanking", "take_out.disarmed:2", "cancelling.archived", "odoo.attempt_committed", "odoo.answered", "cancel.verified",
                    "cancel.recorded"},
                   {"cancelling.archived"}, {}, without_live});
    out.push_back({"held and completed by a person", given_up_by_the_plc, {"act.before_commit", "act.committed", "duty.before", "finish.values"}, {}, {"act.committed"}, without_live});
    out.push_back({"cancelled by policy", cancelled_by_policy, {"policy.cancel_asked", "odoo.attempt_committed", "odoo.answered"}, {}, {}, rig({{"TASK2_ODOO_SYNC", "false"}, {"ON_PLC_FAILURE", "cancel"}})});
    out.push_back({"cancelled in Odoo while it runs", cancelled_in_odoo, {"read.committed", "watch.applied", "finish.guarded"}, {}, {}, watched});
    out.push_back({"parked", parked, {"delivery.parking", "delivery.parked", "act.retried", "finish.guarded", "finish.guarded:2", "finish.values", "act.committed", "finish.recorded"}, {}, {}, watched});
    out.push_back({"discarded", discarded, {"delivery.parked", "act.discarding", "act.discarded"}, {}, {}, watched});
    out.push_back({"changed in Odoo", changed_in_odoo, {"watch.judged", "watch.applied", "watch.judged:2", "take_out.disarmed"}, {"watch.applied"}, {}, watched});
    out.push_back({"paused", paused, {"pause.stored", "resume.stored"}, {}, {}, without_live});
    out.push_back({"equipment failure", failure,
                   {"failure.before_commit", "failure.stored", "failure.flag_written", "failure.acknowledged", "request.looked_for", "odoo.attempt_committed", "odoo.answered", "request.made", "request.recorded"}, {"failure.stored"}, {"failure.stored", "request.made"}, without_live});
    out.push_back({"equipment failure without a time", failure_without_a_time, {"failure.before_commit", "failure.stored", "failure.flag_written", "failure.acknowledged"}, {}, {}, without_live});
    out.push_back({"request given up", request_given_up, {"delivery.parking", "delivery.parked", "act.delivery_retried", "act.delivery_discarding", "act.delivery_discarded"}, {"act.delivery_retried"}, {}, without_live});
    out.push_back({"refused", refused, {"refusal.told", "refusal.recorded", "sync.fetched"}, {}, {"refusal.told"}, without_live});
    out.push_back({"started over", started_over, {"start_over.cleared", "start_over.journaled", "start_over.given_up", "start_over.withdrawn"}, {"start_over.given_up"}, {}, without_live});
    return out;
}

}  // namespace

const std::vector<scenario>& scenarios()
{
    static const auto all = table();
    return all;
}

const scenario& scenario_named(const std::string& name)
{
    const auto it = std::find_if(scenarios().begin(), scenarios().end(), [&](const scenario& s) { return s.name == name; });
    if (it == scenarios().end()) throw std::runtime_error("no scenario " + name);
    return *it;
}

}  // namespace bb_test::matrix
