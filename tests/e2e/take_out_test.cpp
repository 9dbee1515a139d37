// Orders are taken out of the PLC at the worst moments (design section 4, Disarm): nothing is made that was taken out,
// everything else is made once, and the line goes on.
#include "e2e/expect.hpp"

using namespace bb_test;

namespace {

std::string id_of(plant& p, const std::string& where)
{
    return p.sql("select id from mo_batch where " + where);
}

bool schema_there(plant& p)
{
    return !p.sql("select to_regclass('mo_batch')").empty();
}

void wait_batches(plant& p, const std::string& state, int count)
{
    wait_until(std::to_string(count) + " batches to be " + state, seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = '" + state + "'") == count; });
}

int cancel(plant& p, int slot, const std::string& how = "cancel")
{
    return p.bridge("POST", "/api/v1/batches/" + id_of(p, "batch_no = " + std::to_string(slot) + " and state <> 'cancelling'") + "/" + how, R"({"reason": "wrong recipe"})").status;
}

// "1 cancelled, 2 completed": every end, by order.
std::string ends(plant& p)
{
    return p.sql("select string_agg(odoo_id || ' ' || status, ', ' order by odoo_id, run) from mo_histories");
}

void wait_ends(plant& p, const std::string& wanted)
{
    try {
        wait_until("the ends " + wanted, seconds(40), [&] { return p.count("mo_batch") == 0 && ends(p) == wanted; });
    } catch (const std::exception& e) {
        const auto log = p.bridge_log();
        throw std::runtime_error(std::string(e.what()) + "\nends: " + ends(p) + "\nrows: " + p.sql("select string_agg(batch_no || ' ' || state || ' ' || mo_id || ' ' || reason, ', ') from mo_batch") +
                                 "\nloads: " + p.sql("select string_agg(number || ' ' || state, ', ') from plc_load") + "\nthe log ends with:\n" + log.substr(log.size() > 5000 ? log.size() - 5000 : 0));
    }
    wait_until("the deliveries", seconds(10), [&] { return p.count("odoo_outbox where state in ('due', 'sending', 'parked')") == 0; });
    CHECK(p.odoo("/violations").as_array().empty());
}

std::multiset<std::string> made(plant& p)
{
    std::multiset<std::string> out;
    const auto state = p.plc("/state");
    for (const auto& f : state.at("finished").as_array()) out.insert(std::string(f.at("order").as_string()));
    return out;
}

// A plant whose PLC has been offered `orders` and does not take them.
std::unique_ptr<plant> offered(int orders)
{
    plant_options o;
    o.plc_speed = 1000;
    auto p = std::make_unique<plant>(o);
    p->plc("/take", R"({"enabled": false})");
    p->generate(orders);
    p->start_bridge();
    wait_batches(*p, "loaded", orders);
    return p;
}

}  // namespace

TEST_CASE("orders are taken out of a load that the PLC has never seen: the rest is loaded from slot 1")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    // Every FC16 is refused: the load stays staged.
    p.plc("/fault", R"({"kind": "exception", "code": 6, "function": 16})");
    p.generate(4);
    p.start_bridge();
    wait_batches(p, "loading", 4);
    CHECK(cancel(p, 3) == 202);
    CHECK(cancel(p, 1) == 202);
    wait_until("the rows", seconds(10), [&] { return p.count("mo_batch where state = 'cancelling' and disarmed") == 2; });
    p.plc("/clear", "{}");
    wait_ends(p, "1 cancelled, 2 completed, 3 cancelled, 4 completed");
    CHECK(made(p) == std::multiset<std::string>{"WH/MO/00002", "WH/MO/00004"});
    // A PLC that refuses is there: one line says so, not one per attempt.
    const auto log = p.bridge_log();
    CHECK(occurrences(log, "plc line1 is down") == 0);
    CHECK(occurrences(log, "exception code 6") <= 2);
}

TEST_CASE("the only order of a staged load is taken out: the load ends and the line fetches again")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    p.plc("/fault", R"({"kind": "exception", "code": 6, "function": 16})");
    p.generate(1);
    p.start_bridge();
    wait_batches(p, "loading", 1);
    CHECK(cancel(p, 1) == 202);
    wait_until("the cancel", seconds(20), [&] { return p.count("mo_histories where status = 'cancelled'") == 1; });
    p.plc("/clear", "{}");
    p.generate(1);
    wait_ends(p, "1 cancelled, 2 completed");
    CHECK(made(p) == std::multiset<std::string>{"WH/MO/00002"});
}

TEST_CASE("an order that is cancelled while its load is written is not armed")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    p.plc("/fault", R"({"kind": "delay", "delay_ms": 40})");
    p.generate(3);
    p.start_bridge();
    wait_batches(p, "loading", 3);
    CHECK(cancel(p, 1) == 202);
    CHECK(cancel(p, 2, "reset") == 202);
    wait_batches(p, "loaded", 1);
    CHECK(p.count("journal where what = 'plc.load' and \"values\"::text ~ 'WH/MO/0000[12]'") == 0);
    p.plc("/clear", "{}");
    wait_ends(p, "1 cancelled, 2 reset, 2 completed, 3 completed");
    CHECK(made(p) == std::multiset<std::string>{"WH/MO/00002", "WH/MO/00003"});
}

TEST_CASE("several orders of an offer are taken out at once, slot 1 among them")
{
    auto p = offered(4);
    for (const int slot : {2, 1, 3}) CHECK(cancel(*p, slot) == 202);
    // None of them waits for the withdrawal of slot 1.
    wait_until("three blank slots", seconds(5), [&] { return p->count("mo_batch where state = 'cancelling' and disarmed") == 3; });
    wait_until("the new offer", seconds(20), [&] { return p->count("mo_batch where state = 'loaded' and batch_no = 1 and load = (select max(id) from plc_load)") == 1; });
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 cancelled, 2 cancelled, 3 cancelled, 4 completed");
    CHECK(made(*p) == std::multiset<std::string>{"WH/MO/00004"});
}

TEST_CASE("all orders of an offer are taken out: the offer is withdrawn and the line fetches again")
{
    auto p = offered(2);
    for (const int slot : {1, 2}) CHECK(cancel(*p, slot) == 202);
    wait_until("the end of both", seconds(20), [&] { return p->count("mo_histories where status = 'cancelled'") == 2; });
    p->generate(1);
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 cancelled, 2 cancelled, 3 completed");
    CHECK(made(*p) == std::multiset<std::string>{"WH/MO/00003"});
}

TEST_CASE("a crash at every step of withdrawing an offer is continued: the rest is made once, and what was taken out is not")
{
    for (const std::string point : {"take_out.withdrawing", "take_out.disarmed", "take_out.restaged"}) {
        CAPTURE(point);
        plant_options o;
        o.plc_speed = 1000;
        plant p(o);
        p.plc("/take", R"({"enabled": false})");
        p.generate(3);
        p.start_bridge({{"BATCHBRIDGE_CRASH_AT", point}});
        wait_batches(p, "loaded", 3);
        CHECK(cancel(p, 1) == 202);
        wait_until("the crash at " + point, seconds(20), [&] { return !p.bridge_runs(); });
        p.start_bridge();
        wait_until("the new offer", seconds(30), [&] { return p.count("mo_batch where state = 'loaded' and batch_no = 1 and load = (select max(id) from plc_load)") == 1; });
        p.plc("/take", R"({"enabled": true})");
        wait_ends(p, "1 cancelled, 2 completed, 3 completed");
        CHECK(made(p) == std::multiset<std::string>{"WH/MO/00002", "WH/MO/00003"});
    }
}

TEST_CASE("the PLC takes an offer while slot 1 of it is withdrawn: it skips the blank slot and makes the rest once")
{
    for (const std::string point : {"take_out.withdrawing", "take_out.disarmed"}) {
        CAPTURE(point);
        plant_options o;
        o.plc_speed = 1000;
        plant p(o);
        p.plc("/take", R"({"enabled": false})");
        p.generate(3);
        p.start_bridge({{"BATCHBRIDGE_CRASH_AT", point}});
        wait_batches(p, "loaded", 3);
        p.plc("/pause", "{}");
        CHECK(cancel(p, 1) == 202);
        wait_until("the crash at " + point, seconds(20), [&] { return !p.bridge_runs(); });
        // As if its scan had seen slot 1 right before: the load is taken now.
        if (point == "take_out.withdrawing") p.plc("/take", R"({"enabled": true})");
        else p.plc("/registers", R"({"address": 7076, "values": [1]})");
        wait_until("the taking", seconds(5), [&] { return p.plc("/state").at("ready").as_int64() == 1; });
        p.start_bridge();
        wait_until("the taken load", seconds(20), [&] { return p.count("plc_load where state = 'taken'") == 1; });
        CHECK(p.count("plc_load") == 1);
        p.plc("/resume", "{}");
        if (point == "take_out.withdrawing") {
            wait_ends(p, "1 cancelled, 2 completed, 3 completed");
            CHECK(made(p) == std::multiset<std::string>{"WH/MO/00002", "WH/MO/00003"});
        }
    }
}

TEST_CASE("the PLC is found to have taken a withdrawn offer right before its replacement is armed: nothing is armed, and it is told")
{
    auto p = offered(3);
    // The replacement takes its time, so that the PLC's late answer comes in the middle of it.
    p->plc("/fault", R"({"kind": "delay", "delay_ms": 30, "function": 16})");
    CHECK(cancel(*p, 1) == 202);
    wait_until("the replacement to be written", seconds(20), [&] { return p->count("plc_load where state = 'withdrawn'") == 1 && p->count("mo_batch where state = 'loading'") == 2; });
    p->plc("/registers", R"({"address": 7076, "values": [1]})");
    wait_until("the alert", seconds(20), [&] { return p->count("alert where kind = 'withdrawn_load_taken' and state = 'open'") == 1; });
    p->plc("/clear", "{}");
    const auto runs = p->count("plc_load where state = 'arming'");
    CHECK(runs == 0);
    CHECK(p->plc("/state").at("slots").as_array()[0].at("offered").as_string().empty());
    // A person has looked and the PLC waits again.
    p->plc("/registers", R"({"address": 7076, "values": [0]})");
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 cancelled, 2 completed, 3 completed");
    CHECK(made(*p) == std::multiset<std::string>{"WH/MO/00002", "WH/MO/00003"});
    CHECK(p->count("alert where kind = 'withdrawn_load_taken' and state = 'open'") == 0);
}

TEST_CASE("a held batch and the next load's batch in the same slot are judged apart")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    for (int round = 1; round <= 2; ++round) {
        p.generate(1);
        if (round == 1) p.start_bridge();
        wait_until("slot 1 to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running' and batch_no = 1") == 1; });
        p.plc("/fail_batch", R"({"slot": 1})");
        wait_until("held batches", seconds(20), [&] { return p.count("mo_batch where state = 'held'") == round; });
    }
    p.plc("/speed", R"({"speed": 1000})");
    p.generate(1);
    p.wait_archived(1, seconds(40));
    CHECK(p.count("mo_batch where state = 'held' and batch_no = 1") == 2);
}

TEST_CASE("a PLC that forgets an offer pauses its line: nothing is loaded again by itself, start-over does it")
{
    auto p = offered(3);
    p->plc("/reboot", "{}");
    wait_until("the alert", seconds(20), [&] { return p->count("alert where kind = 'plc_reset' and state = 'open'") == 1; });
    CHECK(p->bridge("POST", "/api/v1/lines/line1/tasks/auto_sync_mo/run").status == 200);
    CHECK(p->plc("/state").at("slots").as_array()[0].at("offered").as_string().empty());
    SECTION("also after a restart")
    {
        p->kill_bridge();
        p->sql("update alert set state = 'resolved'");
        p->start_bridge();
        wait_until("the alert again", seconds(20), [&] { return p->count("alert where kind = 'plc_reset' and state = 'open'") == 1; });
        CHECK(p->plc("/state").at("slots").as_array()[0].at("offered").as_string().empty());
        wait_until("the right to write", seconds(10), [&] { return p->bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "PLC battery replaced"})").status == 200; });
    }
    SECTION("a person starts over")
    {
        CHECK(p->bridge("POST", "/api/v1/lines/line1/start-over", "{}").status == 400);
        CHECK(p->bridge("POST", "/api/v1/lines/nowhere/start-over", R"({"reason": "x"})").status == 404);
        CHECK(p->bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "x"})", "wrong").status == 401);
        const auto answer = p->bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "PLC battery replaced"})");
        CHECK(answer.status == 200);
        CHECK(answer.body.at("reset").as_int64() == 3);
        CHECK(answer.body.at("failed").as_int64() == 0);
    }
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 reset, 1 completed, 2 reset, 2 completed, 3 reset, 3 completed");
    CHECK(made(*p) == std::multiset<std::string>{"WH/MO/00001", "WH/MO/00002", "WH/MO/00003"});
    CHECK(p->count("alert where kind = 'plc_reset' and state = 'open'") == 0);
    CHECK(p->count("journal where what = 'api.start-over' and who = 'api' and answer = 'PLC battery replaced'") == 3);
}

TEST_CASE("a PLC that loses its memory in the middle of a batch pauses its line, and start-over gives up what was dosed")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("slot 1 to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running' and batch_no = 1") == 1; });
    p.plc("/reboot", "{}");
    wait_until("the alert", seconds(20), [&] { return p.count("alert where kind = 'plc_reset' and state = 'open'") == 1; });
    CHECK(p.count("mo_batch where state = 'lost'") == 0);
    CHECK_THAT(p.bridge_log(), Catch::Contains("use start-over"));
    p.plc("/speed", R"({"speed": 1000})");
    const auto answer = p.bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "power cut"})");
    CHECK(answer.status == 200);
    CHECK(answer.body.at("failed").as_int64() == 1);
    wait_ends(p, "1 failed, 2 reset, 2 completed, 3 reset, 3 completed");
    CHECK(p.count("alert where kind = 'started_over' and state = 'open'") == 1);
    CHECK(p.odoo("/orders").as_array()[0].at("state").as_string() != "done");
}

TEST_CASE("a held batch that doses on while the next load has its slot holds up nothing")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.generate(1);
    p.start_bridge();
    wait_until("slot 1 to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running'") == 1; });
    p.plc("/fail_batch", R"({"slot": 1})");
    wait_batches(p, "held", 1);
    p.plc("/take", R"({"enabled": false})");
    p.generate(1);
    wait_batches(p, "loaded", 1);
    // The mill cleared the fault: silo 101 goes on by 1.00 kg, whatever it had.
    const auto before = p.plc("/registers?start=6028&count=2").at("values").as_array();
    const auto raw = before[0].as_int64() * 65536 + before[1].as_int64() + 100;
    p.plc("/registers", R"({"address": 6028, "values": [)" + std::to_string(raw / 65536) + "," + std::to_string(raw % 65536) + "]}");
    p.plc("/registers", R"({"address": 6072, "values": [0, 0]})");
    wait_until("the new figure", seconds(10), [&] { return p.count("mo_batch_consumption where silo = 101 and (actual * 100)::int = " + std::to_string(raw)) == 1; });
    CHECK(p.count("mo_batch where state = 'held'") == 1);
    p.plc("/take", R"({"enabled": true})");
    p.plc("/speed", R"({"speed": 1000})");
    p.wait_archived(1, seconds(40));
    CHECK(p.count("mo_batch where state = 'held'") == 1);
    CHECK(occurrences(p.bridge_log(), "run failed") == 0);
}

TEST_CASE("an offer of which only slot 1 goes blank pauses the line with an alert, since the PLC takes nothing any more")
{
    auto p = offered(3);
    p->plc("/registers", R"({"address": 7001, "values": [0,0,0,0,0,0,0,0]})");
    wait_until("the alert", seconds(20), [&] { return p->count("alert where kind = 'plc_reset' and state = 'open'") == 1; });
    wait_until("start-over", seconds(10), [&] { return p->bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "blanked by mistake"})").status == 200; });
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 reset, 1 completed, 2 reset, 2 completed, 3 reset, 3 completed");
}

TEST_CASE("a taken load from which one name was removed says which order the PLC will skip")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("slot 1 to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running' and batch_no = 1") == 1; });
    p.plc("/registers", R"({"address": 7201, "values": [0,0,0,0,0,0,0,0]})");
    wait_until("the alert", seconds(45), [&] { return p.count("alert where kind = 'recipe_gone' and subject = 'WH/MO/00003' and state = 'open'") == 1; });
    CHECK(p.count("alert where kind = 'plc_reset'") == 0);
    CHECK(cancel(p, 3) == 202);
    p.plc("/speed", R"({"speed": 1000})");
    wait_ends(p, "1 completed, 2 completed, 3 cancelled");
}

TEST_CASE("an offer is not withdrawn as long as the PLC refuses the blanking of slot 1")
{
    auto p = offered(3);
    p->plc("/fault", R"({"kind": "exception", "code": 6, "function": 16})");
    CHECK(cancel(*p, 1) == 202);
    wait_until("refusals", seconds(10), [&] { return occurrences(p->bridge_log(), "exception code 6") >= 1; });
    const auto requests = p->plc("/state").at("requests").as_int64();
    // Well over the second that a withdrawal waits.
    const auto begin = std::chrono::steady_clock::now();
    wait_until("more cycles", seconds(15), [&] { return std::chrono::steady_clock::now() - begin > seconds(3) && p->plc("/state").at("requests").as_int64() > requests + 20; });
    CHECK(p->count("plc_load") == 1);
    CHECK(p->count("plc_load where state = 'arming' and withdraw_since is not null") == 1);
    p->plc("/clear", "{}");
    wait_until("the new offer", seconds(20), [&] { return p->count("mo_batch where state = 'loaded' and batch_no = 1 and load = (select max(id) from plc_load)") == 1; });
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 cancelled, 2 completed, 3 completed");
    CHECK(made(*p) == std::multiset<std::string>{"WH/MO/00002", "WH/MO/00003"});
}

TEST_CASE("an acknowledgement that the PLC refuses keeps no order from being taken out")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.generate(3);
    p.start_bridge();
    wait_until("slot 1 to run", seconds(30), [&] { return schema_there(p) && p.count("mo_batch where state = 'running' and batch_no = 1") == 1; });
    p.plc("/fault", R"({"kind": "exception", "code": 4, "function": 6})");
    p.plc("/fail_batch", R"({"slot": 1})");
    wait_until("the duty", seconds(20), [&] { return p.count("plc_duty where done_at is null") == 1; });
    CHECK(cancel(p, 3) == 202);
    wait_until("the blank slot", seconds(10), [&] { return p.count("mo_batch where state = 'cancelling' and disarmed") == 1; });
    CHECK(p.count("plc_duty where done_at is null") == 1);
    CHECK(p.plc("/state").at("slots").as_array()[2].at("offered").as_string().empty());
    p.plc("/clear", "{}");
    wait_until("the acknowledgement", seconds(10), [&] { return p.count("plc_duty where done_at is null") == 0; });
}

TEST_CASE("a half-made order of a predecessor keeps the line from loading until somebody starts over")
{
    plant_options o;
    o.plc_speed = 1000;
    plant p(o);
    // READ slot 2 shows "OLD-7" with 12.00 kg and no end: nobody will finish it.
    p.plc("/registers", R"({"address": 6100, "values": [2, 20300, 17453, 14080]})");
    p.plc("/registers", R"({"address": 6128, "values": [0, 1200]})");
    p.generate(2);
    p.start_bridge();
    wait_until("the alert", seconds(20), [&] { return schema_there(p) && p.count("alert where kind = 'unknown_in_plc' and state = 'open'") == 1; });
    CHECK(p.count("mo_batch") == 0);
    CHECK_THAT(p.sql("select text from alert where kind = 'unknown_in_plc'"), Catch::Contains("READ slot 2: 'OLD-7'"));
    wait_until("start-over", seconds(10), [&] { return p.bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "cut-over"})").status == 200; });
    wait_ends(p, "1 completed, 2 completed");
    CHECK(p.count("alert where kind = 'unknown_in_plc' and state = 'open'") == 0);
}

TEST_CASE("start-over sees at the PLC what was dosed since the last read cycle: it is failed with its figures and not made again")
{
    plant_options o;
    o.plc_speed = 20;
    plant p(o);
    p.plc("/take", R"({"enabled": false})");
    p.generate(2);
    p.start_bridge();
    wait_batches(p, "loaded", 2);
    CHECK(p.bridge("POST", "/api/v1/lines/line1/tasks/plc_read_sync", R"({"enabled": false})").status == 200);
    p.plc("/take", R"({"enabled": true})");
    wait_until("dosing", seconds(10), [&] {
        const auto state = p.plc("/state");
        return !state.at("slots").as_array()[0].at("actual").as_object().empty();
    });
    CHECK(p.count("mo_batch where state = 'loaded'") == 2);
    const auto answer = p.bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "mixed up"})");
    CHECK(answer.status == 200);
    CHECK(answer.body.at("failed").as_int64() == 1);
    CHECK(answer.body.at("reset").as_int64() == 1);
    p.plc("/speed", R"({"speed": 1000})");
    CHECK(p.bridge("POST", "/api/v1/lines/line1/tasks/plc_read_sync", R"({"enabled": true})").status == 200);
    wait_ends(p, "1 failed, 2 reset, 2 completed");
    CHECK(made(p) == std::multiset<std::string>{"WH/MO/00001", "WH/MO/00002"});
    CHECK_THAT(p.sql("select notes from mo_histories where status = 'failed'"), Catch::Contains("READ slot 1 showed silo 1"));
    CHECK(p.count("alert where kind = 'started_over' and state = 'open' and subject = 'WH/MO/00001'") == 1);
    CHECK(p.count("journal where what = 'api.start-over' and mo_id = 'WH/MO/00001' and \"values\"::text like '%READ slot 1%'") == 1);
}

TEST_CASE("start-over after a withdrawn offer that the PLC took gives up what the PLC made of it, under whatever slot it shows it")
{
    auto p = offered(3);
    p->plc("/fault", R"({"kind": "delay", "delay_ms": 30, "function": 16})");
    CHECK(cancel(*p, 1) == 202);
    wait_until("the replacement to be written", seconds(20), [&] { return p->count("plc_load where state = 'withdrawn'") == 1 && p->count("mo_batch where state = 'loading'") == 2; });
    // The PLC took the old offer, and makes its slot 2: WH/MO/00002, slot 1 of the replacement, with 12.00 kg so far.
    p->plc("/registers", R"({"address": 7076, "values": [1]})");
    p->plc("/registers", R"({"address": 6100, "values": [2, 22344, 12109, 20271, 12336, 12336, 12800]})");
    p->plc("/registers", R"({"address": 6128, "values": [0, 1200]})");
    wait_until("the alert", seconds(20), [&] { return p->count("alert where kind = 'withdrawn_load_taken' and state = 'open'") == 1; });
    p->plc("/clear", "{}");
    http_answer answer;
    wait_until("start-over", seconds(10), [&] { return (answer = p->bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "it makes the old one"})")).status == 200; });
    CHECK(answer.body.at("failed").as_int64() == 1);
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 cancelled, 2 failed, 3 reset, 3 completed");
    CHECK(made(*p) == std::multiset<std::string>{"WH/MO/00003"});
}

TEST_CASE("start-over clears the recipes also when a READ slot cannot be read, and judges its batch by what is stored")
{
    auto p = offered(2);
    p->plc("/fault", R"({"kind": "exception", "code": 2, "function": 3})");
    const auto answer = p->bridge("POST", "/api/v1/lines/line1/start-over", R"({"reason": "wrong recipes"})");
    CHECK(answer.status == 200);
    CHECK(answer.body.at("reset").as_int64() == 2);
    CHECK(p->plc("/state").at("slots").as_array()[0].at("offered").as_string().empty());
    p->plc("/clear", "{}");
    p->plc("/take", R"({"enabled": true})");
    wait_ends(*p, "1 reset, 1 completed, 2 reset, 2 completed");
}
