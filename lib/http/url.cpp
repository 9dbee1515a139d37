#include "http/url.hpp"

#include "core/config.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace batchbridge::http {

base_url parse_base_url(std::string_view text)
{
    const auto refuse = [text](std::string_view why) {
        throw std::invalid_argument(fmt::format("'{}' is not a usable address: {}, expected http(s)://host[:port][/prefix]",
                                                core::without_credentials(std::string(text)), why));
    };
    const auto url = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
    if (!url) refuse("it cannot be read as a URL");
    if (url->scheme() != "http" && url->scheme() != "https") refuse("the scheme is neither http nor https");
    base_url out;
    out.secure = url->scheme() == "https";
    out.host = std::string(url->host_address());
    if (out.host.empty()) refuse("it names no host");
    const std::string port(url->port());
    if (!port.empty() && (port.size() > 5 || std::stoi(port) < 1 || std::stoi(port) > 65535)) refuse("the port is not 1 to 65535");
    out.port = !port.empty() ? port : out.secure ? "443" : "80";
    out.prefix = std::string(url->encoded_path());
    while (!out.prefix.empty() && out.prefix.back() == '/') out.prefix.pop_back();
    out.host_header = std::string(url->encoded_host()) + (port.empty() ? "" : ":" + port);
    out.name = fmt::format("{}://{}{}", out.secure ? "https" : "http", out.host_header, out.prefix);
    return out;
}

}  // namespace batchbridge::http
