// A migrated database of its own with line1 taken, and a store on it that is used one blocking call at a time.
#pragma once

#include "pg/connection.hpp"
#include "store/store.hpp"
#include "support/postgres.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace bb_test {

namespace asio = boost::asio;
namespace store = batchbridge::store;
namespace domain = batchbridge::domain;
namespace core = batchbridge::core;
namespace pg = batchbridge::pg;

core::decimal kg(std::string_view text);

// How a call ended that ran beside others.
template <class T>
struct outcome {
    using value_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    std::optional<value_type> value;
    std::exception_ptr failure;
    bool ended() const { return value || failure; }
};

class store_bench {
public:
    store_bench();

    // Runs one call to its end; its exception is thrown here. Temporaries in the call's arguments outlive it.
    template <class T>
    T await(asio::awaitable<T> call)
    {
        outcome<T> out;
        start(std::move(call), out);
        finish([&] { return out.ended(); });
        if (out.failure) std::rethrow_exception(out.failure);
        if constexpr (!std::is_void_v<T>) return std::move(*out.value);
    }
    template <class T>
    void start(asio::awaitable<T> call, outcome<T>& out)
    {
        if constexpr (std::is_void_v<T>)
            asio::co_spawn(ioc, std::move(call), [&out](std::exception_ptr e) {
                if (e) out.failure = e;
                else out.value.emplace();
            });
        else
            asio::co_spawn(ioc, std::move(call), [&out](std::exception_ptr e, T v) {
                if (e) out.failure = e;
                else out.value.emplace(std::move(v));
            });
    }
    void finish(const std::function<bool()>& done);
    // Two calls at once on sessions of their own. With `lock`, a third session first takes what that statement locks, and
    // lets go only when both calls wait in PostgreSQL: then both are in the middle of their transactions.
    template <class T, class U>
    void race(asio::awaitable<T> a, outcome<T>& first, asio::awaitable<U> b, outcome<U>& second, const std::string& lock = {})
    {
        pg::connection gate(ioc.get_executor(), uri);
        if (!lock.empty()) hold_gate(gate, lock);
        start(std::move(a), first);
        start(std::move(b), second);
        if (!lock.empty()) {
            wait_for_waiting(2);
            await(gate.query("commit"));
        }
        finish([&] { return first.ended() && second.ended(); });
    }
    void hold_gate(pg::connection& gate, const std::string& lock);
    // Until so many sessions of this database wait for a lock; the loop goes on meanwhile.
    void wait_for_waiting(int sessions);

    std::string value(const std::string& query) const { return sql_value(uri, query); }
    int count(const std::string& from_where) const { return std::stoi(value("select count(*) from " + from_where)); }
    void change(const std::string& statement) const { sql(uri, "set client_min_messages = warning;" + statement); }
    // Every row of every table, as text: equal before and after means that nothing was changed.
    std::vector<std::string> contents() const;

    store::hold take(const std::string& line);
    // Stages these orders in slots 1, 2.. of a free line.
    std::vector<domain::batch> stage(const store::hold& h, const std::vector<std::int64_t>& odoo_ids);
    // The same, taken by the PLC: the load is taken, the batches are loaded.
    std::vector<domain::batch> load(const store::hold& h, const std::vector<std::int64_t>& odoo_ids);
    domain::batch batch(std::int64_t id) { return await(db.batch(id)).value(); }
    // One change in one cycle; true when it was applied.
    bool record(const store::batch_change& change) { return record(h, change); }
    bool record(const store::hold& by, const store::batch_change& change);
    // Running with these kilograms in silo 101, a consumption owed.
    domain::batch dose(std::int64_t id, std::string_view silo_101);
    // Completed with these kilograms in silo 101, its finish and acknowledgement owed.
    domain::batch complete(std::int64_t id, std::string_view silo_101);
    void set_state(std::int64_t id, domain::batch_state state) const;
    std::vector<store::delivery> due(int limit = 50) { return await(db.due_deliveries({"line1"}, "odoo", std::chrono::seconds(120), limit)); }
    // The open row of this kind about this batch.
    store::delivery delivery(std::int64_t batch_id, const std::string& kind);
    // "due", "sent" ..: of the newest row of this kind about this batch; empty when there is none.
    std::string delivery_state(std::int64_t batch_id, const std::string& kind) const;

    asio::io_context ioc;
    std::string uri;
    pg::pool pool, second_pool;
    store::store db, other_db;     // two sessions, as two processes would have them
    store::hold h;                  // line1
};

domain::order_identity identity(std::int64_t odoo_id);
store::staged_order order(std::int64_t odoo_id, int slot);
std::map<int, domain::words> images();
store::journal_entry entry(const std::string& what, const std::string& why, const std::string& who = "shift lead");
// What a read of `b` found out: these kilograms in silo 101.
store::batch_change found(const domain::batch& b, domain::batch_state state, std::string_view silo_101, store::batch_change::delivery owe);
bool is_fenced(const std::exception_ptr& e);

}  // namespace bb_test
