#include "core/utf8.hpp"

#include <algorithm>

namespace batchbridge::core {

namespace json = boost::json;

namespace {

std::string_view view(json::string_view s) noexcept
{
    return {s.data(), s.size()};
}

// The bytes of a well-formed UTF-8 character at the start of `text`; 0: there is none.
std::size_t character_length(std::string_view text) noexcept
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

// The length of the clean text at the start.
std::size_t clean_length(std::string_view text) noexcept
{
    std::size_t i = 0;
    while (i < text.size()) {
        const auto n = text[i] == '\0' ? 0 : character_length(text.substr(i));
        if (n == 0) break;
        i += n;
    }
    return i;
}

}  // namespace

bool is_clean_utf8(std::string_view text) noexcept
{
    return clean_length(text) == text.size();
}

std::string clean_utf8(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto n = clean_length(text);
        out += text.substr(0, n);
        if (n < text.size()) out += '?';
        text.remove_prefix(std::min(n + 1, text.size()));
    }
    return out;
}

json::value clean_utf8(const json::value& v)
{
    if (v.is_string()) return json::value(clean_utf8(view(v.get_string())));
    if (const auto* list = v.if_array()) {
        json::array out;
        for (const auto& one : *list) out.push_back(clean_utf8(one));
        return out;
    }
    if (const auto* object = v.if_object()) {
        json::object out;
        for (const auto& [key, one] : *object) out[clean_utf8(view(key))] = clean_utf8(one);
        return out;
    }
    return v;
}

std::string_view utf8_prefix(std::string_view text, std::size_t most) noexcept
{
    if (text.size() <= most) return text;
    // Back to the start of the character that the cut would go through; bytes that belong to none are cut anywhere.
    std::size_t cut = most;
    while (cut > 0 && most - cut < 4 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    if (character_length(text.substr(cut)) <= most - cut) cut = most;
    return text.substr(0, cut);
}

}  // namespace batchbridge::core
