// The read cycle on a PLC in memory and a database of its own. The line is held and may write; its own tasks are switched
// off, so a test runs each cycle itself, at the time it says.
#pragma once

#include "scripted_erp.hpp"

#include "core/config.hpp"
#include "pg/pool.hpp"
#include "plc/device.hpp"
#include "store/line_locks.hpp"
#include "store/store.hpp"
#include "support/postgres.hpp"
#include "tasks/plc_read_sync.hpp"
#include "tasks/service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace batchbridge::tests {

namespace asio = boost::asio;

// Ten slots of registers; reading obeys the consistency rule as the real device does.
class slot_device : public plc::device {
public:
    explicit slot_device(const domain::plant_map& map);

    std::vector<domain::words> read_area, write_area;        // index 0 = slot 1
    std::function<domain::words(int slot)> on_read;          // what one request of a READ slot sees instead, if set
    std::function<bool(int slot)> on_acknowledge;            // whether the flag reads back as 1; may throw
    int acknowledged = 0;

    const std::string& name() const override { return name_; }
    bool connected() const override { return true; }
    unsigned connections() const override { return 1; }
    asio::awaitable<void> connect() override { co_return; }
    asio::awaitable<domain::words> read_slot(plc::area a, int slot) override { co_return image(a, slot); }
    asio::awaitable<std::vector<domain::words>> read_all(plc::area a) override;
    asio::awaitable<plc::observation> observe(int slot, const domain::words& stored) override;
    asio::awaitable<std::uint16_t> read_ready() override { co_return std::uint16_t{1}; }
    asio::awaitable<bool> acknowledge(int slot) override;
    asio::awaitable<void> write_disarmed(const std::vector<domain::words>&) override { co_return; }
    asio::awaitable<std::vector<std::string>> verify(const std::vector<domain::words>&) override { co_return std::vector<std::string>(); }
    asio::awaitable<void> arm(const domain::words&) override { co_return; }
    asio::awaitable<void> disarm(int) override { co_return; }
    asio::awaitable<void> clear_recipes() override;
    asio::awaitable<plc::observation> observe_failure(const domain::words&) override { co_return plc::observation(); }
    asio::awaitable<plc::failure_answer> acknowledge_failure(const domain::words&) override { co_return plc::failure_answer(); }
    void interrupt() noexcept override {}

private:
    domain::words image(plc::area a, int slot) const;

    const domain::plant_map& map_;
    std::string name_ = "plc in memory";
};

class read_bench {
public:
    explicit read_bench(const std::map<std::string, std::string>& changes = {});
    ~read_bench();

    // Runs one call to its end; its exception is thrown here.
    template <class T>
    T await(asio::awaitable<T> call)
    {
        auto result = asio::co_spawn(ioc, std::move(call), asio::use_future);
        ioc.restart();
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            ioc.run_one_for(std::chrono::seconds(1));
            if (std::chrono::steady_clock::now() > until) throw std::runtime_error("a call never ended");
        }
        return result.get();
    }
    tasks::line& line() { return *service->find_line("line1"); }
    const store::hold& hold() { return line().hold(); }
    std::string sql(const std::string& statement) const { return bb_test::sql_value(uri, statement); }
    int count(const std::string& from_where) const { return std::stoi(sql("select count(*) from " + from_where)); }

    std::string uri;
    scripted_erp erp;
    asio::io_context ioc{1};
    core::config config;
    domain::plant_map map;
    std::unique_ptr<pg::pool> pool;
    std::unique_ptr<store::store> rows;
    std::unique_ptr<store::line_locks> locks;
    std::unique_ptr<tasks::environment> env;
    slot_device* device = nullptr;
    std::unique_ptr<tasks::service> service;

private:
    bool ended_ = false;
};

}  // namespace batchbridge::tests
