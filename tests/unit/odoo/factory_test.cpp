#include "support/catch.hpp"

#include "odoo/factory.hpp"
#include "odoo/transport_options.hpp"

#include <boost/asio/io_context.hpp>

using namespace batchbridge;
using Catch::Matchers::Contains;

namespace {

struct made {
    made()
    {
        c.odoo_url = "http://erp.example:8069";
        c.odoo_db = "factory";
        c.odoo_username = "plcbridge";
        c.odoo_password.value = "plc";
        c.lines.emplace_back();
    }
    std::unique_ptr<odoo::erp> operator()() { return odoo::make_erp(ioc.get_executor(), c, [] { return true; }); }
    boost::asio::io_context ioc;
    core::config c;
};

}  // namespace

TEST_CASE("the factory makes every protocol that has its secret")
{
    made make;
    CHECK(make());
    make.c.api = core::odoo_api::jsonrpc;
    CHECK(make());
    make.c.api = core::odoo_api::scada;
    CHECK(make());
    make.c.api = core::odoo_api::json2;
    CHECK_THROWS_WITH(make(), Contains("ODOO_API=json2 needs ODOO_API_KEY"));
    make.c.odoo_api_key.value = "key";
    CHECK(make());
    make.c.api = core::odoo_api::scada;
    make.c.odoo_password.value.clear();
    CHECK_THROWS_WITH(make(), Contains("ODOO_API=scada needs ODOO_PASSWORD"));
}

TEST_CASE("scada refuses at start what the module cannot do: order domains and several lines")
{
    made make;
    make.c.api = core::odoo_api::scada;
    make.c.lines.emplace_back();
    make.c.lines[1].name = "line2";
    make.c.lines[1].order_domain = {{"origin", "=", "L2"}};
    const auto faults = odoo::config_faults(make.c);
    REQUIRE(faults.size() == 2);
    CHECK_THAT(faults[0], Contains("one line") && Contains("has 2"));
    CHECK_THAT(faults[1], Contains("line2") && Contains("ODOO_ORDER_DOMAIN"));
    CHECK_THROWS_AS(make(), core::config_error);
    make.c.api = core::odoo_api::automatic;
    CHECK(odoo::config_faults(make.c).empty());
}

TEST_CASE("the factory refuses at start an address or a CA file that cannot work")
{
    made make;
    make.c.odoo_url = "erp.example";
    CHECK_THROWS_WITH(make(), Contains("ODOO_URL"));
    make.c.odoo_url = "https://erp.example";
    make.c.odoo_ca_file = "/no/such.pem";
    CHECK_THROWS_WITH(make(), Contains("ODOO_CA_FILE"));
}

TEST_CASE("an API key takes the password's place, but makes no session (a21, a22)")
{
    made make;
    make.c.odoo_api_key.value = "key";
    auto o = odoo::transport_options::from(make.c);
    CHECK(o.secret.value == "key");
    CHECK(o.secret_is_key);
    make.c.api = core::odoo_api::scada;
    o = odoo::transport_options::from(make.c);
    CHECK(o.secret.value == "plc");
    CHECK_FALSE(o.secret_is_key);
    // a07: ten refused logins lock the address out for a minute.
    CHECK(o.refused_pause > std::chrono::seconds(60));
}
