#include "odoo/factory.hpp"

#include "http/client.hpp"
#include "http/url.hpp"
#include "odoo/jsonrpc.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace batchbridge::odoo {

std::vector<std::string> config_faults(const core::config& c)
{
    std::vector<std::string> out;
    if (c.api == core::odoo_api::json2 || c.api == core::odoo_api::scada) {
        out.push_back(fmt::format("ODOO_API={} comes with a later version; use jsonrpc (Odoo 18, and 19 as long as it has it) or auto",
                                  c.api == core::odoo_api::json2 ? "json2" : "scada"));
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
    if (auto faults = config_faults(c); !faults.empty()) throw core::config_error(std::move(faults));
    auto options = jsonrpc_options::from(c);
    options.http.before_send = std::move(before_send);
    options.http.lease = std::move(lease);
    return std::make_unique<jsonrpc>(std::move(executor), std::move(options));
}

}  // namespace batchbridge::odoo
