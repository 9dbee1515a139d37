// kill -9 at any instant, drawn per state: after the restart every order ends in Odoo exactly once, with the PLC's
// quantities and one history row. States that last too short to be hit are widened by a slow PLC, a slow Odoo or a row lock.
#include "e2e/expect.hpp"

#include <cstdlib>
#include <random>
#include <thread>

using namespace bb_test;

namespace {

int kills_per_state()
{
    return std::getenv("BATCHBRIDGE_LONG") != nullptr ? 40 : 9;
}

struct wanted_state {
    std::string name;
    std::string query;        // a row count above 0 says that the state is there
};

class drawn_kills {
public:
    explicit drawn_kills(const wanted_state& state) : state_(state), random_(std::random_device{}())
    {
        plant_options o;
        o.plc_speed = 2000;
        o.odoo_arguments = {"--latency-ms", "20"};
        o.environment = {{"SYNC_BATCH_LIMIT", "2"}, {"PLC_READ_INTERVAL", "50ms"}, {"PROCESS_COMPLETED_INTERVAL", "300ms"}, {"SYNC_INTERVAL", "500ms"}};
        plant_.emplace(o);
    }

    void run()
    {
        const int kills = kills_per_state();
        std::uniform_int_distribution<int> pause(0, 50);
        int orders = 0;
        // Reads and writes of a load take 10 + 10 + 10 requests: 20 ms each make it last.
        if (state_.name == "queued" || state_.name == "loading") plant_->plc("/fault", R"({"kind": "delay", "delay_ms": 15})");
        plant_->start_bridge();
        wait_until("the schema", seconds(20), [&] { return !plant_->sql("select to_regclass('odoo_attempt')").empty(); });
        // Queued lasts from the commit of the staging to the next statement.
        if (state_.name == "queued") {
            plant_->sql("create function linger() returns trigger language plpgsql as 'begin perform pg_sleep(0.06); return new; end'");
            plant_->sql("create trigger linger before update on mo_batch for each row when (old.state = 'queued' and new.state = 'loading') execute function linger()");
        }
        for (int i = 0; i < kills; ++i) {
            plant_->generate(2);
            orders += 2;
            std::unique_ptr<sql_session> lock;
            if (state_.name == "archiving") {
                wait_until("a completed batch", seconds(40), [&] { return plant_->count("mo_batch where state = 'completed'") > 0; });
                lock = std::make_unique<sql_session>(plant_->database_url());
                // Stands in the way of the delete that ends the archiving transaction, not of Odoo's acknowledgement.
                lock->run("begin");
                lock->run("lock table mo_histories in share mode");
            }
            wait_until("the state " + state_.name, seconds(40), [&] { return plant_->count(state_.query) > 0; });
            std::this_thread::sleep_for(std::chrono::milliseconds(pause(random_)));
            plant_->kill_bridge();
            lock.reset();
            plant_->start_bridge();
        }
        plant_->plc("/clear", "{}");
        plant_->wait_archived(orders, seconds(90));
        check_exact(*plant_, orders);
        WARN(kills << " kills in state " << state_.name << ", " << orders << " orders exact");
    }

private:
    wanted_state state_;
    std::optional<plant> plant_;
    std::mt19937 random_;
};

}  // namespace

TEST_CASE("kill -9 while batches are queued")
{
    drawn_kills({"queued", "mo_batch where state = 'queued'"}).run();
}

TEST_CASE("kill -9 while batches are loaded into the PLC")
{
    drawn_kills({"loading", "mo_batch where state = 'loading'"}).run();
}

TEST_CASE("kill -9 while a batch runs")
{
    drawn_kills({"running", "mo_batch where state = 'running'"}).run();
}

TEST_CASE("kill -9 when a batch has completed and its finish is due")
{
    drawn_kills({"completed", "mo_batch b where state = 'completed' and not exists (select from odoo_attempt a where a.batch_id = b.id and a.call in ('write_final', 'button_mark_done'))"}).run();
}

TEST_CASE("kill -9 while an order is being finished in Odoo")
{
    drawn_kills({"finishing", "odoo_attempt where outcome is null and call in ('write_final', 'button_mark_done') and started_at > now() - interval '1 second'"}).run();
}

TEST_CASE("kill -9 while a batch is being archived")
{
    drawn_kills({"archiving", "pg_stat_activity where wait_event_type = 'Lock' and query like '%mo_histories%' and datname = current_database()"}).run();
}
