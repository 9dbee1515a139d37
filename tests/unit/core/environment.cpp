#include "unit/core/environment.hpp"

#include "support/catch.hpp"

namespace bb_test {

namespace core = batchbridge::core;

environment with(const std::map<std::string, std::string>& changed)
{
    environment e;
    for (const auto& [name, value] : changed) e.vars[name] = value;
    return e;
}

core::env_lookup environment::lookup() const
{
    return [this](const std::string& name) -> std::optional<std::string> {
        const auto it = vars.find(name);
        if (it == vars.end()) return std::nullopt;
        return it->second;
    };
}

core::config environment::load() const
{
    return core::load_config(lookup(), [this](const std::string& path) {
        const auto it = files.find(path);
        if (it == files.end()) throw std::runtime_error("no such file");
        return it->second;
    });
}

std::vector<std::string> environment::faults() const
{
    try {
        static_cast<void>(load());
        return {};
    } catch (const core::config_error& e) {
        CHECK(std::string(e.what()) == joined(e.faults()));
        return e.faults();
    }
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string out;
    for (const auto& l : lines) out += (out.empty() ? "" : "\n") + l;
    return out;
}

std::string only_fault(const environment& e)
{
    const auto all = e.faults();
    INFO(joined(all));
    REQUIRE(all.size() == 1);
    return all[0];
}

}  // namespace bb_test
