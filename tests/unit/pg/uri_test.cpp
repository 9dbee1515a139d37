#include "pg/uri.hpp"

#include "support/catch.hpp"

#include <vector>

using batchbridge::pg::uri_fault;
using Catch::Matchers::Contains;

TEST_CASE("a URI that libpq could use has no fault")
{
    for (const std::string uri : {"postgresql://u:p@db/x", "postgres://db", "postgresql://u:p@db:5432/x?sslmode=verify-full&application_name=a%20b", "postgresql:///x?host=/run/postgresql",
                                  "postgresql://u:p%40ss%2Fw@a:1,b:2,c/x?target_session_attrs=read-write", "postgresql://u@a,b/x?port=5432", "postgresql://u@[::1]:5432/x",
                                  "postgresql://u@a/x?sslmode=&connect_timeout=10&channel_binding=prefer&gssencmode=disable&keepalives=1"}) {
        CAPTURE(uri);
        CHECK(uri_fault(uri).value_or("none") == "none");
    }
}

TEST_CASE("a URI that libpq could never use is refused, and nothing of it is quoted")
{
    struct row {
        std::string uri, why;
    };
    const std::vector<row> rows{
        {"postgresql://u:secret@db/x?sslmod=require", "invalid URI query parameter"},
        {"postgresql://u:secret%zz@db/x", "invalid percent-encoded token"},
        {"postgresql://u:sec\"ret\"secret%zz@db/x", "invalid percent-encoded token"},
        {"postgresql://u:secret%00@db/x", "forbidden value %00"},
        {"postgresql://u:secret/secret?secret@db/x", "missing key/value separator"},
        {"postgresql://u:secret/x?secret=1@db/x", "invalid URI query parameter"},
        {"postgresql://u:secret@db/x?sslmode", "missing key/value separator"},
        {"postgresql://u:secret@db/x?sslmode=a=secret", "extra key/value separator"},
        {"postgresql://u:secret@[::1/x", "end of string reached"},
        {"postgresql://u:secret@db/x?sslmode=secret", "sslmode is none of disable"},
        {"postgresql://u:secret@db/x?target_session_attrs=primary-secret", "target_session_attrs is none of any, read-write"},
        {"postgresql://u:secret@db:0/x", "port"}, {"postgresql://u:secret@db:65536/x", "port"}, {"postgresql://u:secret@a:1,b:x/x", "port"}, {"postgresql://u:secret/db", "port"},
        {"postgresql://u:secret@a,b,c/x?port=1,2", "3 host(s) and 2 ports"}};
    for (const auto& r : rows) {
        CAPTURE(r.uri);
        const auto fault = uri_fault(r.uri);
        REQUIRE(fault);
        CHECK_THAT(*fault, Contains(r.why) && !Contains("secret"));
    }
}
