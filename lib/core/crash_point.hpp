// Named places where a test may kill the process. In other builds the macro is nothing at all.
#pragma once

#ifdef BATCHBRIDGE_CRASH_POINTS
namespace batchbridge::core {
// Kills this process with SIGKILL if the environment variable BATCHBRIDGE_CRASH_AT is `name` or `name:N` and this is
// the N-th time (default 1) the point is reached.
void crash_point(const char* name) noexcept;
}  // namespace batchbridge::core
#define BATCHBRIDGE_CRASH_POINT(name) ::batchbridge::core::crash_point(name)
#else
#define BATCHBRIDGE_CRASH_POINT(name) static_cast<void>(0)
#endif
