// A whole plant of real programs: plc-sim, odoo-sim, batchbridge, and a database of its own.
#pragma once

#include "child.hpp"
#include "settings.hpp"

#include <optional>

namespace batchbridge::bench {

// An empty database on the server of `uri`, dropped afterwards.
class scratch_database {
public:
    explicit scratch_database(const std::string& uri);
    ~scratch_database();
    scratch_database(const scratch_database&) = delete;
    scratch_database& operator=(const scratch_database&) = delete;
    const std::string& uri() const noexcept { return own_; }

private:
    std::string server_, name_, own_;
};

class plant {
public:
    // The simulators run; batchbridge does not yet. `orders` wait in Odoo.
    plant(const settings& s, int orders);

    // `extra` goes beside the connections. Returns at once.
    void start_bridge(const std::map<std::string, std::string>& extra = {});
    void stop_bridge();
    void kill_bridge();
    void await_ready();                 // /readyz answers 200
    void await_dosing();                // the PLC has taken a load and doses
    bool odoo_is(const std::string& state) const;   // up, down as batchbridge sees it

    const simulator& plc() const noexcept { return plc_; }
    const simulator& odoo() const noexcept { return odoo_; }
    std::filesystem::path plc_log() const { return work_.path() / "plc.jsonl"; }
    double resident_mb() const;         // VmRSS of batchbridge, MB of 1000000 bytes

private:
    void need_bridge(const std::string& what, std::chrono::seconds limit, const std::function<bool()>& done);

    const settings& settings_;
    work_directory work_;
    scratch_database database_;
    simulator plc_, odoo_;
    std::uint16_t http_port_ = 0;
    std::optional<child> bridge_;
};

}  // namespace batchbridge::bench
