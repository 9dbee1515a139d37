#include "core/log.hpp"

#include "core/time.hpp"
#include "core/utf8.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <date/date.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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
        // A JSON document is UTF-8, also when a peer's message is not.
        for (const auto& [key, value] : named)
            if (!value.empty()) o[key] = clean_utf8(value);
        o["message"] = clean_utf8(message);
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
