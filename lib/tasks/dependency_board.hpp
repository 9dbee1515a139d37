// What the process knows about the things it depends on: the database, each PLC, Odoo. One log line per change of
// state, however many attempts fail in between.
#pragma once

#include "core/time.hpp"

#include <map>
#include <string>

namespace batchbridge::tasks {

class dependency_board {
public:
    enum class state { unknown, up, down };
    struct entry {
        state now = state::unknown;
        std::string last_error;        // of the last failure, kept after recovery
        core::utc_time since{};        // of the present state
        std::string line;              // empty: the whole process
    };

    // `what` is "database", "odoo" or "plc <line>".
    void up(const std::string& what, const std::string& detail = {});
    // Returns true when this is news (the state changed).
    bool down(const std::string& what, const std::string& error);
    void assign_line(const std::string& what, const std::string& line) { entries_[what].line = line; }
    bool is_up(const std::string& what) const;
    const std::map<std::string, entry>& entries() const noexcept { return entries_; }

private:
    std::map<std::string, entry> entries_;
};

std::string_view to_string(dependency_board::state s) noexcept;

}  // namespace batchbridge::tasks
