#include "odoo/factory.hpp"

#include "odoo/jsonrpc.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace batchbridge::odoo {

std::unique_ptr<erp> make_erp(boost::asio::any_io_executor executor, const core::config& c, std::function<bool()> before_send)
{
    const auto refuse = [](std::string fault) {
        std::vector<std::string> faults{std::move(fault)};
        throw core::config_error(std::move(faults));
    };
    if (c.api == core::odoo_api::json2 || c.api == core::odoo_api::scada) {
        refuse(fmt::format("ODOO_API={} comes with a later version; use jsonrpc (Odoo 18, and 19 as long as it has it) or auto",
                           c.api == core::odoo_api::json2 ? "json2" : "scada"));
    }
    auto options = jsonrpc_options::from(c);
    options.http.before_send = std::move(before_send);
    try {
        return std::make_unique<jsonrpc>(std::move(executor), std::move(options));
    } catch (const std::invalid_argument& e) {
        refuse(fmt::format("ODOO_URL {}", e.what()));
    } catch (const core::error& e) {
        refuse(fmt::format("ODOO_CA_FILE: {}", e.what()));
    }
    return nullptr;
}

}  // namespace batchbridge::odoo
