#pragma once

#include "core/error.hpp"

namespace batchbridge::pg {

// peer_code() is the SQLSTATE; empty when the link broke or a deadline of ours passed.
class error : public core::error {
    using core::error::error;
};

// What a SQLSTATE means to a caller.
core::error_kind kind_of(std::string_view sqlstate) noexcept;
// PostgreSQL cannot be reached or takes no work at all. False: it is there, and this one statement failed, be it only for
// the moment (a deadlock, a lock that took too long).
bool is_away(const error& e) noexcept;
// It is there and answers questions, and takes no more data: disk full, read-only.
bool refuses_writes(const error& e) noexcept;
// Two transactions stood in each other's way and this one was undone as a whole: the same again may well succeed.
bool is_conflict(const error& e) noexcept;

}  // namespace batchbridge::pg
