// POST /jsonrpc: login and execute_kw of Odoo 18, which 19 still answers (odoo18.md, sections 2 and 3).
#pragma once

#include "sim/odoo/odoo_call.hpp"

namespace batchbridge::sim {

class jsonrpc_front {
public:
    explicit jsonrpc_front(odoo_model& model) : model_(model) {}
    front_result read(const http::server_request& request);

private:
    boost::json::value common(const std::string& method, const boost::json::array& all) const;
    void check_login(const boost::json::array& all) const;
    void check_database(const boost::json::array& all) const;
    bool good(const boost::json::value& secret) const;

    odoo_model& model_;
};

}  // namespace batchbridge::sim
