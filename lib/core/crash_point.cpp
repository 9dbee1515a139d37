#include "core/crash_point.hpp"

#ifdef BATCHBRIDGE_CRASH_POINTS

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace batchbridge::core {

void crash_point(const char* name) noexcept
{
    static const char* const wanted = std::getenv("BATCHBRIDGE_CRASH_AT");
    if (!wanted) return;
    static int seen = 0;
    const std::string_view spec(wanted);
    const auto colon = spec.rfind(':');
    const int nth = colon == std::string_view::npos ? 1 : std::atoi(wanted + colon + 1);
    if (spec.substr(0, colon) != name) return;
    if (++seen == nth) ::kill(::getpid(), SIGKILL);
}

}  // namespace batchbridge::core

#endif
