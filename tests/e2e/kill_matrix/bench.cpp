#include "e2e/kill_matrix/bench.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <thread>

namespace bb_test::matrix {

namespace fs = std::filesystem;

namespace {

const std::string then = " then ";
constexpr auto orderly_end = std::chrono::seconds(10);
constexpr auto between_looks = std::chrono::milliseconds(20);
constexpr auto last_steps = std::chrono::milliseconds(300);

std::string text_of(const std::string& path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// "http://127.0.0.1:1234" in a log.
int port_of(const std::string& log)
{
    std::smatch m;
    return std::regex_search(log, m, std::regex("listening on http://127\\.0\\.0\\.1:(\\d+)")) ? std::stoi(m[1]) : 0;
}

}  // namespace

const char* to_string(way w)
{
    if (w == way::restart) return "restart";
    return w == way::takeover ? "takeover" : "shutdown";
}

bench::bench(const plant_options& options, way w) 
    : way_(w), plant_(options), die_(plant_.directory() + "/die"), died_(plant_.directory() + "/died"), members_(w == way::takeover ? 2 : 1),
      session_(std::make_unique<sql_session>(plant_.database_url()))
{
    start(members_.front());
    wait_until("the line", std::chrono::seconds(30), [&] { return members_.front().process.output().find("line taken") != std::string::npos; });
}

std::string bench::sql(const std::string& statement)
{
    const auto r = rows(statement);
    return r.empty() || r[0].empty() ? std::string() : r[0][0].value_or("");
}

std::int64_t bench::number(const std::string& statement)
{
    const auto text = sql(statement);
    return text.empty() ? 0 : std::stoll(text);
}

std::string bench::name(int order) const
{
    char text[32];
    std::snprintf(text, sizeof text, "WH/MO/%05d", static_cast<int>(id(order)));
    return text;
}

std::string bench::relative(std::string text) const
{
    for (int k = 1; k <= made_; ++k)
        for (auto at = text.find(name(k)); at != std::string::npos; at = text.find(name(k))) text.replace(at, name(k).size(), "order " + std::to_string(k));
    return text;
}

void bench::start(member& m)
{
    m.process = plant_.another_bridge({{"BATCHBRIDGE_CRASH_AT", "@" + die_}, {"BATCHBRIDGE_CRASH_FILE", died_}});
    m.up = true;
    m.port = 0;
}

bool bench::stands_by(member& m) const
{
    return m.process.output().find("another process holds this line") != std::string::npos;
}

void bench::begin(const std::string& point)
{
    // Who died late in the last round.
    supervise();
    // A second one stands by, or there is only one.
    for (auto& m : members_) {
        if (m.up) continue;
        start(m);
        wait_until("a process to stand by", std::chrono::seconds(30), [&] { return stands_by(m); });
    }
    const auto state = plant_.plc("/state");
    base_.orders = static_cast<std::int64_t>(plant_.odoo("/orders").as_array().size());
    base_.journal = number("select max(id) from journal");
    base_.time = sql("select clock_timestamp()");
    base_.loads = number("select max(id) from plc_load");
    base_.failures = number("select max(id) from equipment_failure");
    base_.requests = number("select max(id) from odoo_outbox");
    base_.loads_taken = state.at("loads_taken").as_int64();
    base_.failures_acknowledged = state.at("failures").at("acknowledged").as_int64();
    base_.in_odoo = plant_.odoo("/requests").as_array().size();
    base_.violations = plant_.odoo("/violations").as_array().size();
    made_ = refused_ = 0;
    longest_shutdown_ = {};
    ++round_;
    dies_next_ = point;
    complaints_.clear();
    fs::remove(died_);
    fs::remove(die_);
    arm();
}

void bench::arm()
{
    if (dies_next_.empty()) return;
    // In one step: nobody reads half of it.
    std::ofstream(die_ + ".new") << dies_next_.substr(0, dies_next_.find(then)) << (way_ == way::shutdown ? " TERM" : " KILL");
    fs::rename(die_ + ".new", die_);
}

void bench::make(int count)
{
    plant_.generate(count);
    made_ += count;
}

void bench::make_refused()
{
    plant_.odoo("/orders", R"({"quantity": 5000.01, "components": [{"product_code": "SILO-102", "quantity": 5000.01}]})");
    ++made_;
    ++refused_;
}

void bench::ended(member& m)
{
    const int code = m.process.wait();
    m.up = false;
    // Whoever dies takes the file away.
    const bool wanted = !dies_next_.empty() && !fs::exists(die_);
    if (!wanted) complaints_.push_back("a process ended with " + std::to_string(code));
    const int expected = way_ == way::shutdown ? 0 : 128 + SIGKILL;
    if (wanted && code != expected) complaints_.push_back("exit code " + std::to_string(code) + " instead of " + std::to_string(expected));
    if (!wanted) return;
    if (way_ == way::shutdown) {
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(fs::file_time_type::clock::now() - fs::last_write_time(died_));
        longest_shutdown_ = std::max(longest_shutdown_, took);
        if (took > orderly_end) complaints_.push_back("the shutdown took " + std::to_string(took.count()) + " ms");
    }
    const auto next = dies_next_.find(then);
    dies_next_ = next == std::string::npos ? std::string() : dies_next_.substr(next + then.size());
    arm();
}

void bench::supervise()
{
    for (auto& m : members_) {
        if (!m.up || m.process.running()) continue;
        ended(m);
        const bool another = std::any_of(members_.begin(), members_.end(), [](const member& o) { return o.up; });
        if (!another) start(m);
    }
}

void bench::until(const std::string& what, const std::function<bool()>& condition, std::chrono::milliseconds limit)
{
    // Each look is a connection of its own: not every 5 ms.
    auto next = std::chrono::steady_clock::now();
    try {
        wait_until(what, limit, [&] {
            supervise();
            if (std::chrono::steady_clock::now() < next) return false;
            const bool there = condition();
            next = std::chrono::steady_clock::now() + between_looks;
            return there;
        });
    } catch (const std::exception& e) {
        if (!fs::exists(plant_.directory())) throw std::runtime_error(std::string(e.what()) + ": somebody has removed " + plant_.directory());
        throw std::runtime_error(std::string(e.what()) + "; rows: " + sql("select string_agg(batch_no || ' ' || state || ' ' || mo_id || ' ' || reason, ', ') from mo_batch") + "; loads: " +
                                 sql("select string_agg(number || ' ' || state, ', ') from plc_load where state in ('staged', 'arming')") + "; deliveries: " +
                                 sql("select string_agg(kind || ' ' || mo_id || ' ' || state || ' ' || last_error, ', ') from odoo_outbox where state in ('due', 'sending', 'parked')"));
    }
}

void bench::ask(const std::string& what, const std::function<std::string()>& target, const std::string& body, const std::function<bool()>& done)
{
    auto next = std::chrono::steady_clock::now();
    until(what, [&] {
        if (done && done()) return true;
        if (std::chrono::steady_clock::now() < next) return false;
        next = std::chrono::steady_clock::now() + 3 * between_looks;
        const auto where = target();
        if (where.empty()) return false;
        for (auto& m : members_) {
            if (!m.up) continue;
            if (m.port == 0) m.port = port_of(m.process.output());
            if (m.port == 0) continue;
            try {
                const auto answer = http_request(m.port, "POST", where, body, "test-token");
                if (answer.status == 200 || answer.status == 202) return true;
            } catch (const std::exception&) {
                // It died under the request: whether it was heard is seen next time.
            }
        }
        return false;
    });
}

bool bench::nothing_left()
{
    // In one statement, so that it is one moment.
    const auto since = std::to_string(base_.orders);
    const auto left = number("select (select count(*) from mo_batch) + (select count(*) from odoo_outbox where state in ('due', 'sending', 'parked')) + "
                                     "(select count(*) from plc_duty where done_at is null) + (select count(*) from plc_load where state in ('staged', 'arming')) + "
                                     "(select count(*) from equipment_failure where acknowledged_at is null) + " +
                                         std::to_string(made_ - refused_) + " - (select count(distinct odoo_id) from mo_histories where odoo_id > " + since + " and status <> 'reset')");
    return left == 0 && plant_.plc("/state").at("idle").as_bool();
}

void bench::settle()
{
    for (;;) {
        until("everything to be done", [&] { return nothing_left(); }, std::chrono::seconds(60));
        if (dies_next_.empty() || !dies_yet()) return;
    }
}

// The last thing to be done may be what is done before the point, and its process is on the way there, or to its end.
bool bench::dies_yet()
{
    const auto before = dies_next_;
    const auto reached_by = std::chrono::steady_clock::now() + last_steps;
    const auto ended_by = reached_by + 2 * orderly_end;
    for (;;) {
        supervise();
        if (dies_next_ != before) return true;
        const auto now = std::chrono::steady_clock::now();
        if (now > (fs::exists(die_) ? reached_by : ended_by)) return false;
        std::this_thread::sleep_for(between_looks);
    }
}

std::string bench::died_at() const
{
    return text_of(died_);
}

std::string bench::logs() const
{
    std::string out;
    for (const auto& m : members_) {
        const auto log = m.process.output();
        out += log.substr(log.size() > 3000 ? log.size() - 3000 : 0) + "\n";
    }
    return out;
}

}  // namespace bb_test::matrix
