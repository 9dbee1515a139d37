// What tasks see of Odoo, whatever the protocol. Every call is one or more HTTP requests, each under its own deadline;
// all of them throw odoo::error.
#pragma once

#include "core/error.hpp"
#include "domain/component_mapping.hpp"
#include "domain/delivery.hpp"
#include "domain/order.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace batchbridge::odoo {

class error : public core::error {
public:
    error(core::error_kind kind, domain::call_outcome outcome, domain::error_class decision, std::string operation,
          std::string target, std::string reason, std::string peer_code = {})
        : core::error(kind, std::move(operation), std::move(target), std::move(reason), std::move(peer_code)),
          outcome_(outcome), decision_(decision)
    {
    }
    // rejected, unclear or not_sent. For reads only not_sent/unclear vs rejected matters.
    domain::call_outcome outcome() const noexcept { return outcome_; }
    // Valid for `rejected`; `retry` for unclear and not_sent, except a refused TLS certificate: configuration.
    domain::error_class decision() const noexcept { return decision_; }

private:
    domain::call_outcome outcome_;
    domain::error_class decision_;
};

struct fetch_request {
    boost::json::array domain;                 // ODOO_ORDER_DOMAIN or the line's, may be empty
    std::optional<core::utc_time> date_start_until;
    std::vector<std::int64_t> exclude_ids;
    int limit = 10;
};
struct fetch_answer {
    std::vector<std::variant<domain::order, domain::malformed_order>> orders;  // in Odoo's order
    std::int64_t matches = 0;                  // without the limit
};

struct server_info {
    std::string version;                       // "18.0+e-20241005"
    std::string protocol;                      // "jsonrpc", "json2", "scada"
    bool verified = false;                     // 18 or 19
    // Odoo's clock (the Date header, whole seconds) minus ours at the last answer; nullopt: it sent none.
    std::optional<core::duration> clock_ahead;
};

// One thing that was looked at before orders are written: what it is, how it stands, what to do about it.
struct finding {
    enum class verdict { good, warning, bad };
    verdict how = verdict::good;
    std::string what;                          // "database", "login", "version", "orders", "equipment", "e-mail", "clock"
    std::string text;                          // "user plcbridge may read and write manufacturing orders"
    std::string advice;                        // empty when good
};

// A failure of the plant as Odoo's maintenance people see it. Plain text; the adapter escapes it.
struct maintenance_request {
    std::string key;                           // tells this event from every other; part of the request's name
    std::string title;                         // "SILO-103: discharge valve does not open"
    std::string description;
    std::optional<std::int64_t> equipment_id;  // nullopt: the code is in the text only
    std::string equipment_code;
    core::utc_time at{};                       // when it failed
    bool urgent = true;
};

class erp {
public:
    virtual ~erp() = default;

    // Detection and login if that has not happened; cheap afterwards. For probe and readiness.
    virtual boost::asio::awaitable<server_info> connect() = 0;
    // The cheap probe: one order's state, limit 1.
    virtual boost::asio::awaitable<void> probe() = 0;

    // Confirmed orders with components, by priority desc, date_start, id. One request.
    virtual boost::asio::awaitable<fetch_answer> fetch_confirmed(const fetch_request& what) = 0;
    // One order with its moves as they are now; nullopt = deleted. A malformed one throws (class our_bug -> park).
    virtual boost::asio::awaitable<std::optional<domain::order>> read_order(std::int64_t odoo_id) = 0;
    // Several orders at once, deleted ones left out (the watch). One that cannot be understood comes with its id, state
    // `unknown` and no components: leaving it out would say that it was deleted.
    virtual boost::asio::awaitable<std::vector<domain::order>> read_orders(const std::vector<std::int64_t>& ids) = 0;

    // Writes. Each is exactly one request; the login that may precede it happens before and counts as not_sent when it fails.
    // Absolute totals of one order, one transaction.
    virtual boost::asio::awaitable<void> write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves) = 0;
    // Step 1 of a finish: qty_producing and all moves.
    virtual boost::asio::awaitable<void> write_final(std::int64_t odoo_id, const domain::finish_values& values) = 0;
    // Step 2. The answer proves nothing; returns a description of what came back ("true", "wizard mrp.consumption.warning").
    // `values` and `ended` (when the PLC ended the batch) are for protocols that carry them in this call.
    virtual boost::asio::awaitable<std::string> mark_done(std::int64_t odoo_id, const domain::finish_values& values, core::utc_time ended) = 0;
    virtual boost::asio::awaitable<void> cancel(std::int64_t odoo_id) = 0;

    // Equipment by its serial number; remembered once found. nullopt: there is none, or this user does not see it (an Odoo user
    // without the equipment manager's group gets an empty list, not an error: odoo18.md section 11).
    virtual boost::asio::awaitable<std::optional<std::int64_t>> find_equipment(const std::string& serial_no) = 0;
    // The request that carries this key, in any stage; nullopt: there is none. Asked before each create: create is not idempotent.
    virtual boost::asio::awaitable<std::optional<std::int64_t>> find_request(const std::string& key) = 0;
    // Returns the new request's id.
    virtual boost::asio::awaitable<std::int64_t> create_request(const maintenance_request& what) = 0;
    // A note on the order, plain text. Not idempotent, and cannot be looked up: at most once is the caller's matter.
    virtual boost::asio::awaitable<void> post_note(std::int64_t odoo_id, const std::string& text) = 0;

    // The start-up check: database, login, version, rights (orders: read and write; equipment: read), the user's e-mail address,
    // clock difference. Throws only when Odoo cannot be asked at all; what it says no to is a finding.
    virtual boost::asio::awaitable<std::vector<finding>> check() = 0;
    // Why an order cannot be made over this protocol ("two components on silo 101 .."); empty: it can.
    virtual std::string refuses(const domain::mapped_order&) const { return {}; }
};

}  // namespace batchbridge::odoo
