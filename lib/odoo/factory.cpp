#include "odoo/factory.hpp"

#include "http/client.hpp"
#include "http/url.hpp"
#include "odoo/auto_transport.hpp"
#include "odoo/json2.hpp"
#include "odoo/jsonrpc.hpp"
#include "odoo/scada.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace batchbridge::odoo {

std::vector<std::string> config_faults(const core::config& c)
{
    std::vector<std::string> out;
    if (c.api == core::odoo_api::scada) {
        // The module's list cannot be restricted, so it is one line's.
        if (c.lines.size() > 1) out.push_back(fmt::format("ODOO_API=scada serves one line, LINES_FILE has {}; use auto", c.lines.size()));
        for (const auto& line : c.lines)
            if (!line.order_domain.empty())
                out.push_back(fmt::format("ODOO_API=scada cannot restrict orders, and line {} has an order domain (ODOO_ORDER_DOMAIN or order_domain); leave it out", line.name));
    }
    try {
        if (!c.odoo_url.empty()) static_cast<void>(http::parse_base_url(c.odoo_url));
    } catch (const std::invalid_argument& e) {
        out.push_back(fmt::format("ODOO_URL {}", e.what()));
    }
    if (!c.odoo_ca_file.empty())
        if (const auto fault = http::ca_file_fault(c.odoo_ca_file))
            out.push_back(fmt::format("ODOO_CA_FILE: '{}' is not valid, expected a readable PEM file: {}", c.odoo_ca_file, *fault));
    return out;
}

std::unique_ptr<erp> make_erp(boost::asio::any_io_executor executor, const core::config& c, std::function<bool()> before_send, std::function<std::uint64_t()> lease)
{
    auto faults = config_faults(c);
    // read_config says these of a configuration that came from there.
    if (c.api == core::odoo_api::json2 && c.odoo_api_key.empty()) faults.push_back("ODOO_API=json2 needs ODOO_API_KEY");
    if (c.api == core::odoo_api::scada && c.odoo_password.empty()) faults.push_back("ODOO_API=scada needs ODOO_PASSWORD");
    if (!faults.empty()) throw core::config_error(std::move(faults));
    auto options = transport_options::from(c);
    options.http.before_send = std::move(before_send);
    options.http.lease = std::move(lease);
    switch (c.api) {
    case core::odoo_api::jsonrpc: return std::make_unique<jsonrpc>(std::move(executor), std::move(options));
    case core::odoo_api::json2: return std::make_unique<json2>(std::move(executor), std::move(options));
    case core::odoo_api::scada: return std::make_unique<scada>(std::move(executor), std::move(options), c.unmapped_components == core::unmapped_policy::leave);
    case core::odoo_api::automatic: break;
    }
    return std::make_unique<mrp>(std::make_unique<auto_transport>(std::move(executor), std::move(options)));
}

}  // namespace batchbridge::odoo
