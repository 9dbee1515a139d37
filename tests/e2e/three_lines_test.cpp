// Three lines in one process, each with a PLC, a map, a time zone and orders of its own: what the third PLC does or does not do
// is not seen in the read cycles of the other two (L-14).
#include "e2e/cycle_gap.hpp"
#include "e2e/expect.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <regex>
#include <thread>
#include <utility>

using namespace bb_test;

namespace {

namespace json = boost::json;

constexpr int interval_ms = 100, orders_per_line = 3, write_after = 2000;
constexpr auto phase = std::chrono::seconds(8);

std::string read_file(const std::string& path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The default map with other slots, at other addresses, with words in another order.
std::string map_with(int count, int stride, int address, const std::string& words, const std::string& letters)
{
    auto map = json::parse(read_file(BATCHBRIDGE_ROOT "/conf/plc-map.json")).as_object();
    map.at("word_order") = words;
    map.at("ascii_order") = letters;
    auto& slots = map.at("slots").as_object();
    slots.at("count") = count;
    slots.at("stride") = stride;
    slots.at("read_start") = address;
    slots.at("write_start") = address + write_after;
    map.at("handshake").as_object().at("write_ready") = address + write_after + 76;
    map.at("failure").as_object().at("start") = address + 2 * write_after;
    return json::serialize(map);
}

struct one_line {
    std::string name, timezone, map;
    int offset_hours;      // of the time zone, all the year round
    int read_start;
    std::string log_path{}, map_path{};
    program plc{};
    int port = 0, control = 0;
};

std::array<one_line, 3> three()
{
    return {one_line{"mill", "UTC", map_with(10, 100, 6000, "ABCD", "high"), 0, 6000}, one_line{"press", "Asia/Tokyo", map_with(6, 120, 16000, "CDAB", "low"), 9, 16000},
            one_line{"mixer", "America/Phoenix", map_with(4, 150, 26000, "DCBA", "high"), -7, 26000}};
}

void start(one_line& l, const std::string& directory)
{
    l.log_path = directory + "/" + l.name + ".jsonl";
    l.map_path = directory + "/" + l.name + ".map.json";
    std::ofstream(l.map_path) << l.map;
    l.plc = program(BATCHBRIDGE_BIN "/plc-sim", {"--map", l.map_path, "--speed", "3", "--scan-ms", "20", "--log", l.log_path}, {}, directory + "/" + l.name + ".out");
    std::smatch m;
    std::string text;
    wait_until("the plc-sim of " + l.name, seconds(10), [&] {
        text = l.plc.output();
        return std::regex_search(text, m, std::regex("modbus 127\\.0\\.0\\.1:(\\d+) control 127\\.0\\.0\\.1:(\\d+)\\n"));
    });
    l.port = std::stoi(m[1]);
    l.control = std::stoi(m[2]);
}

json::value ask(const one_line& l, const std::string& target, const std::string& body = {})
{
    const auto a = http_request(l.control, body.empty() ? "GET" : "POST", target, body);
    if (a.status != 200) throw std::runtime_error("the plc-sim of " + l.name + ": " + a.text);
    return a.body;
}

// How late each read cycle of a line begins after the one before it, in ms. A cycle begins with READ 1, which is read twice in
// a row when its batch runs.
std::vector<double> lateness(const one_line& l, std::int64_t from_ns, std::int64_t to_ns)
{
    std::ifstream in(l.log_path);
    std::vector<double> out;
    std::int64_t last = 0, slot_before = 0;
    for (std::string line; std::getline(in, line);) {
        boost::system::error_code ec;
        const auto v = json::parse(line, ec);
        if (ec || !v.is_object() || !v.get_object().contains("function")) continue;
        const auto at = v.at("ns").as_int64(), address = v.at("address").as_int64();
        if (v.at("function").as_int64() != 3 || address < l.read_start || address >= l.read_start + write_after || at < from_ns || at > to_ns) continue;
        const auto before = std::exchange(slot_before, address);
        if (address != l.read_start || before == l.read_start) continue;
        if (last != 0) out.push_back(std::max(0.0, static_cast<double>(at - last) / 1e6 - interval_ms));
        last = at;
    }
    return out;
}

struct lateness_seen {
    double p99 = 0, worst = 0;
    std::size_t cycles = 0;
    double machine = 0;      // at worst, of a thread that only sleeps
};

lateness_seen watch(const std::array<one_line, 3>& lines, machine_lateness& machine)
{
    machine.worst_ms();
    const auto from = now_ns();
    std::this_thread::sleep_for(phase);
    lateness_seen out;
    out.machine = static_cast<double>(machine.worst_ms());
    auto all = lateness(lines[0], from, now_ns());
    const auto other = lateness(lines[1], from, now_ns());
    all.insert(all.end(), other.begin(), other.end());
    std::sort(all.begin(), all.end());
    out.cycles = all.size();
    if (all.empty()) return out;
    out.p99 = all[all.size() * 99 / 100];
    out.worst = all.back();
    return out;
}

std::string words_of(std::time_t at)
{
    std::tm t{};
    ::gmtime_r(&at, &t);
    std::string out = "[";
    for (const int v : {t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec}) out += (out.size() > 1 ? ", " : "") + std::to_string(v);
    return out + "]";
}

std::map<int, std::int64_t> hundredths_by_silo(const json::value& by_silo)
{
    std::map<int, std::int64_t> out;
    for (const auto& [silo, kg] : by_silo.as_object())
        if (const auto n = std::llround(std::stod(std::string(kg.as_string())) * 100); n != 0) out[std::stoi(std::string(silo))] = n;
    return out;
}

// Every order of the line was made once, by its own PLC, and the history has that PLC's figures.
void check_made(plant& p, const one_line& l, int first)
{
    INFO(l.name);
    std::set<std::string> wanted, made;
    for (int id = first; id < first + orders_per_line; ++id) wanted.insert("WH/MO/0000" + std::to_string(id));
    const auto state = ask(l, "/state");
    CHECK(state.at("finished").as_array().size() == static_cast<std::size_t>(orders_per_line));
    for (const auto& f : state.at("finished").as_array()) {
        const std::string order(f.at("order").as_string());
        made.insert(order);
        std::map<int, std::int64_t> ours;
        for (const auto& r : p.rows("select c.silo, (c.actual * 100)::bigint from mo_histories h join mo_histories_consumption c on c.history_id = h.id where h.line = '" + l.name + "' and h.mo_id = '" + order +
                                    "' and h.status = 'completed' and c.actual > 0"))
            ours[std::stoi(*r[0])] = std::stoll(*r[1]);
        INFO(order);
        CHECK(ours == hundredths_by_silo(f.at("actual")));
    }
    CHECK(made == wanted);
}

}  // namespace

TEST_CASE("three lines: a PLC that hangs or is gone does not delay the read cycles of the others")
{
    plant_options o;
    o.start_plc = false;
    o.environment = {{"PLC_READ_INTERVAL", std::to_string(interval_ms) + "ms"}, {"EQUIPMENT_FAILURE_INTERVAL", "200ms"}};
    plant p(o);
    auto lines = three();
    std::string file;
    int first = 1;
    for (auto& l : lines) {
        start(l, p.directory());
        file += (file.empty() ? "[" : ",") + std::string(R"({"name": ")") + l.name + R"(", "host": "127.0.0.1", "port": )" + std::to_string(l.port) + R"(, "timeout": "400ms", "map": ")" + l.map_path + R"(", "timezone": ")" +
                l.timezone + R"(", "order_domain": [["id", ">=", )" + std::to_string(first) + R"(], ["id", "<", )" + std::to_string(first + orders_per_line) + "]]}";
        first += orders_per_line;
    }
    const auto path = p.directory() + "/lines.json";
    std::ofstream(path) << file << "]";
    const int orders = orders_per_line * static_cast<int>(lines.size());
    p.generate(orders);
    p.start_bridge({{"LINES_FILE", path}, {"PLC_HOST", ""}, {"PLC_PORT", ""}, {"PLC_MAP", ""}, {"PLC_TIMEOUT", ""}});
    wait_until("a running batch on each line", seconds(60), [&] {
        if (!p.bridge_runs()) throw std::runtime_error("batchbridge ended: " + p.bridge_log());
        return !p.sql("select to_regclass('mo_batch')").empty() && p.sql("select count(distinct line) from mo_batch where state = 'running'") == "3";
    });

    machine_lateness machine;
    auto& third = lines[2];
    const auto answering = watch(lines, machine);
    ask(third, "/fault", R"({"kind": "hang"})");
    wait_until("the third line to be down", seconds(20), [&] { return occurrences(p.bridge_log(), "plc mixer is down") == 1; });
    const auto hanging = watch(lines, machine);
    ask(third, "/clear", "{}");
    wait_until("the third line to be back", seconds(40), [&] { return occurrences(p.bridge_log(), "plc mixer is back") == 1; });
    ask(third, "/fault", R"({"kind": "refuse"})");
    wait_until("the third line to be down again", seconds(20), [&] { return occurrences(p.bridge_log(), "plc mixer is down") == 2; });
    const auto dead = watch(lines, machine);
    ask(third, "/clear", "{}");

    const char* directory = std::getenv("BATCHBRIDGE_FAULT_TABLES");
    std::ofstream table(std::string(directory != nullptr ? directory : BATCHBRIDGE_BIN "/..") + "/link-faults-three-lines.txt");
    table << "| of three lines one PLC | read cycles of the others late, p99 | at worst | cycles | this machine at worst |\n|---|---|---|---|---|\n";
    const auto told = [&table](const char* what, const lateness_seen& s) {
        table << "| " << what << " | " << s.p99 << " ms | " << s.worst << " ms | " << s.cycles << " | " << s.machine << " ms |\n";
        WARN("third PLC " << what << ": healthy lines' cycles late by p99 " << s.p99 << " ms, at worst " << s.worst << " ms, " << s.cycles << " cycles; this machine at worst " << s.machine << " ms");
    };
    told("answers", answering);
    told("hangs", hanging);
    told("is dead", dead);
    for (const auto& s : {hanging, dead}) {
        // A request passes three sleeping threads: our loop, the line's, the simulator's.
        CHECK(s.p99 <= answering.p99 + 100 + 3 * s.machine);
        // Not: late once, and then no cycle at all.
        CHECK(s.cycles >= answering.cycles / 2);
    }
    for (const auto* name : {"mill", "press"}) CHECK(occurrences(p.bridge_log(), std::string("plc ") + name + " is down") == 0);

    // The same moment, as each PLC's clock shows it where it stands.
    wait_until("the third line to be back", seconds(40), [&] { return occurrences(p.bridge_log(), "plc mixer is back") == 2; });
    const auto moment = std::time(nullptr);
    for (auto& l : lines) ask(l, "/failure", R"({"equipment": "SILO-103", "info": "TRIP", "time": )" + words_of(moment + l.offset_hours * 3600) + "}");
    wait_until("the failures", seconds(20), [&] { return p.count("equipment_failure where acknowledged_at is not null") == 3; });
    CHECK(p.sql("select string_agg(distinct time_source || ' ' || extract(epoch from failure_date)::bigint, ', ') from equipment_failure") == "plc " + std::to_string(moment));

    for (auto& l : lines) ask(l, "/speed", R"({"speed": 2000})");
    p.wait_archived(orders, seconds(90));
    first = 1;
    for (auto& l : lines) {
        check_made(p, l, first);
        first += orders_per_line;
    }
    const auto in_odoo = p.odoo("/orders");
    for (const auto& order : in_odoo.as_array()) {
        INFO(json::serialize(order));
        CHECK(order.at("state").as_string() == "done");
        CHECK(order.at("finished_times").as_int64() == 1);
    }
    CHECK(p.odoo("/violations").as_array().empty());
    CHECK(p.stop_bridge() == 0);
}
