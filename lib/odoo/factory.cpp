#include "odoo/factory.hpp"

#include "odoo/jsonrpc.hpp"

namespace batchbridge::odoo {

std::unique_ptr<erp> make_erp(boost::asio::any_io_executor executor, const core::config& config, std::function<bool()> may_send)
{
    if (config.api == core::odoo_api::json2) throw core::config_error({"ODOO_API: 'json2' is not in this version, expected auto or jsonrpc"});
    if (config.api == core::odoo_api::scada) throw core::config_error({"ODOO_API: 'scada' is not in this version, expected auto or jsonrpc"});
    auto transport = http::client_options::plain(config.odoo_url);
    transport.ca_file = config.odoo_ca_file;
    transport.verify = config.odoo_tls_verify;
    transport.connect_timeout = config.odoo_connect_timeout;
    transport.max_response = config.odoo_max_response;
    transport.before_send = std::move(may_send);
    jsonrpc_options options;
    options.db = config.odoo_db;
    options.user = config.odoo_username;
    options.password = config.odoo_password;
    options.api_key = config.odoo_api_key;
    options.read_timeout = config.odoo_timeout;
    options.write_timeout = config.odoo_write_timeout;
    options.write_to_unverified = config.odoo_unverified_version;
    return std::make_unique<jsonrpc>(std::move(executor), std::move(transport), std::move(options));
}

}  // namespace batchbridge::odoo
