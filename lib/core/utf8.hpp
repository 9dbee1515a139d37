// Text from outside as PostgreSQL and JSON documents take it: well-formed UTF-8 without NUL. PostgreSQL refuses everything
// else, and libpq would end a text at its first NUL without a word.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace batchbridge::core {

bool is_clean_utf8(std::string_view text) noexcept;
// Each byte that belongs to no well-formed character, and each NUL, becomes a question mark; nothing is cut off.
std::string clean_utf8(std::string_view text);
// The same for every string and key inside.
boost::json::value clean_utf8(const boost::json::value& v);
// At most `most` bytes from the start, and no character cut in two.
std::string_view utf8_prefix(std::string_view text, std::size_t most) noexcept;

}  // namespace batchbridge::core
