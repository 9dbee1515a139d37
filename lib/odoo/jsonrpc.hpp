// Odoo 18 over POST /jsonrpc (odoo18.md): version, login once, execute_kw. Every call in here was recorded on a real
// server; the recordings are in tests/data/odoo18.
#pragma once

#include "core/config.hpp"
#include "core/event.hpp"
#include "http/client.hpp"
#include "odoo/answer.hpp"
#include "odoo/erp.hpp"
#include "odoo/order_json.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>

#include <optional>
#include <string>

namespace batchbridge::odoo {

struct jsonrpc_options {
    // From the configuration. An API key takes the password's place when there is one.
    static jsonrpc_options from(const core::config& c);

    http::client_options http;     // before_send is asked for orders and writes, not for version, login and probe
    std::string db, user;
    core::secret secret;
    bool secret_is_key = false;
    bool write_unverified = false; // ODOO_UNVERIFIED_VERSION; else writes to a version other than 18 and 19 fail, nothing sent
    core::duration read_timeout = std::chrono::seconds(15);
    core::duration write_timeout = std::chrono::seconds(60);
    // A refused login is remembered this long: calls fail at once instead of asking again (hashing costs Odoo 0.5 s).
    // A changed secret file ends it.
    core::duration refused_pause = std::chrono::seconds(10);
};

// Owner's thread only; any number of calls at a time. The login is shared, and renewed once when Odoo says AccessDenied.
class jsonrpc : public erp {
public:
    // Throws what http::client throws for a bad address or CA file.
    jsonrpc(boost::asio::any_io_executor executor, jsonrpc_options options);

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

private:
    using time_point = std::chrono::steady_clock::time_point;
    enum class purpose { open, read, write };   // open: version, login, probe
    struct call;
    struct session {
        int uid = 0;
        std::string secret;
        unsigned generation = 0;
    };
    struct refusal {
        error what;
        std::string secret;
        time_point until;
    };

    boost::asio::awaitable<boost::json::value> execute(call c);
    boost::asio::awaitable<boost::json::value> execute_detailed(call c);
    boost::asio::awaitable<session> ready(time_point limit);
    boost::asio::awaitable<void> detect(time_point limit);
    boost::asio::awaitable<void> login(time_point limit);
    boost::asio::awaitable<answer> post(const std::string& operation, purpose why, boost::json::object params, time_point limit);
    boost::asio::awaitable<void> write_moves(std::int64_t odoo_id, boost::json::object values);

    error from_http(const http::error& e, const std::string& operation) const;
    error from_fault(const answer& a, const std::string& operation) const;
    error from_foreign(const answer& a, unsigned status, const std::string& operation, purpose why);
    error nonsense(const std::string& operation, const std::string& reason) const;
    error opening(const error& e) const;
    // Texts of the peer: shortened, and our secret taken out should it be in there.
    std::string clean(std::string text) const;

    jsonrpc_options options_;
    http::client calls_, opening_;
    std::string target_;
    core::async_mutex login_lock_;
    std::optional<server_info> info_;
    std::optional<session> session_;
    std::optional<refusal> refused_;
    unsigned generation_ = 0;
    std::int64_t next_id_ = 0;
    std::string seen_version_;
    detail detail_ = detail::full;
};

}  // namespace batchbridge::odoo
