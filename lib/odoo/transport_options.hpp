// What every protocol needs to know to reach Odoo.
#pragma once

#include "core/config.hpp"
#include "http/client.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace batchbridge::odoo {

struct transport_options {
    // From the configuration. An API key takes the password's place when there is one, except for sessions (a22).
    static transport_options from(const core::config& c);

    http::client_options http;     // before_send is asked for orders and writes, not for version, login and probe
    std::string db, user;
    core::secret secret;
    bool secret_is_key = false;
    bool write_unverified = false; // ODOO_UNVERIFIED_VERSION; else writes to a version other than 18 and 19 fail, nothing sent
    core::duration read_timeout = std::chrono::seconds(15);
    core::duration write_timeout = std::chrono::seconds(60);
    // A refused login is remembered this long: calls fail at once instead of asking again (hashing costs Odoo 0.5 s).
    // A changed secret file ends it.
    core::duration refused_pause = std::chrono::seconds(10);
    // The version is asked again after this: an upgrade may show in no failed call.
    core::duration detect_again = std::chrono::minutes(10);
    // The clock of that, for tests.
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

}  // namespace batchbridge::odoo
