#include "support/plant.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <regex>
#include <stdexcept>
#include <sys/stat.h>
#include <thread>

namespace bb_test {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
namespace fs = std::filesystem;
using asio::ip::tcp;

http_answer http_request(int port, std::string_view method, const std::string& target, const std::string& body, const std::string& token)
{
    asio::io_context ioc;
    boost::beast::tcp_stream stream(ioc);
    http::request<http::string_body> ask(http::string_to_verb(method), target, 11);
    ask.set(http::field::host, "127.0.0.1");
    ask.set(http::field::connection, "close");
    if (!token.empty()) ask.set(http::field::authorization, "Bearer " + token);
    if (!body.empty()) {
        ask.set(http::field::content_type, "application/json");
        ask.body() = body;
    }
    ask.prepare_payload();
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> answer;
    boost::system::error_code failure = asio::error::would_block;
    stream.expires_after(std::chrono::seconds(10));
    stream.async_connect(tcp::endpoint(asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(port)), [&](boost::system::error_code ec) {
        if ((failure = ec)) return;
        http::async_write(stream, ask, [&](boost::system::error_code written, std::size_t) {
            if ((failure = written)) return;
            http::async_read(stream, buffer, answer, [&](boost::system::error_code read, std::size_t) { failure = read; });
        });
    });
    ioc.run();
    if (failure) throw std::runtime_error(std::string(method) + " " + target + " on port " + std::to_string(port) + ": " + failure.message());
    http_answer out;
    out.status = static_cast<int>(answer.result_int());
    out.text = answer.body();
    boost::system::error_code ec;
    out.body = json::parse(out.text, ec);
    return out;
}

namespace {

int free_port()
{
    // Below the range from which connections get theirs: a port of that range may be taken before the program binds it.
    static std::mt19937 random(std::random_device{}());
    std::uniform_int_distribution<int> draw(15000, 32000);
    asio::io_context ioc;
    for (;;) {
        const int port = draw(random);
        tcp::acceptor a(ioc);
        boost::system::error_code ec;
        a.open(tcp::v4());
        a.bind(tcp::endpoint(asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(port)), ec);
        if (!ec) return port;
    }
}

int port_in(const std::string& text, const std::string& name)
{
    std::smatch m;
    return std::regex_search(text, m, std::regex(name + " 127\\.0\\.0\\.1:(\\d+)")) ? std::stoi(m[1]) : 0;
}

std::string number_text(double value)
{
    return std::to_string(value);
}

double kg(const json::value& v)
{
    return std::stod(std::string(v.as_string()));
}

json::value checked(const http_answer& a, const std::string& target)
{
    if (a.status != 200) throw std::runtime_error(target + " answered " + std::to_string(a.status) + ": " + a.text);
    return a.body;
}

}  // namespace

plant::plant(plant_options options) : options_(std::move(options)), http_port_(free_port())
{
    std::string pattern = "/tmp/batchbridge-plant.XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a directory in /tmp");
    directory_ = pattern;
    map_path_ = BATCHBRIDGE_ROOT "/conf/plc-map.json";
    if (!options_.map.empty()) {
        map_path_ = directory_ + "/plc-map.json";
        std::ofstream(map_path_) << options_.map;
    }
    if (options_.with_database) {
        postgres_ = std::make_unique<postgres>();
        url_ = postgres_->create_database();
        if (!options_.start_database) postgres_->stop();
    }
    plc_port_ = free_port();
    odoo_port_ = free_port();
    if (options_.start_plc) start_plc();
    if (options_.start_odoo) start_odoo();
}

plant::~plant()
{
    bridge_ = {};
    plc_ = {};
    odoo_ = {};
    // For looking at a failure afterwards.
    if (std::getenv("BATCHBRIDGE_KEEP") != nullptr) return;
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

void plant::start_plc()
{
    std::vector<std::string> arguments{"--map", map_path_, "--speed", number_text(options_.plc_speed), "--port", std::to_string(plc_port_), "--log", directory_ + "/plc.jsonl"};
    arguments.insert(arguments.end(), options_.plc_arguments.begin(), options_.plc_arguments.end());
    const auto out = directory_ + "/plc.out";
    fs::remove(out);
    plc_ = program(BATCHBRIDGE_BIN "/plc-sim", arguments, {}, out);
    wait_until("plc-sim", std::chrono::seconds(10), [&] {
        if (!plc_.running()) throw std::runtime_error("plc-sim ended: " + plc_.output());
        return (plc_control_ = port_in(plc_.output(), "control")) != 0;
    });
}

void plant::stop_plc()
{
    plc_.signal(SIGKILL);
    plc_.wait();
}

void plant::start_odoo()
{
    std::vector<std::string> arguments{"--port", std::to_string(odoo_port_), "--log", directory_ + "/odoo.jsonl"};
    arguments.insert(arguments.end(), options_.odoo_arguments.begin(), options_.odoo_arguments.end());
    const auto out = directory_ + "/odoo.out";
    fs::remove(out);
    odoo_ = program(BATCHBRIDGE_BIN "/odoo-sim", arguments, {}, out);
    wait_until("odoo-sim", std::chrono::seconds(10), [&] {
        if (!odoo_.running()) throw std::runtime_error("odoo-sim ended: " + odoo_.output());
        return (odoo_control_ = port_in(odoo_.output(), "control")) != 0;
    });
}

void plant::stop_odoo()
{
    odoo_.signal(SIGKILL);
    odoo_.wait();
}

std::map<std::string, std::string> plant::environment() const
{
    std::map<std::string, std::string> out{
        {"DATABASE_URL", url_}, {"PLC_HOST", "127.0.0.1"}, {"PLC_PORT", std::to_string(plc_port_)}, {"PLC_MAP", map_path_}, {"PLC_WRITES", "true"}, {"PLC_TIMEOUT", "500ms"},
        {"ODOO_URL", "http://127.0.0.1:" + std::to_string(odoo_port_)}, {"ODOO_DB", "factory"}, {"ODOO_USERNAME", "plcbridge"}, {"ODOO_PASSWORD", "plc"},
        {"ODOO_CONNECT_TIMEOUT", "500ms"}, {"ODOO_TIMEOUT", "600ms"}, {"ODOO_WRITE_TIMEOUT", "600ms"}, {"ODOO_UNCLEAR_WAIT", "1500ms"}, {"ODOO_RETRY_MAX", "2s"},
        {"ODOO_LIVE_INTERVAL", "200ms"}, {"PLC_READ_INTERVAL", "100ms"}, {"SYNC_INTERVAL", "1s"}, {"PROCESS_COMPLETED_INTERVAL", "1s"},
        {"HTTP_LISTEN", "127.0.0.1:" + std::to_string(http_port_)}, {"API_TOKEN", "test-token"}, {"BATCHBRIDGE_LEASE_SCALE", "25"}};
    for (const auto* name : {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"})
        if (const char* value = std::getenv(name)) out[name] = value;
    for (const auto& [name, value] : options_.environment) out[name] = value;
    return out;
}

void plant::start_bridge(std::map<std::string, std::string> environment)
{
    auto env = this->environment();
    for (auto& [name, value] : environment) env[name] = value;
    std::erase_if(env, [](const auto& e) { return e.second.empty(); });
    // Data files are found in the working directory, or where the build tree says.
    if (::chdir(BATCHBRIDGE_ROOT) != 0) throw std::runtime_error("cannot go to " BATCHBRIDGE_ROOT);
    bridge_ = program(BATCHBRIDGE_BIN "/batchbridge", {"run"}, env, directory_ + "/bridge.log");
}

program plant::another_bridge(std::map<std::string, std::string> environment)
{
    auto env = this->environment();
    env["HTTP_LISTEN"] = "127.0.0.1:" + std::to_string(free_port());
    for (auto& [name, value] : environment) env[name] = value;
    std::erase_if(env, [](const auto& e) { return e.second.empty(); });
    static int number = 1;
    return program(BATCHBRIDGE_BIN "/batchbridge", {"run"}, env, directory_ + "/bridge" + std::to_string(++number) + ".log");
}

void plant::kill_bridge()
{
    bridge_.signal(SIGKILL);
    bridge_.wait();
}

int plant::stop_bridge()
{
    bridge_.signal(SIGTERM);
    return bridge_.wait();
}

bool plant::bridge_runs()
{
    return bridge_.running();
}

std::string plant::bridge_log() const
{
    return bridge_.output();
}

http_answer plant::bridge(std::string_view method, const std::string& target, const std::string& body, const std::string& token)
{
    return http_request(http_port_, method, target, body, token);
}

json::value plant::plc(const std::string& target, const std::string& body)
{
    return checked(http_request(plc_control_, body.empty() ? "GET" : "POST", target, body), "plc-sim " + target);
}

json::value plant::odoo(const std::string& target, const std::string& body)
{
    return checked(http_request(odoo_control_, body.empty() ? "GET" : "POST", target, body), "odoo-sim " + target);
}

std::string plant::plc_log() const
{
    std::ifstream in(directory_ + "/plc.jsonl");
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string plant::sql(const std::string& statement)
{
    return sql_value(url_, statement);
}

sql_rows plant::rows(const std::string& statement)
{
    return bb_test::sql(url_, statement);
}

std::int64_t plant::count(const std::string& from)
{
    const auto text = sql("select count(*) from " + from);
    return text.empty() ? 0 : std::stoll(text);
}

void plant::generate(int count)
{
    odoo("/generate", "{\"count\": " + std::to_string(count) + "}");
}

void plant::wait_archived(int wanted, std::chrono::milliseconds limit)
{
    try {
        wait_until(std::to_string(wanted) + " archived orders", limit, [&] {
            if (!bridge_runs()) throw std::runtime_error("batchbridge ended");
            return sql("select (to_regclass('mo_histories') is not null)::text") == "true" && count("mo_histories where status = 'completed'") >= wanted;
        });
        wait_until("the last acknowledgements", std::chrono::seconds(10), [&] { return count("plc_duty where done_at is null") == 0; });
    } catch (const std::exception& e) {
        const auto log = bridge_log();
        const auto states = sql("select string_agg(state || ' ' || mo_id || ' ' || reason, ', ') from mo_batch");
        throw std::runtime_error(std::string(e.what()) + "\nrows: " + states + "\nthe log ends with:\n" + log.substr(log.size() > 6000 ? log.size() - 6000 : 0));
    }
}

std::vector<std::string> plant::faults(int orders)
{
    std::vector<std::string> out;
    std::map<std::string, const json::object*> made;
    const auto state = plc("/state");
    for (const auto& f : state.at("finished").as_array()) {
        const std::string name(f.at("order").as_string());
        if (!made.emplace(name, &f.as_object()).second) out.push_back(name + " was made twice by the PLC");
    }
    const auto in_odoo = odoo("/orders");
    int done = 0;
    for (const auto& o : in_odoo.as_array()) {
        const std::string name(o.at("name").as_string());
        if (o.at("state").as_string() != "done") continue;
        ++done;
        const auto it = made.find(name);
        if (it == made.end()) {
            out.push_back(name + " is done in Odoo and was never made");
            continue;
        }
        const auto& actual = it->second->at("actual").as_object();
        double sum = 0;
        for (const auto& [silo, amount] : actual) sum += kg(amount);
        for (const auto& m : o.at("moves").as_array()) {
            const std::string code(m.at("product_code").as_string());
            const auto digits = code.substr(code.find_first_of("0123456789"));
            const auto* a = actual.if_contains(digits);
            const double wanted = a != nullptr ? kg(*a) : 0;
            if (std::abs(kg(m.at("quantity")) - wanted) > 0.004) out.push_back(name + " " + code + ": Odoo has " + std::string(m.at("quantity").as_string()) + ", the PLC dosed " + number_text(wanted));
        }
        const double weight = kg(it->second->at("weight"));
        if (std::abs(kg(o.at("qty_produced")) - (weight > 0 ? weight : sum)) > 0.004) out.push_back(name + ": produced " + std::string(o.at("qty_produced").as_string()) + " in Odoo, not the PLC's figure");
        if (o.at("finished_times").as_int64() != 1) out.push_back(name + " was finished " + std::to_string(o.at("finished_times").as_int64()) + " times");
        if (count("mo_histories where status = 'completed' and mo_id = '" + name + "'") != 1) out.push_back(name + " has not exactly one history row");
    }
    if (done != orders) out.push_back(std::to_string(done) + " orders are done in Odoo, not " + std::to_string(orders));
    const auto violations = odoo("/violations");
    for (const auto& v : violations.as_array()) out.push_back("violation: " + std::string(v.as_string()));
    if (const auto left = count("mo_batch"); left != 0) out.push_back(std::to_string(left) + " batches are left");
    if (const auto open = count("odoo_outbox where state in ('due', 'sending', 'parked')"); open != 0) out.push_back(std::to_string(open) + " deliveries are open");
    if (count("mo_histories") != orders) out.push_back(std::to_string(count("mo_histories")) + " history rows, not " + std::to_string(orders));
    return out;
}

}  // namespace bb_test
