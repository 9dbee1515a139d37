// The Date header of an answer.
#pragma once

#include "core/time.hpp"

#include <optional>
#include <string_view>

namespace batchbridge::http {

// "Tue, 01 Dec 2026 14:30:00 GMT", the one form that RFC 9110 lets servers send; nullopt for anything else.
std::optional<core::utc_time> parse_date(std::string_view text);

}  // namespace batchbridge::http
