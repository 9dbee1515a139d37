#include "pg/uri.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

namespace batchbridge::pg {

namespace {

// libpq's words up to what it quotes.
std::string without_quotes(std::string_view message)
{
    message = message.substr(0, message.find('"'));
    while (!message.empty() && std::string_view(" :\n\t").find(message.back()) != std::string_view::npos) message.remove_suffix(1);
    return message.empty() ? "it cannot be read" : std::string(message);
}

std::size_t commas(std::string_view list)
{
    return static_cast<std::size_t>(std::count(list.begin(), list.end(), ','));
}

bool possible_ports(std::string_view list)
{
    for (;;) {
        const auto one = list.substr(0, list.find(','));
        int port = 0;
        const auto [end, ec] = std::from_chars(one.data(), one.data() + one.size(), port);
        if (!one.empty() && (ec != std::errc() || end != one.data() + one.size() || port < 1 || port > 65535)) return false;
        if (one.size() == list.size()) return true;
        list.remove_prefix(one.size() + 1);
    }
}

// Parameters with a fixed set of values (libpq manual, 34.1.2). PQconninfoParse takes any.
struct mode {
    std::string_view keyword, values;
};
constexpr mode modes[] = {{"sslmode", "disable, allow, prefer, require, verify-ca, verify-full"},
                          {"target_session_attrs", "any, read-write, read-only, primary, standby, prefer-standby"},
                          {"channel_binding", "disable, prefer, require"},
                          {"gssencmode", "disable, prefer, require"}};

bool is_one_of(std::string_view value, std::string_view list)
{
    for (;;) {
        const auto one = list.substr(0, list.find(','));
        if (value == one) return true;
        if (one.size() == list.size()) return false;
        list.remove_prefix(one.size() + 2);
    }
}

}  // namespace

std::optional<std::string> uri_fault(const std::string& uri)
{
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> list(PQconninfoParse(uri.c_str(), &message), &PQconninfoFree);
    const std::unique_ptr<char, decltype(&PQfreemem)> owner(message, &PQfreemem);
    if (!list) return without_quotes(message == nullptr ? "" : message);
    std::string_view hosts, ports;
    for (const auto* o = list.get(); o->keyword != nullptr; ++o) {
        if (o->val == nullptr) continue;
        const std::string_view keyword = o->keyword, value = o->val;
        if (keyword == "host") hosts = value;
        if (keyword == "port") ports = value;
        if (value.empty()) continue;
        for (const auto& m : modes)
            if (keyword == m.keyword && !is_one_of(value, m.values)) return fmt::format("{} is none of {}", m.keyword, m.values);
    }
    if (!possible_ports(ports)) return "a port is not a number from 1 to 65535";
    if (commas(ports) != 0 && commas(ports) != commas(hosts)) return fmt::format("it names {} host(s) and {} ports", commas(hosts) + 1, commas(ports) + 1);
    return std::nullopt;
}

}  // namespace batchbridge::pg
