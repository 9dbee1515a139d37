#include "delivery_bench.hpp"

#include "logged.hpp"

#include "core/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace batchbridge::tests {

using std::chrono::steady_clock;

namespace {

class no_plc : public plc::device {
public:
    const std::string& name() const override { return name_; }
    bool connected() const override { return false; }
    unsigned connections() const override { return 0; }
    asio::awaitable<void> connect() override { return fail<void>(); }
    asio::awaitable<domain::words> read_slot(plc::area, int) override { return fail<domain::words>(); }
    asio::awaitable<std::vector<domain::words>> read_all(plc::area) override { return fail<std::vector<domain::words>>(); }
    asio::awaitable<plc::observation> observe(int, const domain::words&) override { return fail<plc::observation>(); }
    asio::awaitable<std::uint16_t> read_ready() override { return fail<std::uint16_t>(); }
    asio::awaitable<void> write_disarmed(const std::vector<domain::words>&) override { return fail<void>(); }
    asio::awaitable<std::vector<std::string>> verify(const std::vector<domain::words>&) override { return fail<std::vector<std::string>>(); }
    asio::awaitable<void> arm(const domain::words&) override { return fail<void>(); }
    asio::awaitable<void> disarm(int) override { return fail<void>(); }
    asio::awaitable<void> clear_recipes() override { return fail<void>(); }
    asio::awaitable<bool> acknowledge(int) override { return fail<bool>(); }
    asio::awaitable<plc::observation> observe_failure(const domain::words&) override { return fail<plc::observation>(); }
    asio::awaitable<plc::failure_answer> acknowledge_failure(const domain::words&) override { return fail<plc::failure_answer>(); }
    void interrupt() noexcept override {}

private:
    template <class T>
    asio::awaitable<T> fail()
    {
        throw plc::error(core::error_kind::unavailable, "connect", name_, "there is none");
        co_return T();
    }
    std::string name_ = "plc test";
};

core::config configuration(const std::string& uri, const std::map<std::string, std::string>& changes)
{
    std::map<std::string, std::string> all{{"DATABASE_URL", uri}, {"PLC_HOST", "127.0.0.1"}, {"PLC_MAP", BATCHBRIDGE_CONF "/plc-map.json"}, {"PLC_WRITES", "true"},
                                           {"ODOO_URL", "http://127.0.0.1:9"}, {"ODOO_DB", "factory"}, {"ODOO_USERNAME", "plcbridge"}, {"ODOO_PASSWORD", "plc"},
                                           {"ENABLE_AUTO_SYNC", "false"}, {"ODOO_WATCH_INTERVAL", "1h"}, {"HTTP_LISTEN", "127.0.0.1:0"}, {"API_TOKEN", "correct-horse"}};
    for (const auto& [name, value] : changes) all[name] = value;
    return core::load_config(
        [&all](const std::string& name) -> std::optional<std::string> {
            const auto it = all.find(name);
            return it == all.end() ? std::nullopt : std::optional(it->second);
        },
        core::real_files());
}

std::string read_text(const std::string& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

int occurrences(const std::string& text, const std::string& part)
{
    int n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

delivery_bench::delivery_bench(const std::map<std::string, std::string>& changes, const std::function<std::unique_ptr<plc::device>()>& plc) : uri(bb_test::shared_postgres().create_database()), config(configuration(uri, changes))
{
    // A new holder waits before it writes; not for seconds here.
    ::setenv("BATCHBRIDGE_LEASE_SCALE", "25", 1);
    core::log::init(core::log::level::error, core::log::format::text);
    const auto executor = ioc.get_executor();
    pool = std::make_unique<pg::pool>(executor, config.database_url.value, 2);
    rows = std::make_unique<store::store>(*pool);
    locks = std::make_unique<store::line_locks>(executor, config.database_url.value, store::lease_times::for_this_build());
    env = std::make_unique<tasks::environment>(executor, config, *rows, *locks, erp);
    std::vector<tasks::line_setup> lines;
    for (const auto& l : config.lines) lines.push_back({l, domain::parse_plant_map(read_text(l.map))});
    service = std::make_unique<tasks::service>(*env, *pool, BATCHBRIDGE_CONF "/migrations", std::move(lines), [plc](const core::line_config&, const domain::plant_map&) {
        return [plc](plc::device::write_permission) -> std::unique_ptr<plc::device> {
            if (plc) return plc();
            return std::make_unique<no_plc>();
        };
    });
    asio::co_spawn(ioc, service->run(), [this](std::exception_ptr) { ended_ = true; });
    // The first look of the order watch too: what a test does meets none that it did not ask for.
    await("the line", [this] { return service->ready() && service->find_line("line1")->may_write() && service->watch().looks() > 0; });
}

delivery_bench::~delivery_bench()
{
    asio::post(ioc, [this] { service->stop(); });
    ioc.restart();
    const auto until = steady_clock::now() + 15s;
    while (!ended_ && steady_clock::now() < until) ioc.run_one_for(50ms);
    ioc.run_for(100ms);
}

void delivery_bench::await(const std::string& what, const std::function<bool()>& done, std::chrono::milliseconds limit)
{
    const auto until = steady_clock::now() + limit;
    while (!done()) {
        if (steady_clock::now() > until) throw std::runtime_error("waited in vain for " + what);
        ioc.restart();
        ioc.run_for(10ms);
    }
}

void delivery_bench::run_for(std::chrono::milliseconds time)
{
    ioc.restart();
    ioc.run_for(time);
}

std::string delivery_bench::logged(const std::function<void()>& meanwhile)
{
    return tests::logged(meanwhile);
}

std::int64_t delivery_bench::batch(std::int64_t odoo_id, const std::string& state, const std::map<int, std::string>& actual)
{
    std::string silos;
    for (const auto& [silo, kg] : actual) silos += fmt::format("{}({}, {}::numeric)", silos.empty() ? "" : ", ", silo, kg);
    const auto id = sql(fmt::format(
        "with l as (insert into plc_load (line, number, state, images) values ('line1', {0}, 'taken', '{{}}') returning id), "
        "b as (insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, batch_no, load, state, quantity_goods, status_manufacturing, version) "
        "select 'line1', 'factory', {0}, '2026-11-23 10:46:09+00', '{1}', '{1}', {0}, id, '{2}', 100, {3}, 3 from l returning id), "
        "c as (insert into mo_batch_consumption (batch_id, line, silo, planned, actual) select b.id, 'line1', v.silo, 100, v.kg from b, (values {4}) as v(silo, kg)) select id from b",
        odoo_id, fmt::format("WH/MO/{:05}", odoo_id), state, state == "completed", silos));
    return std::stoll(id);
}

std::int64_t delivery_bench::owe(std::int64_t batch_id, const std::string& kind)
{
    const auto id = sql(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, payload, version) select b.line, b.odoo_db, b.odoo_id, b.mo_id, b.id, '{}', "
                                    "jsonb_build_object('actual', (select jsonb_object_agg(c.silo::text, c.actual::text) from mo_batch_consumption c where c.batch_id = b.id)), b.version "
                                    "from mo_batch b where b.id = {} returning id",
                                    kind, batch_id));
    wake();
    return std::stoll(id);
}

std::int64_t delivery_bench::completed(std::int64_t odoo_id, const std::map<int, std::string>& actual)
{
    const auto id = batch(odoo_id, "completed", actual);
    owe(id, "finish");
    return id;
}

}  // namespace batchbridge::tests
