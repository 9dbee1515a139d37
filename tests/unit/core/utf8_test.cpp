#include "core/utf8.hpp"

#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace batchbridge::core;
namespace json = boost::json;
using namespace std::string_view_literals;

TEST_CASE("well-formed text stays as it is")
{
    for (const auto text : {""sv, "plain"sv, "grün €"sv, "\xf0\x9f\x9a\x9c"sv, "line\nbreak\t\x01\x7f"sv, "\xef\xbf\xbd\xf4\x8f\xbf\xbf"sv}) {
        INFO(text);
        CHECK(is_clean_utf8(text));
        CHECK(clean_utf8(text) == text);
    }
}

TEST_CASE("bytes of no character and NUL become question marks, and nothing behind them is lost")
{
    struct row {
        std::string_view dirty, clean;
    };
    const auto r = GENERATE(values<row>({
        {"a\xff""b"sv, "a?b"sv},
        {"caf\xe9 au lait"sv, "caf? au lait"sv},        // Latin-1
        {"cut \xe2\x82"sv, "cut ??"sv},                 // the start of a euro sign
        {"a\0b\0"sv, "a?b?"sv},
        {"\0"sv, "?"sv},
        {"\xc0\xaf"sv, "??"sv},                         // overlong
        {"\xed\xa0\x80"sv, "???"sv},                    // a surrogate
        {"\xf4\x90\x80\x80"sv, "????"sv},               // above U+10FFFF
        {"\x80gr\xc3\xbcn"sv, "?grün"sv},
    }));
    INFO(r.clean);
    CHECK_FALSE(is_clean_utf8(r.dirty));
    CHECK(clean_utf8(r.dirty) == r.clean);
    CHECK(is_clean_utf8(clean_utf8(r.dirty)));
}

TEST_CASE("strings and keys inside a JSON value are cleaned, everything else is kept")
{
    auto v = json::parse(R"({"name": "a\u0000b", "list": ["ok", {"deep\u0000": "\u0000", "n": 1.5, "yes": true, "none": null}]})");
    v.as_object()["bytes"] = json::string("x\xff");
    CHECK(clean_utf8(v) == json::parse(R"({"name": "a?b", "list": ["ok", {"deep?": "?", "n": 1.5, "yes": true, "none": null}], "bytes": "x?"})"));
}

TEST_CASE("a text is cut between two characters")
{
    CHECK(utf8_prefix("grün", 10) == "grün");
    CHECK(utf8_prefix("grün", 5) == "grün");
    CHECK(utf8_prefix("grün", 4) == "grü");
    CHECK(utf8_prefix("grün", 3) == "gr");
    CHECK(utf8_prefix("grün", 2) == "gr");
    CHECK(utf8_prefix("\xf0\x9f\x9a\x9c""x", 3).empty());
    CHECK(utf8_prefix("\xf0\x9f\x9a\x9c""x", 4) == "\xf0\x9f\x9a\x9c");
    CHECK(utf8_prefix("grün", 0).empty());
    CHECK(utf8_prefix("\x80\x80\x80\x80\x80\x80\x80", 6).size() == 6);
}
