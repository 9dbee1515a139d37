// What the whole-plant tests share on top of the plant.
#pragma once

#include "support/catch.hpp"
#include "support/plant.hpp"

#include <sstream>

namespace bb_test {

// Checks plant::faults, and shows them all with the log when there are some.
inline void check_exact(plant& p, int orders)
{
    const auto faults = p.faults(orders);
    std::ostringstream text;
    for (const auto& f : faults) text << f << '\n';
    if (!faults.empty()) {
        const auto log = p.bridge_log();
        UNSCOPED_INFO(text.str() << "the log ends with:\n" << log.substr(log.size() > 4000 ? log.size() - 4000 : 0));
    }
    CHECK(faults.empty());
}

inline int occurrences(const std::string& text, const std::string& part)
{
    int n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

constexpr auto seconds(int n)
{
    return std::chrono::milliseconds(n * 1000);
}

}  // namespace bb_test
