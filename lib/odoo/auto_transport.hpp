// ODOO_API=auto: asks the server what it is and uses json2 or jsonrpc accordingly; asks again after an outage, after a call
// that failed as a changed server would make it fail, and from time to time. Never scada.
#pragma once

#include "core/event.hpp"
#include "odoo/jsonrpc_transport.hpp"

#include <memory>

namespace batchbridge::odoo {

class auto_transport final : public transport {
public:
    // Throws what http::client throws.
    auto_transport(boost::asio::any_io_executor executor, transport_options options);

    time_point limit_for(purpose why) const override { return asker_.limit_for(why); }
    boost::asio::awaitable<server_info> open(time_point limit) override;
    boost::asio::awaitable<boost::json::value> ask(call c, time_point limit) override;
    int uid() const override { return way_ ? way_->uid() : 0; }
    std::string version() const override { return way_ ? way_->version() : std::string{}; }
    std::optional<core::duration> clock_ahead() const override { return way_ ? way_->clock_ahead() : asker_.clock_ahead(); }
    const std::string& target() const override { return asker_.target(); }
    std::string who() const override { return asker_.who(); }
    const std::string& database() const override { return asker_.database(); }
    std::string clean(std::string text) const override { return way_ ? way_->clean(std::move(text)) : asker_.clean(std::move(text)); }

private:
    boost::asio::awaitable<std::shared_ptr<http_transport>> current(time_point limit);
    boost::asio::awaitable<void> detect(time_point limit);

    boost::asio::any_io_executor executor_;
    transport_options options_;
    jsonrpc_transport asker_;   // asks for versions only
    core::async_mutex lock_;
    std::shared_ptr<http_transport> way_;   // shared: a call under way keeps the old one when it is exchanged
    bool named_arguments_ = false;          // way_ is json2
};

}  // namespace batchbridge::odoo
