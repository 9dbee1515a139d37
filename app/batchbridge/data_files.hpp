// Where the files that come with the program are: the working directory, the installation, or the source tree it was built in.
#pragma once

#include <filesystem>
#include <optional>

namespace batchbridge::app {

// `relative` is like "conf/plc-map.json"; absolute paths are taken as they are. nullopt: nowhere.
std::optional<std::filesystem::path> find_data(const std::filesystem::path& relative);

}  // namespace batchbridge::app
