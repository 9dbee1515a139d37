// The environment that is accepted, and what it means (design section 3).
#include "unit/core/environment.hpp"

#include "support/catch.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

using namespace batchbridge::core;
using namespace std::chrono_literals;
using bb_test::environment;
using bb_test::with;
namespace json = boost::json;

TEST_CASE("every variable that is not set has the default of the design")
{
    const auto c = environment().load();
    CHECK(c.database_url.value == "postgresql://bridge:dbsecret@db:5432/bridge");
    REQUIRE(c.lines.size() == 1);
    const auto& l = c.lines[0];
    CHECK(l.name == "line1");
    CHECK(l.host == "10.0.0.5");
    CHECK(l.port == 502);
    CHECK(l.unit_id == 1);
    CHECK(l.timeout == 2s);
    CHECK(l.map == "conf/plc-map.json");
    CHECK(l.timezone == "UTC");
    CHECK(l.order_domain.empty());
    CHECK_FALSE(c.plc_writes);

    CHECK(c.odoo_url == "https://erp.example");
    CHECK(c.odoo_db == "mill");
    CHECK(c.odoo_username == "bridge");
    CHECK(c.odoo_password.value == "odoosecret");
    CHECK(c.odoo_api_key.empty());
    CHECK(c.api == odoo_api::automatic);
    CHECK(c.odoo_connect_timeout == 3s);
    CHECK(c.odoo_timeout == 15s);
    CHECK(c.odoo_write_timeout == 60s);
    CHECK(c.odoo_unclear_wait == 120s);
    CHECK(c.odoo_retry_max == 5min);
    CHECK(c.odoo_watch_interval == 30s);
    CHECK(c.odoo_live_interval == 5s);
    CHECK(c.odoo_ca_file.empty());
    CHECK(c.odoo_tls_verify);
    CHECK(c.odoo_max_connections == 4);
    CHECK(c.odoo_max_response == 16u * 1024 * 1024);
    CHECK_FALSE(c.sync_horizon);
    CHECK_FALSE(c.odoo_unverified_version);

    CHECK(c.enable_auto_sync);
    const std::pair<const task_config*, duration> tasks[] = {{&c.auto_sync_mo, 60min}, {&c.plc_read_sync, 5s}, {&c.process_completed, 3min},
                                                              {&c.health_monitor, 1min}, {&c.equipment_failure, 5s}, {&c.cleanup, 24h}};
    for (const auto& [task, interval] : tasks) {
        CHECK(task->enabled);
        CHECK(task->interval == interval);
    }
    CHECK(c.sync_batch_limit == 10);
    CHECK(c.task2_odoo_sync);
    CHECK(c.mark_done);
    CHECK(c.on_plc_failure == plc_failure_policy::hold);
    CHECK(c.unmapped_components == unmapped_policy::planned);
    CHECK(c.produced_quantity == produced_policy::automatic);
    CHECK(c.batch_stuck_threshold == 15min);
    CHECK(c.zero_consumption_after == 10min);
    CHECK(c.overdose_percent == 10);
    CHECK_FALSE(c.expected_batch_max_kg);

    CHECK(c.http_host == "127.0.0.1");
    CHECK(c.http_port == 8080);
    CHECK(c.api_token.empty());
    CHECK(c.api_read_token.empty());
    CHECK_FALSE(c.line_moved);
    CHECK(c.alert_webhook_url.empty());
    CHECK(c.alert_webhook_secret.empty());
    CHECK_FALSE(c.alert_odoo_note);
    CHECK(c.log_level == log::level::info);
    CHECK(c.log_format == log::format::text);
    CHECK(c.retention_days == 30);
    CHECK(c.warnings.empty());
}

TEST_CASE("every variable that is set has its effect")
{
    const environment e = with({{"PLC_HOST", "plc.mill.local"}, {"PLC_PORT", "1502"}, {"PLC_UNIT_ID", "0"}, {"PLC_TIMEOUT", "750ms"}, {"PLC_MAP", "/etc/map.json"},
        {"PLC_TIMEZONE", "Europe/Berlin"}, {"LINE_NAME", "mixer"}, {"PLC_WRITES", "true"}, {"ODOO_URL", "http://odoo:8069/prefix/"}, {"ODOO_API_KEY", "k"},
        {"ODOO_API", "json2"}, {"ODOO_CONNECT_TIMEOUT", "1s"}, {"ODOO_TIMEOUT", "2s"}, {"ODOO_WRITE_TIMEOUT", "600ms"}, {"ODOO_UNCLEAR_WAIT", "1500ms"},
        {"ODOO_RETRY_MAX", "1h"}, {"ODOO_WATCH_INTERVAL", "7s"}, {"ODOO_LIVE_INTERVAL", "8s"}, {"ODOO_CA_FILE", "/dev/null"}, {"ODOO_TLS_VERIFY", "false"},
        {"ODOO_MAX_CONNECTIONS", "64"}, {"ODOO_MAX_RESPONSE", "512KiB"}, {"ODOO_ORDER_DOMAIN", R"([["picking_type_id","=",5]])"}, {"SYNC_HORIZON", "72h"},
        {"ODOO_UNVERIFIED_VERSION", "yes"}, {"ENABLE_AUTO_SYNC", "off"}, {"ENABLE_TASK_1_AUTO_SYNC", "0"}, {"ENABLE_TASK_2_PLC_READ", "no"},
        {"ENABLE_TASK_3_PROCESS_COMPLETED", "false"}, {"ENABLE_TASK_4_HEALTH_MONITOR", "false"}, {"ENABLE_TASK_5_EQUIPMENT_FAILURE", "false"},
        {"ENABLE_TASK_6_CLEANUP", "false"}, {"SYNC_INTERVAL", "11s"}, {"PLC_READ_INTERVAL", "12s"}, {"PROCESS_COMPLETED_INTERVAL", "13s"},
        {"HEALTH_MONITOR_INTERVAL", "14s"}, {"EQUIPMENT_FAILURE_INTERVAL", "15s"}, {"CLEANUP_INTERVAL", "16s"}, {"SYNC_BATCH_LIMIT", "3"}, {"TASK2_ODOO_SYNC", "false"},
        {"MARK_DONE", "false"}, {"ON_PLC_FAILURE", "cancel"}, {"UNMAPPED_COMPONENTS", "refuse"}, {"PRODUCED_QUANTITY", "sum"}, {"BATCH_STUCK_THRESHOLD", "17m"},
        {"ZERO_CONSUMPTION_AFTER", "18m"}, {"OVERDOSE_PERCENT", "25"}, {"EXPECTED_BATCH_MAX_KG", "950.5"}, {"HTTP_LISTEN", "[::1]:9000"}, {"API_TOKEN", "t"},
        {"API_READ_TOKEN", "r"}, {"LINE_MOVED", "true"}, {"ALERT_WEBHOOK_URL", "https://hook"}, {"ALERT_WEBHOOK_SECRET", "hs"}, {"ALERT_ODOO_NOTE", "1"},
        {"LOG_LEVEL", "debug"}, {"LOG_FORMAT", "json"}, {"RETENTION_DAYS", "365"}});
    const auto c = e.load();
    const auto& l = c.lines.at(0);
    CHECK(l.name == "mixer");
    CHECK(l.host == "plc.mill.local");
    CHECK(l.port == 1502);
    CHECK(l.unit_id == 0);
    CHECK(l.timeout == 750ms);
    CHECK(l.map == "/etc/map.json");
    CHECK(l.timezone == "Europe/Berlin");
    CHECK(json::serialize(l.order_domain) == R"([["picking_type_id","=",5]])");
    CHECK(c.plc_writes);
    CHECK(c.odoo_url == "http://odoo:8069/prefix");
    CHECK(c.odoo_api_key.value == "k");
    CHECK(c.api == odoo_api::json2);
    CHECK(c.odoo_connect_timeout == 1s);
    CHECK(c.odoo_timeout == 2s);
    CHECK(c.odoo_write_timeout == 600ms);
    CHECK(c.odoo_unclear_wait == 1500ms);
    CHECK(c.odoo_retry_max == 1h);
    CHECK(c.odoo_watch_interval == 7s);
    CHECK(c.odoo_live_interval == 8s);
    CHECK(c.odoo_ca_file == "/dev/null");
    CHECK_FALSE(c.odoo_tls_verify);
    CHECK(c.odoo_max_connections == 64);
    CHECK(c.odoo_max_response == 512u * 1024);
    CHECK(c.sync_horizon == duration(72h));
    CHECK(c.odoo_unverified_version);
    CHECK_FALSE(c.enable_auto_sync);
    auto interval = 11s;
    for (const auto* t : {&c.auto_sync_mo, &c.plc_read_sync, &c.process_completed, &c.health_monitor, &c.equipment_failure, &c.cleanup}) {
        CHECK_FALSE(t->enabled);
        CHECK(t->interval == interval);
        interval += 1s;
    }
    CHECK(c.sync_batch_limit == 3);
    CHECK_FALSE(c.task2_odoo_sync);
    CHECK_FALSE(c.mark_done);
    CHECK(c.on_plc_failure == plc_failure_policy::cancel);
    CHECK(c.unmapped_components == unmapped_policy::refuse);
    CHECK(c.produced_quantity == produced_policy::sum);
    CHECK(c.batch_stuck_threshold == 17min);
    CHECK(c.zero_consumption_after == 18min);
    CHECK(c.overdose_percent == 25);
    CHECK(c.expected_batch_max_kg == "950.5");
    CHECK(c.http_host == "::1");
    CHECK(c.http_port == 9000);
    CHECK(c.api_token.value == "t");
    CHECK(c.api_read_token.value == "r");
    CHECK(c.line_moved);
    CHECK(c.alert_webhook_url.value == "https://hook");
    CHECK(c.alert_webhook_secret.value == "hs");
    CHECK(c.alert_odoo_note);
    CHECK(c.log_level == log::level::debug);
    CHECK(c.log_format == log::format::json);
    CHECK(c.retention_days == 365);
    // Switching TLS verification off is said loudly.
    REQUIRE(c.warnings.size() == 1);
    CHECK(c.warnings[0].find("ODOO_TLS_VERIFY=false") == 0);
}

TEST_CASE("an empty value counts as unset (L-49)")
{
    environment e;
    for (const char* name : {"PLC_PORT", "PLC_TIMEOUT", "PLC_TIMEZONE", "LINE_NAME", "LINES_FILE", "PLC_WRITES", "ODOO_API", "ODOO_API_KEY", "ODOO_API_KEY_FILE", "ODOO_PASSWORD_FILE",
                             "DATABASE_URL_FILE", "ODOO_TIMEOUT", "ODOO_MAX_RESPONSE", "ODOO_ORDER_DOMAIN", "SYNC_HORIZON", "SYNC_INTERVAL", "SYNC_INTERVAL_MINUTES",
                             "SYNC_BATCH_LIMIT", "MARK_DONE", "EXPECTED_BATCH_MAX_KG", "HTTP_LISTEN", "LOG_LEVEL", "RETENTION_DAYS", "ODOO_CA_FILE"})
        e.vars[name] = "";
    const auto c = e.load();
    CHECK(c.lines.at(0).port == 502);
    CHECK(c.lines.at(0).timezone == "UTC");
    CHECK(c.auto_sync_mo.interval == 60min);
    CHECK(c.http_port == 8080);
    CHECK(c.mark_done);
    CHECK(c.warnings.empty());

    CHECK(bb_test::only_fault(with({{"PLC_HOST", ""}})) == "PLC_HOST is required and not set");
}

TEST_CASE("the old interval names are read as minutes, with a warning (L-49)")
{
    const std::pair<const char*, task_config config::*> names[] = {{"SYNC_INTERVAL", &config::auto_sync_mo}, {"PLC_READ_INTERVAL", &config::plc_read_sync},
        {"PROCESS_COMPLETED_INTERVAL", &config::process_completed}, {"HEALTH_MONITOR_INTERVAL", &config::health_monitor},
        {"EQUIPMENT_FAILURE_INTERVAL", &config::equipment_failure}, {"CLEANUP_INTERVAL", &config::cleanup}};
    for (const auto& [name, member] : names) {
        INFO(name);
        const auto old = std::string(name) + "_MINUTES";
        const auto c = with({{old, "7"}}).load();
        CHECK((c.*member).interval == 7min);
        REQUIRE(c.warnings.size() == 1);
        CHECK(c.warnings[0] == old + " is an old name, use " + name + "=7m");
        CHECK(bb_test::only_fault(with({{old, "7"}, {name, "7m"}})) == std::string(name) + " and its old name " + old + " are both set, expected one of them");
        const auto wrong = bb_test::only_fault(with({{old, "often"}}));
        CHECK(wrong.find(old + ": 'often' is not valid, expected minutes") == 0);
        CHECK_FALSE(with({{old, "0"}}).faults().empty());
        CHECK_FALSE(with({{old, "-1"}}).faults().empty());
        CHECK_FALSE(with({{old, "1.5"}}).faults().empty());
    }
    CHECK(with({{"SYNC_INTERVAL_MINUTES", "90s"}}).load().auto_sync_mo.interval == 90s);
}

TEST_CASE("several lines come from LINES_FILE, with PLC_TIMEOUT, PLC_MAP and PLC_TIMEZONE as their defaults")
{
    environment e = with({{"LINES_FILE", "/etc/lines.json"}, {"PLC_HOST", ""}, {"PLC_TIMEOUT", "3s"}, {"PLC_MAP", "common.json"}});
    e.files["/etc/lines.json"] = R"([
        {"name": "a", "host": "10.0.0.5", "order_domain": [["picking_type_id","=",5]]},
        {"name": "b", "host": "fe80::1", "port": 1502, "unit_id": 7, "map": "b.json", "timezone": "Asia/Jakarta", "timeout": "900ms", "order_domain": [["picking_type_id","=",6]]}])";
    const auto c = e.load();
    REQUIRE(c.lines.size() == 2);
    CHECK(c.lines[0].name == "a");
    CHECK(c.lines[0].port == 502);
    CHECK(c.lines[0].unit_id == 1);
    CHECK(c.lines[0].timeout == 3s);
    CHECK(c.lines[0].map == "common.json");
    CHECK(c.lines[0].timezone == "UTC");
    CHECK(c.lines[1].name == "b");
    CHECK(c.lines[1].host == "fe80::1");
    CHECK(c.lines[1].port == 1502);
    CHECK(c.lines[1].unit_id == 7);
    CHECK(c.lines[1].timeout == 900ms);
    CHECK(c.lines[1].map == "b.json");
    CHECK(c.lines[1].timezone == "Asia/Jakarta");
    CHECK(json::serialize(c.lines[1].order_domain) == R"([["picking_type_id","=",6]])");
}

TEST_CASE("a single line of LINES_FILE needs no domain")
{
    environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
    e.files["lines"] = R"([{"name": "only", "host": "10.0.0.5"}])";
    CHECK(e.load().lines.at(0).name == "only");
}

TEST_CASE("listening addresses with a name, IPv4, IPv6 and port 0 are accepted")
{
    const std::tuple<const char*, const char*, int> good[] = {{"0.0.0.0:8080", "0.0.0.0", 8080}, {"localhost:1", "localhost", 1}, {"[::]:65535", "::", 65535}, {"127.0.0.1:0", "127.0.0.1", 0}};
    for (const auto& [text, host, port] : good) {
        INFO(text);
        const auto c = with({{"HTTP_LISTEN", text}}).load();
        CHECK(c.http_host == host);
        CHECK(c.http_port == port);
    }
}

TEST_CASE("a line of LINES_FILE may have quirks and request limits of its own")
{
    environment e = with({{"LINES_FILE", "lines"}, {"PLC_HOST", ""}});
    e.files["lines"] = R"([
        {"name": "a", "host": "10.0.0.5", "order_domain": [["id",">",1]]},
        {"name": "b", "host": "10.0.0.6", "order_domain": [["id","<",1]], "limits": {"max_read": 20, "max_write": 123},
         "quirks": {"pause_after_connect": "1m", "pause_between_requests": "0ms", "close_after_cycle": true, "second_host": "10.0.0.7"}},
        {"name": "c", "host": "10.0.0.8", "order_domain": [["id","=",1]], "limits": {}, "quirks": {"second_host": null, "close_after_cycle": false}}])";
    const auto c = e.load();
    REQUIRE(c.lines.size() == 3);
    const auto &none = c.lines[0].quirks, &all = c.lines[1].quirks, &some = c.lines[2].quirks;
    CHECK_FALSE(none.pause_after_connect);
    CHECK_FALSE(none.close_after_cycle);
    CHECK_FALSE(none.second_host);
    CHECK_FALSE(none.max_read);
    CHECK(all.pause_after_connect == 60s);
    CHECK(all.pause_between_requests == 0s);
    CHECK(all.close_after_cycle == true);
    CHECK(all.second_host == "10.0.0.7");
    CHECK(all.max_read == 20);
    CHECK(all.max_write == 123);
    CHECK(some.second_host == "");
    CHECK(some.close_after_cycle == false);
    CHECK_FALSE(some.max_write);
}
