// The one place that chooses a protocol (ODOO_API).
#pragma once

#include "core/config.hpp"
#include "odoo/erp.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace batchbridge::odoo {

// What make_erp would refuse, each with its variable; empty: nothing. Values that are empty were refused by others.
std::vector<std::string> config_faults(const core::config& c);

// Talks to nobody yet. `before_send` is asked right before the first byte of each request about orders (the lease check);
// false = the call ends as not sent, kind cancelled; so it does when `lease` says another number by then than when the request
// began. Version, login and probe go without it: they change nothing, and a
// standby wants to know whether Odoo is there.
// Throws core::config_error with config_faults().
std::unique_ptr<erp> make_erp(boost::asio::any_io_executor executor, const core::config& c, std::function<bool()> before_send, std::function<std::uint64_t()> lease = nullptr);

}  // namespace batchbridge::odoo
