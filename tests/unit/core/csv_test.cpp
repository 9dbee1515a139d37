#include "core/csv.hpp"

#include "support/catch.hpp"

#include <random>

using batchbridge::core::csv_line;
using batchbridge::core::parse_csv;
using fields = std::vector<std::string>;

namespace {

std::vector<fields> records_of(std::string_view text, char separator = ',')
{
    const auto r = parse_csv(text, separator);
    for (const auto& f : r.faults) UNSCOPED_INFO("line " << f.line << ": " << f.what);
    CHECK(r.faults.empty());
    std::vector<fields> out;
    for (const auto& record : r.records) out.push_back(record.fields);
    return out;
}

}  // namespace

TEST_CASE("records end with LF, CRLF or the file, whatever is quoted")
{
    const std::vector<fields> expected{{"a", "b"}, {"1", "2"}};
    for (const auto* text : {"a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\n1,2", "\xef\xbb\xbf\"a\",b\n1,\"2\"", "\n\na,b\r\n\r\n1,2\n\n", "# note, \"so\nb\na,b\n#\n1,2"}) {
        CAPTURE(text);
        if (std::string_view(text).starts_with('#')) CHECK(records_of(text) == std::vector<fields>{{"b"}, {"a", "b"}, {"1", "2"}});
        else CHECK(records_of(text) == expected);
    }
    CHECK(records_of("").empty());
    CHECK(records_of("\xef\xbb\xbf").empty());
}

TEST_CASE("quoted fields hold separators, quotes and line ends, empty fields and blanks are kept")
{
    CHECK(records_of("\"a,b\",\"say \"\"so\"\"\",\"two\r\nlines\"\n") == std::vector<fields>{{"a,b", "say \"so\"", "two\r\nlines"}});
    CHECK(records_of(",,\n") == std::vector<fields>{{"", "", ""}});
    CHECK(records_of(" a , b \n") == std::vector<fields>{{" a ", " b "}});
    CHECK(records_of("\"\"\n") == std::vector<fields>{{""}});
    CHECK(records_of("a;b,c;\"d;e\"\n", ';') == std::vector<fields>{{"a", "b,c", "d;e"}});
}

TEST_CASE("each fault is named with its line, and the other records are read")
{
    struct row {
        const char* text;
        int line;
        const char* what;
    };
    for (const auto& r : {row{"a\nb\"c\nd", 2, "not quoted"}, row{"a\n\"b\"c\nd", 2, "closing quote"}, row{"a\nb\rc\nd", 2, "carriage return"},
                          row{"a\n\"x\ny\"\n\"z", 4, "does not end"}}) {
        CAPTURE(r.text);
        const auto got = parse_csv(r.text);
        REQUIRE(got.faults.size() == 1);
        CHECK(got.faults[0].line == r.line);
        CHECK_THAT(got.faults[0].what, Catch::Contains(r.what));
        CHECK(got.records.size() == 2);
    }
    CHECK_THAT(parse_csv(std::string_view("a\0b", 3)).faults.at(0).what, Catch::Contains("NUL"));
    const auto lines = parse_csv("a\n\"b\nb\"\nc\n").records;
    REQUIRE(lines.size() == 3);
    CHECK(lines[1].line == 2);
    CHECK(lines[2].line == 4);
}

TEST_CASE("whatever is written as CSV reads back the same")
{
    std::mt19937 random(7);
    const std::string letters = "ab,\"\r\n# ;|\xc3\xa4";
    for (int i = 0; i < 2000; ++i) {
        std::vector<fields> wanted;
        std::string text;
        for (std::size_t r = 0; r < 1 + random() % 3; ++r) {
            fields record(1 + random() % 4);
            for (auto& f : record)
                for (std::size_t n = random() % 5; n > 0; --n) f += letters[random() % letters.size()];
            text += csv_line(record);
            wanted.push_back(std::move(record));
        }
        CAPTURE(text);
        REQUIRE(records_of(text) == wanted);
    }
    CHECK(csv_line({"a", "b c", "1|2"}) == "a,b c,1|2\r\n");
}
