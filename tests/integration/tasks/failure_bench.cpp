#include "failure_bench.hpp"

#include "core/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

namespace batchbridge::tests {

using std::chrono::steady_clock;

std::string shipped_map()
{
    std::ifstream file(BATCHBRIDGE_CONF "/plc-map.json");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

failure_bench::failure_bench(const settings& changes, const std::string& map, std::string database)
    : uri(database.empty() ? bb_test::shared_postgres().create_database() : std::move(database)), changes_(changes), map_(domain::parse_plant_map(map.empty() ? shipped_map() : map))
{
    // A new holder waits before it writes; not for seconds here.
    ::setenv("BATCHBRIDGE_LEASE_SCALE", "25", 1);
    core::log::init(core::log::level::error, core::log::format::text);
    model = std::make_unique<sim::plc_model>(map_, sim::plc_options{});
    plc_log_ = "/tmp/failure-bench-XXXXXX";
    ::close(::mkstemp(plc_log_.data()));
    server = std::make_unique<sim::modbus_server>(*model, "127.0.0.1", 0, plc_log_);
    start();
}

failure_bench::~failure_bench()
{
    stop();
    std::remove(plc_log_.c_str());
}

std::vector<std::string> failure_bench::acknowledged_texts() const
{
    std::vector<std::string> out;
    std::ifstream file(plc_log_);
    for (std::string line; std::getline(file, line);) {
        const auto o = boost::json::parse(line).as_object();
        if (const auto* e = o.if_contains("event"); e != nullptr && e->as_string() == "failure_acknowledged") out.emplace_back(o.at("text").as_string());
    }
    return out;
}

void failure_bench::start()
{
    settings all{{"DATABASE_URL", uri}, {"PLC_HOST", "127.0.0.1"}, {"PLC_PORT", std::to_string(server->port())}, {"PLC_MAP", BATCHBRIDGE_CONF "/plc-map.json"}, {"PLC_WRITES", "true"}, {"PLC_TIMEOUT", "500ms"},
                 {"ODOO_URL", "http://127.0.0.1:9"}, {"ODOO_DB", "factory"}, {"ODOO_USERNAME", "plcbridge"}, {"ODOO_PASSWORD", "plc"}, {"ENABLE_AUTO_SYNC", "false"}, {"HTTP_LISTEN", "127.0.0.1:0"}};
    for (const auto& [name, value] : changes_) all[name] = value;
    config_ = std::make_unique<core::config>(core::load_config(
        [&all](const std::string& name) -> std::optional<std::string> {
            const auto it = all.find(name);
            return it == all.end() ? std::nullopt : std::optional(it->second);
        },
        core::real_files()));
    ended_ = false;
    ioc_ = std::make_unique<asio::io_context>(1);
    const auto executor = ioc_->get_executor();
    // Odoo is away: what is owed to it stays in the outbox, until a test says otherwise.
    if (!erp.before)
        erp.before = [](const std::string&) {
            const odoo::error away(core::error_kind::unavailable, domain::call_outcome::not_sent, domain::error_class::retry, "connect", "odoo test", "refused");
            throw away;
        };
    pool_ = std::make_unique<pg::pool>(executor, uri, 2);
    rows_ = std::make_unique<store::store>(*pool_);
    locks_ = std::make_unique<store::line_locks>(executor, uri, store::lease_times::for_this_build());
    env_ = std::make_unique<tasks::environment>(executor, *config_, *rows_, *locks_, erp);
    std::vector<tasks::line_setup> lines;
    for (const auto& l : config_->lines) lines.push_back({l, map_});
    service = std::make_unique<tasks::service>(*env_, *pool_, BATCHBRIDGE_CONF "/migrations", std::move(lines), [this, executor](const core::line_config& line, const domain::plant_map& map) {
        return [this, executor, line, map](plc::device::write_permission may) -> std::unique_ptr<plc::device> {
            return plc::make_modbus_device(executor, line, map, [this, may] {
                if (before_write) before_write();
                return may();
            });
        };
    });
    asio::co_spawn(*ioc_, service->run(), [this](std::exception_ptr) { ended_ = true; });
    const bool writes = all["PLC_WRITES"] == "true";
    await("the line", [this, writes] { return service->ready() && (writes ? service->find_line("line1")->may_write() : service->find_line("line1")->held()); });
}

void failure_bench::stop()
{
    asio::post(*ioc_, [this] { service->stop(); });
    ioc_->restart();
    const auto until = steady_clock::now() + 15s;
    while (!ended_ && steady_clock::now() < until) ioc_->run_one_for(50ms);
    ioc_->run_for(50ms);
    service.reset();
    env_.reset();
    locks_.reset();
    rows_.reset();
    pool_.reset();
    ioc_.reset();
}

void failure_bench::restart()
{
    stop();
    start();
}

std::string failure_bench::run()
{
    auto* task = service->find_line("line1")->task(tasks::task_names::equipment_failure);
    std::optional<tasks::periodic::trigger_answer> said;
    // The task's loop begins a moment after the line is held.
    await("the task's turn", [&] {
        said.reset();
        const auto ask = [&]() -> asio::awaitable<void> { said = co_await task->trigger(); };
        asio::co_spawn(*ioc_, ask, [](std::exception_ptr) {});
        await("the task", [&] { return said.has_value(); });
        return said->what == tasks::periodic::answer::ran;
    });
    detail_ = said->run->result.detail;
    return std::string(tasks::to_string(said->run->result.what));
}

void failure_bench::raise(const std::string& info, const std::vector<std::uint16_t>& time, const std::string& equipment)
{
    const std::lock_guard lock(server->guard());
    model->raise_failure(equipment, info, time);
}

std::vector<std::uint16_t> failure_bench::clock(std::chrono::seconds ago)
{
    const auto at = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() - ago);
    std::tm t{};
    ::gmtime_r(&at, &t);
    std::vector<std::uint16_t> out;
    for (const int v : {t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec}) out.push_back(static_cast<std::uint16_t>(v));
    return out;
}

void failure_bench::await(const std::string& what, const std::function<bool()>& done, std::chrono::milliseconds limit)
{
    const auto until = steady_clock::now() + limit;
    while (!done()) {
        if (steady_clock::now() > until) throw std::runtime_error("waited in vain for " + what);
        ioc_->restart();
        ioc_->run_for(5ms);
    }
}

void failure_bench::run_for(std::chrono::milliseconds time)
{
    ioc_->restart();
    ioc_->run_for(time);
}

}  // namespace batchbridge::tests
