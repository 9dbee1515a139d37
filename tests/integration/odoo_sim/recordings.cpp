#include "recordings.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace batchbridge::tests {

namespace {

json::value content(const std::filesystem::path& file)
{
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return json::parse(text);
}

std::filesystem::path file_18(const std::string& name)
{
    for (const auto& entry : std::filesystem::directory_iterator(ODOO_RECORDINGS "/odoo18"))
        if (entry.path().filename().string().starts_with(name + "_")) return entry.path();
    throw std::runtime_error("no recording " + name);
}

std::vector<std::string> names(const std::string& directory)
{
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        if (entry.path().extension() == ".json") out.push_back(entry.path().stem().string());
    std::sort(out.begin(), out.end());
    return out;
}

// "json" or "body_text" of the recordings on 19 become "body".
json::value normal(json::value half)
{
    auto& o = half.as_object();
    if (!o.contains("body")) {
        const auto* text = o.if_contains("body_text");
        const auto* parsed = o.if_contains("json");
        json::value body = parsed != nullptr && parsed->is_string() ? json::value(json::serialize(*parsed)) : parsed != nullptr ? *parsed : text != nullptr ? *text : json::value(nullptr);
        o["body"] = std::move(body);
    }
    if (!o.contains("headers")) o["headers"] = json::object{};
    return half;
}

recorded_exchange step(const json::value& file, std::size_t index)
{
    const auto* steps = file.as_object().if_contains("steps");
    const auto& one = steps != nullptr ? steps->as_array().at(index) : file;
    return {normal(one.at("request")), normal(one.at("response"))};
}

// Values that are another time, another server or a traceback; their kind still counts.
bool by_type_only(std::string_view key)
{
    static const std::set<std::string_view> keys{"debug", "write_date", "date_finished"};
    return keys.contains(key);
}

// The port of the recorded PostgreSQL.
bool same_text(std::string a, std::string b)
{
    for (auto* s : {&a, &b}) {
        const auto at = s->find(", port ");
        if (at != std::string::npos) s->erase(at, s->find(' ', at + 7) - at);
    }
    return a == b;
}

bool is_cut(const json::value& v)
{
    const auto* s = v.if_string();
    return s != nullptr && s->starts_with("... ") && s->ends_with(" ...");
}

struct comparison {
    bool shape;
    std::vector<std::string> out;

    void differ(const std::string& path, const json::value& a, const json::value& b)
    {
        out.push_back(fmt::format("{}: recorded {}, simulator {}", path, json::serialize(a), json::serialize(b)));
    }

    void objects(const json::object& x, const json::object& y, const std::string& path)
    {
        std::string theirs, ours;
        for (const auto& [key, value] : x) theirs += std::string(key) + " ";
        for (const auto& [key, value] : y) ours += std::string(key) + " ";
        if (theirs != ours) out.push_back(fmt::format("{}: recorded the keys {}, simulator {}", path, theirs, ours));
        for (const auto& [key, value] : x) {
            const auto* other = y.if_contains(key);
            if (other == nullptr) continue;
            if (!by_type_only(key)) compare(value, *other, path + "." + std::string(key));
            else if (value.kind() != other->kind()) differ(path, value, *other);
        }
    }

    void arrays(const json::array& x, const json::array& y, const std::string& path)
    {
        const bool cut = !x.empty() && is_cut(x.back());
        const auto n = cut ? x.size() - 1 : x.size();
        if (cut ? y.size() < n : y.size() != n) return differ(path, x, y);
        for (std::size_t i = 0; i < n; ++i) compare(x[i], y[i], fmt::format("{}[{}]", path, i));
    }

    void compare(const json::value& a, const json::value& b, const std::string& path)
    {
        if (a.kind() != b.kind()) return differ(path, a, b);
        if (a.is_object()) return objects(a.get_object(), b.get_object(), path);
        if (a.is_array()) return arrays(a.get_array(), b.get_array(), path);
        if (shape && a.is_number()) return;
        if (a.is_string() ? !same_text(std::string(a.get_string()), std::string(b.get_string())) : a != b) differ(path, a, b);
    }
};

}  // namespace

recorded_exchange recorded(const std::string& name, std::size_t index)
{
    return step(content(file_18(name)), index);
}

recorded_exchange recorded_19(const std::string& name, std::size_t index)
{
    return step(content(std::string(ODOO_RECORDINGS "/odoo19/") + name + ".json"), index);
}

std::vector<std::string> recordings_18()
{
    return names(ODOO_RECORDINGS "/odoo18");
}

std::vector<std::string> recordings_19()
{
    return names(ODOO_RECORDINGS "/odoo19");
}

std::size_t steps_of_18(const std::string& name)
{
    return content(file_18(name)).at("steps").as_array().size();
}

std::vector<std::string> differences(const json::value& recorded, const json::value& ours, bool shape)
{
    comparison c{shape, {}};
    c.compare(recorded, ours, "");
    return std::move(c.out);
}

}  // namespace batchbridge::tests
