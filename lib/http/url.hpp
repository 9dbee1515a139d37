// The base address of an HTTP peer, taken apart once.
#pragma once

#include <string>
#include <string_view>

namespace batchbridge::http {

struct base_url {
    bool secure = false;
    std::string host;          // a name, or an address without brackets
    std::string port;
    std::string prefix;        // "/odoo", or empty; no trailing slash
    std::string host_header;   // as it goes on the wire: "odoo.example:8069", "[::1]:8069"
    std::string name;          // for texts: scheme, host, port, prefix; user, password and query left out
};

// http(s)://host[:port][/prefix]. Throws std::invalid_argument, which says what is wrong and holds no credentials.
base_url parse_base_url(std::string_view text);

}  // namespace batchbridge::http
