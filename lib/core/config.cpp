#include "core/config.hpp"

#include "core/decimal.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <date/tz.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

namespace batchbridge::core {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

std::string join_lines(const std::vector<std::string>& faults)
{
    std::string out;
    for (const auto& f : faults) out += (out.empty() ? "" : "\n") + f;
    return out;
}

std::string trimmed_newline(std::string text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

bool known_timezone(const std::string& name)
{
    try {
        date::locate_zone(name);
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

// A URL's port; the URL parser takes any digits. Empty: the scheme's.
bool possible_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
    return text.empty() || (ec == std::errc() && end == text.data() + text.size() && port != 0);
}

// What libmodbus takes: 0 (broadcast, and many a device without a unit of its own) to 247, or 255.
constexpr auto unit_id_text = "a whole number from 0 to 247, or 255";

bool possible_unit_id(std::int64_t id)
{
    return (id >= 0 && id <= 247) || id == 255;
}

std::string lower(std::string text)
{
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// Reads one variable after the other, collects every fault, and remembers what was effective.
class reader {
public:
    reader(const env_lookup& env, const file_reader& files) : env_(env), files_(files) {}

    std::vector<std::string> faults, warnings;
    std::vector<config_line> lines;

    // Empty counts as unset.
    std::optional<std::string> raw(const std::string& name)
    {
        auto v = env_(name);
        if (v && v->empty()) v.reset();
        return v;
    }

    void fault(const std::string& name, const std::string& value, const std::string& expected)
    {
        faults.push_back(fmt::format("{}: '{}' is not valid, expected {}", name, value, expected));
    }

    void note(const std::string& name, const std::string& value, bool given)
    {
        lines.push_back({name, value, given ? "environment" : "default"});
    }

    std::string text(const std::string& name, const std::string& fallback, bool required = false)
    {
        const auto v = raw(name);
        if (!v && required) faults.push_back(fmt::format("{} is required and not set", name));
        note(name, v.value_or(fallback), v.has_value());
        return v.value_or(fallback);
    }

    bool flag(const std::string& name, bool fallback)
    {
        const auto v = raw(name);
        bool out = fallback;
        if (v) {
            if (*v == "true" || *v == "1" || *v == "yes" || *v == "on") out = true;
            else if (*v == "false" || *v == "0" || *v == "no" || *v == "off") out = false;
            else fault(name, *v, "true or false");
        }
        note(name, out ? "true" : "false", v.has_value());
        return out;
    }

    std::int64_t number(const std::string& name, std::int64_t fallback, std::int64_t low, std::int64_t high)
    {
        const auto v = raw(name);
        std::int64_t out = fallback;
        if (v) {
            const auto [end, ec] = std::from_chars(v->data(), v->data() + v->size(), out);
            if (ec != std::errc() || end != v->data() + v->size() || out < low || out > high) {
                fault(name, *v, fmt::format("a whole number from {} to {}", low, high));
                out = fallback;
            }
        }
        note(name, std::to_string(out), v.has_value());
        return out;
    }

    int unit_id(const std::string& name, int fallback)
    {
        const auto v = raw(name);
        int out = fallback;
        if (v) {
            const auto [end, ec] = std::from_chars(v->data(), v->data() + v->size(), out);
            if (ec != std::errc() || end != v->data() + v->size() || !possible_unit_id(out)) {
                fault(name, *v, unit_id_text);
                out = fallback;
            }
        }
        note(name, std::to_string(out), v.has_value());
        return out;
    }

    std::optional<duration> length_of(const std::string& name, const std::string& value, bool zero_allowed = false)
    {
        const auto d = parse_duration(value);
        if (!d || (!zero_allowed && *d == duration::zero())) {
            fault(name, value, "a duration above 0 with its unit, like 500ms, 5s, 3m or 1h");
            return std::nullopt;
        }
        return d;
    }

    duration length(const std::string& name, duration fallback)
    {
        const auto v = raw(name);
        auto out = fallback;
        if (v) out = length_of(name, *v).value_or(fallback);
        note(name, to_string(out), v.has_value());
        return out;
    }

    // NAME, or the predecessor's NAME_MINUTES with a bare number.
    duration interval(const std::string& name, duration fallback)
    {
        const auto old_name = name + "_MINUTES";
        const auto old = raw(old_name);
        if (!old) return length(name, fallback);
        auto out = fallback;
        if (raw(name)) {
            faults.push_back(fmt::format("{} and its old name {} are both set, expected one of them", name, old_name));
        } else {
            std::int64_t minutes = 0;
            const auto [end, ec] = std::from_chars(old->data(), old->data() + old->size(), minutes);
            if (ec == std::errc() && end == old->data() + old->size() && minutes > 0 && minutes <= 525600) out = std::chrono::minutes(minutes);
            else if (const auto d = parse_duration(*old); d && *d > duration::zero()) out = *d;
            else fault(old_name, *old, "minutes as a whole number above 0, or a duration with its unit");
            warnings.push_back(fmt::format("{} is an old name, use {}={}", old_name, name, to_string(out)));
        }
        note(name, to_string(out), true);
        return out;
    }

    secret hidden(const std::string& name, bool required = false)
    {
        secret out;
        const auto direct = raw(name), file = raw(name + "_FILE");
        if (direct && file) {
            faults.push_back(fmt::format("{} and {}_FILE are both set, expected one of them", name, name));
        } else if (file) {
            try {
                out.value = trimmed_newline(files_(*file));
                out.file = *file;
                if (out.value.empty()) faults.push_back(fmt::format("{}_FILE: '{}' is empty", name, *file));
            } catch (const std::exception& e) {
                faults.push_back(fmt::format("{}_FILE: '{}' cannot be read: {}", name, *file, e.what()));
            }
        } else if (direct) {
            out.value = *direct;
        } else if (required) {
            faults.push_back(fmt::format("{} is required and not set (or {}_FILE with the path of a file that holds it)", name, name));
        }
        lines.push_back({name, out.empty() ? "" : "***", file ? "file " + *file : direct ? "environment" : "default"});
        return out;
    }

    template <class E>
    E choice(const std::string& name, const std::vector<std::pair<std::string, E>>& values, E fallback)
    {
        const auto v = raw(name);
        std::string shown, all;
        auto out = fallback;
        bool found = !v;
        for (const auto& [text, value] : values) {
            all += (all.empty() ? "" : ", ") + text;
            if (v && *v == text) {
                out = value;
                found = true;
            }
        }
        if (!found) fault(name, *v, "one of " + all);
        for (const auto& [text, value] : values)
            if (value == out) shown = text;
        note(name, shown, v.has_value());
        return out;
    }

    std::optional<json::array> domain(const std::string& place, const std::string& value)
    {
        boost::system::error_code ec;
        auto parsed = json::parse(value, ec);
        if (ec || !parsed.is_array()) {
            fault(place, value, "an Odoo domain as a JSON array, like [[\"picking_type_id\",\"=\",5]]");
            return std::nullopt;
        }
        return std::move(parsed.get_array());
    }

private:
    const env_lookup& env_;
    const file_reader& files_;
};

void read_lines_file(reader& r, const file_reader& files, const std::string& path, config& c, const line_config& defaults)
{
    const auto complain = [&](const std::string& place, const std::string& what) {
        r.faults.push_back(fmt::format("LINES_FILE {}: {}: {}", path, place, what));
    };
    json::value root;
    try {
        boost::system::error_code ec;
        root = json::parse(files(path), ec);
        if (ec) return complain("file", "is not valid JSON: " + ec.message());
    } catch (const std::exception& e) {
        return complain("file", std::string("cannot be read: ") + e.what());
    }
    if (!root.is_array() || root.get_array().empty()) return complain("file", "expected a list of lines with at least one");
    std::set<std::string> names;
    std::map<std::tuple<std::string, std::uint16_t, int>, std::string> plcs;   // and the line that has it
    std::size_t index = 0;
    for (const auto& item : root.get_array()) {
        const auto place = fmt::format("[{}]", index++);
        if (!item.is_object()) {
            complain(place, "expected an object");
            continue;
        }
        line_config line = defaults;
        line.name.clear();
        line.host.clear();
        line.order_domain.clear();
        bool has_domain = false, address_good = true;
        for (const auto& member : item.get_object()) {
            const std::string key(member.key());
            const auto& value = member.value();
            const auto here = fmt::format("{}.{}", place, key);
            const auto text = [&]() -> std::string {
                if (value.is_string() && !value.get_string().empty()) return std::string(value.get_string());
                complain(here, "expected a text");
                return {};
            };
            const auto whole = [&](std::int64_t low, std::int64_t high) -> std::int64_t {
                if (value.is_int64() && value.get_int64() >= low && value.get_int64() <= high) return value.get_int64();
                complain(here, fmt::format("expected a whole number from {} to {}", low, high));
                return low;
            };
            if (key == "name") line.name = text();
            else if (key == "host") line.host = text();
            else if (key == "port") {
                const auto before = r.faults.size();
                line.port = static_cast<std::uint16_t>(whole(1, 65535));
                address_good = address_good && r.faults.size() == before;
            } else if (key == "unit_id") {
                const bool good = value.is_int64() && possible_unit_id(value.get_int64());
                if (good) line.unit_id = static_cast<int>(value.get_int64());
                else complain(here, std::string("expected ") + unit_id_text);
                address_good = address_good && good;
            } else if (key == "map") line.map = text();
            else if (key == "timezone") {
                line.timezone = text();
                if (!line.timezone.empty() && !known_timezone(line.timezone)) complain(here, fmt::format("'{}' is not a known time zone", line.timezone));
            } else if (key == "timeout") {
                const auto d = parse_duration(text());
                if (d && *d > duration::zero()) line.timeout = *d;
                else complain(here, "expected a duration with its unit, like 2s");
            } else if (key == "order_domain") {
                if (value.is_array()) line.order_domain = value.get_array();
                else complain(here, "expected an Odoo domain as an array");
                has_domain = value.is_array() && !value.get_array().empty();
            } else if (key == "quirks") {
                read_quirks(value, here, complain, line.quirks);
            } else if (key == "limits") {
                read_limits(value, here, complain, line.quirks);
            } else {
                complain(here, "unknown key");
            }
        }
        if (line.name.empty()) complain(place, "name is missing");
        else if (!names.insert(line.name).second) complain(place + ".name", "'" + line.name + "' is used twice");
        if (line.host.empty()) complain(place, "host is missing");
        if (root.get_array().size() > 1 && !has_domain) complain(place, "several lines need an order_domain each, else they take each other's orders");
        // A line is one PLC: a second line would load into the same slots. A gateway tells its devices apart by unit id.
        // (The same device by another name or address shows at the PLC, as orders nobody knows.)
        if (address_good && !line.host.empty()) {
            const auto [first, is_new] = plcs.try_emplace({lower(line.host), line.port, line.unit_id}, fmt::format("{} '{}'", place, line.name));
            if (!is_new)
                complain(place, fmt::format("'{}' is the same PLC as {} ({} port {} unit {}), expected one line per PLC", line.name, first->second, line.host, line.port, line.unit_id));
            const auto& second_host = line.quirks.second_host;
            if (second_host && !second_host->empty()) {
                const auto [other, free] = plcs.try_emplace({lower(*second_host), line.port, line.unit_id}, fmt::format("{} '{}'", place, line.name));
                if (!free)
                    complain(place + ".quirks.second_host", fmt::format("'{}' is the address of {} already (port {} unit {}), expected another one", *second_host, other->second, line.port, line.unit_id));
            }
        }
        c.lines.push_back(std::move(line));
    }
}

void read_odoo(reader& r, config& c)
{
    c.odoo_url = r.text("ODOO_URL", "", true);
    if (!c.odoo_url.empty()) {
        const auto url = boost::urls::parse_uri(c.odoo_url);
        const bool good = url.has_value() && (url->scheme() == "http" || url->scheme() == "https") && !url->host().empty() && !url->has_query() && !url->has_fragment() &&
                          possible_port(std::string_view(url->port().data(), url->port().size())) &&
                          (url->encoded_path().empty() || url->encoded_path().front() == '/');  // "host:80a" parses as port 80, path "a"
        const auto faults_before = r.faults.size();
        if (!good) r.fault("ODOO_URL", without_credentials(c.odoo_url), "http://host[:port][/prefix] or https://..");
        else if (url->has_userinfo()) r.faults.push_back("ODOO_URL must not hold credentials, use ODOO_USERNAME and ODOO_PASSWORD or ODOO_API_KEY");
        if (r.faults.size() != faults_before) c.odoo_url.clear();
        while (!c.odoo_url.empty() && c.odoo_url.back() == '/') c.odoo_url.pop_back();
        for (auto& l : r.lines)
            if (l.name == "ODOO_URL") l.value = without_credentials(l.value);
    }
    c.odoo_db = r.text("ODOO_DB", "", true);
    c.odoo_username = r.text("ODOO_USERNAME", "");
    c.odoo_password = r.hidden("ODOO_PASSWORD");
    c.odoo_api_key = r.hidden("ODOO_API_KEY");
    c.api = r.choice<odoo_api>("ODOO_API", {{"auto", odoo_api::automatic}, {"json2", odoo_api::json2}, {"jsonrpc", odoo_api::jsonrpc}, {"scada", odoo_api::scada}}, odoo_api::automatic);
    const bool key = !c.odoo_api_key.empty() || r.raw("ODOO_API_KEY_FILE"), password = !c.odoo_password.empty() || r.raw("ODOO_PASSWORD_FILE");
    if (c.api == odoo_api::json2 && !key) r.faults.push_back("ODOO_API=json2 needs ODOO_API_KEY");
    if (c.api == odoo_api::scada && !password) r.faults.push_back("ODOO_API=scada needs ODOO_PASSWORD");
    if (!key && !password) r.faults.push_back("ODOO_PASSWORD or ODOO_API_KEY is required and neither is set");
    if (c.odoo_username.empty() && c.api != odoo_api::json2) r.faults.push_back("ODOO_USERNAME is required and not set");
    c.odoo_connect_timeout = r.length("ODOO_CONNECT_TIMEOUT", 3s);
    c.odoo_timeout = r.length("ODOO_TIMEOUT", 15s);
    c.odoo_write_timeout = r.length("ODOO_WRITE_TIMEOUT", 60s);
    c.odoo_unclear_wait = r.length("ODOO_UNCLEAR_WAIT", 120s);
    if (c.odoo_unclear_wait < c.odoo_write_timeout)
        r.faults.push_back(fmt::format("ODOO_UNCLEAR_WAIT: '{}' is not valid, expected at least ODOO_WRITE_TIMEOUT ({})", to_string(c.odoo_unclear_wait),
                                       to_string(c.odoo_write_timeout)));
    c.odoo_retry_max = r.length("ODOO_RETRY_MAX", 5min);
    c.odoo_watch_interval = r.length("ODOO_WATCH_INTERVAL", 30s);
    c.odoo_live_interval = r.length("ODOO_LIVE_INTERVAL", 5s);
    c.odoo_ca_file = r.text("ODOO_CA_FILE", "");
    if (!c.odoo_ca_file.empty() && !std::ifstream(c.odoo_ca_file)) {
        r.fault("ODOO_CA_FILE", c.odoo_ca_file, "a readable PEM file");
        c.odoo_ca_file.clear();
    }
    c.odoo_tls_verify = r.flag("ODOO_TLS_VERIFY", true);
    if (!c.odoo_tls_verify) r.warnings.push_back("ODOO_TLS_VERIFY=false: whoever sits between us and Odoo can read the password and forge every answer");
    c.odoo_max_connections = static_cast<int>(r.number("ODOO_MAX_CONNECTIONS", 4, 1, 64));
    const auto size = r.raw("ODOO_MAX_RESPONSE");
    c.odoo_max_response = 16ULL << 20;
    if (size) {
        std::uint64_t n = 0;
        const auto [end, ec] = std::from_chars(size->data(), size->data() + size->size(), n);
        const std::string unit(end, static_cast<std::size_t>(size->data() + size->size() - end));
        const std::uint64_t factor = unit.empty() ? 1 : unit == "KiB" ? 1ULL << 10 : unit == "MiB" ? 1ULL << 20 : 0;
        if (ec != std::errc() || factor == 0 || n == 0 || n > (1ULL << 40) / factor || n * factor < 1024) r.fault("ODOO_MAX_RESPONSE", *size, "a size of at least 1KiB, like 16MiB");
        else c.odoo_max_response = n * factor;
    }
    r.note("ODOO_MAX_RESPONSE", size.value_or("16MiB"), size.has_value());
    const auto horizon = r.raw("SYNC_HORIZON");
    if (horizon) c.sync_horizon = r.length_of("SYNC_HORIZON", *horizon);
    r.note("SYNC_HORIZON", horizon.value_or(""), horizon.has_value());
    c.odoo_unverified_version = r.flag("ODOO_UNVERIFIED_VERSION", false);
}

void read_plc(reader& r, const file_reader& files, config& c)
{
    line_config line;
    line.timeout = r.length("PLC_TIMEOUT", 2s);
    line.map = r.text("PLC_MAP", "conf/plc-map.json");
    line.timezone = r.text("PLC_TIMEZONE", "UTC");
    if (!known_timezone(line.timezone)) r.fault("PLC_TIMEZONE", line.timezone, "a time zone name like Europe/Berlin");
    const auto domain = r.raw("ODOO_ORDER_DOMAIN");
    if (domain) line.order_domain = r.domain("ODOO_ORDER_DOMAIN", *domain).value_or(json::array{});
    r.note("ODOO_ORDER_DOMAIN", domain.value_or("[]"), domain.has_value());
    const auto lines_file = r.text("LINES_FILE", "");
    if (!lines_file.empty()) {
        for (const auto* name : {"PLC_HOST", "PLC_PORT", "PLC_UNIT_ID", "LINE_NAME", "ODOO_ORDER_DOMAIN"})
            if (r.raw(name)) r.faults.push_back(fmt::format("{} and LINES_FILE are both set, expected one of them", name));
        read_lines_file(r, files, lines_file, c, line);
    } else {
        line.host = r.text("PLC_HOST", "", true);
        line.port = static_cast<std::uint16_t>(r.number("PLC_PORT", 502, 1, 65535));
        line.unit_id = r.unit_id("PLC_UNIT_ID", 1);
        line.name = r.text("LINE_NAME", "line1");
        c.lines.push_back(std::move(line));
    }
    c.plc_writes = r.flag("PLC_WRITES", false);
}

void read_tasks(reader& r, config& c)
{
    c.enable_auto_sync = r.flag("ENABLE_AUTO_SYNC", true);
    struct entry {
        task_config& task;
        const char *flag, *interval;
        duration fallback;
    };
    const entry entries[] = {
        {c.auto_sync_mo, "ENABLE_TASK_1_AUTO_SYNC", "SYNC_INTERVAL", 60min},
        {c.plc_read_sync, "ENABLE_TASK_2_PLC_READ", "PLC_READ_INTERVAL", 5s},
        {c.process_completed, "ENABLE_TASK_3_PROCESS_COMPLETED", "PROCESS_COMPLETED_INTERVAL", 3min},
        {c.health_monitor, "ENABLE_TASK_4_HEALTH_MONITOR", "HEALTH_MONITOR_INTERVAL", 1min},
        {c.equipment_failure, "ENABLE_TASK_5_EQUIPMENT_FAILURE", "EQUIPMENT_FAILURE_INTERVAL", 5s},
        {c.cleanup, "ENABLE_TASK_6_CLEANUP", "CLEANUP_INTERVAL", 24h},
    };
    for (const auto& e : entries) {
        e.task.enabled = r.flag(e.flag, true);
        e.task.interval = r.interval(e.interval, e.fallback);
    }
    c.sync_batch_limit = static_cast<int>(r.number("SYNC_BATCH_LIMIT", 10, 1, 1000));
    c.task2_odoo_sync = r.flag("TASK2_ODOO_SYNC", true);
    c.mark_done = r.flag("MARK_DONE", true);
    c.on_plc_failure = r.choice<plc_failure_policy>("ON_PLC_FAILURE", {{"hold", plc_failure_policy::hold}, {"cancel", plc_failure_policy::cancel}}, plc_failure_policy::hold);
    c.unmapped_components = r.choice<unmapped_policy>("UNMAPPED_COMPONENTS", {{"planned", unmapped_policy::planned}, {"leave", unmapped_policy::leave}, {"refuse", unmapped_policy::refuse}}, unmapped_policy::planned);
    c.produced_quantity = r.choice<produced_policy>("PRODUCED_QUANTITY", {{"auto", produced_policy::automatic}, {"plc", produced_policy::plc}, {"sum", produced_policy::sum}, {"planned", produced_policy::planned}}, produced_policy::automatic);
    c.batch_stuck_threshold = r.length("BATCH_STUCK_THRESHOLD", 15min);
    c.zero_consumption_after = r.length("ZERO_CONSUMPTION_AFTER", 10min);
    c.overdose_percent = static_cast<int>(r.number("OVERDOSE_PERCENT", 10, 1, 1000));
    const auto max = r.raw("EXPECTED_BATCH_MAX_KG");
    if (max) {
        const auto d = decimal::parse(*max);
        if (d && *d > 0) c.expected_batch_max_kg = *max;
        else r.fault("EXPECTED_BATCH_MAX_KG", *max, "kilograms above 0, like 1200 or 950.5");
    }
    r.note("EXPECTED_BATCH_MAX_KG", max.value_or(""), max.has_value());
}

void read_http(reader& r, config& c)
{
    const auto listen = r.text("HTTP_LISTEN", "127.0.0.1:8080");
    const auto colon = listen.rfind(':');
    std::int64_t port = -1;
    if (colon != std::string::npos) {
        const auto* first = listen.data() + colon + 1;
        const auto* last = listen.data() + listen.size();
        if (const auto [end, ec] = std::from_chars(first, last, port); ec != std::errc() || end != last) port = -1;
        c.http_host = listen.substr(0, colon);
        if (c.http_host.size() > 2 && c.http_host.front() == '[' && c.http_host.back() == ']') c.http_host = c.http_host.substr(1, c.http_host.size() - 2);
        else if (c.http_host.find_first_of(":[]") != std::string::npos) c.http_host.clear();  // "::1:8080" is an address as a whole
    }
    // Only what can be bound: a name would have to be looked up, and may have several addresses.
    boost::system::error_code no_address;
    if (c.http_host != "localhost") boost::asio::ip::make_address(c.http_host, no_address);
    if (port < 0 || port > 65535 || c.http_host.empty() || no_address) r.fault("HTTP_LISTEN", listen, "address:port, like 127.0.0.1:8080 or [::1]:8080");
    else c.http_port = static_cast<std::uint16_t>(port);
    c.api_token = r.hidden("API_TOKEN");
    c.api_read_token = r.hidden("API_READ_TOKEN");
    c.line_moved = r.flag("LINE_MOVED", false);
    c.alert_webhook_url = r.hidden("ALERT_WEBHOOK_URL");
    c.alert_webhook_secret = r.hidden("ALERT_WEBHOOK_SECRET");
    c.alert_odoo_note = r.flag("ALERT_ODOO_NOTE", false);
    using l = log::level;
    c.log_level = r.choice<l>("LOG_LEVEL", {{"debug", l::debug}, {"info", l::info}, {"warning", l::warning}, {"error", l::error}}, l::info);
    c.log_format = r.choice<log::format>("LOG_FORMAT", {{"text", log::format::text}, {"json", log::format::json}}, log::format::text);
    c.retention_days = static_cast<int>(r.number("RETENTION_DAYS", 30, 1, 36500));
}

config_reading load(const env_lookup& env, const file_reader& files, std::vector<config_line>* described)
{
    reader r(env, files);
    config_reading out;
    auto& c = out.value;
    c.database_url = r.hidden("DATABASE_URL", true);
    if (!c.database_url.empty() && !c.database_url.value.starts_with("postgresql://") && !c.database_url.value.starts_with("postgres://")) {
        r.faults.push_back("DATABASE_URL is not valid, expected a PostgreSQL URI: postgresql://user:password@host:5432/database");
        c.database_url = {};
    }
    read_plc(r, files, c);
    read_odoo(r, c);
    read_tasks(r, c);
    read_http(r, c);
    c.warnings = r.warnings;
    if (described != nullptr) *described = r.lines;
    out.faults = std::move(r.faults);
    return out;
}

}  // namespace

config_error::config_error(std::vector<std::string> faults) : std::runtime_error(join_lines(faults)), faults_(std::move(faults)) {}

std::string secret::current() const
{
    if (file.empty()) return value;
    try {
        auto now = trimmed_newline(real_files()(file));
        return now.empty() ? value : now;
    } catch (const std::exception&) {
        return value;
    }
}

config load_config(const env_lookup& env, const file_reader& read_file)
{
    auto reading = load(env, read_file, nullptr);
    if (!reading.faults.empty()) throw config_error(std::move(reading.faults));
    return std::move(reading.value);
}

config_reading read_config(const env_lookup& env, const file_reader& read_file)
{
    return load(env, read_file, nullptr);
}

env_lookup process_environment()
{
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        if (value == nullptr) return std::nullopt;
        return std::string(value);
    };
}

file_reader real_files()
{
    return [](const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("no such file, or no permission");
        std::string text;
        std::array<char, 4096> part{};
        while (file.read(part.data(), part.size()), file.gcount() > 0) text.append(part.data(), static_cast<std::size_t>(file.gcount()));
        if (file.bad()) throw std::runtime_error("it cannot be read");  // a directory, for one
        return text;
    };
}

std::vector<config_line> describe_config(const config&, const env_lookup& env)
{
    std::vector<config_line> out;
    // Faults were reported when the configuration was read; the effective values are in `out` all the same.
    load(env, real_files(), &out);
    return out;
}

std::string without_credentials(const std::string& url)
{
    const auto scheme = url.find("://");
    const auto start = scheme == std::string::npos ? 0 : scheme + 3;
    // The last '@' of all: a password may hold an '@', '/', '?' or '#' that should have been percent-encoded.
    const auto at = url.rfind('@');
    auto out = url.substr(0, start) + url.substr(at == std::string::npos || at < start ? start : at + 1);
    // A PostgreSQL URI may carry a password as a parameter too.
    if (const auto query = out.find('?'); query != std::string::npos && out.find("password", query) != std::string::npos) out.erase(query);
    return out;
}

}  // namespace batchbridge::core
