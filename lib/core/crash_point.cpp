#include "core/crash_point.hpp"

#ifdef BATCHBRIDGE_CRASH_POINTS

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

namespace batchbridge::core {

namespace {

struct order_to_die {
    std::string name;     // "*": any
    int nth = 1;
    int signal = SIGKILL;
};

// Empty: the variable is not set, or its file is not there.
std::string wanted_now(const char* variable)
{
    if (*variable != '@') return variable;
    const int file = ::open(variable + 1, O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    char text[200];
    const auto n = ::read(file, text, sizeof text);
    ::close(file);
    return std::string(text, n > 0 ? static_cast<std::size_t>(n) : 0);
}

int signal_of(std::string_view by)
{
    if (by == "TERM") return SIGTERM;
    return by == "STOP" ? SIGSTOP : SIGKILL;
}

order_to_die parsed(const std::string& wanted)
{
    order_to_die out;
    const char* by = std::getenv("BATCHBRIDGE_CRASH_BY");
    out.signal = signal_of(by != nullptr ? by : "KILL");
    const auto space = wanted.find_first_of(" \n");
    if (space != std::string::npos && wanted[space] == ' ') out.signal = signal_of(std::string_view(wanted).substr(space + 1, 4));
    out.name = wanted.substr(0, space);
    const auto colon = out.name.rfind(':');
    if (colon == std::string::npos) return out;
    out.nth = std::atoi(out.name.c_str() + colon + 1);
    out.name.resize(colon);
    return out;
}

void leave_word(const char* name)
{
    const char* path = std::getenv("BATCHBRIDGE_CRASH_FILE");
    if (path == nullptr) return;
    const int file = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return;
    const auto written = ::write(file, name, std::strlen(name));
    static_cast<void>(written);
    ::close(file);
}

}  // namespace

void crash_point(const char* name) noexcept
{
    static const char* const variable = std::getenv("BATCHBRIDGE_CRASH_AT");
    if (variable == nullptr) return;
    static std::mutex mutex;
    static std::string last;
    static int seen = 0;
    const std::lock_guard lock(mutex);
    const auto wanted = wanted_now(variable);
    if (wanted != last) seen = 0;
    last = wanted;
    if (wanted.empty()) return;
    const auto die = parsed(wanted);
    if ((die.name != "*" && die.name != name) || ++seen != die.nth) return;
    // Of two processes that are there at the same time one dies.
    if (*variable == '@' && ::unlink(variable + 1) != 0) return;
    leave_word(name);
    ::kill(::getpid(), die.signal);
}

}  // namespace batchbridge::core

#endif
