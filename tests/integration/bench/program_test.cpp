// The bench works and says what it measured in a form that machines read; what the figures are is not judged here.
#include "support/catch.hpp"
#include "support/postgres.hpp"

#include <boost/json/parse.hpp>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>

#include <set>

namespace bp = boost::process;

namespace {

struct finished {
    int code;
    std::vector<std::string> out, err;
};

std::vector<std::string> lines_of(bp::ipstream& stream)
{
    std::vector<std::string> out;
    for (std::string line; std::getline(stream, line);) out.push_back(line);
    return out;
}

finished bench(std::vector<std::string> arguments)
{
    arguments.insert(arguments.begin(), {"--map", BATCHBRIDGE_CONF "/plc-map.json"});
    bp::ipstream out, err;
    bp::child program(bp::exe = BENCH, bp::args = arguments, bp::std_out > out, bp::std_err > err);
    finished f;
    f.out = lines_of(out);
    f.err = lines_of(err);
    program.wait();
    f.code = program.exit_code();
    return f;
}

}  // namespace

TEST_CASE("the bench prints one JSON object per row with both figures, their ratio and the target")
{
    auto& server = bb_test::shared_postgres();
    const auto f = bench({"--quick", "--rows", "read_cycle,pg_latency", "--database", server.uri()});
    for (const auto& line : f.err) UNSCOPED_INFO(line);
    REQUIRE(f.code == 0);
    REQUIRE(f.out.size() == 2);
    std::set<std::string> names;
    for (const auto& line : f.out) {
        CAPTURE(line);
        const auto row = boost::json::parse(line).as_object();
        names.insert(std::string(row.at("row").as_string()));
        CHECK(row.at("unit").as_string() == "us");
        const auto ours = row.at("ours").to_number<double>(), plain = row.at("plain").to_number<double>();
        CHECK(ours > 0);
        CHECK(plain > 0);
        CHECK(row.at("ratio").to_number<double>() == Approx(ours / plain).epsilon(0.01));
        CHECK(row.at("target").to_number<double>() == Approx(1.2));
        CHECK(row.at("ok").as_bool() == (ours / plain <= 1.2));
        CHECK(row.at("n").to_number<int>() > 0);
        CHECK(row.at("disturbed").is_bool());
    }
    CHECK(names == std::set<std::string>{"read_cycle", "pg_latency"});
}

TEST_CASE("the bench names a row that it does not know and one that cannot be measured")
{
    const auto unknown = bench({"--rows", "speed_of_light"});
    CHECK(unknown.code == 64);
    CHECK(unknown.out.empty());
    REQUIRE(unknown.err.size() == 1);
    CHECK_THAT(unknown.err.front(), Catch::Contains("speed_of_light"));

    const auto unreachable = bench({"--quick", "--rows", "pg_latency", "--database", "postgresql://127.0.0.1:1/none"});
    CHECK(unreachable.code == 1);
    CHECK(unreachable.out.empty());
    REQUIRE_FALSE(unreachable.err.empty());
    CHECK_THAT(unreachable.err.front(), Catch::Contains("pg_latency"));
}
