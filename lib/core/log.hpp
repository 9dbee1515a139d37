// One line per event on stdout, as text or JSON. Secrets are never given to it; what it prints is escaped so that a
// value from outside cannot start a line of its own.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace batchbridge::core::log {

enum class level { debug, info, warning, error };
enum class format { text, json };

// What the event is about; empty members are left out. `batch` is the mo_batch id, `order` the order's name (mo_id).
struct fields {
    std::string line, task, batch, order;
};

// Sets up stdout. Before the first call events of level info and above are printed as text.
void init(level minimum, format shape);
bool enabled(level l) noexcept;
void write(level l, const fields& about, std::string_view message);

template <class... Args>
void debug(const fields& about, fmt::format_string<Args...> text, Args&&... args)
{
    if (enabled(level::debug)) write(level::debug, about, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(const fields& about, fmt::format_string<Args...> text, Args&&... args)
{
    if (enabled(level::info)) write(level::info, about, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(const fields& about, fmt::format_string<Args...> text, Args&&... args)
{
    if (enabled(level::warning)) write(level::warning, about, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(const fields& about, fmt::format_string<Args...> text, Args&&... args)
{
    if (enabled(level::error)) write(level::error, about, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace batchbridge::core::log
