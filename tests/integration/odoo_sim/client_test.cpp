// The real client against the simulator: a whole order's life, and what its faults look like from the client's side.
#include "sim_bench.hpp"

#include "odoo/jsonrpc.hpp"

#include <fmt/format.h>

using namespace batchbridge;
using namespace batchbridge::tests;
using Catch::Matchers::Contains;
using domain::call_outcome;
using domain::error_class;
using domain::order_state;

namespace {

core::decimal kg(const char* text)
{
    return core::decimal::parse(text).value();
}

const std::vector<std::string> none;

struct client_bench : sim_bench {
    explicit client_bench(sim::odoo_options o = {}) : sim_bench(std::move(o))
    {
        options.http.base_url = fmt::format("http://127.0.0.1:{}", server.port());
        options.db = "factory";
        options.user = "plcbridge";
        options.secret.value = "plc";
        options.read_timeout = 5s;
        options.write_timeout = 5s;
    }
    odoo::jsonrpc& client()
    {
        if (!client_) client_.emplace(ioc.get_executor(), options);
        return *client_;
    }
    template <class T>
    odoo::error fail(asio::awaitable<T> call)
    {
        try {
            run(std::move(call));
        } catch (const odoo::error& e) {
            return e;
        }
        throw std::runtime_error("the call did not fail");
    }
    std::int64_t create(const std::string& what) { return control("/orders", what).at("ids").at(0).as_int64(); }
    std::vector<std::string> refused() const
    {
        std::vector<std::string> out;
        for (const auto& c : front.log().calls())
            if (c.at("outcome") != "ok") out.push_back(json::serialize(c));
        return out;
    }

    odoo::jsonrpc_options options;

private:
    std::optional<odoo::jsonrpc> client_;
};

constexpr const char* feed = R"({"quantity": 170, "components": [{"product_code": "SILO-101", "quantity": 100}, {"product_code": "SILO-102", "quantity": 50.5},
    {"product_code": "LQ114", "quantity": 19.5}]})";

}  // namespace

TEST_CASE("an order from fetch to verified done: live consumption, final values, done, read back")
{
    client_bench b;
    const auto id = b.create(feed);
    b.create(R"({"quantity": 10, "state": "draft", "components": []})");
    const auto info = b.run(b.client().connect());
    CHECK(info.version == "18.0+e-20241005");
    CHECK(info.verified);
    b.run(b.client().probe());

    const auto fetched = b.run(b.client().fetch_confirmed({}));
    CHECK(fetched.matches == 1);
    REQUIRE(fetched.orders.size() == 1);
    auto o = std::get<domain::order>(fetched.orders[0]);
    CHECK(o.id.odoo_id == id);
    CHECK(o.id.odoo_db == "factory");
    CHECK(o.id.create_date == b.order(id).create_date);
    CHECK(o.state == order_state::confirmed);
    CHECK(o.quantity == 170);
    CHECK(o.uom == "kg");
    CHECK(o.uom_rounding == kg("0.01"));
    REQUIRE(o.components.size() == 3);
    CHECK(o.components[1].product_code == "SILO-102");
    CHECK(o.components[1].planned == kg("50.5"));
    CHECK(o.components[1].location == "WH/Stock");
    CHECK_FALSE(o.components[1].picked);

    std::vector<domain::move_value> live{{o.components[0].move_id, kg("40.12")}, {o.components[1].move_id, 0}, {o.components[2].move_id, 0}};
    b.run(b.client().write_consumption(id, live));
    b.run(b.client().write_consumption(id, live));
    o = b.run(b.client().read_order(id)).value();
    CHECK(o.state == order_state::progress);
    CHECK(o.components[0].quantity == kg("40.12"));
    CHECK(o.components[0].picked);
    CHECK(b.run(b.client().fetch_confirmed({})).orders.empty());

    domain::finish_values v;
    v.produced = kg("168.33");
    v.moves = {{o.components[0].move_id, kg("100.4")}, {o.components[1].move_id, kg("49.93")}, {o.components[2].move_id, 0}};
    b.run(b.client().write_final(id, v));
    CHECK(b.run(b.client().mark_done(id, {}, {})) == "true");
    o = b.run(b.client().read_order(id)).value();
    CHECK(o.state == order_state::done);
    CHECK(o.qty_produced == kg("168.33"));
    CHECK(o.components[0].quantity == kg("100.4"));
    CHECK(o.components[0].state == "done");
    CHECK(o.components[2].quantity == 0);
    CHECK(o.components[2].state == "cancel");

    CHECK(b.order(id).consumption_writes == 2);
    CHECK(b.order(id).final_writes == 1);
    CHECK(b.order(id).done_calls == 1);
    CHECK(b.order(id).finished_times == 1);
    CHECK(b.model.violations() == none);
    // No call was refused: the simulator knows every field that the client asks for.
    CHECK(b.refused() == none);
}

TEST_CASE("the fetch follows Odoo's order, leaves out what it is told to, and stops at its limit")
{
    client_bench b;
    const auto late = b.create(R"({"quantity": 10, "date_start": "2026-11-24 10:00:00", "components": []})");
    const auto early = b.create(R"({"quantity": 10, "date_start": "2026-11-23 10:00:00", "components": []})");
    const auto urgent = b.create(R"({"quantity": 10, "date_start": "2026-11-25 10:00:00", "priority": "1", "components": []})");
    const auto other = b.create(R"({"quantity": 10, "date_start": "2026-11-20 10:00:00", "product_code": "FG-X", "components": []})");
    const auto ids = [&](odoo::fetch_request ask) {
        std::vector<std::int64_t> out;
        for (const auto& o : b.run(b.client().fetch_confirmed(ask)).orders) out.push_back(std::get<domain::order>(o).id.odoo_id);
        return out;
    };
    using list = std::vector<std::int64_t>;
    odoo::fetch_request ask;
    CHECK(ids(ask) == list{urgent, other, early, late});
    ask.domain = {json::array{"product_id.default_code", "=", "FG-A"}};
    CHECK(ids(ask) == list{urgent, early, late});
    ask.exclude_ids = {early};
    CHECK(ids(ask) == list{urgent, late});
    ask.date_start_until = core::from_odoo("2026-11-24 23:59:59");
    CHECK(ids(ask) == list{late});
    ask = {};
    ask.limit = 2;
    CHECK(ids(ask) == list{urgent, other});
    CHECK(b.refused() == none);
}

TEST_CASE("cancel, deleted and changed orders are read as they are")
{
    client_bench b;
    const auto cancelled = b.create(feed), deleted = b.create(feed), changed = b.create(feed);
    b.run(b.client().cancel(cancelled));
    b.run(b.client().cancel(cancelled));
    b.control(fmt::format("/orders/{}", deleted), R"({"act": "delete"})");
    b.control(fmt::format("/orders/{}", changed), R"({"act": "set_quantity", "quantity": 340})");

    const auto states = b.run(b.client().read_orders({changed, deleted, cancelled}));
    REQUIRE(states.size() == 2);
    CHECK(states[0].id.odoo_id == cancelled);
    CHECK(states[0].state == order_state::cancel);
    CHECK(states[0].components[0].quantity == 0);
    CHECK(states[1].id.odoo_id == changed);
    CHECK(states[1].quantity == 340);
    CHECK(states[1].components[0].planned == 200);
    CHECK_FALSE(b.run(b.client().read_order(deleted)).has_value());

    // Done on it says true, and it stays cancelled.
    CHECK(b.run(b.client().mark_done(cancelled, {}, {})) == "true");
    CHECK(b.order(cancelled).state == "cancel");
    auto e = b.fail(b.client().write_consumption(cancelled, {{b.order(cancelled).moves[0].id, 5}}));
    CHECK(e.decision() == error_class::park);
    CHECK(e.peer_code() == "odoo.exceptions.UserError");
    e = b.fail(b.client().write_consumption(deleted, {{1, 5}}));
    CHECK(e.decision() == error_class::gone);
    e = b.fail(b.client().write_consumption(changed, {{b.order(changed).moves[0].id, -5}}));
    CHECK(e.decision() == error_class::park);
    CHECK(e.peer_code() == "odoo.exceptions.ValidationError");
    CHECK(b.model.violations() == none);
}

TEST_CASE("raw values of a record reach the client: one malformed order does not hide the others")
{
    client_bench b;
    b.create(R"({"quantity": 170, "components": [], "raw": {"product_qty": null}})");
    b.create(feed);
    const auto fetched = b.run(b.client().fetch_confirmed({}));
    REQUIRE(fetched.orders.size() == 2);
    const auto& bad = std::get<domain::malformed_order>(fetched.orders[0]);
    CHECK(bad.odoo_id == 1);
    CHECK_THAT(bad.reason, Contains("product_qty"));
    CHECK(std::get<domain::order>(fetched.orders[1]).id.odoo_id == 2);
}

TEST_CASE("a wrong password or key, database or version is told apart")
{
    {
        client_bench b;
        b.options.secret.value = "nope";
        const auto e = b.fail(b.client().connect());
        CHECK(e.decision() == error_class::configuration);
        CHECK_THAT(e.reason(), Contains("refused"));
    }
    {
        sim::odoo_options o;
        o.api_key = "0123456789abcdef";
        client_bench b(o);
        b.options.secret.value = o.api_key;
        b.options.secret_is_key = true;
        b.run(b.client().probe());
    }
    {
        client_bench b;
        b.options.db = "nosuch";
        const auto e = b.fail(b.client().connect());
        CHECK(e.decision() == error_class::retry);
        CHECK(e.peer_code() == "psycopg2.OperationalError");
        CHECK(e.outcome() == call_outcome::not_sent);
    }
    sim::odoo_options o;
    o.version = "17.0";
    client_bench b(o);
    const auto id = b.create(feed);
    CHECK_FALSE(b.run(b.client().connect()).verified);
    CHECK(b.fail(b.client().cancel(id)).decision() == error_class::configuration);
    CHECK(b.order(id).state == "confirmed");
}

TEST_CASE("L-15 every fault leaves a write unclear or rejected as it really ended, and the next call goes through")
{
    struct row {
        const char* fault;
        call_outcome outcome;
        int processed;
    };
    const std::vector<row> table{
        {R"({"kind": "hang", "method": "write"})", call_outcome::unclear, 0},
        {R"({"kind": "drop_after", "method": "write"})", call_outcome::unclear, 1},
        {R"({"kind": "late_commit", "method": "write", "delay_ms": 50})", call_outcome::unclear, 1},
        {R"({"kind": "http_504", "method": "write", "delay_ms": 50})", call_outcome::unclear, 1},
        {R"({"kind": "reset", "method": "write"})", call_outcome::unclear, 0},
        {R"({"kind": "half_open", "method": "write"})", call_outcome::unclear, 1},
        {R"({"kind": "garbage", "method": "write"})", call_outcome::unclear, 0},
        {R"({"kind": "html", "method": "write"})", call_outcome::unclear, 0},
        {R"({"kind": "http_500", "method": "write"})", call_outcome::unclear, 0},
        {R"({"kind": "operational_error", "method": "write"})", call_outcome::rejected, 0},
    };
    for (const auto& r : table) {
        CAPTURE(r.fault);
        client_bench b;
        b.options.write_timeout = 300ms;
        const auto id = b.create(feed);
        b.run(b.client().connect());
        b.control("/fault", r.fault);
        const auto e = b.fail(b.client().write_consumption(id, {{1, 5}}));
        CHECK(e.outcome() == r.outcome);
        CHECK(e.decision() == error_class::retry);
        b.await([&] { return b.order(id).consumption_writes == r.processed; });
        b.control("/clear", "{}");
        b.run(b.client().write_consumption(id, {{1, 6}}));
        CHECK(b.order(id).consumption_writes == r.processed + 1);
        CHECK(b.order(id).moves[0].quantity == 6);
        CHECK(b.model.violations() == none);
    }
}
