// probe, migrate, healthcheck: the commands that talk to the outside once and end.
#include "commands.hpp"

#include "core/deadline.hpp"
#include "core/error.hpp"
#include "data_files.hpp"
#include "domain/interpretations.hpp"
#include "domain/register_table.hpp"
#include "domain/snapshot.hpp"
#include "http/client.hpp"
#include "odoo/factory.hpp"
#include "options.hpp"
#include "pg/migrations.hpp"
#include "pg/pool.hpp"
#include "plc/modbus_device.hpp"

#include <cstdio>

namespace batchbridge::app {

namespace asio = boost::asio;

namespace {

constexpr const char* database_advice = "is PostgreSQL up, and DATABASE_URL right (host, port, user, password, database)?";

// The server's text may have several lines.
std::string on_one_line(std::string text)
{
    for (auto& c : text)
        if (c == '\n' || c == '\t') c = ' ';
    return text;
}

// Prints one line and returns whether it went well; `advice` says where to look when it did not.
bool report(const std::string& what, const std::function<std::string()>& attempt, const std::string& advice)
{
    try {
        fmt::print("{}: ok: {}\n", what, attempt());
        std::fflush(stdout);
        return true;
    } catch (const std::exception& e) {
        fmt::print("{}: FAILED: {}. To do: {}\n", what, on_one_line(e.what()), advice);
        std::fflush(stdout);
        return false;
    }
}

// Which commits a failover keeps. Who is connected is shown to superusers and members of pg_monitor only.
std::string replication_of(const std::string& commit, const std::string& standbys, std::int64_t connected)
{
    if (standbys.empty())
        return fmt::format("no synchronous standby (a failover may lose the last commits){}", commit == "off" ? "; synchronous_commit is off (a crash of PostgreSQL may lose them too)" : "");
    if (commit == "off" || commit == "local") return fmt::format("synchronous standby(s) '{}', but synchronous_commit is {}: a failover may lose the last commits", standbys, commit);
    return fmt::format("replication is synchronous, commits wait for '{}' ({})", standbys, connected > 0 ? fmt::format("{} connected", connected) : std::string("none seen connected"));
}

std::string probe_database(const core::config& config)
{
    std::string out;
    run_alone([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        pg::pool pool(executor, config.database_url.value, 1);
        auto connection = co_await pool.acquire();
        const auto r = co_await connection->query("select current_setting('server_version'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), "
                                                  "(select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum'))");
        out = fmt::format("PostgreSQL {}, {}", r.at(0, 0).text(), replication_of(r.at(0, 1).text(), r.at(0, 2).text(), r.at(0, 3).as_int64()));
    });
    return out;
}

std::string probe_plc(const core::line_config& line, const domain::plant_map& map)
{
    std::string out;
    run_alone([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        const auto device = plc::make_modbus_device(executor, line, map, [] { return false; });
        const auto words = co_await device->read_slot(plc::area::read, 1);
        const auto ready = co_await device->read_ready();
        const auto shown = domain::decode_slot(map, words);
        out = fmt::format("{}, slot 1 shows {}, ready word {}", device->name(), shown.empty() ? std::string("nothing") : "'" + shown.mo_id + "'", ready);
    });
    return out;
}

// Version and answer in the first line, then one line for each thing that was looked at.
std::string probe_odoo(const core::config& config, std::vector<odoo::finding>& findings)
{
    std::string out;
    run_alone([&](asio::any_io_executor executor) -> asio::awaitable<void> {
        const auto erp = odoo::make_erp(executor, config, [] { return true; });
        const auto info = co_await erp->connect();
        co_await erp->probe();
        out = fmt::format("version {} over {}{}", info.version, info.protocol, info.verified ? "" : ", not a verified version: nothing is written to it");
        findings = co_await erp->check();
    });
    return out;
}

bool report_findings(const std::vector<odoo::finding>& findings)
{
    bool good = true;
    for (const auto& f : findings) {
        const auto text = on_one_line(f.text);
        switch (f.how) {
        case odoo::finding::verdict::good: fmt::print("odoo {}: ok: {}\n", f.what, text); break;
        case odoo::finding::verdict::warning: fmt::print("odoo {}: WARNING: {}. To do: {}\n", f.what, text, f.advice); break;
        case odoo::finding::verdict::bad:
            fmt::print("odoo {}: FAILED: {}. To do: {}\n", f.what, text, f.advice);
            good = false;
            break;
        }
    }
    return good;
}

constexpr const char* probe_help = R"(usage: batchbridge probe
       batchbridge probe --address N [--line NAME]
       batchbridge probe --words A,B

Without options: tries database, every PLC and Odoo, one line each, and says what the Odoo user may and may not do;
exit code 0 only if all answer and nothing that is needed is missing.
--address reads two neighbouring registers of a PLC, --words takes two registers from the command line (no PLC and no
configuration needed); both print them in every type and word order beside each other. Let the PLC show a value you
know, like 1000.00 kg, look for it in the table, and set word_order in the plant map to the order of its line.
)";

// Two registers of a PLC in all readings. `address` counts as the map file does.
int probe_pair(const plc_line& at, const domain::dm_range& address)
{
    const int wire = address.first + at.map.address_offset;
    if (wire < 0 || wire > 65534) throw usage_error(fmt::format("--address {} is {} on the wire, possible is 0 to 65534", address.first, wire), probe_help);
    domain::words pair;
    try {
        run_alone([&](asio::any_io_executor executor) -> asio::awaitable<void> {
            const auto device = plc::make_modbus_device(executor, at.line, at.map, [] { return false; });
            pair = co_await device->read_registers(wire, 2);
        });
    } catch (const plc::error& e) {
        fmt::print("plc {}: FAILED: {}. To do: is the PLC on, are its host, port and unit id right, and does it have registers {} and {}? A PLC that allows few connections refuses this "
                   "one while batchbridge runs\n",
                   at.line.name, on_one_line(e.what()), address.first, address.first + 1);
        return exit_code::failure;
    }
    fmt::print("line {}: PLC address {}, on the wire {} (address_offset {})\n", at.line.name, address.first, wire, at.map.address_offset);
    bool known = false;
    for (const auto& r : domain::expand(at.map)) {
        if (r.address > wire + 1 || r.address + r.value.words - 1 < wire) continue;
        fmt::print("in the map: {} {}, {} from {} on\n", r.block, r.name, r.type, r.plc_address);
        known = true;
    }
    if (!known) fmt::print("the map has nothing there\n");
    for (const auto& line : domain::interpretation_table(pair[0], pair[1], at.map.words)) fmt::print("{}\n", line);
    return exit_code::ok;
}

int probe_words(const std::string& text)
{
    std::string why;
    const auto pair = domain::parse_pair(text, why);
    if (!pair) throw usage_error("--words: " + why, probe_help);
    for (const auto& line : domain::interpretation_table((*pair)[0], (*pair)[1], std::nullopt)) fmt::print("{}\n", line);
    return exit_code::ok;
}

int probe_all()
{
    const auto start = read_start_up();
    if (!start) return exit_code::configuration;
    core::log::init(core::log::level::error, start->config.log_format);
    bool good = report("database", [&] { return probe_database(start->config); }, database_advice);
    const bool one_line = !core::process_environment()("LINES_FILE");
    const std::string address = one_line ? "PLC_HOST, PLC_PORT and PLC_UNIT_ID" : "its host, port and unit_id in LINES_FILE";
    for (const auto& line : start->config.lines)
        good = report("plc " + line.name, [&] { return probe_plc(line, start->maps.at(line.name)); },
                      "is the PLC on and its Modbus server enabled, are " + address + " right, and does check-map fit the PLC program?") && good;
    const char* secret = start->config.odoo_api_key.empty() ? "ODOO_PASSWORD" : "ODOO_API_KEY";
    std::vector<odoo::finding> findings;
    good = report("odoo", [&] { return probe_odoo(start->config, findings); }, fmt::format("is Odoo up, and are ODOO_URL, ODOO_DB, ODOO_USERNAME and {} right?", secret)) && good;
    good = report_findings(findings) && good;
    return good ? exit_code::ok : exit_code::failure;
}

}  // namespace

int probe(const arguments& args)
{
    namespace po = boost::program_options;
    po::options_description known("options");
    known.add_options()("address", po::value<std::string>(), "the first of two registers, as the plant map counts: 6028 or D6028")(
        "words", po::value<std::string>(), "two registers: 1,34464 or 0x0001,0x86A0")("line", po::value<std::string>(), "with --address: the line, when LINES_FILE has several");
    const auto options = parse_options(args, probe_help, std::move(known));
    if (!options) return exit_code::ok;
    const bool address = options->count("address") > 0, words = options->count("words") > 0, line = options->count("line") > 0;
    if (address && words) throw usage_error("--address and --words are both given, expected one of them", probe_help);
    if (line && !address) throw usage_error("--line belongs to --address", probe_help);
    if (words) return probe_words((*options)["words"].as<std::string>());
    if (address) {
        const auto text = (*options)["address"].as<std::string>();
        const auto range = domain::parse_dm_address(text);
        if (!range || range->words > 2) throw usage_error(fmt::format("--address '{}' is no register, expected a number like 6028 or D6028", text), probe_help);
        return probe_pair(choose_line(line ? std::optional((*options)["line"].as<std::string>()) : std::nullopt, probe_help), *range);
    }
    return probe_all();
}

int migrate()
{
    const auto start = read_start_up();
    if (!start) return exit_code::configuration;
    const auto directory = find_data("conf/migrations");
    if (!directory) {
        fmt::print(stderr, "conf/migrations is neither in the working directory nor in the installed data directory\n");
        return exit_code::configuration;
    }
    int result = exit_code::ok;
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        pg::pool pool(executor, start->config.database_url.value, 1);
        const auto done = co_await pg::migrate(pool, *directory);
        if (done.newer_schema) {
            fmt::print(stderr, "the database schema is at {}, newer than this version knows ({}): update batchbridge\n", done.database_version, done.known_version);
            result = exit_code::failure;
            co_return;
        }
        for (const auto& name : done.applied) fmt::print("applied {}\n", name);
        fmt::print("schema is at {}\n", done.known_version);
    };
    try {
        run_alone(body);
    } catch (const pg::error& e) {
        const bool connecting = e.operation().starts_with("connect") || e.operation().starts_with("resolve");
        fmt::print(stderr, "migrate: FAILED: {}{}\n", on_one_line(e.what()), connecting ? fmt::format(". To do: {}", database_advice) : std::string());
        result = exit_code::failure;
    }
    return result;
}

int healthcheck()
{
    // Only HTTP_LISTEN matters here: a broken rest of the configuration is the running process's matter.
    const auto listen = core::process_environment()("HTTP_LISTEN").value_or("127.0.0.1:8080");
    const auto colon = listen.rfind(':');
    std::string host = colon == std::string::npos ? listen : listen.substr(0, colon);
    const std::string port = colon == std::string::npos ? "8080" : listen.substr(colon + 1);
    if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
    if (host == "[::]") host = "[::1]";
    const std::string url = fmt::format("http://{}:{}/healthz", host, port);
    const auto ask = [&] {
        run_alone([&](asio::any_io_executor executor) -> asio::awaitable<void> {
            http::client client(executor, http::client_options::plain(url));
            http::request request;
            request.method = "GET";
            request.target = "";
            request.deadline = std::chrono::seconds(3);
            const auto answer = co_await client.send(request);
            if (answer.status != 200)
                throw core::error(core::error_kind::rejected, "GET /healthz", url, "the answer was not 200", std::to_string(answer.status));
        });
        return std::string(url);
    };
    return report("healthz", ask, "is batchbridge running, with this HTTP_LISTEN?") ? exit_code::ok : exit_code::failure;
}

}  // namespace batchbridge::app
