#include "data_files.hpp"

#include <system_error>

namespace batchbridge::app {

namespace fs = std::filesystem;

std::optional<fs::path> find_data(const fs::path& relative)
{
    std::error_code ec;
    if (relative.is_absolute()) {
        if (fs::exists(relative, ec)) return relative;
        return std::nullopt;
    }
    if (fs::exists(relative, ec)) return fs::absolute(relative, ec);
    const auto self = fs::read_symlink("/proc/self/exe", ec);
    if (ec) return std::nullopt;
    const auto bin = self.parent_path();
    // bin/../share/batchbridge when installed; build/<preset>/bin in a source tree.
    for (const auto& base : {bin / "../share/batchbridge", bin / "../../.."}) {
        const auto candidate = (base / relative).lexically_normal();
        if (fs::exists(candidate, ec)) return candidate;
    }
    return std::nullopt;
}

}  // namespace batchbridge::app
