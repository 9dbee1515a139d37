// Text on its way to the PLC: a clean ASCII form by rule (L-26).
#include "domain/slot.hpp"

#include <array>

namespace batchbridge::domain {

namespace {

struct letter {
    std::string_view from, to;
};
// Latin letters of the languages our plants use; anything else becomes '?'.
constexpr std::array<letter, 58> letters{{
    {"ä", "ae"}, {"ö", "oe"}, {"ü", "ue"}, {"Ä", "Ae"}, {"Ö", "Oe"}, {"Ü", "Ue"}, {"ß", "ss"}, {"é", "e"}, {"è", "e"}, {"ê", "e"},
    {"ë", "e"}, {"É", "E"}, {"È", "E"}, {"á", "a"}, {"à", "a"}, {"â", "a"}, {"ã", "a"}, {"å", "a"}, {"Á", "A"}, {"À", "A"},
    {"Å", "A"}, {"í", "i"}, {"ì", "i"}, {"î", "i"}, {"ï", "i"}, {"Í", "I"}, {"ó", "o"}, {"ò", "o"}, {"ô", "o"}, {"õ", "o"},
    {"ø", "o"}, {"Ó", "O"}, {"Ø", "O"}, {"ú", "u"}, {"ù", "u"}, {"û", "u"}, {"Ú", "U"}, {"ç", "c"}, {"Ç", "C"}, {"ñ", "n"},
    {"Ñ", "N"}, {"ý", "y"}, {"æ", "ae"}, {"Æ", "Ae"}, {"œ", "oe"}, {"č", "c"}, {"š", "s"}, {"ž", "z"}, {"ř", "r"}, {"ł", "l"},
    {"ą", "a"}, {"ę", "e"}, {"ś", "s"}, {"ń", "n"}, {"ź", "z"}, {"ż", "z"}, {"–", "-"}, {"’", "'"},
}};

}  // namespace

std::string clean_text(std::string_view text)
{
    if (!text.empty() && text.front() == '[') {
        if (const auto end = text.find("] "); end != std::string_view::npos) text.remove_prefix(end + 2);
    }
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x80) {
            out += c >= 0x20 && c != 0x7f ? static_cast<char>(c) : ' ';
            ++i;
            continue;
        }
        const std::size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        const auto symbol = text.substr(i, length);
        std::string_view to = "?";
        for (const auto& l : letters)
            if (l.from == symbol) to = l.to;
        out += to;
        i += length;
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    const auto first = out.find_first_not_of(' ');
    return first == std::string::npos ? std::string() : out.substr(first);
}

}  // namespace batchbridge::domain
