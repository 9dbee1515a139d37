// Odoo 19 over POST /json/2.
#pragma once

#include "odoo/json2_transport.hpp"
#include "odoo/mrp.hpp"

namespace batchbridge::odoo {

class json2 final : public mrp {
public:
    // Throws what http::client throws for a bad address or CA file.
    json2(boost::asio::any_io_executor executor, transport_options options)
        : mrp(std::make_unique<json2_transport>(std::move(executor), std::move(options)))
    {
    }
};

}  // namespace batchbridge::odoo
