// Every command of the program but `run`, as a person or a container starts it: exit code, what is said where, no secret.
#include "e2e/command_bench.hpp"

using namespace bb_test;
using Catch::Matchers::Contains;

namespace {

plant_options nothing_runs()
{
    plant_options o;
    o.start_plc = o.start_odoo = o.start_database = false;
    return o;
}

}  // namespace

TEST_CASE("help and version need no configuration, wrong usage is 64 and says what is right")
{
    command_bench b(nothing_runs());
    b.env = {{"PATH", b.env["PATH"]}};
    for (const auto* help : {"--help", "-h", "help"}) {
        const auto o = b.run({help});
        CHECK(o.code == 0);
        CHECK(o.err.empty());
        for (const auto* command : {"run", "check-config", "check-map [FILE]", "probe", "snapshot", "replay FILE", "migrate", "healthcheck", "--version"}) CHECK_THAT(o.out, Contains(command));
    }
    const auto version = b.run({"--version"});
    CHECK(version.code == 0);
    CHECK_THAT(version.out, Catch::Matches("batchbridge \\d+\\.\\d+\\.\\d+\n"));

    const std::vector<std::vector<std::string>> wrong{{"nosuch"}, {"--verbose"}, {""}, {"run", "now"}, {"check-config", "x"}, {"check-map", "a", "b"}, {"probe", "plc"}, {"migrate", "x"},
                                                      {"healthcheck", "x"}, {"--help", "x"}, {"--version", "x"}, {"snapshot", "now"}, {"snapshot", "--colour"}, {"snapshot", "--format", "xml"},
                                                      {"snapshot", "--form", "csv"}, {"replay", "a", "b"}, {"replay", "--colour"}, {"probe", "--words", "1"}, {"probe", "--address", "x1"}};
    for (const auto& arguments : wrong) {
        const auto o = b.run(arguments);
        CHECK(o.code == 64);
        CHECK(o.out.empty());
        CHECK_THAT(o.err, Catch::StartsWith("batchbridge: ") && Contains("usage: batchbridge") && (Contains(arguments.back()) || Contains("'--form'")));
    }
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"replay"}, {"probe", "--address", "1", "--words", "1,2"}, {"probe", "--line", "a"}, {"replay", "f", "--map", "m", "--line", "l"}, {"snapshot", "--line"}}) {
        const auto o = b.run(arguments);
        CHECK(o.code == 64);
        CHECK_THAT(o.err, Contains("usage: batchbridge " + arguments.front()));
    }
    for (const std::string command : {"run", "check-config", "check-map", "probe", "snapshot", "replay", "migrate", "healthcheck"}) {
        const auto o = b.run({command, "--help"});
        CHECK(o.code == 0);
        CHECK(o.err.empty());
        CHECK_THAT(o.out, Catch::StartsWith("usage: batchbridge ") && Contains(command));
    }
}

TEST_CASE("check-config shows what is effective, secrets masked, and connects to nothing")
{
    command_bench b(nothing_runs());
    const auto o = b.run({"check-config"});
    CHECK(o.code == 0);
    CHECK(o.err.empty());
    CHECK_THAT(line_of(o.out, "DATABASE_URL="), Contains("***") && Contains("environment"));
    CHECK_THAT(line_of(o.out, "ODOO_PASSWORD="), Contains("***"));
    CHECK_THAT(line_of(o.out, "PLC_READ_INTERVAL="), Contains("100ms"));
    CHECK_THAT(line_of(o.out, "RETENTION_DAYS="), Contains("30") && Contains("default"));
    CHECK_THAT(line_of(o.out, "line line1:"), Contains("10 slots and 15 silos"));

    const auto key = b.run({"check-config"}, {{"ODOO_PASSWORD", ""}, {"ODOO_API_KEY_FILE", b.file("key", std::string(key_secret) + "\n")}, {"SYNC_INTERVAL", ""}, {"SYNC_INTERVAL_MINUTES", "5"}});
    CHECK(key.code == 0);
    CHECK_THAT(line_of(key.out, "ODOO_API_KEY="), Contains("***") && Contains("file"));
    CHECK_THAT(key.out, Contains("warning: SYNC_INTERVAL_MINUTES is an old name"));
}

TEST_CASE("every fault of the configuration is listed at once by every command that needs it, with exit code 78")
{
    command_bench b(nothing_runs());
    const auto no_pem = b.file("no.pem", "this is no certificate\n");
    const auto broken_map = b.file("broken.json", "{\"version\": 2}");
    const auto lines = b.file("lines.json", R"([{"name": "one", "host": "127.0.0.1", "map": ")" + broken_map + R"(", "order_domain": [["id", ">", 0]]},
                                                {"name": "two", "host": "127.0.0.2", "map": "no-such-map.json", "order_domain": [["id", "<", 0]]}])");
    const environment faults{{"PLC_TIMEOUT", "2"}, {"ODOO_API", "scada"}, {"ODOO_CA_FILE", no_pem}, {"HTTP_LISTEN", "somewhere:8080"},
                             {"DATABASE_URL", std::string("postgresql://test:") + db_secret + "@127.0.0.1/x?sslmod=require"}, {"LINES_FILE", lines}, {"PLC_HOST", ""}, {"PLC_PORT", ""}, {"PLC_MAP", ""}};
    for (const auto* command : {"check-config", "run", "probe", "migrate"}) {
        CAPTURE(command);
        const auto o = b.run({command}, faults);
        CHECK(o.code == 78);
        CHECK(o.out.empty());
        CHECK_THAT(line_of(o.err, "configuration: PLC_TIMEOUT"), Contains("'2' is not valid") && Contains("a duration above 0"));
        CHECK_THAT(o.err, Contains("ODOO_API=scada serves one line") && Contains("ODOO_API=scada cannot restrict orders, and line two"));
        CHECK_THAT(line_of(o.err, "configuration: ODOO_CA_FILE"), Contains(no_pem) && Contains("PEM"));
        CHECK_THAT(line_of(o.err, "configuration: HTTP_LISTEN"), Contains("'somewhere:8080'") && Contains("127.0.0.1:8080"));
        CHECK_THAT(line_of(o.err, "configuration: DATABASE_URL"), Contains("query parameter"));
        CHECK_THAT(line_of(o.err, broken_map + ": version"), Contains("expected 1"));
        CHECK_THAT(line_of(o.err, broken_map + ": slots"), Contains("is missing"));
        CHECK_THAT(o.err, Contains("'no-such-map.json' is neither in the working directory"));
    }
}

TEST_CASE("each fault that shows only when parts are built is one of the configuration, alone too")
{
    struct row {
        environment changes;
        std::string said;
    };
    command_bench b(nothing_runs());
    const auto url = [](const std::string& rest) { return std::string("postgresql://test:") + db_secret + rest; };
    const std::vector<row> rows{
        {{{"ODOO_API", "json2"}}, "ODOO_API"},
        {{{"ODOO_API", "scada"}, {"ODOO_ORDER_DOMAIN", "[[\"id\", \">\", 0]]"}}, "ODOO_API"},
        {{{"ODOO_CA_FILE", b.file("no.pem", "no certificate")}}, "ODOO_CA_FILE"},
        {{{"ODOO_CA_FILE", b.file("empty.pem", "")}, {"ODOO_URL", "https://127.0.0.1:1"}}, "ODOO_CA_FILE"},
        {{{"ODOO_CA_FILE", b.p.directory()}}, "ODOO_CA_FILE"},
        {{{"DATABASE_URL", url("@127.0.0.1/x?sslmod=require")}}, "DATABASE_URL"},
        {{{"DATABASE_URL", url("@127.0.0.1/x?sslmode=requires")}}, "DATABASE_URL"},
        {{{"DATABASE_URL", url("%zz@127.0.0.1/x")}}, "DATABASE_URL"},
        {{{"DATABASE_URL", url("@127.0.0.1:5432x/x")}}, "DATABASE_URL"},
        {{{"DATABASE_URL", url("@a:1,b:2,c:3/x?port=1,2")}}, "DATABASE_URL"},
        {{{"DATABASE_URL_FILE", b.file("url", url("@127.0.0.1/x?%"))}, {"DATABASE_URL", ""}}, "DATABASE_URL"},
        {{{"PLC_MAP", b.p.directory()}}, "cannot be read"}};
    for (const auto& r : rows) {
        const auto check = b.run({"check-config"}, r.changes), run = b.run({"run"}, r.changes);
        CAPTURE(r.said);
        CHECK(check.code == 78);
        CHECK(run.code == 78);
        CHECK_THAT(check.err, Contains(r.said));
        CHECK(occurrences(check.err, "\n") == 1);
        CHECK(run.err == check.err);
        CHECK(run.out.empty());
    }
}

TEST_CASE("check-map prints every register, of the file given or of the maps in use")
{
    command_bench b(nothing_runs());
    const auto shipped = b.run({"check-map"}, {{"PLC_MAP", ""}});
    CHECK(shipped.code == 0);
    CHECK(shipped.err.empty());
    CHECK_THAT(shipped.out, Contains("WRITE 2") && Contains("silo_101_quantity") && Contains("conf/plc-map.json: 10 slots, 15 silos, no fault"));
    CHECK_THAT(line_of(shipped.out, "   7076"), Contains("status_read_data") && Contains("WRITE 1"));
    CHECK(b.run({"check-map", "conf/plc-map.json"}).out == shipped.out);
    // What an engineer compares with the PLC program: the base, who writes, a value in registers, the handshake.
    CHECK_THAT(shipped.out, Contains("READ slot 1 begins at PLC 6000, wire 6000") && Contains("1000.00 kg") && Contains("1,34464 (0x0001 0x86A0)") &&
                                Contains("22344,12109,20271,12336,12337,13312,0,0") && Contains("The PLC takes the load when 7076 is 0"));
    CHECK_THAT(line_of(shipped.out, "   6028"), Contains("READ 1") && Contains("i32") && Contains("/100") && Contains("ABCD") && Contains("kg") && Contains("PLC"));

    auto text = read_text(BATCHBRIDGE_ROOT "/conf/plc-map.json");
    text.replace(text.find("\"count\": 10"), 11, "\"count\": 5");
    const auto other = b.file("five.json", text);
    CHECK_THAT(b.run({"check-map"}, {{"PLC_MAP", other}}).out, Contains("five.json: 5 slots"));
    const auto lines = b.file("lines.json", R"([{"name": "one", "host": "127.0.0.1", "order_domain": [["id", ">", 0]]},
                                                {"name": "two", "host": "127.0.0.2", "map": ")" + other + R"(", "order_domain": [["id", "<", 0]]}])");
    const auto both = b.run({"check-map"}, {{"LINES_FILE", lines}, {"PLC_MAP", ""}, {"DATABASE_URL", ""}});
    CHECK(both.code == 0);
    CHECK_THAT(both.out, Contains("conf/plc-map.json: 10 slots") && Contains("five.json: 5 slots"));

    text.replace(text.find("\"stride\": 100"), 13, "\"stride\": 10, \"colour\": 1");
    const auto broken = b.run({"check-map", b.file("broken.json", text)});
    CHECK(broken.code == 78);
    CHECK(broken.out.empty());
    CHECK_THAT(broken.err, Contains("slots.stride: 10 is less than") && Contains("slots.colour: unknown key"));
    const auto missing = b.run({"check-map", "no-such-map.json"});
    CHECK(missing.code == 78);
    CHECK_THAT(missing.err, Contains("no-such-map.json") && !Contains("PLC_MAP"));
    CHECK(b.run({"check-map", b.file("text.json", "{")}).code == 78);
}

TEST_CASE("probe says of database, PLC and Odoo whether they answer, and what to look at when not")
{
    command_bench b;
    const auto all = b.run({"probe"});
    CHECK(all.code == 0);
    CHECK_THAT(line_of(all.out, "database: ok"), Contains("PostgreSQL ") && Contains("no synchronous standby"));
    b.p.database().configure("synchronous_standby_names = 'walreceiver'\nsynchronous_commit = on\n");
    CHECK_THAT(line_of(b.run({"probe"}).out, "database: ok"), Contains("replication is synchronous, commits wait for 'walreceiver'"));
    b.p.database().configure("synchronous_standby_names = 'walreceiver'\nsynchronous_commit = off\n");
    CHECK_THAT(line_of(b.run({"probe"}).out, "database: ok"), Contains("synchronous_commit is off: a failover may lose the last commits"));
    b.p.database().configure("synchronous_standby_names = ''\n");
    CHECK_THAT(line_of(all.out, "plc line1: ok"), Contains("slot 1 shows nothing") && Contains("ready word"));
    CHECK_THAT(line_of(all.out, "odoo: ok"), Contains("version 18.0"));
    for (const auto* what : {"database", "login", "version", "orders", "equipment", "e-mail", "clock"}) CHECK_FALSE(line_of(all.out, std::string("odoo ") + what + ": ok").empty());

    const auto password = b.run({"probe"}, {{"ODOO_PASSWORD", key_secret}});
    CHECK(password.code == 1);
    CHECK_THAT(line_of(password.out, "odoo: FAILED"), Contains("ODOO_PASSWORD"));
    const auto other_map = b.run({"probe"}, {{"PLC_UNIT_ID", "9"}});
    CHECK_THAT(line_of(other_map.out, "plc line1:"), Contains("unit 9"));

    const auto failed = [&](const std::string& what, const std::string& hint) {
        const auto o = b.run({"probe"});
        CHECK(o.code == 1);
        CHECK_THAT(line_of(o.out, what + ": FAILED"), Contains(hint));
        for (const std::string part : {"database", "plc line1", "odoo"}) CHECK_FALSE(line_of(o.out, part + (part == what ? ": FAILED" : ": ok")).empty());
    };
    b.p.stop_plc();
    failed("plc line1", "PLC_HOST");
    b.p.start_plc();
    b.p.stop_odoo();
    failed("odoo", "ODOO_URL");
    b.p.start_odoo();
    b.p.database().stop();
    failed("database", "DATABASE_URL");
}

TEST_CASE("probe names each right, address and clock that is not as it must be, and what to do (L-47)")
{
    command_bench b;
    b.p.odoo("/options", R"({"rights": {"mrp.production.write": false}, "email": false, "equipment_visible": false, "clock_shift_s": 300})");
    const auto o = b.run({"probe"});
    CHECK(o.code == 1);
    CHECK_THAT(line_of(o.out, "odoo orders: FAILED"), Contains("may not write") && Contains("To do: ") && Contains("Manufacturing / User"));
    CHECK_THAT(line_of(o.out, "odoo e-mail: FAILED"), Contains("no e-mail address") && Contains("To do: "));
    CHECK_THAT(line_of(o.out, "odoo equipment: WARNING"), Contains("Equipment Manager"));
    CHECK_THAT(line_of(o.out, "odoo clock: FAILED"), Contains("ahead of ours") && Contains("NTP"));
    // What only makes requests poorer is no failure.
    b.p.odoo("/options", R"({"rights": {"mrp.production.write": true}, "email": true, "clock_shift_s": 0})");
    CHECK(b.run({"probe"}).code == 0);
    b.p.odoo("/options", R"({"version": "17.0"})");
    CHECK_THAT(line_of(b.run({"probe"}).out, "odoo version: WARNING"), Contains("17.0") && Contains("ODOO_UNVERIFIED_VERSION"));
}

TEST_CASE("readiness tells what the start-up check of Odoo found, and that it is put right")
{
    plant_options options;
    options.start_plc = false;
    plant p(options);
    p.odoo("/options", R"({"rights": {"mrp.production.write": false}})");
    p.start_bridge();
    wait_until("the findings", seconds(30), [&] {
        try {
            return p.bridge("GET", "/readyz").text.find("may not write") != std::string::npos;
        } catch (const std::exception&) {
            return false;   // it does not listen yet
        }
    });
    const auto ready = p.bridge("GET", "/readyz");
    CHECK(ready.status == 200);
    CHECK(ready.body.at("status") == "degraded");
    bool told = false;
    for (const auto& f : ready.body.at("dependencies").at("odoo").at("findings").as_array())
        if (f.at("what") == "orders" && f.at("state") == "bad") told = f.as_object().contains("to_do");
    CHECK(told);
    CHECK_THAT(p.bridge_log(), Contains("may not write manufacturing orders") && Contains("To do: "));
}

TEST_CASE("migrate brings the schema up to date once, and fails without a database")
{
    plant_options o;
    o.start_plc = o.start_odoo = false;
    command_bench b(o);
    const auto first = b.run({"migrate"});
    CHECK(first.code == 0);
    CHECK(first.err.empty());
    CHECK_THAT(first.out, Contains("applied 0001_schema") && Contains("schema is at "));
    CHECK(b.p.sql("select (to_regclass('mo_batch') is not null)::text") == "true");
    const auto second = b.run({"migrate"});
    CHECK(second.code == 0);
    CHECK_THAT(second.out, !Contains("applied") && Catch::StartsWith("schema is at "));

    b.p.sql("insert into schema_migration (number, name, checksum) values (9999, 'later', 'x')");
    const auto newer = b.run({"migrate"});
    CHECK(newer.code == 1);
    CHECK_THAT(newer.err, Contains("newer"));

    auto elsewhere = b.env["DATABASE_URL"];
    elsewhere.insert(elsewhere.find("/test", elsewhere.find('@')) + 1, "no-");
    const auto refused = b.run({"migrate"}, {{"DATABASE_URL", elsewhere}});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("does not exist") && Contains("DATABASE_URL"));

    b.p.database().stop();
    const auto absent = b.run({"migrate"});
    CHECK(absent.code == 1);
    CHECK(absent.out.empty());
    CHECK_THAT(absent.err, Contains("127.0.0.1") && Contains("DATABASE_URL"));
}

TEST_CASE("healthcheck asks the running process, whatever else is wrong with its own environment")
{
    command_bench b(nothing_runs());
    const environment only_listen{{"DATABASE_URL", ""}, {"ODOO_URL", ""}, {"PLC_MAP", "no-such-map.json"}};
    const auto dead = b.run({"healthcheck"});
    CHECK(dead.code == 1);
    CHECK_THAT(dead.out + dead.err, Contains("healthz: FAILED") && Contains("HTTP_LISTEN"));

    b.p.start_bridge();
    wait_until("the HTTP port", seconds(10), [&] { return b.run({"healthcheck"}).code == 0; });
    const auto alive = b.run({"healthcheck"}, only_listen);
    CHECK(alive.code == 0);
    CHECK_THAT(alive.out, Contains("healthz: ok"));
    // In the container it listens on every address.
    CHECK(b.run({"healthcheck"}, {{"HTTP_LISTEN", "0.0.0.0:" + std::to_string(b.p.http_port())}}).code == 0);
    CHECK(b.run({"healthcheck"}, {{"HTTP_LISTEN", "localhost:" + std::to_string(b.p.http_port())}}).code == 0);
    CHECK(b.run({"healthcheck"}, {{"HTTP_LISTEN", "nonsense"}}).code == 1);

    b.p.kill_bridge();
    CHECK(b.run({"healthcheck"}).code == 1);
}

TEST_CASE("the log at the start says of each task whether it is on, and which switch says so")
{
    plant_options o;
    o.start_plc = o.start_odoo = false;
    o.environment["ENABLE_TASK_3_PROCESS_COMPLETED"] = "false";
    command_bench b(o);
    const auto said = [&](const std::string& part) { return occurrences(b.p.bridge_log(), part); };
    const std::string read_sync = "task plc_read_sync is ", stored = ": the stored switch (POST /api/v1/lines/line1/tasks/plc_read_sync)", master = ": the master switch, ENABLE_AUTO_SYNC=false";
    b.p.start_bridge();
    wait_until("the line's tasks", seconds(20), [&] { return said("task cleanup is on, every 24h: ENABLE_TASK_6_CLEANUP=true") == 1; });
    CHECK(said(read_sync + "on, every 100ms: ENABLE_TASK_2_PLC_READ=true") == 1);
    CHECK(said("task process_completed_batches is off: ENABLE_TASK_3_PROCESS_COMPLETED=false") == 1);
    CHECK(said("task equipment_failure_monitoring is on, every 5s: ENABLE_TASK_5_EQUIPMENT_FAILURE=true") == 1);
    CHECK(said("task monitor_batch_health is off: not in this version") == 1);
    for (const std::string enabled : {"false", "true"}) {
        CHECK(b.p.bridge("POST", "/api/v1/lines/line1/tasks/plc_read_sync", "{\"enabled\": " + enabled + "}", token_secret).status == 200);
        CHECK(b.p.stop_bridge() == 0);
        b.p.start_bridge();
        const auto state = enabled == "true" ? "on, every 100ms" : "off";
        wait_until("the stored switch " + enabled, seconds(20), [&] { return said(read_sync + state + stored) == 1; });
    }
    CHECK(b.p.stop_bridge() == 0);
    b.p.start_bridge({{"ENABLE_AUTO_SYNC", "false"}});
    wait_until("the master switch", seconds(20), [&] { return said("task cleanup is off" + master) == 1; });
    CHECK(said(read_sync + "off" + master) == 1);
    CHECK(b.p.stop_bridge() == 0);
    CHECK(said(token_secret) + said(odoo_secret) == 0);
}
