// The plant's SCADA module, /api/scada/* (design.md, section 7): JSON-RPC bodies, answers bare or under `result`, faults with HTTP 200
// and `error`. Behind it stand the same orders, with Odoo's own rules.
#pragma once

#include "sim/odoo/session_front.hpp"

namespace batchbridge::sim {

class scada_front {
public:
    scada_front(odoo_model& model, odoo_sessions& sessions) : model_(model), sessions_(sessions) {}
    front_result read(const http::server_request& request, const std::string& path);

private:
    using params = boost::json::object;
    boost::json::value call(const std::string& endpoint, const params& p, const call_facts& facts);
    boost::json::value list(const params& p);
    boost::json::value update(const params& p, const call_facts& facts);
    boost::json::value mark_done(const params& p);
    boost::json::value cancel(const params& p);
    boost::json::value equipment_failure(const params& p, const call_facts& facts);
    boost::json::object listed(const sim_order& o) const;
    sim_order& order(const params& p);
    boost::json::value nothing() const;

    odoo_model& model_;
    odoo_sessions& sessions_;
};

}  // namespace batchbridge::sim
