// Secrets: where they come from, and that none is ever shown (L-49).
#include "unit/core/environment.hpp"

#include "support/catch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

using namespace batchbridge::core;
using bb_test::environment;
using bb_test::with;
using bb_test::joined;
using bb_test::only_fault;

namespace {

const char* const secrets[] = {"DATABASE_URL", "ODOO_PASSWORD", "ODOO_API_KEY", "API_TOKEN", "API_READ_TOKEN", "ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET"};

const secret& value_of(const config& c, const std::string& name)
{
    if (name == "DATABASE_URL") return c.database_url;
    if (name == "ODOO_PASSWORD") return c.odoo_password;
    if (name == "ODOO_API_KEY") return c.odoo_api_key;
    if (name == "API_TOKEN") return c.api_token;
    if (name == "API_READ_TOKEN") return c.api_read_token;
    if (name == "ALERT_WEBHOOK_URL") return c.alert_webhook_url;
    return c.alert_webhook_secret;
}

// A file that is gone after the test.
struct temporary_file {
    std::string path;
    explicit temporary_file(const std::string& text)
    {
        char name[] = "/tmp/bb-test-core-XXXXXX";
        const int fd = ::mkstemp(name);
        REQUIRE(fd >= 0);
        ::close(fd);
        path = name;
        write(text);
    }
    ~temporary_file() { std::remove(path.c_str()); }
    void write(const std::string& text) const { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; }
};

}  // namespace

TEST_CASE("every secret may come from a file, and a trailing newline is no part of it (L-49)")
{
    for (const std::string name : secrets) {
        const std::string text = name == "DATABASE_URL" ? "postgresql://u:p@h/d" : " s p a c e ";
        for (const char* end : {"", "\n", "\r\n", "\n\n"}) {
            environment e;
            e.vars.erase(name);
            e.vars[name + "_FILE"] = "/run/secrets/x";
            e.files["/run/secrets/x"] = text + end;
            INFO(name);
            const auto c = e.load();
            CHECK(value_of(c, name).value == text);
            CHECK(value_of(c, name).file == "/run/secrets/x");
        }
    }
}

TEST_CASE("a secret given twice is an error that shows neither (L-49)")
{
    for (const std::string name : secrets) {
        environment e;
        e.vars[name] = "postgresql://u:topsecret@h/d";
        e.vars[name + "_FILE"] = "/run/secrets/x";
        e.files["/run/secrets/x"] = "topsecret too";
        CHECK(only_fault(e) == name + " and " + name + "_FILE are both set, expected one of them");
    }
}

TEST_CASE("a secret's file that is missing or empty is named with its path")
{
    for (const std::string name : secrets) {
        INFO(name);
        environment e;
        e.vars.erase(name);
        e.vars[name + "_FILE"] = "/run/secrets/x";
        CHECK(only_fault(e) == name + "_FILE: '/run/secrets/x' cannot be read: no such file");
        e.files["/run/secrets/x"] = "\n";
        CHECK(only_fault(e) == name + "_FILE: '/run/secrets/x' is empty");
    }
}

TEST_CASE("no fault and no warning ever shows a secret (L-49)")
{
    environment e;
    for (const std::string name : secrets) e.vars[name] = "topsecret";
    e.vars["ODOO_URL"] = "ftp://user:topsecret@erp";
    e.vars["PLC_PORT"] = "x";
    const auto all = joined(e.faults());
    INFO(all);
    CHECK(all.find("topsecret") == std::string::npos);
    CHECK(all.find("DATABASE_URL is not valid, expected a PostgreSQL URI") != std::string::npos);
    CHECK(all.find("ODOO_URL: 'ftp://erp' is not valid") != std::string::npos);

    const auto url = only_fault(with({{"ODOO_URL", "https://user:topsecret@erp.example"}}));
    CHECK(url.find("topsecret") == std::string::npos);
    CHECK(url.find("ODOO_URL must not hold credentials") == 0);
}

TEST_CASE("a printed configuration shows every variable with its value and source, secrets masked (L-49)")
{
    environment e;
    for (const std::string name : secrets)
        if (name != "DATABASE_URL") e.vars[name] = "topsecret";
    e.vars["DATABASE_URL"] = "postgresql://u:topsecret@h/d";
    e.vars["PLC_TIMEOUT"] = "1000ms";
    e.vars["HEALTH_MONITOR_INTERVAL_MINUTES"] = "2";
    const auto lines = describe_config(e.load(), e.lookup());
    const auto find = [&](const std::string& name) {
        INFO(name);
        const auto n = std::count_if(lines.begin(), lines.end(), [&](const config_line& l) { return l.name == name; });
        REQUIRE(n == 1);
        return *std::find_if(lines.begin(), lines.end(), [&](const config_line& l) { return l.name == name; });
    };
    for (const auto& l : lines) CHECK(l.value.find("topsecret") == std::string::npos);
    for (const std::string name : secrets) {
        CHECK(find(name).value == "***");
        CHECK(find(name).source == "environment");
    }
    for (const char* name : {"PLC_HOST", "PLC_PORT", "PLC_UNIT_ID", "PLC_TIMEOUT", "PLC_MAP", "PLC_TIMEZONE", "LINE_NAME", "PLC_WRITES", "LINES_FILE", "ODOO_URL", "ODOO_DB",
                             "ODOO_USERNAME", "ODOO_API", "ODOO_CONNECT_TIMEOUT", "ODOO_TIMEOUT", "ODOO_WRITE_TIMEOUT", "ODOO_UNCLEAR_WAIT", "ODOO_RETRY_MAX", "ODOO_WATCH_INTERVAL",
                             "ODOO_LIVE_INTERVAL", "ODOO_CA_FILE", "ODOO_TLS_VERIFY", "ODOO_MAX_CONNECTIONS", "ODOO_MAX_RESPONSE", "ODOO_ORDER_DOMAIN", "SYNC_HORIZON",
                             "ODOO_UNVERIFIED_VERSION", "ENABLE_AUTO_SYNC", "ENABLE_TASK_1_AUTO_SYNC", "ENABLE_TASK_2_PLC_READ", "ENABLE_TASK_3_PROCESS_COMPLETED",
                             "ENABLE_TASK_4_HEALTH_MONITOR", "ENABLE_TASK_5_EQUIPMENT_FAILURE", "ENABLE_TASK_6_CLEANUP", "SYNC_INTERVAL", "PLC_READ_INTERVAL",
                             "PROCESS_COMPLETED_INTERVAL", "HEALTH_MONITOR_INTERVAL", "EQUIPMENT_FAILURE_INTERVAL", "CLEANUP_INTERVAL", "SYNC_BATCH_LIMIT", "TASK2_ODOO_SYNC", "MARK_DONE",
                             "ON_PLC_FAILURE", "UNMAPPED_COMPONENTS", "PRODUCED_QUANTITY", "BATCH_STUCK_THRESHOLD", "ZERO_CONSUMPTION_AFTER", "OVERDOSE_PERCENT", "EXPECTED_BATCH_MAX_KG",
                             "HTTP_LISTEN", "LINE_MOVED", "ALERT_ODOO_NOTE", "LOG_LEVEL", "LOG_FORMAT", "RETENTION_DAYS"})
        find(name);
    CHECK(find("PLC_PORT").value == "502");
    CHECK(find("PLC_PORT").source == "default");
    CHECK(find("PLC_TIMEOUT").value == "1s");
    CHECK(find("PLC_TIMEOUT").source == "environment");
    CHECK(find("HEALTH_MONITOR_INTERVAL").value == "2m");
    CHECK(find("HEALTH_MONITOR_INTERVAL").source == "environment");
    CHECK(find("ODOO_API").value == "auto");
    CHECK(find("MARK_DONE").value == "true");
    CHECK(find("ODOO_MAX_RESPONSE").value == "16MiB");
    CHECK(find("PRODUCED_QUANTITY").value == "auto");
}

TEST_CASE("a faulty configuration can be printed too, still masked")
{
    const environment e = with({{"PLC_PORT", "x"}, {"DATABASE_URL", "topsecret"}, {"ODOO_URL", "https://user:topsecret@erp"}});
    const auto lines = describe_config({}, e.lookup());
    CHECK(lines.size() > 50);
    for (const auto& l : lines) CHECK(l.value.find("topsecret") == std::string::npos);
}

TEST_CASE("a rotated secret is read again from its file, and kept when the file is gone")
{
    temporary_file file("first\n");
    const secret from_file{"first", file.path};
    CHECK(from_file.current() == "first");
    file.write("second\n");
    CHECK(from_file.current() == "second");
    file.write("\n");
    CHECK(from_file.current() == "first");
    std::remove(file.path.c_str());
    CHECK(from_file.current() == "first");
    const secret from_environment{"value", ""};
    CHECK(from_environment.current() == "value");
}

TEST_CASE("real files are read whole, and a missing one says why not")
{
    const std::string text("a\0b\r\nc", 6);
    const temporary_file file(text);
    const auto read = real_files();
    CHECK(read(file.path) == text);
    CHECK_THROWS_WITH(read("/no/such/file"), "no such file, or no permission");
    CHECK_THROWS(read("/tmp"));
}

TEST_CASE("a URL is shown without its credentials, however it is spelt")
{
    const std::pair<const char*, const char*> urls[] = {{"https://erp.example/x", "https://erp.example/x"}, {"https://user:topsecret@erp.example:8069/x", "https://erp.example:8069/x"},
        {"postgresql://u:topsecret@a:5432,b:5433/db?target_session_attrs=read-write", "postgresql://a:5432,b:5433/db?target_session_attrs=read-write"},
        {"postgresql://h/db?user=u&password=topsecret", "postgresql://h/db"}, {"postgresql://h/db?sslpassword=topsecret", "postgresql://h/db"},
        {"u:topsecret@h/db", "h/db"}, {"postgresql://u:top@topsecret@h/db", "postgresql://h/db"}, {"", ""}};
    for (const auto& [url, shown] : urls) CHECK(without_credentials(url) == shown);
    // Characters that should have been percent-encoded, as people do write them.
    for (const char* url : {"postgresql://u:to/topsecret@h/db", "postgresql://u:to?topsecret@h/db", "https://u:topsecret#@erp", "postgresql://u:x@y/topsecret@h/db"}) {
        INFO(url);
        const auto shown = without_credentials(url);
        INFO(shown);
        CHECK(shown.find("topsecret") == std::string::npos);
    }
}
