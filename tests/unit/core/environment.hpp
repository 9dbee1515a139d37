// An environment and files that exist only in a test.
#pragma once

#include "core/config.hpp"

#include <map>
#include <string>
#include <vector>

namespace bb_test {

struct environment {
    // The least that is accepted.
    std::map<std::string, std::string> vars{{"DATABASE_URL", "postgresql://bridge:dbsecret@db:5432/bridge"},
                                            {"PLC_HOST", "10.0.0.5"},
                                            {"ODOO_URL", "https://erp.example"},
                                            {"ODOO_DB", "mill"},
                                            {"ODOO_USERNAME", "bridge"},
                                            {"ODOO_PASSWORD", "odoosecret"}};
    std::map<std::string, std::string> files;

    batchbridge::core::env_lookup lookup() const;
    batchbridge::core::config load() const;
    // Empty when the environment is accepted.
    std::vector<std::string> faults() const;
};

// The least, with these variables changed; an empty value is handed on as empty.
environment with(const std::map<std::string, std::string>& changed);
std::string joined(const std::vector<std::string>& lines);
// The only fault; fails the test when there is another number of them.
std::string only_fault(const environment& e);

}  // namespace bb_test
