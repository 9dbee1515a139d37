#include "plant.hpp"

#include "pg/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace batchbridge::bench {

namespace {

constexpr auto start_limit = std::chrono::seconds(30);

boost::asio::awaitable<void> execute(const std::string& uri, const std::string& sql)
{
    pg::connection c(co_await boost::asio::this_coro::executor, uri);
    co_await c.connect(std::chrono::seconds(5));
    co_await c.query(sql);
}

void run_statement(const std::string& uri, const std::string& sql)
{
    boost::asio::io_context ioc(1);
    auto done = boost::asio::co_spawn(ioc, execute(uri, sql), boost::asio::use_future);
    ioc.run();
    done.get();
}

std::string with_database(const std::string& uri, const std::string& name)
{
    const auto parsed = boost::urls::parse_uri(uri);
    if (!parsed) throw std::runtime_error("the database is not given as postgresql://...");
    boost::urls::url out(*parsed);
    out.set_path("/" + name);
    return std::string(out.buffer());
}

}  // namespace

scratch_database::scratch_database(const std::string& uri) : server_(uri)
{
    static int count = 0;
    name_ = fmt::format("batchbridge_bench_{}_{}", ::getpid(), ++count);
    own_ = with_database(uri, name_);
    run_statement(server_, "create database " + name_);
}

scratch_database::~scratch_database()
{
    try {
        run_statement(server_, "drop database if exists " + name_ + " with (force)");
    } catch (const std::exception& e) {
        fmt::print(stderr, "batchbridge-bench: database {} is left behind: {}\n", name_, e.what());
    }
}

plant::plant(const settings& s, int orders)
    : settings_(s), database_(s.database), plc_(s.plc_sim, {"--map", s.map.string(), "--log", plc_log().string()}, work_.path() / "plc.out"),
      odoo_(s.odoo_sim, {"--generate", std::to_string(orders)}, work_.path() / "odoo.out")
{
}

void plant::start_bridge(const std::map<std::string, std::string>& extra)
{
    http_port_ = free_port();
    std::map<std::string, std::string> env{{"DATABASE_URL", database_.uri()},
                                           {"PLC_HOST", "127.0.0.1"},
                                           {"PLC_PORT", std::to_string(plc_.port())},
                                           {"PLC_MAP", settings_.map.string()},
                                           {"PLC_WRITES", "true"},
                                           {"ODOO_URL", fmt::format("http://127.0.0.1:{}", odoo_.port())},
                                           {"ODOO_DB", "factory"},
                                           {"ODOO_USERNAME", "plcbridge"},
                                           {"ODOO_PASSWORD", "plc"},
                                           {"HTTP_LISTEN", fmt::format("127.0.0.1:{}", http_port_)}};
    for (const auto& [name, value] : extra) env[name] = value;
    bridge_.emplace(settings_.bridge, std::vector<std::string>{"run"}, env, work_.path() / "bridge.log");
}

void plant::stop_bridge()
{
    bridge_->stop();
    bridge_.reset();
}

void plant::kill_bridge()
{
    bridge_.reset();
}

void plant::need_bridge(const std::string& what, std::chrono::seconds limit, const std::function<bool()>& done)
{
    const auto failed = [this](const std::string& why) { return std::runtime_error(fmt::format("{}; the log of batchbridge:\n{}", why, bridge_->output())); };
    const auto until = std::chrono::steady_clock::now() + limit;
    await(what, limit * 2, [&] {
        if (done()) return true;
        if (!bridge_->running()) throw failed("batchbridge ended while the bench waited for " + what);
        if (std::chrono::steady_clock::now() > until) throw failed("waited in vain for " + what);
        return false;
    });
}

void plant::await_ready()
{
    need_bridge("batchbridge to be ready", start_limit, [this] { return ask(http_port_, "GET", "/readyz").status == 200; });
}

void plant::await_dosing()
{
    need_bridge("the PLC to dose", start_limit, [this] { return plc_.get("/state").at("running_slot").to_number<int>() > 0; });
}

bool plant::odoo_is(const std::string& state) const
{
    const auto a = ask(http_port_, "GET", "/readyz");
    if (a.status == 0) return false;
    const auto page = boost::json::parse(a.body);
    const auto* odoo = page.at("dependencies").as_object().if_contains("odoo");
    return odoo != nullptr && odoo->at("state").as_string() == state;
}

double plant::resident_mb() const
{
    std::ifstream status(fmt::format("/proc/{}/status", bridge_->id()));
    for (std::string word; status >> word;) {
        double kib = 0;
        if (word == "VmRSS:" && status >> kib) return kib * 1024 / 1e6;
    }
    throw std::runtime_error("/proc says nothing about the memory of batchbridge");
}

}  // namespace batchbridge::bench
