// Logging in, the start-up check, maintenance requests and notes.
#include "contract_bench.hpp"

using namespace batchbridge;
using namespace batchbridge::tests;
using domain::call_outcome;
using domain::error_class;

TEST_CASE("contract: the server says which it is, answers the probe and passes the start-up check")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto info = b.run(b.erp().connect());
    CHECK(info.verified);
    CHECK_FALSE(info.version.empty());
    b.run(b.erp().probe());
    const auto findings = b.run(b.erp().check());
    CHECK(findings.size() >= 4);
    for (const auto& f : findings) {
        INFO(f.what << ": " << f.text << " " << f.advice);
        CHECK(f.how != odoo::finding::verdict::bad);
        CHECK((f.how == odoo::finding::verdict::good || !f.advice.empty()));
    }
}

TEST_CASE("contract: ODOO_API=auto finds the protocol by itself")
{
    const auto name = GENERATE(from_range(servers()));
    if (name == "odoo-sim scada") return;
    INFO(name);
    contract_bench b(name);
    const auto erp = b.client({{"ODOO_API", "auto"}});
    const auto info = b.run(erp->connect());
    CHECK(info.protocol == b.run(b.erp().connect()).protocol);
    const auto id = b.order();
    CHECK(b.run(erp->read_order(id)).has_value());
}

TEST_CASE("contract: a wrong secret waits for a new one and never parks an order")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    const char* secret = b.config().odoo_api_key.empty() ? "ODOO_PASSWORD" : "ODOO_API_KEY";
    const auto erp = b.client({{secret, "not-the-secret-of-anybody"}});
    const auto e = b.fail(erp->cancel(id));
    CHECK((e.decision() == error_class::new_key || e.decision() == error_class::configuration));
    CHECK(std::string(e.what()).find("not-the-secret") == std::string::npos);
    CHECK(b.read(id).state == domain::order_state::confirmed);
}

TEST_CASE("contract: an unknown database is no reason to park an order")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    const auto erp = b.client({{"ODOO_DB", "no_such_database_of_ours"}});
    const auto e = b.fail(erp->cancel(id));
    CHECK((e.outcome() == call_outcome::not_sent || e.decision() == error_class::configuration || e.decision() == error_class::new_key || e.decision() == error_class::retry));
    CHECK(e.decision() != error_class::park);
    CHECK(e.decision() != error_class::our_bug);
}

TEST_CASE("contract: equipment is found by its serial number, and one that is not there is not found")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.server().equipment("SILO-103");
    CHECK(b.run(b.erp().find_equipment("SILO-103")) == id);
    CHECK_FALSE(b.run(b.erp().find_equipment("no such silo")).has_value());
}

TEST_CASE("contract: a maintenance request is found again by its key (L-38)")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    odoo::maintenance_request r;
    r.key = "batchbridge-contract-" + std::to_string(core::utc_now().time_since_epoch().count());
    r.title = "SILO-103: discharge valve does not open <1 & 2>";
    r.description = "F07 at the \"mill\" <b>not bold</b> & so on";
    r.equipment_code = "SILO-103";
    r.equipment_id = b.server().equipment("SILO-103");
    r.at = core::utc_now();
    CHECK_FALSE(b.run(b.erp().find_request(r.key)).has_value());
    const auto id = b.run(b.erp().create_request(r));
    CHECK(id > 0);
    CHECK(b.run(b.erp().find_request(r.key)) == id);
    CHECK_FALSE(b.run(b.erp().find_request(r.key + "-other")).has_value());
}

TEST_CASE("contract: a note is posted on the order")
{
    const auto name = GENERATE(from_range(servers()));
    INFO(name);
    contract_bench b(name);
    const auto id = b.order();
    b.run(b.erp().post_note(id, "silo 101 dosed 3 % over plan <checked> & stored"));
    CHECK(b.read(id).state == domain::order_state::confirmed);
}
