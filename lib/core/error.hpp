// The one shape of failure that crosses module borders: what failed, on what, why, and of which kind.
// Expected answers are values (optional, variant, domain enums); a broken dependency throws one of these.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace batchbridge::core {

// What a caller can do about a failure.
enum class error_kind {
    unavailable,  // the peer cannot be reached: try again later
    timeout,      // a deadline passed: the outcome of a write is unknown
    rejected,     // the peer answered and said no: peer_code() says what
    protocol,     // the peer's bytes make no sense: the connection is unusable
    cancelled,    // we were told to stop
    internal,     // a fault of ours
};

std::string_view to_string(error_kind kind) noexcept;

// Base of pg::error, odoo::error, modbus::error, http::error, plc::error. what() reads
// "<operation> on <target> failed: <reason> (<peer code>)" and never holds a secret.
class error : public std::runtime_error {
public:
    error(error_kind kind, std::string operation, std::string target, std::string reason, std::string peer_code = {});

    error_kind kind() const noexcept { return kind_; }
    // What was attempted, in the peer's own terms: "connect", "FC03 read 6000+77", "mrp.production.write".
    const std::string& operation() const noexcept { return operation_; }
    // On what: "plc 10.0.0.5:502 unit 1", "odoo https://erp.example", "postgres db.example:5432/bridge".
    const std::string& target() const noexcept { return target_; }
    const std::string& reason() const noexcept { return reason_; }
    // The peer's own code: a SQLSTATE, an HTTP status, a Modbus exception number, an Odoo exception name; may be empty.
    const std::string& peer_code() const noexcept { return peer_code_; }

private:
    error_kind kind_;
    std::string operation_, target_, reason_, peer_code_;
};

// The text of an exception_ptr, for logs and records.
std::string describe(std::exception_ptr e);

// True for our own cancellation: Asio's operation_aborted or an error of kind cancelled.
bool is_cancellation(std::exception_ptr e) noexcept;

}  // namespace batchbridge::core
