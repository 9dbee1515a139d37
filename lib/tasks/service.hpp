// The whole bridge: the lines, the dispatcher and the lease, started and stopped together; what the web sees of them.
#pragma once

#include "core/task_group.hpp"
#include "pg/migrations.hpp"
#include "tasks/dispatcher.hpp"
#include "tasks/environment.hpp"
#include "tasks/line.hpp"
#include "tasks/odoo_check.hpp"
#include "tasks/order_watch.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::tasks {

struct line_setup {
    core::line_config config;
    domain::plant_map map;
};

class service {
public:
    service(environment& env, pg::pool& pool, std::filesystem::path migrations, std::vector<line_setup> lines,
            const std::function<line::device_factory(const core::line_config&, const domain::plant_map&)>& devices);
    ~service();

    // Waits for the database, applies the migrations, then runs everything until stop(). Ends when all of it has ended.
    boost::asio::awaitable<void> run();
    // No new runs; running ones finish, or are cancelled after `grace`. Loop thread only; may be called more than once.
    void stop();

    environment& env() noexcept { return env_; }
    const std::vector<std::unique_ptr<line>>& lines() const noexcept { return lines_; }
    line* find_line(std::string_view name) const;
    const dispatcher& deliveries() const noexcept { return dispatcher_; }
    const odoo_check& odoo() const noexcept { return odoo_check_; }
    order_watch& watch() noexcept { return watch_; }
    // Configuration, database and migrations are good (readiness; a standby too).
    bool ready() const noexcept { return migrated_ && env_.board.is_up("database"); }
    // Why not: "waiting for the database", "migrating", "schema is newer", or empty.
    const std::string& waiting_for() const noexcept { return waiting_for_; }

private:
    // Until migrated_, or something that a person must change first, or stop().
    boost::asio::awaitable<void> prepare_database();

    environment& env_;
    pg::pool& pool_;
    std::filesystem::path migrations_;
    std::vector<std::unique_ptr<line>> lines_;
    dispatcher dispatcher_;
    odoo_check odoo_check_;
    order_watch watch_;
    core::task_group preparation_, group_;
    core::event stop_;
    bool stopping_ = false, migrated_ = false;
    std::string waiting_for_ = "waiting for the database";
};

}  // namespace batchbridge::tasks
