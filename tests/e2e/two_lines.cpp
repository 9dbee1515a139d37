#include "e2e/two_lines.hpp"

#include "e2e/expect.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <regex>
#include <thread>

namespace bb_test {

namespace json = boost::json;

namespace {

std::string text_of(const std::string& path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::int64_t hundredths(const std::string& kg)
{
    return std::llround(std::stod(kg) * 100);
}

std::map<int, std::int64_t> amounts(const json::value& by_silo)
{
    std::map<int, std::int64_t> out;
    for (const auto& [silo, kg] : by_silo.as_object()) out[std::stoi(std::string(silo))] = hundredths(std::string(kg.as_string()));
    return out;
}

std::int64_t total(const std::map<int, std::int64_t>& by_silo)
{
    std::int64_t out = 0;
    for (const auto& [silo, kg] : by_silo) out += kg;
    return out;
}

std::string joined(const std::vector<std::string>& parts)
{
    std::string out;
    for (const auto& p : parts) out += (out.empty() ? "" : "; ") + p;
    return out;
}

}  // namespace

two_lines::two_lines()
{
    plant_options o;
    o.plc_speed = 3;
    o.environment = {{"PLC_READ_INTERVAL", std::to_string(interval_ms) + "ms"}};
    plant_ = std::make_unique<plant>(o);
    press_log_path_ = plant_->directory() + "/press.jsonl";
    const auto out = plant_->directory() + "/press.out";
    press_ = program(BATCHBRIDGE_BIN "/plc-sim", {"--map", BATCHBRIDGE_ROOT "/conf/plc-map.json", "--speed", "3", "--seed", "2", "--log", press_log_path_}, {}, out);
    std::smatch m;
    std::string text;
    wait_until("the second plc-sim", seconds(10), [&] {
        text = press_.output();
        return std::regex_search(text, m, std::regex("modbus 127\\.0\\.0\\.1:(\\d+) control 127\\.0\\.0\\.1:(\\d+)\\n"));
    });
    press_control_ = std::stoi(m[2]);
    const auto lines = plant_->directory() + "/lines.json";
    const auto line = [](const std::string& name, const std::string& port, const std::string& domain) {
        return R"({"name": ")" + name + R"(", "host": "127.0.0.1", "port": )" + port + R"(, "timeout": ")" + std::to_string(timeout_ms) + R"(ms", "order_domain": [["id", ")" + domain +
               R"(", )" + std::to_string(orders_per_line) + "]]}";
    };
    std::ofstream(lines) << "[" << line("mill", std::to_string(plant_->plc_port()), "<=") << "," << line("press", m[1], ">") << "]";
    plant_->generate(2 * orders_per_line);
    plant_->start_bridge({{"LINES_FILE", lines}, {"PLC_HOST", ""}, {"PLC_PORT", ""}, {"PLC_TIMEOUT", ""}});
    wait_until("a running batch on each line", seconds(30), [&] {
        return !plant_->sql("select to_regclass('mo_batch')").empty() && plant_->sql("select count(distinct line) from mo_batch where state = 'running'") == "2";
    });
}

json::value two_lines::press(const std::string& target, const std::string& body)
{
    const auto a = http_request(press_control_, body.empty() ? "GET" : "POST", target, body);
    if (a.status != 200) throw std::runtime_error("the second plc-sim: " + a.text);
    return a.body;
}

std::string two_lines::press_log() const
{
    return text_of(press_log_path_);
}

figures two_lines::held_by_plc()
{
    figures out;
    const auto state = plant_->plc("/state");
    for (const auto& s : state.at("slots").as_array()) out[std::string(s.at("order").as_string())] = amounts(s.at("actual"));
    return out;
}

figures two_lines::stored()
{
    figures out;
    for (const auto& r : plant_->rows("select b.mo_id, c.silo, c.actual from mo_batch b join mo_batch_consumption c on c.batch_id = b.id where b.line = 'mill' and c.actual > 0"))
        out[r.at(0).value()][std::stoi(r.at(1).value())] = hundredths(r.at(2).value());
    return out;
}

void two_lines::look(std::vector<std::string>& broken)
{
    // In this order: the PLC's figures only grow.
    const auto ours = stored();
    auto theirs = held_by_plc();
    for (const auto& [order, by_silo] : ours) {
        for (const auto& [silo, kg] : by_silo) {
            const auto at = order + " silo " + std::to_string(silo) + ": ";
            if (broken.size() >= 5) return;
            if (kg > theirs[order][silo]) broken.push_back(at + std::to_string(kg) + " is stored, the PLC never held more than " + std::to_string(theirs[order][silo]));
            if (kg < last_[order][silo]) broken.push_back(at + std::to_string(kg) + " is stored after " + std::to_string(last_[order][silo]));
            last_[order][silo] = kg;
        }
    }
}

void two_lines::compare_at_rest(std::vector<std::string>& broken)
{
    plant_->plc("/pause", "{}");
    const auto differing = [&] {
        const auto ours = stored();
        auto theirs = held_by_plc();
        std::string out;
        for (const auto& [order, by_silo] : ours)
            for (const auto& [silo, kg] : by_silo)
                if (kg != theirs[order][silo]) out += order + " silo " + std::to_string(silo) + " ";
        return out;
    };
    std::string differs;
    try {
        wait_until("equal figures", seconds(4), [&] { return (differs = differing()).empty(); });
    } catch (const std::exception&) {
        broken.push_back("at rest the stored figures differ from the PLC's: " + differs);
    }
    plant_->plc("/resume", "{}");
}

// One line per change of state: nothing is said twice, and the board says what it has to.
void two_lines::look_at_log(const std::string& part, const link_fault& f, fault_row& row) const
{
    std::istringstream in(part);
    std::map<std::string, int> said;
    int down = 0, back = 0;
    for (std::string line; std::getline(in, line);) {
        if (line.find("line=mill") == std::string::npos || line.find(" order=") != std::string::npos) continue;
        ++row.log_lines;
        const auto message = line.substr(std::min(line.size(), line.find(' ') + 1));
        ++said[message];
        down += occurrences(line, "plc mill is down");
        back += occurrences(line, "plc mill is back");
    }
    for (const auto& [message, times] : said)
        if (times > 1) row.broken.push_back(std::to_string(times) + " times in the log: " + message);
    const int expected = f.down ? 1 : 0;
    if (down != expected || back != expected) row.broken.push_back("the log says " + std::to_string(down) + " times down and " + std::to_string(back) + " times back");
    if (occurrences(part, "plc press is") != 0) row.broken.push_back("the other line was affected");
}

void two_lines::look_at_simulator(std::vector<std::string>& broken)
{
    const auto state = plant_->plc("/state");
    const auto& counters = state.as_object();
    for (const auto& [name, most] : std::map<std::string, std::int64_t>{{"most_connections", 1}, {"overlapping_requests", 0}, {"refused_connections", 0}})
        if (counters.at(name).to_number<std::int64_t>() > most) broken.push_back(name + " " + json::serialize(counters.at(name)));
}

fault_row two_lines::suffer(const link_fault& f)
{
    fault_row row;
    row.fault = f.name;
    const auto log_from = plant_->bridge_log().size();
    machine_.worst_ms();
    const auto from = now_ns();
    for (const auto& r : f.requests) plant_->plc("/fault", r);
    while (now_ns() - from < std::chrono::nanoseconds(f.time).count()) {
        look(row.broken);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const auto alert = plant_->sql("select string_agg(distinct kind, ' ') from alert where line = 'mill' and state = 'open'");
    if (!f.alert.empty() && alert.find(f.alert) == std::string::npos) row.broken.push_back("no alert " + f.alert + ", only: " + alert);
    plant_->plc("/clear", "{}");
    const auto cleared = now_ns();
    const auto then = held_by_plc();
    // The table is to be printed whatever happens.
    const auto await = [&](const std::string& what, std::chrono::milliseconds limit, const std::function<bool()>& condition) {
        try {
            wait_until(what, limit, condition);
        } catch (const std::exception& e) {
            row.broken.push_back(e.what());
        }
    };
    await("good data", std::chrono::milliseconds(backoff_cap_ms + 5000), [&] {
        look(row.broken);
        const auto ours = stored();
        // An order that is not there any more has ended, and its figures are compared at the end.
        return std::all_of(ours.begin(), ours.end(), [&](const auto& o) { return !then.contains(o.first) || total(o.second) >= total(then.at(o.first)); });
    });
    const auto recovered = now_ns();
    row.recovery_ms = (recovered - cleared) / 1000000;
    compare_at_rest(row.broken);
    // Three good cycles end what was said of the pace of a slot or of the PLC.
    const auto settled = now_ns();
    await("the end of what was raised", seconds(10), [&] {
        const bool open = plant_->count("alert where line = 'mill' and state = 'open' and kind in ('slot_inconsistent', 'plc_slow')") > 0;
        return !open && now_ns() - settled > 4 * interval_ms * 1000000LL;
    });
    // What else the PLC left unanswered is asked again by then.
    if (f.down) await("the log to say that it is back", seconds(5), [&] { return occurrences(plant_->bridge_log().substr(log_from), "plc mill is back") > 0; });
    const auto lateness = machine_.worst_ms();
    const auto limit = backoff_cap_ms + timeout_ms + interval_ms + 200 + lateness;
    if (row.recovery_ms > limit) row.broken.push_back("good data only after " + std::to_string(row.recovery_ms) + " ms");
    row.other_gap_ms = longest_gap_ms(press_log(), from, now_ns(), interval_ms);
    // A request passes three sleeping threads: our loop, the line's, the simulator's.
    if (row.other_gap_ms > interval_ms + 100 + 3 * lateness)
        row.broken.push_back("the other line waited " + std::to_string(row.other_gap_ms) + " ms, this machine was late by " + std::to_string(lateness) + " ms");
    look_at_log(plant_->bridge_log().substr(log_from), f, row);
    look_at_simulator(row.broken);
    return row;
}

std::vector<std::string> two_lines::compare_made(const json::value& state, const std::string& line)
{
    std::vector<std::string> out;
    for (const auto& made : state.at("finished").as_array()) {
        const std::string order(made.at("order").as_string());
        std::map<int, std::int64_t> ours;
        for (const auto& r : plant_->rows("select c.silo, c.actual from mo_histories h join mo_histories_consumption c on c.history_id = h.id where h.line = '" + line + "' and h.mo_id = '" + order +
                                          "' and h.status = 'completed' and c.actual > 0"))
            ours[std::stoi(r.at(0).value())] = hundredths(r.at(1).value());
        if (ours != amounts(made.at("actual"))) out.push_back(line + " " + order + ": history and PLC differ");
    }
    if (static_cast<int>(state.at("finished").as_array().size()) != orders_per_line) out.push_back(line + ": not every order was made once");
    return out;
}

std::vector<std::string> two_lines::finish()
{
    plant_->plc("/speed", R"({"speed": 2000})");
    press("/speed", R"({"speed": 2000})");
    plant_->wait_archived(2 * orders_per_line, seconds(60));
    auto out = compare_made(plant_->plc("/state"), "mill");
    const auto other = compare_made(press("/state"), "press");
    out.insert(out.end(), other.begin(), other.end());
    const auto violations = plant_->odoo("/violations");
    for (const auto& v : violations.as_array()) out.push_back("violation: " + std::string(v.as_string()));
    look_at_simulator(out);
    if (plant_->stop_bridge() != 0) out.push_back("batchbridge did not end well");
    return out;
}

void two_lines::print(const std::string& part, const std::vector<fault_row>& rows)
{
    std::ostringstream text;
    text << "| fault (" << part << ") | what held | good data after | log lines | other line's longest gap |\n|---|---|---|---|---|\n";
    for (const auto& r : rows)
        text << "| " << r.fault << " | " << (r.broken.empty() ? "all" : "NOT: " + joined(r.broken)) << " | " << r.recovery_ms << " ms | " << r.log_lines << " | " << r.other_gap_ms << " ms |\n";
    std::cout << text.str();
    const char* directory = std::getenv("BATCHBRIDGE_FAULT_TABLES");
    std::ofstream(std::string(directory != nullptr ? directory : BATCHBRIDGE_BIN "/..") + "/link-faults-" + part + ".txt") << text.str();
}

}  // namespace bb_test
