// What the log writes to stdout, read back from a file that stands in for it.
#include "core/log.hpp"

#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <regex>
#include <thread>
#include <vector>

using namespace batchbridge::core;
namespace json = boost::json;

namespace {

// stdout goes to a file while this lives; logging is set back to its default afterwards.
class captured {
public:
    captured(log::level lowest, log::format shape)
    {
        std::cout.flush();
        std::fflush(stdout);
        saved_ = ::dup(1);
        file_ = std::tmpfile();
        ::dup2(::fileno(file_), 1);
        log::init(lowest, shape);
    }
    ~captured() { restore(); }
    // The lines written so far; ends the capture.
    std::vector<std::string> lines()
    {
        restore();
        std::rewind(file_);
        std::string text;
        char buffer[4096];
        while (const auto n = std::fread(buffer, 1, sizeof buffer, file_)) text.append(buffer, n);
        std::fclose(file_);
        std::vector<std::string> out;
        std::size_t start = 0;
        for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
            out.push_back(text.substr(start, end - start));
            start = end + 1;
        }
        CHECK(start == text.size());
        return out;
    }

private:
    void restore()
    {
        if (saved_ < 0) return;
        std::fflush(stdout);
        ::dup2(saved_, 1);
        ::close(saved_);
        saved_ = -1;
        log::init(log::level::info, log::format::text);
    }
    int saved_ = -1;
    std::FILE* file_ = nullptr;
};

const std::string time_shape = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z";

}  // namespace

TEST_CASE("a text line holds time, level, the fields that are set, and the message")
{
    captured c(log::level::debug, log::format::text);
    log::info({"line1", "plc_read_sync", "17", "WH/MO/00014"}, "{} kg dosed", 12.5);
    log::warning({"line1", {}, {}, {}}, "hm");
    log::error({}, "bad");
    log::debug({{}, {}, {}, "WH/MO/00015"}, "small");
    const auto lines = c.lines();
    REQUIRE(lines.size() == 4);
    CHECK(std::regex_match(lines[0], std::regex(time_shape + " info    \\[line=line1 task=plc_read_sync batch=17 order=WH/MO/00014\\] 12\\.5 kg dosed")));
    CHECK(std::regex_match(lines[1], std::regex(time_shape + " warning \\[line=line1\\] hm")));
    CHECK(std::regex_match(lines[2], std::regex(time_shape + " error   bad")));
    CHECK(std::regex_match(lines[3], std::regex(time_shape + " debug   \\[order=WH/MO/00015\\] small")));
}

TEST_CASE("a JSON line is an object with the same fields, empty ones left out")
{
    captured c(log::level::debug, log::format::json);
    log::info({"line1", "plc_read_sync", "17", "WH/MO/00014"}, "said \"{}\"", "yes");
    log::error({}, "bad");
    const auto lines = c.lines();
    REQUIRE(lines.size() == 2);
    const auto first = json::parse(lines[0]).as_object();
    CHECK(first.size() == 7);
    CHECK(first.at("level").as_string() == "info");
    CHECK(first.at("line").as_string() == "line1");
    CHECK(first.at("task").as_string() == "plc_read_sync");
    CHECK(first.at("batch").as_string() == "17");
    CHECK(first.at("order").as_string() == "WH/MO/00014");
    CHECK(first.at("message").as_string() == "said \"yes\"");
    CHECK(std::regex_match(std::string(first.at("time").as_string()), std::regex(time_shape)));
    const auto second = json::parse(lines[1]).as_object();
    CHECK(second.size() == 3);
    CHECK(second.at("level").as_string() == "error");
}

TEST_CASE("an event is one line, whatever is in its message and fields")
{
    const auto shape = GENERATE(log::format::text, log::format::json);
    captured c(log::level::info, shape);
    log::info({{}, {}, {}, "WH\n2026-11-23T10:00:00.000Z error   forged"}, "first\nsecond\r\nthird\vx\x1b[31mred\x7f{}", std::string(1, '\0'));
    log::info({}, "{}", "");
    log::info({}, "{}", std::string(100000, 'x'));
    const auto lines = c.lines();
    REQUIRE(lines.size() == 3);
    for (const char bad : {'\r', '\v', '\x1b', '\0'}) CHECK(lines[0].find(bad) == std::string::npos);
    if (shape == log::format::text) {
        CHECK(lines[0].find("first\\nsecond\\r\\nthird\\x0bx\\x1b[31mred\\x7f\\x00") != std::string::npos);
        CHECK(lines[0].find("[order=WH\\n2026-11-23") != std::string::npos);
    } else {
        CHECK(json::parse(lines[0]).at("message").as_string().find("first\nsecond\r\n") == 0);
    }
    CHECK(lines[2].size() > 100000);
}

TEST_CASE("a JSON line stays JSON when a peer's text is not UTF-8")
{
    captured c(log::level::info, log::format::json);
    log::info({{}, {}, {}, "M\xf6hre"}, "libpq says: Verbindung getrennt f\xfcr \xff\xfe, but äöü € 𝄞 pass");
    log::info({}, "cut \xe2\x82");
    const auto lines = c.lines();
    REQUIRE(lines.size() == 2);
    boost::system::error_code ec;
    const auto first = json::parse(lines[0], ec);
    REQUIRE_FALSE(ec);
    CHECK(first.at("order").as_string() == "M?hre");
    CHECK(first.at("message").as_string() == "libpq says: Verbindung getrennt f?r ??, but äöü € 𝄞 pass");
    static_cast<void>(json::parse(lines[1], ec));
    CHECK_FALSE(ec);
}

TEST_CASE("events below the level are left out, and their text is never made")
{
    captured c(log::level::warning, log::format::text);
    CHECK_FALSE(log::enabled(log::level::debug));
    CHECK_FALSE(log::enabled(log::level::info));
    CHECK(log::enabled(log::level::warning));
    CHECK(log::enabled(log::level::error));
    log::debug({}, "no");
    log::info({}, "no");
    log::warning({}, "yes");
    log::error({}, "yes");
    CHECK(c.lines().size() == 2);
}

TEST_CASE("a message with braces from outside is printed as it is")
{
    captured c(log::level::info, log::format::text);
    log::write(log::level::info, {}, "{} {0} {:x} %s %d {");
    const auto lines = c.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("{} {0} {:x} %s %d {") != std::string::npos);
}

TEST_CASE("lines of several threads are never mixed")
{
    captured c(log::level::info, log::format::json);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([t] {
            for (int i = 0; i < 200; ++i) log::info({{}, {}, std::to_string(t), {}}, "{}", std::string(300, static_cast<char>('a' + t)));
        });
    for (auto& t : threads) t.join();
    const auto lines = c.lines();
    REQUIRE(lines.size() == 800);
    for (const auto& l : lines) {
        const auto o = json::parse(l).as_object();
        const auto t = std::stoi(std::string(o.at("batch").as_string()));
        REQUIRE(o.at("message").as_string() == std::string(300, static_cast<char>('a' + t)));
    }
}
