#pragma once

#include "core/error.hpp"

namespace batchbridge::pg {

// peer_code() is the SQLSTATE; empty when the link broke or a deadline of ours passed.
class error : public core::error {
    using core::error::error;
};

// What a SQLSTATE means to a caller.
core::error_kind kind_of(std::string_view sqlstate) noexcept;

}  // namespace batchbridge::pg
