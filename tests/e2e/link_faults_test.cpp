// What a PLC link can do to us, fault by fault, against a running plant of two lines. Under each: nothing is stored that the
// PLC did not hold, never two requests at once on a connection nor two connections, good data within the back-off cap and
// one cycle of the fault's end, nothing said twice in the log, the other line unaffected. The table of it is printed.
#include "e2e/expect.hpp"
#include "e2e/two_lines.hpp"

#include <boost/json/parse.hpp>

using namespace bb_test;
using namespace std::chrono_literals;

namespace {

std::string body(const std::string& kind, const std::string& more = {})
{
    return R"({"kind": ")" + kind + "\"" + more + "}";
}

void suffer_all(const std::string& part, const std::vector<link_fault>& faults)
{
    two_lines plant;
    std::vector<fault_row> rows;
    for (const auto& f : faults) rows.push_back(plant.suffer(f));
    two_lines::print(part, rows);
    for (const auto& r : rows) {
        std::string what;
        for (const auto& b : r.broken) what += b + "\n";
        const auto log = r.broken.empty() ? std::string() : plant.the_plant().bridge_log();
        INFO(r.fault << ": " << what << "\nthe log ends with\n" << log.substr(log.size() > 6000 ? log.size() - 6000 : 0));
        CHECK(r.broken.empty());
    }
    const auto at_last = plant.finish();
    for (const auto& b : at_last) UNSCOPED_INFO(b);
    CHECK(at_last.empty());
}

}  // namespace

TEST_CASE("link faults: a PLC that refuses, hangs, resets, vanishes or answers late (L-14, L-32)")
{
    suffer_all("connections", {{"refuse", {body("refuse")}},
                               {"accept and silence", {body("hang")}},
                               {"reset", {body("reset")}},
                               {"closed instead of answered", {body("drop_after")}},
                               {"half-open", {body("half_open")}},
                               {"delay of 150 ms, below the timeout", {body("delay", R"(, "delay_ms": 150)")}, false},
                               {"delay of 1 s, above the timeout", {body("delay", R"(, "delay_ms": 1000)")}},
                               {"limit of one connection, with silence and half-open", {body("one_connection"), body("hang", R"(, "count": 1)"), body("half_open")}},
                               {"slow accept after a reset", {body("slow_accept", R"(, "delay_ms": 600)"), body("reset", R"(, "count": 1)")}}});
}

TEST_CASE("link faults: answers in pieces, glued, late, or of another request or device (L-32)")
{
    suffer_all("frames", {{"split frame, 50 ms apart", {body("split", R"(, "delay_ms": 50)")}, false},
                          {"byte by byte, 20 ms each", {body("byte_by_byte", R"(, "delay_ms": 20)")}},
                          {"glued frames", {body("glued")}, false},
                          {"late answer before the right one", {body("late")}},
                          {"wrong transaction id", {body("wrong_transaction")}},
                          {"wrong unit", {body("wrong_unit")}},
                          {"short count", {body("short_count")}},
                          {"long count", {body("long_count")}},
                          {"torn slot, once", {body("torn_slot", R"(, "slot": 1, "count": 1)")}, false, 1500ms}});
}

TEST_CASE("link faults: exception codes, and a PLC that is slow all the time (L-14)")
{
    std::vector<link_fault> faults;
    for (const int code : {1, 2, 3, 4}) faults.push_back({"exception code " + std::to_string(code), {body("exception", R"(, "code": )" + std::to_string(code))}, false, 1500ms, "slot_inconsistent"});
    for (const int code : {5, 6, 10, 11}) faults.push_back({"exception code " + std::to_string(code), {body("exception", R"(, "code": )" + std::to_string(code))}, true, 1500ms});
    faults.push_back({"every answer after 315 ms: cycles do not get round", {body("delay", R"(, "delay_ms": 315)")}, false, 4000ms, "plc_slow"});
    suffer_all("exceptions", faults);
}

TEST_CASE("a PLC that answers reads and lets writes time out is down once, and back once (L-36)")
{
    plant_options o;
    o.plc_speed = 100;
    plant p(o);
    // FC06 is how an ended batch is acknowledged.
    p.plc("/fault", R"({"kind": "hang", "function": 6})");
    p.generate(2);
    p.start_bridge();
    const auto tries = [&] { return occurrences(p.plc_log(), R"("function":6,)"); };
    wait_until("five acknowledgements without an answer", seconds(60), [&] { return tries() >= 5; });
    // Between them the PLC was read again and again.
    CHECK(p.count("mo_batch where state = 'completed'") + p.count("mo_histories") >= 1);
    CHECK(occurrences(p.bridge_log(), "plc line1 is down") == 1);
    CHECK(occurrences(p.bridge_log(), "plc line1 is back") == 0);
    CHECK_THAT(p.bridge("GET", "/readyz").text, Catch::Contains("no answer within 500ms"));
    p.plc("/clear", "{}");
    wait_until("the PLC to be back", seconds(10), [&] { return occurrences(p.bridge_log(), "plc line1 is back") == 1; });
    p.wait_archived(2, seconds(60));
    check_exact(p, 2);
    CHECK(occurrences(p.bridge_log(), "plc line1 is down") == 1);
}

TEST_CASE("a slot that is never answered, or refused, does not hide those behind it")
{
    const auto fault = GENERATE(as<std::string>{}, "hang", "exception");
    CAPTURE(fault);
    plant_options o;
    o.plc_speed = 3;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    const auto dosed = [&](int slot) {
        const auto kg = p.sql("select sum(c.actual) from mo_batch b join mo_batch_consumption c on c.batch_id = b.id where b.batch_no = " + std::to_string(slot));
        return kg.empty() ? 0.0 : std::stod(kg);
    };
    wait_until("a running batch", seconds(30), [&] { return !p.sql("select to_regclass('mo_batch')").empty() && dosed(1) > 0; });
    // Held by the PLC: slot 1 is still followed, and is read first.
    p.plc("/fail_batch", R"({"slot": 1})");
    wait_until("the held batch", seconds(20), [&] { return p.count("mo_batch where state = 'held'") == 1 && p.count("plc_duty where done_at is null") == 0; });
    p.plc("/fault", body(fault, R"(, "function": 3, "address": 6000)"));
    const auto is_told = [&] {
        if (fault == "hang") return occurrences(p.bridge_log(), "plc line1 is down") == 1;
        return p.count("alert where kind = 'slot_inconsistent' and subject = 'slot 1' and state = 'open'") == 1;
    };
    wait_until("the notice", seconds(10), is_told);
    for (int step = 0; step < 3; ++step) {
        const auto before = dosed(2);
        wait_until("more in slot 2", seconds(8), [&] { return dosed(2) > before; });
    }
    CHECK(is_told());
    CHECK(occurrences(p.bridge_log(), "plc line1 is back") == 0);
    CHECK(p.plc("/state").at("overlapping_requests").as_int64() == 0);
}

TEST_CASE("link faults: a PLC that reboots with empty registers: nothing is guessed, and its line waits for a person")
{
    two_lines plant;
    auto& p = plant.the_plant();
    const auto before = p.sql("select max(c.actual) from mo_batch b join mo_batch_consumption c on c.batch_id = b.id where b.line = 'mill'");
    const auto from = now_ns();
    p.plc("/fault", body("reboot", R"(, "delay_ms": 1500)"));
    wait_until("the alert", seconds(12), [&] { return p.count("alert where line = 'mill' and kind = 'plc_reset' and state = 'open'") == 1; });
    fault_row row;
    row.fault = "reboot with empty registers, away for 1.5 s";
    row.recovery_ms = (now_ns() - from) / 1000000 - 1500;
    row.other_gap_ms = longest_gap_ms(plant.press_log(), from, now_ns(), two_lines::interval_ms);
    row.log_lines = occurrences(p.bridge_log(), "plc mill is down") + occurrences(p.bridge_log(), "plc mill is back") + occurrences(p.bridge_log(), "forgotten the recipes");
    two_lines::print("reboot", {row});
    CHECK(row.log_lines == 3);
    CHECK(row.recovery_ms < two_lines::backoff_cap_ms + two_lines::timeout_ms + two_lines::interval_ms + 1000);
    // Not a zero of the empty registers is stored, and nothing is loaded into them.
    CHECK(std::stod(p.sql("select max(c.actual) from mo_batch b join mo_batch_consumption c on c.batch_id = b.id where b.line = 'mill'")) >= std::stod(before));
    CHECK(p.count("mo_batch where line = 'mill' and state = 'completed'") == 0);
    const auto state = p.plc("/state");
    for (const auto& s : state.at("slots").as_array()) CHECK(s.at("offered").as_string().empty());
    CHECK(state.at("most_connections").as_int64() == 1);
    CHECK(state.at("overlapping_requests").as_int64() == 0);
    CHECK(occurrences(p.bridge_log(), "plc press is") == 0);
}
