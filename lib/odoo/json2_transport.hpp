// POST /json/2/<model>/<method> (odoo19.md): an API key in every request, named arguments, the bare value as the answer.
#pragma once

#include "odoo/http_transport.hpp"

namespace batchbridge::odoo {

class json2_transport final : public http_transport {
public:
    json2_transport(boost::asio::any_io_executor executor, transport_options options);

protected:
    boost::asio::awaitable<server_info> detect(time_point limit) override;
    boost::asio::awaitable<session> login(const std::string& secret, time_point limit) override;
    boost::asio::awaitable<answer> send(const call& c, const session& s, time_point limit) override;

private:
    boost::asio::awaitable<answer> post(const std::string& model, const std::string& method, purpose why, boost::json::object arguments,
                                        const std::string& secret, time_point limit);
};

}  // namespace batchbridge::odoo
