#include "pg/connection.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <date/date.h>

namespace pg = batchbridge::pg;
namespace core = batchbridge::core;
namespace asio = boost::asio;
using namespace std::chrono_literals;

TEST_CASE("values go to PostgreSQL and come back as they were")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        const core::utc_time when = date::sys_days{date::year{2026} / 11 / 23} + 10h + 46min + 9s + 120456us;
        boost::json::object o;
        o["a"] = "q\"uo'te";
        const boost::json::value json = o;
        pg::statement s("select $1::text as t, $2::bigint as i, $3::numeric(14,3) as d, $4::timestamptz as at, $5::boolean as yes, $6::jsonb as j, $7::text as nothing, false as no, '' as empty, "
                        "timestamptz '1969-12-31 23:59:59.5+00' as old, $8::bigint[] as many, $9::text[] as names");
        const std::vector<std::int64_t> many{1, -2};
        const std::vector<std::string> names{"a,b", "q\"\\", ""};
        s.bind("grün\n'x'").bind(std::int64_t{-9223372036854775807}).bind(core::decimal::parse("12.345").value()).bind(when).bind(true).bind(json).bind_null();
        s.bind(pg::array_of(many)).bind(pg::array_of(names));
        const auto r = co_await c.query(s);
        REQUIRE(r.rows() == 1);
        CHECK(r.at(0, "t").text() == "grün\n'x'");
        CHECK(r.at(0, "i").as_int64() == -9223372036854775807);
        CHECK(r.at(0, "d").as_decimal().to_string() == "12.345");
        CHECK(r.at(0, "at").as_time() == when);
        CHECK(r.at(0, "yes").as_bool());
        CHECK_FALSE(r.at(0, "no").as_bool());
        CHECK(r.at(0, "j").as_json() == json);
        CHECK(r.at(0, "nothing").is_null());
        CHECK_FALSE(r.at(0, "empty").is_null());
        CHECK(r.at(0, "empty").text().empty());
        CHECK(r.at(0, "old").as_time() == core::utc_time(-500ms));
        CHECK(r.at(0, "many").text() == "{1,-2}");
        CHECK(r.at(0, "names").text() == R"({"a,b","q\"\\",""})");
    });
}

TEST_CASE("a null or misshapen column is a fault of ours that names the column")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        const auto r = co_await c.query("select null::int as gone, 'x' as word");
        const auto fault = [&r](const char* column, auto read) {
            try {
                read(r.at(0, column));
            } catch (const pg::error& e) {
                CHECK(e.kind() == core::error_kind::internal);
                return std::string(e.what());
            }
            return std::string();
        };
        CHECK_THAT(fault("gone", [](const pg::field& f) { f.as_int64(); }), Catch::Contains("gone") && Catch::Contains("null"));
        CHECK_THAT(fault("word", [](const pg::field& f) { f.as_int64(); }), Catch::Contains("word") && Catch::Contains("whole number"));
        CHECK_THAT(fault("word", [](const pg::field& f) { f.as_time(); }), Catch::Contains("word") && Catch::Contains("time"));
        CHECK_THAT(fault("word", [](const pg::field& f) { f.as_decimal(); }), Catch::Contains("word"));
        CHECK_THAT(fault("word", [](const pg::field& f) { f.as_bool(); }), Catch::Contains("word"));
        CHECK_THAT(fault("word", [](const pg::field& f) { f.as_json(); }), Catch::Contains("word"));
        CHECK_THROWS_AS(r.at(0, "nowhere"), pg::error);
    });
}

TEST_CASE("SQLSTATE decides the kind of a failure")
{
    using k = core::error_kind;
    const auto [state, kind] = GENERATE(table<std::string, k>({{"08006", k::unavailable}, {"57P01", k::unavailable}, {"57P02", k::unavailable}, {"57P03", k::unavailable}, {"57P05", k::unavailable},
                                                               {"53300", k::unavailable}, {"53100", k::unavailable}, {"53200", k::unavailable}, {"58030", k::unavailable}, {"25006", k::unavailable}, {"40001", k::unavailable}, {"40P01", k::unavailable}, {"", k::unavailable},
                                                               {"57014", k::timeout}, {"55P03", k::timeout}, {"23505", k::rejected}, {"42601", k::rejected}, {"BB001", k::rejected}}));
    CAPTURE(state);
    CHECK(pg::kind_of(state) == kind);
}

TEST_CASE("a full disk and a read-only server refuse writes, too many sessions and a restart do not")
{
    const auto of = [](const std::string& state) { return pg::error(pg::kind_of(state), "insert", "postgres", "no", state); };
    for (const auto* state : {"53100", "53200", "58030", "25006"}) CHECK((pg::refuses_writes(of(state)) && pg::is_away(of(state))));
    for (const auto* state : {"53300", "57P01", "08006", "40001", "23505", ""}) CHECK_FALSE(pg::refuses_writes(of(state)));
    for (const auto* state : {"40001", "40P01"}) CHECK((pg::is_conflict(of(state)) && !pg::is_away(of(state))));
}

TEST_CASE("text of a peer that PostgreSQL would refuse is stored with question marks, and NUL cuts nothing off")
{
    const auto uri = bb_test::shared_postgres().create_database();
    asio::io_context ioc;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> {
        pg::connection c(ioc.get_executor(), uri);
        co_await c.connect(5s);
        boost::json::object o;
        o["nul"] = boost::json::string("a\0b", 3);
        o["latin"] = "caf\xe9";
        o["escaped"] = "\\u0000";
        const boost::json::value json = o;
        pg::statement s("select $1::text as latin, $2::text as nul, $3::jsonb as j, $4::text[] as names");
        const std::vector<std::string> names{"x\xff", "y"};
        s.bind("caf\xe9 au lait").bind(std::string("a\0b", 3)).bind(json).bind(pg::array_of(names));
        const auto r = co_await c.query(s);
        REQUIRE(r.rows() == 1);
        CHECK(r.at(0, "latin").text() == "caf? au lait");
        CHECK(r.at(0, "nul").text() == "a?b");
        CHECK(r.at(0, "j").as_json().at("nul").as_string() == "a?b");
        CHECK(r.at(0, "j").as_json().at("latin").as_string() == "caf?");
        CHECK(r.at(0, "j").as_json().at("escaped").as_string() == "\\u0000");
        CHECK(r.at(0, "names").text() == "{x?,y}");
    });
}
