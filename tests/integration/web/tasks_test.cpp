// Who may change something, wrong routes and bodies, and the routes of tasks (L-12, L-16, L-51).
#include "web_bench.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::string> changes{"/api/v1/lines/line1/tasks/cleanup/run", "/api/v1/lines/line1/tasks/cleanup", "/api/v1/batches/1/cancel", "/api/v1/batches/1/retry",
                                       "/api/v1/batches/1/reset", "/api/v1/batches/1/complete", "/api/v1/outbox/1/retry", "/api/v1/outbox/1/discard", "/api/v1/refusals/1/retry",
                                       "/api/v1/lines/line1/pause", "/api/v1/lines/line1/resume", "/api/v1/lines/line1/start-over", "/api/v1/nosuch"};

}  // namespace

TEST_CASE("L-51 a change without the right token is 401 and does nothing")
{
    web_bench b;
    b.ready();
    const auto id = b.batch({});
    for (const auto& target : changes) {
        for (const std::string authorization : {"", "Bearer", "Bearer ", "Bearer wrong-horse", "Bearer correct-hors", "Bearer correct-horse2", "Basic correct-horse", "correct-horse"}) {
            CAPTURE(target, authorization);
            const auto r = b.request("POST", target, R"({"enabled": true})", authorization);
            CHECK(r.status == 401);
            CHECK(r.www_authenticate == "Bearer");
            CHECK_THAT(r.error(), Contains("Authorization: Bearer") && !Contains("correct-horse"));
        }
    }
    CHECK(b.state(id) == "held");
    CHECK(b.sql("select count(*) from journal") == "0");
}

TEST_CASE("L-51 without a configured token every change is 403, reading goes on")
{
    const web_bench::environment none{{"API_TOKEN", ""}};
    web_bench b(none);
    b.ready();
    for (const auto& target : changes) {
        for (const std::string authorization : {"", "Bearer ", "Bearer correct-horse"}) {
            CAPTURE(target, authorization);
            const auto r = b.request("POST", target, "{}", authorization);
            CHECK(r.status == 403);
            CHECK_THAT(r.error(), Contains("API_TOKEN"));
        }
    }
    CHECK(b.get("/readyz").status == 200);
}

TEST_CASE("unknown pages, routes, lines, tasks and batches are 404, other methods 405, each with its reason")
{
    web_bench b;
    b.ready();
    for (const std::string target : {"/nosuch", "/api/v1", "/healthz/more"}) CHECK(b.get(target).status == 404);
    for (const std::string target : {"nosuch", "lines", "lines/line1", "lines/line1/tasks", "lines/line1/tasks/cleanup/nosuch", "lines/line1/tasks/cleanup/run/more", "batches", "batches/1",
                                     "batches/1/nosuch", "batches/1/cancel/more", "batches/1/discard", "outbox", "outbox/1", "outbox/1/cancel", "refusals/1", "refusals/1/discard", "lines/line1/nosuch",
                                     "lines/line1/pause/more", "registers"}) {
        CAPTURE(target);
        const auto r = b.post(target);
        CHECK(r.status == 404);
        CHECK(r.error() == "no such route");
    }
    CHECK(b.request("POST", "/healthz").status == 404);
    CHECK(b.post("lines/line9/tasks/cleanup/run").error() == "no line line9");
    CHECK(b.post("lines/line9/tasks/cleanup/run").status == 404);
    CHECK(b.post("lines/line1/tasks/nosuch/run").error() == "no task nosuch");
    CHECK(b.post("lines/line1/tasks/nosuch", R"({"enabled": true})").status == 404);
    for (const std::string target : {"batches/999/cancel", "batches/999/retry", "outbox/999/retry", "outbox/999/discard", "refusals/999/retry"}) {
        CAPTURE(target);
        const auto r = b.post(target, R"({"reason": "x"})");
        CHECK(r.status == 404);
        CHECK_THAT(r.error(), Contains("999"));
    }
    for (const std::string act : {"pause", "resume", "start-over"}) CHECK(b.post("lines/line9/" + act, R"({"reason": "x"})").error() == "no line line9");
    for (const std::string target : {"/api/v1/nosuch", "/api/v1/outbox/1", "/api/v1/batches/1/cancel"}) CHECK(b.get(target).status == 404);
    for (const std::string method : {"PUT", "DELETE", "PATCH", "OPTIONS"}) {
        CAPTURE(method);
        const auto r = b.request(method, "/api/v1/batches/1");
        CHECK(r.status == 405);
        CHECK_THAT(r.error(), Contains("GET and POST"));
    }
}

TEST_CASE("a body that is no JSON object, and an id that is no number, are 400 with a reason")
{
    web_bench b;
    b.ready();
    const auto id = b.batch({});
    for (const std::string body : {"{", "[]", "null", "true", "\"text\"", "{\"a\": 1} more", "\xff\xfe"}) {
        for (const auto& target : {std::string("lines/line1/tasks/cleanup"), std::string("lines/line1/tasks/cleanup/run"), fmt::format("batches/{}/cancel", id), std::string("outbox/1/discard"), std::string("refusals/1/retry"), std::string("lines/line1/pause")}) {
            CAPTURE(body, target);
            const auto r = b.post(target, body);
            CHECK(r.status == 400);
            CHECK(r.error() == "the body is no JSON object");
        }
    }
    for (const std::string number : {"WH-MO-00001", "0", "-1", "1x", "99999999999999999999", "1.5"}) {
        CAPTURE(number);
        for (const auto& target : {"batches/" + number + "/cancel", "outbox/" + number + "/retry", "refusals/" + number + "/retry"}) {
            const auto r = b.post(target);
            CHECK(r.status == 400);
            CHECK_THAT(r.error(), Contains("whole number"));
        }
    }
    CHECK(b.post("batches/1/cancel", std::string(70000, ' ')).status == 413);
    CHECK(b.state(id) == "held");
}

TEST_CASE("L-16 a run asked for by hand answers with its real outcome and is recorded")
{
    web_bench b;
    b.ready();
    const auto ok = b.post("lines/line1/tasks/cleanup/run", R"({"who": "Ada", "reason": "disk is full"})");
    CAPTURE(ok.text);
    CHECK(ok.status == 200);
    CHECK(ok.body.at("outcome") == "ok");
    CHECK(ok.body.at("changed").is_bool());
    CHECK_THAT(ok.body.at("started").as_string().c_str(), Catch::EndsWith("Z"));
    CHECK(b.sql("select count(*) from task_run where task = 'cleanup' and asked_for and outcome = 'ok' and not current") == "1");
    CHECK(b.sql("select who || ': ' || answer || ' ' || (\"values\" ->> 'task') from journal where what = 'api.run'") == "Ada: disk is full cleanup");

    // The cable is out: the caller hears it.
    b.batch({"loaded"});
    const auto failed = b.post("lines/line1/tasks/plc_read_sync/run");
    CAPTURE(failed.text);
    CHECK(failed.status == 502);
    CHECK(failed.body.at("outcome") == "unavailable");
    CHECK_THAT(failed.body.at("detail").as_string().c_str(), Contains("the cable is out"));
    b.await([&] { return b.sql("select count(*) from task_run where task = 'plc_read_sync' and asked_for and not current") == "1"; });
    CHECK(b.get("/readyz").body.at("status") == "degraded");
}

TEST_CASE("L-12 a run asked for while the task runs is 409")
{
    web_bench b;
    b.ready();
    b.batch({"loaded"});
    b.plc_hangs = true;
    auto* task = b.service->find_line("line1")->task("plc_read_sync");
    std::optional<tasks::periodic::trigger_answer> first;
    const auto run = [&]() -> asio::awaitable<void> { first = co_await task->trigger(); };
    asio::co_spawn(b.ioc, run, asio::detached);
    b.await([&] { return task->running(); });
    const auto r = b.post("lines/line1/tasks/plc_read_sync/run");
    CHECK(r.status == 409);
    CHECK(r.error() == "plc_read_sync is already running");
    CHECK_FALSE(first.has_value());
    b.plc_hangs = false;
    b.plc_answers.set();
    b.await([&] { return first.has_value(); });
    CHECK(first->what == tasks::periodic::answer::ran);
}

TEST_CASE("L-16 a switch answers what it is now, survives a restart and is journaled")
{
    const auto uri = bb_test::shared_postgres().create_database();
    {
        web_bench b({}, uri);
        b.ready();
        CHECK_FALSE(b.service->find_line("line1")->task("cleanup")->enabled());
        const auto r = b.post("lines/line1/tasks/cleanup", R"({"enabled": true, "who": "Ada", "reason": "disk is full"})");
        CHECK(r.status == 200);
        CHECK(r.body.at("enabled") == true);
        CHECK(b.service->find_line("line1")->task("cleanup")->enabled());
        CHECK(b.sql("select count(*) from journal where what = 'setting' and who = 'Ada' and answer = 'task.cleanup.enabled = true: disk is full'") == "1");
        for (const std::string body : {"", "{}", R"({"enabled": "yes"})", R"({"enabled": 1})", R"({"enabled": null})"}) {
            CAPTURE(body);
            const auto bad = b.post("lines/line1/tasks/cleanup", body);
            CHECK(bad.status == 400);
            CHECK_THAT(bad.error(), Contains("enabled"));
        }
        CHECK(b.service->find_line("line1")->task("cleanup")->enabled());
    }
    web_bench b({}, uri);
    b.ready();
    CHECK(b.service->find_line("line1")->task("cleanup")->enabled());
    CHECK_FALSE(b.service->find_line("line1")->task("auto_sync_mo")->enabled());
}

TEST_CASE("L-16 the master switch wins over a stored switch, which counts again when the master switch is on")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const web_bench::environment master_off{{"ENABLE_AUTO_SYNC", "false"}, {"ENABLE_TASK_1_AUTO_SYNC", ""}};
    {
        web_bench b({}, uri);
        b.ready();
        CHECK(b.post("lines/line1/tasks/cleanup", R"({"enabled": true})").status == 200);
    }
    {
        web_bench b(master_off, uri);
        b.ready();
        const auto* line = b.service->find_line("line1");
        for (const auto& t : line->tasks()) {
            CAPTURE(t->name());
            CHECK_FALSE(t->enabled());
        }
        const auto r = b.post("lines/line1/tasks/plc_read_sync", R"({"enabled": true})");
        CAPTURE(r.text);
        CHECK(r.status == 200);
        CHECK(r.body.at("enabled") == false);
        CHECK_THAT(r.body.at("reason").as_string().c_str(), Contains("ENABLE_AUTO_SYNC=false"));
        CHECK_FALSE(line->task("plc_read_sync")->enabled());
        // A person may run one all the same.
        CHECK(b.post("lines/line1/tasks/cleanup/run").status == 200);
    }
    web_bench b({}, uri);
    b.ready();
    CHECK(b.service->find_line("line1")->task("cleanup")->enabled());
    CHECK(b.service->find_line("line1")->task("plc_read_sync")->enabled());
    CHECK_FALSE(b.service->find_line("line1")->task("auto_sync_mo")->enabled());
}
