// GET lines, and the pause that a person asks for: it holds task 1 back, outlives the process, and is ended by a person only.
#include "web_bench.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;

TEST_CASE("GET lines tells who holds each line and whether it is paused and what its tasks do")
{
    web_bench b;
    b.ready();
    const auto r = b.get("/api/v1/lines");
    CAPTURE(r.text);
    CHECK(r.status == 200);
    CHECK(r.body.at("next").is_null());
    REQUIRE(r.body.at("items").as_array().size() == 1);
    const auto& l = r.body.at("items").at(0);
    CHECK(l.at("line") == "line1");
    CHECK(l.at("held") == true);
    CHECK(l.at("holder").as_string() == b.sql("select holder from line"));
    CHECK(l.at("paused") == false);
    CHECK(l.at("paused_why") == "");
    CHECK(l.at("port") == 502);
    REQUIRE(l.at("tasks").as_array().size() == 5);
    CHECK(l.at("tasks").at(0).at("name") == "auto_sync_mo");
    CHECK(l.at("tasks").at(0).at("enabled") == false);
    CHECK(b.get("/api/v1/lines?after=1").status == 400);
}

TEST_CASE("a paused line takes no order on until a person resumes it and over a restart too")
{
    const auto uri = bb_test::shared_postgres().create_database();
    {
        web_bench b({}, uri);
        b.ready();
        auto r = b.post("lines/line1/pause", R"({"reason": "silos are filled", "who": "Ada"})");
        CAPTURE(r.text);
        CHECK(r.status == 200);
        CHECK(r.body.at("paused") == true);
        CHECK(b.service->find_line("line1")->person_pause() == "silos are filled");
        r = b.post("lines/line1/pause", R"({"reason": "something else"})");
        CHECK(r.status == 409);
        CHECK_THAT(r.error(), Contains("silos are filled"));
        CHECK(b.service->find_line("line1")->person_pause() == "silos are filled");
        const auto run = b.post("lines/line1/tasks/auto_sync_mo/run");
        CAPTURE(run.text);
        CHECK_THAT(run.body.at("detail").as_string().c_str(), Contains("paused by a person: silos are filled"));
        CHECK(run.body.at("changed") == false);
    }
    web_bench b({}, uri);
    b.ready();
    CHECK(b.service->find_line("line1")->person_pause() == "silos are filled");
    CHECK(b.get("/api/v1/lines").body.at("items").at(0).at("paused_why") == "silos are filled");
    CHECK_THAT(b.post("lines/line1/tasks/auto_sync_mo/run").text, Contains("paused by a person"));
    auto r = b.post("lines/line1/resume", R"({"who": "Ada"})");
    CAPTURE(r.text);
    CHECK(r.status == 200);
    CHECK(r.body.at("paused") == false);
    CHECK_FALSE(b.service->find_line("line1")->person_pause());
    CHECK(b.post("lines/line1/resume").status == 409);
    // It gets as far as the PLC now, whose cable is out.
    b.await([&] { return b.service->find_line("line1")->may_write(); });
    CHECK_THAT(b.post("lines/line1/tasks/auto_sync_mo/run").text, Contains("the cable is out"));
    CHECK(b.sql("select string_agg(what || ' ' || who || ' ' || answer, ', ' order by id) from journal where what in ('api.pause', 'api.resume')") == "api.pause Ada silos are filled, api.resume Ada ");
}

TEST_CASE("start-over without its PLC is 502 and says that it is to be asked again")
{
    web_bench b;
    b.ready();
    b.await([&] { return b.service->find_line("line1")->may_write(); });
    const auto r = b.post("lines/line1/start-over", R"({"reason": "power cut"})");
    CHECK(r.status == 502);
    CHECK_THAT(r.error(), Contains("the cable is out"));
}

TEST_CASE("a line of another process is 409 with its holder and one that nobody took is 404")
{
    web_bench b;
    b.ready();
    b.sql("insert into line (line, host, port, unit_id, holder) values ('line9', 'plc9', 502, 1, 'another:9')");
    for (const std::string target : {"lines/line9/pause", "lines/line9/start-over", "lines/line9/tasks/cleanup/run"}) {
        CAPTURE(target);
        const auto r = b.post(target, R"({"reason": "x"})");
        CHECK(r.status == 409);
        CHECK_THAT(r.error(), Contains("line9") && Contains("another:9"));
    }
    CHECK(b.post("lines/line8/pause", R"({"reason": "x"})").status == 404);
    const auto lines = b.get("/api/v1/lines");
    REQUIRE(lines.body.at("items").as_array().size() == 2);
    CHECK(lines.body.at("items").at(1).at("held") == false);
    CHECK(lines.body.at("items").at(1).at("tasks").as_array().empty());
}
