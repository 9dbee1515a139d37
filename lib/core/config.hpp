// The environment as one validated value (design section 3). Every fault is collected, none hides another.
#pragma once

#include "core/line_quirks.hpp"
#include "core/log.hpp"
#include "core/time.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace batchbridge::core {

enum class odoo_api { automatic, json2, jsonrpc, scada };
enum class plc_failure_policy { hold, cancel };
enum class unmapped_policy { planned, leave, refuse };
enum class produced_policy { automatic, plc, sum, planned };

// A secret value together with where it came from, so that a rotated file can be read again.
struct secret {
    std::string value;
    std::string file;  // empty: the value came from the environment
    bool empty() const noexcept { return value.empty(); }
    // The value as the file holds it now; the old value when there is no file or it cannot be read.
    std::string current() const;
};

struct line_config {
    std::string name = "line1";
    std::string host;
    std::uint16_t port = 502;
    int unit_id = 1;
    duration timeout{};
    std::string map;  // path as given
    std::string timezone = "UTC";
    boost::json::array order_domain;  // empty: no restriction
    line_quirks quirks;  // from LINES_FILE; over the map's
};

struct task_config {
    bool enabled = true;
    duration interval{};
};

struct config {
    secret database_url;
    std::vector<line_config> lines;
    bool plc_writes = false;

    std::string odoo_url, odoo_db, odoo_username;
    secret odoo_password, odoo_api_key;
    odoo_api api = odoo_api::automatic;
    duration odoo_connect_timeout{}, odoo_timeout{}, odoo_write_timeout{};
    duration odoo_unclear_wait{}, odoo_retry_max{}, odoo_watch_interval{}, odoo_live_interval{};
    std::string odoo_ca_file;  // empty: the system's
    bool odoo_tls_verify = true;
    int odoo_max_connections = 4;
    std::uint64_t odoo_max_response = 0;  // bytes
    std::optional<duration> sync_horizon;
    bool odoo_unverified_version = false;

    bool enable_auto_sync = true;
    task_config auto_sync_mo, plc_read_sync, process_completed, health_monitor, equipment_failure, cleanup;
    int sync_batch_limit = 10;
    bool task2_odoo_sync = true, mark_done = true;
    plc_failure_policy on_plc_failure = plc_failure_policy::hold;
    unmapped_policy unmapped_components = unmapped_policy::planned;
    produced_policy produced_quantity = produced_policy::automatic;
    duration batch_stuck_threshold{}, zero_consumption_after{};
    int overdose_percent = 10;
    std::optional<std::string> expected_batch_max_kg;  // a decimal, checked

    std::string http_host;
    std::uint16_t http_port = 0;
    secret api_token, api_read_token;
    bool line_moved = false;
    secret alert_webhook_url, alert_webhook_secret;
    bool alert_odoo_note = false;

    log::level log_level = log::level::info;
    log::format log_format = log::format::text;
    int retention_days = 30;

    std::vector<std::string> warnings;  // old names in use, loud switches, ...
};

// Returns the variable's value, nullopt when unset.
using env_lookup = std::function<std::optional<std::string>(const std::string&)>;
// Reads a whole file (secrets, LINES_FILE); throws std::runtime_error that says why not.
using file_reader = std::function<std::string(const std::string&)>;

// All faults at once, one per line of what().
class config_error : public std::runtime_error {
public:
    explicit config_error(std::vector<std::string> faults);
    const std::vector<std::string>& faults() const noexcept { return faults_; }

private:
    std::vector<std::string> faults_;
};

// Throws config_error.
config load_config(const env_lookup& env, const file_reader& read_file);

// The faults together with what could be read, for who has more of the configuration to check and wants to tell all of it
// at once. A value that was refused is empty, or the default; a LINES_FILE that was refused may have lines all the same.
struct config_reading {
    config value;
    std::vector<std::string> faults;
};
config_reading read_config(const env_lookup& env, const file_reader& read_file);
env_lookup process_environment();
file_reader real_files();

struct config_line {
    std::string name, value, source;  // value masked if secret; source: default, environment, file
};
// Every variable of design section 3 with its effective value, for check-config and the start-up log.
std::vector<config_line> describe_config(const config& c, const env_lookup& env);
// "https://user:pw@host/x" -> "https://host/x"; for a PostgreSQL URI too. Nothing secret is left.
std::string without_credentials(const std::string& url);

}  // namespace batchbridge::core
