#include "support/catch.hpp"

#include "core/utf8.hpp"
#include "odoo/answer.hpp"

using namespace batchbridge;
using kind = odoo::answer::kind;

namespace {
constexpr const char* type = "application/json; charset=utf-8";
}

TEST_CASE("L-45 an answer comes under result, bare, or as nothing at all")
{
    auto a = odoo::normalise(200, type, R"({"jsonrpc":"2.0","id":7,"result":[1,2]})");
    CHECK(a.what == kind::value);
    CHECK(a.enveloped);
    CHECK(a.value.as_array().size() == 2);
    CHECK(a.id.as_int64() == 7);

    a = odoo::normalise(200, type, R"({"jsonrpc":"2.0","id":21})");
    CHECK(a.what == kind::value);
    CHECK(a.enveloped);
    CHECK(a.value.is_null());

    for (const auto* bare : {R"({"status":"success","data":[]})", "true", "[]", "null", "6"}) {
        INFO(bare);
        a = odoo::normalise(200, type, bare);
        CHECK(a.what == kind::value);
        CHECK_FALSE(a.enveloped);
    }
    a = odoo::normalise(200, type, R"({"jsonrpc":"2.0","id":1,"result":false,"error":null})");
    CHECK(a.what == kind::value);
    CHECK_FALSE(a.value.as_bool());
}

TEST_CASE("L-45 a fault comes with HTTP 200 or another status, its traceback is dropped")
{
    const auto* text = R"({"jsonrpc":"2.0","id":3,"error":{"code":200,"message":"Odoo Server Error",
        "data":{"name":"odoo.exceptions.UserError","debug":"Traceback ..","message":"No.","arguments":["No."],"context":{}}}})";
    for (const unsigned status : {200U, 500U}) {
        const auto a = odoo::normalise(status, type, text);
        CHECK(a.what == kind::fault);
        CHECK(a.name == "odoo.exceptions.UserError");
        CHECK(a.message == "No.");
        CHECK(a.value.is_null());
        CHECK(a.id.as_int64() == 3);
    }
}

TEST_CASE("what is not Odoo's own is foreign: pages, broken JSON, other statuses, nameless errors")
{
    struct row {
        unsigned status;
        const char *content_type, *body, *reason;
    };
    const auto r = GENERATE(values<row>({
        {502, "text/html", "<html>Bad Gateway</html>", "HTTP 502 with text/html"},
        {200, "text/html", "<html>Maintenance</html>", "HTTP 200 with text/html"},
        {200, type, R"({"jsonrpc":"2.0","id":1,"result":tr)", "not an answer of Odoo's own"},
        {200, type, "", "not an answer of Odoo's own"},
        {200, "", "\xff\xfe", "no content type"},
        {504, type, R"({"jsonrpc":"2.0","id":1,"result":true})", "HTTP 504"},
        {200, type, R"({"error":{"code":404,"message":"Not Found"}})", "without an exception name"},
        {200, type, R"({"error":"down"})", "without an exception name"},
        {200, type, R"({"error":{"data":{"name":false}}})", "without an exception name"},
    }));
    INFO(r.status << " " << r.body);
    const auto a = odoo::normalise(r.status, r.content_type, r.body);
    CHECK(a.what == kind::foreign);
    CHECK_THAT(a.reason, Catch::Matchers::Contains(r.reason));
}

TEST_CASE("what is kept of a foreign answer or a fault is UTF-8 without NUL, whatever the peer sent")
{
    // 79 bytes and then a character of two: the cut must not leave half of it. Bytes of Latin-1 are in there, too.
    const auto page = odoo::normalise(502, "text/html; title=caf\xe9" + std::string(58, 'x') + "\xc3\xbc and so on", "<html>");
    CHECK(page.what == kind::foreign);
    CHECK(core::is_clean_utf8(page.reason));
    CHECK_THAT(page.reason, Catch::Matchers::Contains("title=caf?x"));

    const auto fault = odoo::normalise(200, type, R"({"error":{"data":{"name":"builtins.Odd\u0000Error","message":"no\u0000more"}}})");
    CHECK(fault.what == kind::fault);
    CHECK(fault.name == "builtins.Odd?Error");
    CHECK(fault.message == "no?more");
}
