// What a failed run says about the things it depends on. Nothing here connects to anything.
#include "tasks/line.hpp"

#include "support/catch.hpp"

#include "pg/error.hpp"
#include "pg/pool.hpp"

#include <boost/asio/io_context.hpp>

namespace asio = boost::asio;
using namespace batchbridge;
using core::error_kind;
using state = tasks::dependency_board::state;

namespace {

struct no_erp : odoo::erp {
    asio::awaitable<odoo::server_info> connect() override { throw std::logic_error("not called"); }
    asio::awaitable<void> probe() override { throw std::logic_error("not called"); }
    asio::awaitable<odoo::fetch_answer> fetch_confirmed(const odoo::fetch_request&) override { throw std::logic_error("not called"); }
    asio::awaitable<std::optional<domain::order>> read_order(std::int64_t) override { throw std::logic_error("not called"); }
    asio::awaitable<std::vector<domain::order>> read_orders(const std::vector<std::int64_t>&) override { throw std::logic_error("not called"); }
    asio::awaitable<void> write_consumption(std::int64_t, const std::vector<domain::move_value>&) override { throw std::logic_error("not called"); }
    asio::awaitable<void> write_final(std::int64_t, const domain::finish_values&) override { throw std::logic_error("not called"); }
    asio::awaitable<std::string> mark_done(std::int64_t, const domain::finish_values&, core::utc_time) override { throw std::logic_error("not called"); }
    asio::awaitable<void> cancel(std::int64_t) override { throw std::logic_error("not called"); }
    asio::awaitable<std::optional<std::int64_t>> find_equipment(const std::string&) override { throw std::logic_error("not called"); }
    asio::awaitable<std::optional<std::int64_t>> find_request(const std::string&) override { throw std::logic_error("not called"); }
    asio::awaitable<std::int64_t> create_request(const odoo::maintenance_request&) override { throw std::logic_error("not called"); }
    asio::awaitable<void> post_note(std::int64_t, const std::string&) override { throw std::logic_error("not called"); }
    asio::awaitable<std::vector<odoo::finding>> check() override { throw std::logic_error("not called"); }
};

struct fixture {
    asio::io_context ioc;
    core::config config;
    pg::pool pool{ioc.get_executor(), "postgresql://nobody@127.0.0.1:1/none", 1};
    store::store store{pool};
    store::line_locks locks{ioc.get_executor(), "postgresql://nobody@127.0.0.1:1/none", {}};
    no_erp erp;
    tasks::environment env{ioc.get_executor(), config, store, locks, erp};

    // Whether the board told it, so that the run need not.
    bool note(std::exception_ptr e) { return tasks::note_dependency(env, "line1", e); }
    state of(const std::string& what)
    {
        const auto it = env.board.entries().find(what);
        return it == env.board.entries().end() ? state::unknown : it->second.now;
    }
};

std::exception_ptr plc_failure(error_kind kind, const std::string& code = {})
{
    return std::make_exception_ptr(plc::error(kind, "FC16 write 7000+77", "plc 10.0.0.5:502 unit 1", "why", code));
}

}  // namespace

TEST_CASE("a Modbus exception is an answer: the PLC is up and the run tells its failure")
{
    fixture f;
    f.env.board.up("plc line1");
    for (const char* code : {"1", "2", "3", "4"}) {
        CHECK_FALSE(f.note(plc_failure(error_kind::rejected, code)));
        CHECK(f.of("plc line1") == state::up);
    }
    // A device that comes back with exceptions is back all the same.
    CHECK(f.note(plc_failure(error_kind::unavailable)));
    CHECK(f.of("plc line1") == state::down);
    CHECK_FALSE(f.note(plc_failure(error_kind::rejected, "2")));
    CHECK(f.of("plc line1") == state::up);
}

TEST_CASE("an exception does not mean that the PLC is back while something else it was asked has no answer")
{
    fixture f;
    CHECK(f.note(plc_failure(error_kind::timeout)));
    CHECK_FALSE(tasks::note_dependency(f.env, "line1", plc_failure(error_kind::rejected, "2"), false));
    CHECK(f.of("plc line1") == state::down);
}

TEST_CASE("a gateway that does not reach the PLC means that the PLC is down, and the board tells it")
{
    fixture f;
    f.env.board.up("plc line1");
    CHECK(f.note(plc_failure(error_kind::unavailable, "11")));
    CHECK(f.of("plc line1") == state::down);
}

TEST_CASE("a PLC without an answer, or with one that makes no sense, is down and the board tells it")
{
    for (const auto kind : {error_kind::unavailable, error_kind::timeout, error_kind::protocol}) {
        fixture f;
        f.env.board.up("plc line1");
        CHECK(f.note(plc_failure(kind)));
        CHECK(f.of("plc line1") == state::down);
    }
}

TEST_CASE("neither an interruption nor a fault of ours says anything about the PLC")
{
    fixture f;
    f.env.board.up("plc line1");
    CHECK(f.note(plc_failure(error_kind::cancelled)));
    CHECK_FALSE(f.note(plc_failure(error_kind::internal)));
    CHECK_FALSE(f.note(std::make_exception_ptr(std::runtime_error("no"))));
    CHECK(f.of("plc line1") == state::up);
}

TEST_CASE("Odoo and PostgreSQL are down when they do not answer, not when they refuse")
{
    fixture f;
    const auto odoo_failure = [](error_kind kind, domain::call_outcome outcome) {
        return std::make_exception_ptr(odoo::error(kind, outcome, domain::error_class::retry, "read", "odoo", "why"));
    };
    f.env.board.up("odoo");
    CHECK_FALSE(f.note(odoo_failure(error_kind::rejected, domain::call_outcome::rejected)));
    CHECK(f.of("odoo") == state::up);
    CHECK(f.note(odoo_failure(error_kind::protocol, domain::call_outcome::unclear)));
    CHECK(f.of("odoo") == state::down);
    f.env.board.up("database");
    CHECK_FALSE(f.note(std::make_exception_ptr(pg::error(error_kind::rejected, "select", "postgres", "why", "42P01"))));
    CHECK(f.of("database") == state::up);
    CHECK(f.note(std::make_exception_ptr(pg::error(error_kind::timeout, "select", "postgres", "why"))));
    CHECK(f.of("database") == state::down);
}

TEST_CASE("a database that answers and takes no data is down until a write succeeds")
{
    fixture f;
    tasks::note_database(f.env, nullptr);
    CHECK(f.of("database") == state::up);
    CHECK(f.note(std::make_exception_ptr(pg::error(error_kind::unavailable, "insert", "postgres", "could not extend file", "53100"))));
    CHECK(f.of("database") == state::down);
    // The heartbeat is answered all the while.
    tasks::note_database(f.env, nullptr);
    CHECK(f.of("database") == state::down);
    f.env.writes_refused = false;
    tasks::note_database(f.env, nullptr);
    CHECK(f.of("database") == state::up);
}

TEST_CASE("a lock that took too long or a conflict of two transactions says nothing about the database")
{
    fixture f;
    tasks::note_database(f.env, nullptr);
    for (const auto& [kind, code] : {std::pair{error_kind::timeout, "55P03"}, std::pair{error_kind::timeout, "57014"}, std::pair{error_kind::unavailable, "40P01"}}) {
        CHECK_FALSE(f.note(std::make_exception_ptr(pg::error(kind, "update", "postgres", "why", code))));
        CHECK(f.of("database") == state::up);
    }
}
