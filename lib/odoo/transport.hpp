// A way to call methods of Odoo's models. What differs between the protocols lives behind this; what is asked, and what an
// answer means, lives in `mrp`.
#pragma once

#include "odoo/call.hpp"
#include "odoo/erp.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <string>

namespace batchbridge::odoo {

class transport {
public:
    using time_point = std::chrono::steady_clock::time_point;
    virtual ~transport() = default;

    // When a call that starts now has to end.
    virtual time_point limit_for(purpose why) const = 0;
    // Detection and login if that has not happened.
    virtual boost::asio::awaitable<server_info> open(time_point limit) = 0;
    // What the method returned; null when it returned nothing. Opens first if need be: a failure of that is not_sent for this
    // call. At most one request with this call has an effect. Throws odoo::error.
    virtual boost::asio::awaitable<boost::json::value> ask(call c, time_point limit) = 0;

    // Valid after open() or ask().
    virtual int uid() const = 0;
    // The last one that was seen, empty before the first.
    virtual std::string version() const = 0;
    virtual std::optional<core::duration> clock_ahead() const = 0;
    // For messages: "odoo https://erp.example", the login.
    virtual const std::string& target() const = 0;
    virtual std::string who() const = 0;
    virtual const std::string& database() const = 0;
    // Texts of the peer: shortened, and our secret taken out should it be in there.
    virtual std::string clean(std::string text) const = 0;
};

}  // namespace batchbridge::odoo
