// POST /json/2/<model>/<method> of Odoo 19 (odoo19.md, sections 1 to 3). An 18 knows no such path.
#pragma once

#include "sim/odoo/odoo_call.hpp"

namespace batchbridge::sim {

class json2_front {
public:
    explicit json2_front(odoo_model& model) : model_(model) {}
    front_result read(const http::server_request& request);

private:
    boost::json::value run(const std::string& model, const std::string& method, const boost::json::object& body, const call_facts& facts);

    odoo_model& model_;
};

}  // namespace batchbridge::sim
