// Odoo 18, and 19 as long as it has it, over POST /jsonrpc.
#pragma once

#include "odoo/jsonrpc_transport.hpp"
#include "odoo/mrp.hpp"

namespace batchbridge::odoo {

using jsonrpc_options = transport_options;

class jsonrpc final : public mrp {
public:
    // Throws what http::client throws for a bad address or CA file.
    jsonrpc(boost::asio::any_io_executor executor, jsonrpc_options options)
        : mrp(std::make_unique<jsonrpc_transport>(std::move(executor), std::move(options)))
    {
    }
};

}  // namespace batchbridge::odoo
