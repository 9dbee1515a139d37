// The way of Odoo's own web client: a session cookie, /web/dataset/call_kw for methods of models, and the plant's own
// endpoints beside it (design section 7). Needs a password: an API key makes no session (a22).
#pragma once

#include "odoo/http_transport.hpp"

namespace batchbridge::odoo {

class session_transport final : public http_transport {
public:
    session_transport(boost::asio::any_io_executor executor, transport_options options);

    // POST of `params` to one of the plant's endpoints. The answer, whether it came bare or under `result` (L-45).
    boost::asio::awaitable<boost::json::value> post(const std::string& path, purpose why, boost::json::object params, time_point limit);

protected:
    boost::asio::awaitable<server_info> detect(time_point limit) override;
    boost::asio::awaitable<session> login(const std::string& secret, time_point limit) override;
    boost::asio::awaitable<answer> send(const call& c, const session& s, time_point limit) override;
    bool may_write(const server_info& info) const override;

private:
    boost::asio::awaitable<session> login_at(const std::string& path, const std::string& secret, time_point limit);
    boost::asio::awaitable<answer> post_with_cookie(const std::string& path, const std::string& operation, purpose why, boost::json::object params,
                                                    const session& s, time_point limit, bool need_envelope);
};

}  // namespace batchbridge::odoo
