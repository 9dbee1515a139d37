// Odoo's external API over /jsonrpc (odoo18.md): one login, then execute_kw calls.
#pragma once

#include "core/config.hpp"
#include "core/event.hpp"
#include "http/client.hpp"
#include "odoo/erp.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/value.hpp>

#include <memory>

namespace batchbridge::odoo {

struct jsonrpc_options {
    std::string db, user;
    core::secret password, api_key;    // the key is used when both are there
    core::duration read_timeout = std::chrono::seconds(15), write_timeout = std::chrono::seconds(60);
    bool write_to_unverified = false;
    core::duration refused_login_pause = std::chrono::seconds(10);
};

class jsonrpc final : public erp {
public:
    jsonrpc(boost::asio::any_io_executor executor, http::client_options transport, jsonrpc_options options);

    boost::asio::awaitable<server_info> connect() override;
    boost::asio::awaitable<void> probe() override;
    boost::asio::awaitable<fetch_answer> fetch_confirmed(const fetch_request& what) override;
    boost::asio::awaitable<std::optional<domain::order>> read_order(std::int64_t odoo_id) override;
    boost::asio::awaitable<std::vector<domain::order>> read_orders(const std::vector<std::int64_t>& ids) override;
    boost::asio::awaitable<void> write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves) override;
    boost::asio::awaitable<void> write_final(std::int64_t odoo_id, const domain::finish_values& values) override;
    boost::asio::awaitable<std::string> mark_done(std::int64_t odoo_id) override;
    boost::asio::awaitable<void> cancel(std::int64_t odoo_id) override;

private:
    enum class effect { read, write };
    // One request; returns `result` (null when the answer has none).
    boost::asio::awaitable<boost::json::value> call(std::string service, std::string method, boost::json::array args, effect e, std::string operation);
    boost::asio::awaitable<boost::json::value> execute(std::string model, std::string method, boost::json::array positional, boost::json::object keywords, effect e);
    boost::asio::awaitable<void> log_in();
    boost::json::value interpret(const http::response& answer, effect e, const std::string& operation) const;

    http::client client_, reader_;    // `reader_` does not ask for the lease
    jsonrpc_options options_;
    core::async_mutex login_;
    std::optional<std::int64_t> uid_;
    std::string credential_;
    std::optional<server_info> info_;
    std::chrono::steady_clock::time_point refused_until_{};
    std::int64_t next_id_ = 1;
};

}  // namespace batchbridge::odoo
