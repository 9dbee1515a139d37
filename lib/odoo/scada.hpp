// The plant's SCADA module (design section 7): its own endpoints for the order list, consumption, done, cancel and equipment
// failures; everything else by methods of Odoo's models in the same session.
#pragma once

#include "odoo/mrp.hpp"
#include "odoo/session_transport.hpp"

namespace batchbridge::odoo {

class scada final : public mrp {
public:
    // Throws what http::client throws for a bad address or CA file. `leave_unmapped`: UNMAPPED_COMPONENTS=leave.
    scada(boost::asio::any_io_executor executor, transport_options options, bool leave_unmapped);

    // The list gives ids; one read of those gives what the list lacks (create_date, moves, units).
    boost::asio::awaitable<fetch_answer> fetch_confirmed(const fetch_request& what) override;
    boost::asio::awaitable<void> write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves) override;
    boost::asio::awaitable<void> write_final(std::int64_t odoo_id, const domain::finish_values& values) override;
    boost::asio::awaitable<std::string> mark_done(std::int64_t odoo_id, const domain::finish_values& values, core::utc_time ended) override;
    boost::asio::awaitable<void> cancel(std::int64_t odoo_id) override;
    // The endpoint takes no name: the key stands in the description.
    boost::asio::awaitable<std::optional<std::int64_t>> find_request(const std::string& key) override;
    boost::asio::awaitable<std::int64_t> create_request(const maintenance_request& what) override;
    // Totals go by silo: two components on one silo, or one without a silo, have no place in them.
    std::string refuses(const domain::mapped_order& order) const override;

private:
    scada(session_transport* way, bool leave_unmapped);
    boost::asio::awaitable<boost::json::object> post(const char* path, purpose why, boost::json::object params);
    error refused(const std::string& operation, const std::string& reason) const;
    void expect_success(const char* path, const boost::json::object& answer) const;

    session_transport& session_;   // mrp owns it
    bool leave_unmapped_;
};

}  // namespace batchbridge::odoo
