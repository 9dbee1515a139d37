#include "store_bench.hpp"

#include "pg/migrations.hpp"

#include <fmt/format.h>

namespace bb_test {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto patience = 30s;

}  // namespace

core::decimal kg(std::string_view text)
{
    return core::decimal::parse(text).value();
}

store_bench::store_bench()
    : uri(shared_postgres().create_database()), pool(ioc.get_executor(), uri, 2), second_pool(ioc.get_executor(), uri, 2), db(pool), other_db(second_pool)
{
    await(pg::migrate(pool, std::string(BATCHBRIDGE_CONF) + "/migrations"));
    await(other_db.lines());   // connected: a race does not begin with a connect
    h = take("line1");
}

void store_bench::finish(const std::function<bool()>& done)
{
    const auto until = clock::now() + patience;
    while (!done()) {
        ioc.restart();
        ioc.run_one_until(until);
        if (clock::now() >= until) throw std::runtime_error("a call of the store never ended");
    }
}

void store_bench::hold_gate(pg::connection& gate, const std::string& lock)
{
    await(gate.connect(3s));
    await(gate.query("begin"));
    await(gate.query(lock));
}

void store_bench::wait_for_waiting(int sessions)
{
    const auto until = clock::now() + patience;
    while (count("pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") < sessions) {
        if (clock::now() >= until) throw std::runtime_error("the calls never came to wait for each other");
        ioc.restart();
        ioc.poll();
    }
}

std::vector<std::string> store_bench::contents() const
{
    std::string all;
    for (const auto& table : sql(uri, "select tablename from pg_tables where schemaname = 'public' order by 1"))
        all += fmt::format("{}select '{} ' || t::text from {} t", all.empty() ? "" : " union all ", *table[0], *table[0]);
    std::vector<std::string> out;
    for (const auto& row : sql(uri, all + " order by 1")) out.push_back(row[0].value());
    return out;
}

store::hold store_bench::take(const std::string& line)
{
    store::line_address address;
    address.host = "plc." + line;
    return std::get<store::hold>(await(db.take_line(line, address, "test", false)));
}

std::vector<domain::batch> store_bench::stage(const store::hold& by, const std::vector<std::int64_t>& odoo_ids)
{
    std::vector<store::staged_order> orders;
    for (const auto id : odoo_ids) orders.push_back(order(id, static_cast<int>(orders.size()) + 1));
    return std::get<store::staged>(await(db.stage_load(by, images(), orders))).batches;
}

std::vector<domain::batch> store_bench::load(const store::hold& by, const std::vector<std::int64_t>& odoo_ids)
{
    const auto staged = stage(by, odoo_ids);
    await(db.set_load_state(by, staged.at(0).load, domain::load_state::taken, domain::batch_state::loaded));
    std::vector<domain::batch> out;
    for (const auto& b : staged) out.push_back(batch(b.id));
    return out;
}

bool store_bench::record(const store::hold& by, const store::batch_change& change)
{
    return await(db.record_cycle(by, {change}, {change.batch_id}, 5s)).not_applied.empty();
}

domain::batch store_bench::dose(std::int64_t id, std::string_view silo_101)
{
    if (!record(found(batch(id), domain::batch_state::running, silo_101, store::batch_change::delivery::consumption))) throw std::runtime_error("dose: not applied");
    return batch(id);
}

domain::batch store_bench::complete(std::int64_t id, std::string_view silo_101)
{
    auto change = found(batch(id), domain::batch_state::completed, silo_101, store::batch_change::delivery::finish);
    change.status_manufacturing = true;
    change.acknowledge = true;
    if (!record(change)) throw std::runtime_error("complete: not applied");
    return batch(id);
}

void store_bench::set_state(std::int64_t id, domain::batch_state state) const
{
    change(fmt::format("update mo_batch set state = '{}' where id = {}", domain::to_string(state), id));
}

store::delivery store_bench::delivery(std::int64_t batch_id, const std::string& kind)
{
    const auto id = value(fmt::format("select id from odoo_outbox where batch_id = {} and kind = '{}' and state in ('due', 'sending', 'parked')", batch_id, kind));
    if (id.empty()) throw std::runtime_error("no open " + kind);
    return await(db.delivery_by_id(std::stoll(id))).value();
}

std::string store_bench::delivery_state(std::int64_t batch_id, const std::string& kind) const
{
    return value(fmt::format("select state from odoo_outbox where batch_id = {} and kind = '{}' order by id desc limit 1", batch_id, kind));
}

domain::order_identity identity(std::int64_t odoo_id)
{
    domain::order_identity out;
    out.odoo_db = "odoo";
    out.odoo_id = odoo_id;
    // Odoo sends whole seconds; a database copy may hold microseconds, and identity compares them all.
    out.create_date = core::utc_time(std::chrono::microseconds(1790000000123457 + odoo_id));
    return out;
}

store::staged_order order(std::int64_t odoo_id, int slot)
{
    store::staged_order out;
    auto& source = out.order.source;
    source.id = identity(odoo_id);
    source.name = fmt::format("WH/MO/{:05}", odoo_id);
    source.state = domain::order_state::confirmed;
    source.bom = "BOM-1";
    source.product_code = "FEED-1";
    source.product_name = "Feed";
    out.order.kg = kg("1000.5");
    out.order.planned[101] = kg("600.25");
    out.order.planned[114] = kg("400.25");
    out.slot = slot;
    out.order_key = source.name;
    return out;
}

std::map<int, domain::words> images()
{
    std::map<int, domain::words> out;
    out[1] = {1, 22344, 65535};
    out[2] = {0, 0, 0};
    return out;
}

store::journal_entry entry(const std::string& what, const std::string& why, const std::string& who)
{
    store::journal_entry out;
    out.what = what;
    out.answer = why;
    out.who = who;
    return out;
}

store::batch_change found(const domain::batch& b, domain::batch_state state, std::string_view silo_101, store::batch_change::delivery owe)
{
    store::batch_change out;
    out.batch_id = b.id;
    out.version = b.version;
    out.state = state;
    out.raw = {1, 2, 3};
    out.values_changed = true;
    out.actual[101] = kg(silo_101);
    out.weight = kg(silo_101);
    out.owe = owe;
    return out;
}

bool is_fenced(const std::exception_ptr& e)
{
    if (!e) return false;
    try {
        std::rethrow_exception(e);
    } catch (const store::fenced&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace bb_test
