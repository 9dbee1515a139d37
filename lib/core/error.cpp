#include "core/error.hpp"

#include "core/utf8.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

namespace batchbridge::core {

std::string_view to_string(error_kind kind) noexcept
{
    switch (kind) {
        case error_kind::unavailable: return "unavailable";
        case error_kind::timeout: return "timeout";
        case error_kind::rejected: return "rejected";
        case error_kind::protocol: return "protocol";
        case error_kind::cancelled: return "cancelled";
        case error_kind::internal: return "internal";
    }
    return "internal";
}

error::error(error_kind kind, std::string operation, std::string target, std::string reason, std::string peer_code)
    // A peer may have said anything; what() would end at its first NUL.
    : std::runtime_error(clean_utf8(fmt::format("{} on {} failed: {}{}", operation, target, reason,
                                                peer_code.empty() ? std::string{} : fmt::format(" ({})", peer_code)))),
      kind_(kind),
      operation_(std::move(operation)),
      target_(std::move(target)),
      reason_(clean_utf8(reason)),
      peer_code_(std::move(peer_code))
{
}

std::string describe(std::exception_ptr e)
{
    if (!e) return {};
    try {
        std::rethrow_exception(e);
    } catch (const std::exception& ex) {
        return ex.what();
    } catch (...) {
        return "unknown exception";
    }
}

bool is_cancellation(std::exception_ptr e) noexcept
{
    if (!e) return false;
    try {
        std::rethrow_exception(e);
    } catch (const boost::system::system_error& ex) {
        return ex.code() == boost::asio::error::operation_aborted;
    } catch (const error& ex) {
        return ex.kind() == error_kind::cancelled;
    } catch (...) {
        return false;
    }
}

}  // namespace batchbridge::core
