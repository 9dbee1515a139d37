// An order's life, as the dispatcher relies on it.
#include "contract_bench.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;
using domain::call_outcome;
using domain::error_class;
using domain::order_state;

namespace {

using ids = std::vector<std::int64_t>;

ids fetched(contract_bench& b, const odoo::fetch_request& what)
{
    ids out;
    for (const auto& o : b.run(b.erp().fetch_confirmed(what)).orders)
        if (const auto* good = std::get_if<domain::order>(&o)) out.push_back(good->id.odoo_id);
    return out;
}

bool has(const ids& all, std::int64_t id)
{
    return std::find(all.begin(), all.end(), id) != all.end();
}

}  // namespace

TEST_CASE("contract: a confirmed order is fetched with its components, and left out when it is excluded (L-09)")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order(), other = b.order();
    odoo::fetch_request all;
    all.limit = 1000;
    const auto answer = b.run(b.erp().fetch_confirmed(all));
    const domain::order* found = nullptr;
    for (const auto& o : answer.orders)
        if (const auto* good = std::get_if<domain::order>(&o); good != nullptr && good->id.odoo_id == id) found = good;
    REQUIRE(found != nullptr);
    CHECK(found->state == order_state::confirmed);
    CHECK(found->quantity == kg("170"));
    CHECK(found->uom == "kg");
    CHECK(found->id.odoo_db == b.config().odoo_db);
    CHECK(found->id.create_date.time_since_epoch().count() > 0);
    REQUIRE(found->components.size() == 3);
    for (const auto& c : found->components) {
        CHECK_FALSE(c.picked);
        CHECK(c.uom == "kg");
        CHECK(c.move_id > 0);
    }
    auto without = all;
    without.exclude_ids = {id};
    const auto rest = fetched(b, without);
    CHECK_FALSE(has(rest, id));
    CHECK(has(rest, other));
    auto one = all;
    one.limit = 1;
    CHECK(fetched(b, one).size() == 1);
}

TEST_CASE("contract: consumption is absolute, and a repeat changes nothing (L-02)")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    const auto before = b.read(id);
    REQUIRE(before.components.size() == 3);
    for (int i = 0; i < 2; ++i) {
        b.run(b.erp().write_consumption(id, b.moves(before, {"40.12", "10", "0.5"})));
        const auto o = b.read(id);
        CHECK(o.state == order_state::progress);
        CHECK(o.components[0].quantity == kg("40.12"));
        CHECK(o.components[0].picked);
        CHECK(o.components[1].quantity == kg("10"));
        CHECK(o.components[2].quantity == kg("0.5"));
    }
    // A lower value is a correction.
    b.run(b.erp().write_consumption(id, b.moves(before, {"39.9", "10", "0.5"})));
    CHECK(b.read(id).components[0].quantity == kg("39.9"));
    odoo::fetch_request all;
    all.limit = 1000;
    CHECK_FALSE(has(fetched(b, all), id));
    CHECK(b.server().violations().empty());
}

TEST_CASE("contract: final values and done leave exactly our figures, less than planned and a zero among them")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    const auto before = b.read(id);
    domain::finish_values v;
    v.produced = kg("168.33");
    v.moves = b.moves(before, {"100.4", "49.93", "0"});
    b.run(b.erp().write_final(id, v));
    CHECK(b.read(id).state != order_state::done);
    b.run(b.erp().mark_done(id, v, core::utc_now()));
    const auto o = b.read(id);
    CHECK(o.state == order_state::done);
    CHECK(o.qty_produced == kg("168.33"));
    CHECK(o.components[0].quantity == kg("100.4"));
    CHECK(o.components[0].state == "done");
    CHECK(o.components[1].quantity == kg("49.93"));
    CHECK(o.components[2].quantity == kg("0"));
    CHECK(domain::differences(o, v).empty());
    CHECK(b.server().violations().empty());
}

TEST_CASE("contract: a cancelled order stays cancelled, whatever is sent, and says so when it is read")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    const auto before = b.read(id);
    b.run(b.erp().cancel(id));
    CHECK(b.read(id).state == order_state::cancel);
    // Cancelled twice is cancelled.
    b.run(b.erp().cancel(id));
    const auto e = b.fail(b.erp().write_consumption(id, b.moves(before, {"1", "1", "1"})));
    CHECK(e.outcome() == call_outcome::rejected);
    CHECK(e.decision() == error_class::park);
    const auto o = b.read(id);
    CHECK(o.state == order_state::cancel);
    CHECK(o.qty_produced.is_zero());
}

TEST_CASE("contract: an order that is not there is an empty answer to a read")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    constexpr std::int64_t nobody = 2'000'000'000;
    CHECK_FALSE(b.run(b.erp().read_order(nobody)).has_value());
    const auto several = b.run(b.erp().read_orders({id, nobody}));
    REQUIRE(several.size() == 1);
    CHECK(several[0].id.odoo_id == id);
    CHECK(several[0].state == order_state::confirmed);
    CHECK(several[0].quantity == kg("170"));
}

TEST_CASE("contract: a write to an order that is not there says that it is gone")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    domain::move_value v;
    v.move_id = 2'000'000'000;
    v.quantity = kg("1");
    v.silo = 101;
    const auto e = b.fail(b.erp().write_consumption(2'000'000'000, {v}));
    CHECK(e.outcome() == call_outcome::rejected);
    // The plant's module knows no classes: what it refuses is parked, after one more read that finds nothing.
    if (!b.scada()) CHECK(e.decision() == error_class::gone);
}
