// The composition root: builds the parts, runs the loop, ends on SIGTERM or SIGINT.
#include "commands.hpp"

#include "core/log.hpp"
#include "data_files.hpp"
#include "odoo/factory.hpp"
#include "pg/pool.hpp"
#include "plc/modbus_device.hpp"
#include "store/line_locks.hpp"
#include "store/store.hpp"
#include "tasks/service.hpp"
#include "web/web_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdio>

namespace batchbridge::app {

namespace asio = boost::asio;

namespace {

constexpr std::size_t pool_size = 4;

void say_hello(const core::config& c)
{
    core::log::info({}, "batchbridge {} starts: {} line(s), Odoo {} database {}", BATCHBRIDGE_VERSION, c.lines.size(),
                    core::without_credentials(c.odoo_url), c.odoo_db);
    for (const auto& warning : c.warnings) core::log::warning({}, "{}", warning);
    for (const auto& l : core::describe_config(c, core::process_environment()))
        if (l.source != "default") core::log::debug({}, "{}={} ({})", l.name, l.value, l.source);
}

}  // namespace

int run()
{
    auto start = read_start_up();
    if (!start) return exit_code::configuration;
    const auto& config = start->config;
    core::log::init(config.log_level, config.log_format);
    const auto migrations = find_data("conf/migrations");
    if (!migrations) {
        core::log::error({}, "conf/migrations is neither in the working directory nor in the installed data directory");
        return exit_code::configuration;
    }
    say_hello(config);

    asio::io_context ioc(1);
    const auto executor = ioc.get_executor();
    pg::pool pool(executor, config.database_url.value, pool_size);
    store::store store(pool);
    store::line_locks locks(executor, config.database_url.value, store::lease_times::for_this_build());
    const auto erp = odoo::make_erp(executor, config, [&locks] { return locks.valid(); }, [&locks] { return locks.session(); });
    tasks::environment env(executor, config, store, locks, *erp);

    std::vector<tasks::line_setup> lines;
    for (const auto& l : config.lines) lines.push_back({l, start->maps.at(l.name)});
    tasks::service service(env, pool, *migrations, std::move(lines), [&executor](const core::line_config& l, const domain::plant_map& map) {
        return [&executor, l, map](plc::device::write_permission may_write) -> std::unique_ptr<plc::device> {
            return plc::make_modbus_device(executor, l, map, std::move(may_write));
        };
    });
    web::web_server web(service);
    try {
        web.listen();
    } catch (const core::error& e) {
        core::log::error({}, "{}. Set HTTP_LISTEN to a free address", e.what());
        return exit_code::failure;
    }

    asio::signal_set signals(executor, SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code ec, int number) {
        if (ec) return;
        core::log::info({}, "{} received", number == SIGTERM ? "SIGTERM" : "SIGINT");
        service.stop();
    });
    int result = exit_code::ok;
    asio::co_spawn(executor, service.run(), [&](std::exception_ptr e) {
        if (e) {
            core::log::error({}, "ended: {}", core::describe(e));
            result = exit_code::failure;
        }
        signals.cancel();
        web.stop();
    });
    web.start();
    ioc.run();
    return result;
}

}  // namespace batchbridge::app
