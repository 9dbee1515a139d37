// Named places where a test may kill the process. In other builds the macro is nothing at all.
#pragma once

#ifdef BATCHBRIDGE_CRASH_POINTS
namespace batchbridge::core {
// Ends this process at the named place, if the environment variable BATCHBRIDGE_CRASH_AT says so: `name`, or `name:N` for the
// N-th time (default 1) that it is reached, `*:N` for the N-th point whatever its name, or `@FILE`: what FILE holds now, if it
// is there. Whoever dies takes that file away, so that neither the next process nor a second one dies at the same place.
// BATCHBRIDGE_CRASH_BY, or a word behind the name in FILE: KILL (default), TERM (the process ends as by `docker stop`), STOP.
// BATCHBRIDGE_CRASH_FILE is made when the point is reached, and holds its name.
void crash_point(const char* name) noexcept;
}  // namespace batchbridge::core
#define BATCHBRIDGE_CRASH_POINT(name) ::batchbridge::core::crash_point(name)
#else
#define BATCHBRIDGE_CRASH_POINT(name) static_cast<void>(0)
#endif
