#include "pg/error.hpp"

namespace batchbridge::pg {

core::error_kind kind_of(std::string_view s) noexcept
{
    // PostgreSQL manual, appendix A: class 08 connection exception, 57P01..03 shutdown and start-up, class 53 disk full, out
    // of memory and too many connections, class 58 system error, 25006 read-only (failed over), 57014 query_canceled
    // (statement_timeout), 55P03 lock_not_available, 40001 and 40P01 serialization failure and deadlock: all of them go away by
    // trying again.
    if (s.empty() || s.substr(0, 2) == "08" || s.substr(0, 4) == "57P0" || s.substr(0, 2) == "53" || s.substr(0, 2) == "58" || s == "25006" || s == "40001" || s == "40P01" || s == "57P05" || s == "25P03")
        return core::error_kind::unavailable;
    if (s == "57014" || s == "55P03") return core::error_kind::timeout;
    return core::error_kind::rejected;
}

bool refuses_writes(const error& e) noexcept
{
    const auto& code = e.peer_code();
    return (code.substr(0, 2) == "53" && code != "53300") || code.substr(0, 2) == "58" || code == "25006";
}

bool is_conflict(const error& e) noexcept
{
    return e.peer_code() == "40001" || e.peer_code() == "40P01";
}

bool is_away(const error& e) noexcept
{
    if (e.operation() == "connect") return true;
    const auto& code = e.peer_code();
    if (e.kind() == core::error_kind::unavailable) return code.substr(0, 2) != "40";
    return e.kind() == core::error_kind::timeout && code.empty();
}

}  // namespace batchbridge::pg
