#include "read_bench.hpp"

#include "core/log.hpp"
#include "domain/slot_observer.hpp"

#include <boost/asio/post.hpp>

#include <fstream>
#include <sstream>

namespace batchbridge::tests {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

std::string text_of(const std::string& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

core::config configuration(const std::string& uri, const std::map<std::string, std::string>& changes)
{
    std::map<std::string, std::string> all{{"DATABASE_URL", uri}, {"PLC_HOST", "127.0.0.1"}, {"PLC_MAP", BATCHBRIDGE_CONF "/plc-map.json"}, {"PLC_WRITES", "true"}, {"ODOO_URL", "http://127.0.0.1:9"},
                                           {"ODOO_DB", "factory"}, {"ODOO_USERNAME", "plcbridge"}, {"ODOO_PASSWORD", "plc"}, {"ENABLE_AUTO_SYNC", "false"}, {"HTTP_LISTEN", "127.0.0.1:0"}};
    for (const auto& [name, value] : changes) all[name] = value;
    return core::load_config(
        [&all](const std::string& name) -> std::optional<std::string> {
            const auto it = all.find(name);
            return it == all.end() ? std::nullopt : std::optional(it->second);
        },
        core::real_files());
}

}  // namespace

slot_device::slot_device(const domain::plant_map& map) : map_(map)
{
    read_area.assign(static_cast<std::size_t>(map.slots.count), domain::empty_slot(map));
    write_area = read_area;
}

domain::words slot_device::image(plc::area a, int slot) const
{
    if (a == plc::area::read && on_read) return on_read(slot);
    return (a == plc::area::read ? read_area : write_area).at(static_cast<std::size_t>(slot - 1));
}

asio::awaitable<std::vector<domain::words>> slot_device::read_all(plc::area a)
{
    std::vector<domain::words> out;
    for (int slot = 1; slot <= map_.slots.count; ++slot) out.push_back(image(a, slot));
    co_return out;
}

asio::awaitable<plc::observation> slot_device::observe(int slot, const domain::words& stored)
{
    domain::slot_observer o(map_, stored);
    auto step = domain::slot_observer::step::again;
    while (step == domain::slot_observer::step::again) step = o.add(image(plc::area::read, slot));
    plc::observation out;
    if (step == domain::slot_observer::step::inconsistent) out.what = plc::observation::kind::inconsistent;
    else out.image = o.image();
    if (step == domain::slot_observer::step::accepted) out.what = plc::observation::kind::accepted;
    co_return out;
}

asio::awaitable<bool> slot_device::acknowledge(int slot)
{
    ++acknowledged;
    if (on_acknowledge) co_return on_acknowledge(slot);
    read_area.at(static_cast<std::size_t>(slot - 1)).at(static_cast<std::size_t>(map_.fields.status_read_data.at)) = 1;
    co_return true;
}

asio::awaitable<void> slot_device::clear_recipes()
{
    for (auto& w : write_area) {
        w = domain::empty_slot(map_);
        w.at(static_cast<std::size_t>(map_.fields.status_read_data.at)) = 1;
    }
    co_return;
}

read_bench::read_bench(const std::map<std::string, std::string>& changes)
    : uri(bb_test::shared_postgres().create_database()), config(configuration(uri, changes)), map(domain::parse_plant_map(text_of(BATCHBRIDGE_CONF "/plc-map.json")))
{
    core::log::init(core::log::level::error, core::log::format::text);
    const auto executor = ioc.get_executor();
    pool = std::make_unique<pg::pool>(executor, config.database_url.value, 2);
    rows = std::make_unique<store::store>(*pool);
    locks = std::make_unique<store::line_locks>(executor, config.database_url.value, store::lease_times::for_this_build());
    env = std::make_unique<tasks::environment>(executor, config, *rows, *locks, erp);
    std::vector<tasks::line_setup> lines;
    for (const auto& l : config.lines) lines.push_back({l, map});
    service = std::make_unique<tasks::service>(*env, *pool, BATCHBRIDGE_CONF "/migrations", std::move(lines), [this](const core::line_config&, const domain::plant_map&) {
        return [this](plc::device::write_permission) -> std::unique_ptr<plc::device> {
            auto made = std::make_unique<slot_device>(map);
            device = made.get();
            return made;
        };
    });
    asio::co_spawn(ioc, service->run(), [this](std::exception_ptr) { ended_ = true; });
    const auto until = steady_clock::now() + 20s;
    while (!service->ready() || !line().may_write()) {
        if (steady_clock::now() > until) throw std::runtime_error("the line is never held");
        ioc.restart();
        ioc.run_for(10ms);
    }
}

read_bench::~read_bench()
{
    asio::post(ioc, [this] { service->stop(); });
    ioc.restart();
    const auto until = steady_clock::now() + 15s;
    while (!ended_ && steady_clock::now() < until) ioc.run_one_for(50ms);
    ioc.run_for(100ms);
}

}  // namespace batchbridge::tests
