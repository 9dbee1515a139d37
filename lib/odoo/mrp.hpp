// odoo::erp by methods of Odoo's own models: mrp.production, maintenance.*, res.users. The same for every version and
// protocol; what differs is the transport's. Every call in here was recorded on real servers (tests/data/odoo18, odoo19).
#pragma once

#include "odoo/erp.hpp"
#include "odoo/order_json.hpp"
#include "odoo/transport.hpp"

#include <map>
#include <memory>
#include <string>

namespace batchbridge::odoo {

class mrp : public erp {
public:
    explicit mrp(std::unique_ptr<transport> way);

    boost::asio::awaitable<server_info> connect() override;
    boost::asio::awaitable<void> probe() override;
    boost::asio::awaitable<fetch_answer> fetch_confirmed(const fetch_request& what) override;
    boost::asio::awaitable<std::optional<domain::order>> read_order(std::int64_t odoo_id) override;
    boost::asio::awaitable<std::vector<domain::order>> read_orders(const std::vector<std::int64_t>& ids) override;
    boost::asio::awaitable<void> write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves) override;
    boost::asio::awaitable<void> write_final(std::int64_t odoo_id, const domain::finish_values& values) override;
    boost::asio::awaitable<std::string> mark_done(std::int64_t odoo_id, const domain::finish_values& values, core::utc_time ended) override;
    boost::asio::awaitable<void> cancel(std::int64_t odoo_id) override;
    boost::asio::awaitable<std::optional<std::int64_t>> find_equipment(const std::string& serial_no) override;
    boost::asio::awaitable<std::optional<std::int64_t>> find_request(const std::string& key) override;
    boost::asio::awaitable<std::int64_t> create_request(const maintenance_request& what) override;
    boost::asio::awaitable<void> post_note(std::int64_t odoo_id, const std::string& text) override;
    boost::asio::awaitable<std::vector<finding>> check() override;

protected:
    transport& way() const { return *way_; }
    boost::asio::awaitable<boost::json::value> ask(call c);
    // For the check: Odoo's own no, that repeating would not change, comes back in `no`; anything else is thrown.
    boost::asio::awaitable<boost::json::value> ask_for_check(call c, std::optional<error>& no);
    // The orders of this domain, as many as `limit`.
    boost::asio::awaitable<fetch_answer> search_orders(boost::json::array domain, std::string order, std::int64_t limit);
    // The first record of this domain; nullopt: there is none.
    boost::asio::awaitable<std::optional<std::int64_t>> first_id(const char* model, boost::json::array domain);
    error nonsense(const std::string& operation, const std::string& reason) const;

private:
    boost::asio::awaitable<boost::json::value> ask_detailed(call c);
    boost::asio::awaitable<void> write(std::int64_t odoo_id, boost::json::object values);
    boost::asio::awaitable<void> check_rights(std::vector<finding>& out);
    boost::asio::awaitable<void> check_equipment(std::vector<finding>& out);
    boost::asio::awaitable<void> check_mail(std::vector<finding>& out);

    std::unique_ptr<transport> way_;
    detail detail_ = detail::full;
    std::string detail_version_;                       // which Odoo detail_ was found out for
    std::map<std::string, std::int64_t> equipment_;    // by serial number
};

// Terms of an Odoo domain: [field, op, value].
boost::json::array condition(const char* field, const char* op, boost::json::value value);
// Asks for the id of one record that fits.
call search_one(const char* model, boost::json::array domain, purpose why);
boost::json::array id_list(const std::vector<std::int64_t>& ids);
// What `like` finds this text by: its own wildcards taken literally.
std::string like_pattern(std::string_view text);
// "a < b" -> "a &lt; b", line ends -> <br/>, all of it in a paragraph.
std::string to_html(std::string_view text);
// An id, bare (JSON-RPC) or as the only one of a list (JSON-2); nullopt for anything else.
std::optional<std::int64_t> one_id_of(const boost::json::value& v);

}  // namespace batchbridge::odoo
