// The same random slot histories as tests/unit/domain/slot_history_test.cpp, through the real read cycle and PostgreSQL: so
// that the SQL of a cycle, and what the cycle adds to the rules, are held to the same model.
#include "scripted_erp.hpp"

#include "core/config.hpp"
#include "core/log.hpp"
#include "domain/slot_observer.hpp"
#include "pg/pool.hpp"
#include "store/line_locks.hpp"
#include "store/store.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "support/slot_history.hpp"
#include "tasks/plc_read_sync.hpp"
#include "tasks/service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>

using namespace batchbridge;
namespace asio = boost::asio;
using bb_test::history_slot;
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

// Silent from here on: thousands of alerts are the normal case of this test.
class silence {
public:
    silence()
    {
        std::cout.flush();
        std::fflush(stdout);
        saved_ = ::dup(1);
        const int null = ::open("/dev/null", O_WRONLY);
        ::dup2(null, 1);
        ::close(null);
    }
    ~silence()
    {
        std::fflush(stdout);
        ::dup2(saved_, 1);
        ::close(saved_);
    }

private:
    int saved_ = -1;
};

// The PLC that lives a history in one slot; the others are empty.
class history_device final : public plc::device {
public:
    history_device(const domain::plant_map& map, std::string uri) : map_(map), uri_(std::move(uri)) {}

    bb_test::slot_life* life = nullptr;
    std::string recipe;                  // what WRITE slot 3 names

    const std::string& name() const override { return name_; }
    bool connected() const override { return true; }
    unsigned connections() const override { return 1; }
    asio::awaitable<void> connect() override { co_return; }
    asio::awaitable<domain::words> read_slot(plc::area a, int slot) override { co_return image(a, slot); }
    asio::awaitable<std::vector<domain::words>> read_all(plc::area a) override
    {
        std::vector<domain::words> out;
        for (int slot = 1; slot <= map_.slots.count; ++slot) out.push_back(image(a, slot));
        co_return out;
    }
    asio::awaitable<plc::observation> observe(int slot, const domain::words& stored) override
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
    asio::awaitable<std::uint16_t> read_ready() override { co_return std::uint16_t{1}; }
    asio::awaitable<bool> acknowledge(int slot) override
    {
        // Only what is owed, and only in its own slot.
        const auto order = life->truth().order;
        const auto owed = bb_test::sql_value(uri_, fmt::format("select count(*) from plc_duty where done_at is null and slot = {} and mo_id = '{}'", slot, order));
        if (slot != history_slot || owed != "1") throw std::logic_error("acknowledged without a duty: slot " + std::to_string(slot) + " " + order);
        if (!life->acknowledge(order)) fail();
        co_return true;
    }
    asio::awaitable<void> write_disarmed(const std::vector<domain::words>&) override { return nothing(); }
    asio::awaitable<std::vector<std::string>> verify(const std::vector<domain::words>&) override { co_return std::vector<std::string>(); }
    asio::awaitable<void> arm(const domain::words&) override { return nothing(); }
    asio::awaitable<void> disarm(int) override { return nothing(); }
    asio::awaitable<void> clear_recipes() override { return nothing(); }
    void interrupt() noexcept override {}

private:
    [[noreturn]] void fail() const { throw plc::error(core::error_kind::timeout, "read", name_, "no answer"); }
    asio::awaitable<void> nothing() { co_return; }
    domain::words image(plc::area a, int slot) const
    {
        if (slot != history_slot) return domain::words(bb_test::slot_words, 0);
        if (a == plc::area::write) {
            bb_test::figures f;
            f.order = recipe;
            f.batch_no = slot;
            return bb_test::encode(f);
        }
        try {
            return life->read();
        } catch (const bb_test::no_answer&) {
            fail();
        }
    }

    const domain::plant_map& map_;
    std::string uri_, name_ = "plc of a history";
};

// The service with its line held; its own tasks are switched off.
class plant {
public:
    plant() : uri(bb_test::shared_postgres().create_database()), config(configuration(uri)), map(domain::parse_plant_map(text_of(BATCHBRIDGE_CONF "/plc-map.json")))
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
                auto made = std::make_unique<history_device>(map, uri);
                device = made.get();
                return made;
            };
        });
        asio::co_spawn(ioc, service->run(), [this](std::exception_ptr) { ended_ = true; });
        const auto until = steady_clock::now() + 20s;
        while (!service->ready() || !service->find_line("line1")->may_write()) {
            if (steady_clock::now() > until) throw std::runtime_error("the line is never held");
            ioc.restart();
            ioc.run_for(10ms);
        }
    }
    ~plant()
    {
        asio::post(ioc, [this] { service->stop(); });
        ioc.restart();
        const auto until = steady_clock::now() + 15s;
        while (!ended_ && steady_clock::now() < until) ioc.run_one_for(50ms);
        ioc.run_for(100ms);
    }

    template <class T>
    T await(asio::awaitable<T> call)
    {
        auto result = asio::co_spawn(ioc, std::move(call), asio::use_future);
        ioc.restart();
        const auto until = steady_clock::now() + 30s;
        while (result.wait_for(0s) != std::future_status::ready) {
            ioc.run_one_for(1s);
            if (steady_clock::now() > until) throw std::runtime_error("a call never ended");
        }
        return result.get();
    }
    tasks::line& line() { return *service->find_line("line1"); }

    static core::config configuration(const std::string& uri)
    {
        const std::map<std::string, std::string> all{{"DATABASE_URL", uri}, {"PLC_HOST", "127.0.0.1"}, {"PLC_MAP", BATCHBRIDGE_CONF "/plc-map.json"}, {"PLC_WRITES", "true"}, {"ODOO_URL", "http://127.0.0.1:9"},
                                                     {"ODOO_DB", "factory"}, {"ODOO_USERNAME", "plcbridge"}, {"ODOO_PASSWORD", "plc"}, {"ENABLE_AUTO_SYNC", "false"}, {"HTTP_LISTEN", "127.0.0.1:0"}};
        return core::load_config(
            [&all](const std::string& name) -> std::optional<std::string> {
                const auto it = all.find(name);
                return it == all.end() ? std::nullopt : std::optional(it->second);
            },
            core::real_files());
    }

    std::string uri;
    tests::scripted_erp erp;
    asio::io_context ioc{1};
    core::config config;
    domain::plant_map map;
    std::unique_ptr<pg::pool> pool;
    std::unique_ptr<store::store> rows;
    std::unique_ptr<store::line_locks> locks;
    std::unique_ptr<tasks::environment> env;
    history_device* device = nullptr;
    std::unique_ptr<tasks::service> service;

private:
    bool ended_ = false;
};

int hundredths(const core::decimal& kg)
{
    return static_cast<int>(kg.to_scaled(2).value());
}

std::array<int, bb_test::silo_count> by_place(const domain::silo_kg& kg)
{
    std::array<int, bb_test::silo_count> out{};
    for (const auto& [silo, amount] : kg) out.at(static_cast<std::size_t>(silo - 101)) = hundredths(amount);
    return out;
}

class stored_bridge final : public bb_test::bridge {
public:
    explicit stored_bridge(plant& p) : p_(p)
    {
        bb_test::sql(p_.uri, "set client_min_messages = warning; truncate mo_batch, plc_load, mo_histories, odoo_outbox, plc_duty, order_refusal, journal, alert, task_run, setting restart identity cascade");
        // A held batch in another slot keeps the cycle going when the batch of the history has ended, as other batches would.
        bb_test::sql(p_.uri, "with l as (insert into plc_load (line, number, state, images) values ('line1', 1, 'taken', '{}') returning id) insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, "
                             "batch_no, load, state, quantity_goods) select 'line1', 'mill', 1000000, now(), 'WH/MO/KEEP', 'WH/MO/KEEP', 9, id, 'held', 1 from l");
        restart();
    }

    void stage(const std::string& order) override
    {
        p_.device->life = plc;
        order_ = order;
        name_recipe();
        std::map<int, domain::words> images;
        for (int slot = 1; slot <= p_.map.slots.count; ++slot) images[slot] = domain::words(bb_test::slot_words, 0);
        images[history_slot] = plc->read();
        store::staged_order o;
        // Of another Odoo than ours, so that the dispatcher lets its deliveries be.
        o.order.source.id.odoo_db = "mill";
        o.order.source.id.odoo_id = std::stoll(order.substr(order.rfind('/') + 1));
        o.order.source.name = order;
        o.order.kg = 1000;
        o.slot = history_slot;
        o.order_key = order;
        const std::vector<store::staged_order> orders{o};
        const auto staged = p_.await(p_.rows->stage_load(p_.line().hold(), images, orders));
        load_ = std::get<store::staged>(staged).load.id;
        set_load(domain::load_state::arming);
    }
    void taken() override { set_load(domain::load_state::taken); }
    void recipe_stands(bool stands) override
    {
        stands_ = stands;
        name_recipe();
    }

    void cycle(std::chrono::seconds later) override
    {
        p_.device->life = plc;
        now_ += later;
        fresh_ = false;
        try {
            p_.await(reader_->run());
        } catch (const plc::error&) {
            // The next cycle is soon.
        }
    }

    bb_test::stored_batch row(const std::string& order) override
    {
        look();
        const auto it = seen_.find(order);
        if (it == seen_.end()) throw std::runtime_error("no row of " + order);
        return it->second;
    }

    void archive(const std::string& order, const std::string& status) override
    {
        const auto all = p_.await(p_.rows->batches("line1"));
        for (const auto& b : all) {
            if (b.mo_id != order) continue;
            const auto as = status == "completed" ? domain::history_status::completed : status == "failed" ? domain::history_status::failed : status == "reset" ? domain::history_status::reset : domain::history_status::cancelled;
            p_.await(p_.rows->archive(p_.line().hold(), b.id, as, "", std::nullopt));
        }
        p_.line().rows_changed();
        fresh_ = false;
    }

    int open_duties() override { return static_cast<int>(p_.await(p_.rows->open_duties("line1")).size()); }
    std::set<std::string> alerts() override
    {
        std::set<std::string> out;
        // What the PLC forgot of its recipes is another matter.
        for (const auto& r : bb_test::sql(p_.uri, "select kind || ' ' || subject from alert where state <> 'resolved' and kind not in ('plc_reset', 'recipe_gone')")) out.insert(r[0].value());
        return out;
    }
    void restart() override
    {
        reader_ = std::make_unique<tasks::plc_read_sync>(p_.line(), [this] { return now_; });
    }

private:
    void name_recipe() { p_.device->recipe = stands_ ? order_ : std::string(); }
    void set_load(domain::load_state s)
    {
        p_.await(p_.rows->set_load_state(p_.line().hold(), load_, s, domain::batch_state::loaded));
        p_.line().rows_changed();
        fresh_ = false;
    }
    void look()
    {
        if (fresh_) return;
        seen_.clear();
        std::map<std::int64_t, std::string> names;
        for (const auto& b : p_.await(p_.rows->batches("line1"))) {
            auto& s = seen_[b.mo_id];
            s.state = std::string(domain::to_string(b.state));
            s.actual = by_place(b.actual);
            s.weight = hundredths(b.weight);
            s.manufacturing = b.status_manufacturing;
            s.operation = b.status_operation;
            names[b.id] = b.mo_id;
        }
        const auto finishes = p_.await(p_.rows->due_deliveries({"line1"}, "mill", 120s, 100));
        for (const auto& d : finishes) {
            if (d.kind != domain::delivery_kind::finish || !names.contains(d.batch_id)) continue;
            auto& s = seen_[names[d.batch_id]];
            ++s.finishes;
            for (const auto& [silo, kg] : d.payload.at("actual").as_object())
                s.finish_actual.at(static_cast<std::size_t>(std::stoi(std::string(silo)) - 101)) = hundredths(core::decimal::parse(kg.as_string()).value());
            s.finish_weight = hundredths(core::decimal::parse(d.payload.at("weight").as_string()).value());
        }
        fresh_ = true;
    }

    plant& p_;
    std::unique_ptr<tasks::plc_read_sync> reader_;
    std::map<std::string, bb_test::stored_batch> seen_;
    std::string order_;
    std::int64_t load_ = 0;
    bool stands_ = false, fresh_ = false;
    steady_clock::time_point now_ = steady_clock::now();
};

}  // namespace

TEST_CASE("random slot histories through the read cycle and PostgreSQL leave the stored rows equal to the model's (L-31, L-34, L-35, L-36)")
{
    const char* one = std::getenv("BB_HISTORY_SEED");
    const std::uint64_t from = one != nullptr ? std::strtoull(one, nullptr, 10) : 7000000, count = one != nullptr ? 1 : std::getenv("BATCHBRIDGE_LONG") != nullptr ? 400 : 25;
    bb_test::history_count total;
    std::optional<std::string> fault;
    {
        const silence quiet;
        plant p;
        for (std::uint64_t seed = from; seed < from + count && !fault; ++seed) fault = bb_test::play_history(seed, [&p] { return std::make_unique<stored_bridge>(p); }, total);
    }
    if (fault) FAIL(*fault);
    std::cout << count << " histories in PostgreSQL: " << total.cycles << " cycles, " << total.batches << " batches, " << total.completed << " completed, " << total.held << " held, " << total.lost << " lost\n";
    CHECK(total.completed > 0);
}
