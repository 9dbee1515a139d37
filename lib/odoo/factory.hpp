// The protocol that the configuration asks for.
#pragma once

#include "core/config.hpp"
#include "odoo/erp.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>

namespace batchbridge::odoo {

// `may_send` is asked right before the first byte of each write. Throws core::config_error for a protocol that this version
// does not speak.
std::unique_ptr<erp> make_erp(boost::asio::any_io_executor executor, const core::config& config, std::function<bool()> may_send);

}  // namespace batchbridge::odoo
