// POST /jsonrpc (odoo18.md): version, login once, execute_kw with the uid and the password or API key in every call.
#pragma once

#include "odoo/http_transport.hpp"

namespace batchbridge::odoo {

class jsonrpc_transport final : public http_transport {
public:
    jsonrpc_transport(boost::asio::any_io_executor executor, transport_options options);

protected:
    boost::asio::awaitable<server_info> detect(time_point limit) override;
    boost::asio::awaitable<session> login(const std::string& secret, time_point limit) override;
    boost::asio::awaitable<answer> send(const call& c, const session& s, time_point limit) override;
};

}  // namespace batchbridge::odoo
