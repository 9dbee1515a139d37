// Looks at Odoo before anything depends on it: which version it is, whether this user may do what is to be done, whether
// the clocks agree. Says so in the log when it changes, and keeps it for /readyz. Nothing waits for it.
#pragma once

#include "tasks/environment.hpp"

#include <optional>
#include <vector>

namespace batchbridge::tasks {

class odoo_check {
public:
    explicit odoo_check(environment& env) : env_(env) {}

    // Until cancelled: at once, again while Odoo does not answer, then every ten minutes (every minute while something is wrong).
    boost::asio::awaitable<void> run();
    // Of the last look; empty: there was none yet.
    const std::vector<odoo::finding>& findings() const noexcept { return findings_; }
    std::optional<core::utc_time> looked_at() const noexcept { return looked_at_; }

private:
    boost::asio::awaitable<void> look();
    void tell(const std::vector<odoo::finding>& fresh) const;

    environment& env_;
    std::vector<odoo::finding> findings_;
    std::optional<core::utc_time> looked_at_;
};

std::string_view to_string(odoo::finding::verdict v) noexcept;

}  // namespace batchbridge::tasks
