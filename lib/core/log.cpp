#include "core/log.hpp"

#include "core/time.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <date/date.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <memory>

namespace batchbridge::core::log {

namespace {

std::atomic<level> minimum{level::info};
std::atomic<format> shape{format::text};

spdlog::logger& out()
{
    // Our lines are complete; spdlog writes them whole and serialises threads.
    static const auto logger = [] {
        auto l = std::make_shared<spdlog::logger>("batchbridge", std::make_shared<spdlog::sinks::stdout_sink_mt>());
        l->set_pattern("%v");
        l->set_level(spdlog::level::trace);
        l->flush_on(spdlog::level::trace);
        return l;
    }();
    return *logger;
}

std::string_view name_of(level l)
{
    switch (l) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warning: return "warning";
    case level::error: return "error";
    }
    return "error";
}

// A line break or an escape sequence in a value must not forge a line or drive a terminal.
void append_safe(std::string& to, std::string_view text)
{
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '\n') to += "\\n";
        else if (c == '\r') to += "\\r";
        else if (c == '\t') to += ' ';
        else if (u < 0x20 || u == 0x7f) to += fmt::format("\\x{:02x}", u);
        else to += c;
    }
}

// The bytes of a well-formed UTF-8 character at the start of `text`; 0: there is none.
std::size_t character_length(std::string_view text)
{
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto lead = at(0), second = at(1);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xc0) != 0x80) return 0;
    // Overlong forms, surrogates, and what lies above U+10FFFF.
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
    return length;
}

// A JSON document is UTF-8, also when a peer's message is not.
std::string as_utf8(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto n = character_length(text);
        if (n == 0) out += '?';
        else out += text.substr(0, n);
        text.remove_prefix(std::max<std::size_t>(n, 1));
    }
    return out;
}

}  // namespace

void init(level lowest, format wanted)
{
    minimum = lowest;
    shape = wanted;
}

bool enabled(level l) noexcept
{
    return l >= minimum.load(std::memory_order_relaxed);
}

void write(level l, const fields& about, std::string_view message)
{
    const auto time = date::format("%FT%TZ", std::chrono::floor<std::chrono::milliseconds>(utc_now()));
    const std::pair<std::string_view, const std::string&> named[] = {
        {"line", about.line}, {"task", about.task}, {"batch", about.batch}, {"order", about.order}};
    std::string text;
    if (shape.load() == format::json) {
        boost::json::object o;
        o["time"] = time;
        o["level"] = name_of(l);
        for (const auto& [key, value] : named)
            if (!value.empty()) o[key] = as_utf8(value);
        o["message"] = as_utf8(message);
        text = boost::json::serialize(o);
    } else {
        text = fmt::format("{} {:<7} ", time, name_of(l));
        std::string brackets;
        for (const auto& [key, value] : named) {
            if (value.empty()) continue;
            brackets += brackets.empty() ? "" : " ";
            brackets += key;
            brackets += '=';
            append_safe(brackets, value);
        }
        if (!brackets.empty()) text += "[" + brackets + "] ";
        append_safe(text, message);
    }
    out().log(spdlog::level::info, "{}", text);
}

}  // namespace batchbridge::core::log
