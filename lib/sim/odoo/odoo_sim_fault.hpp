// Faults that odoo-sim plays on request, for every protocol alike.
#pragma once

#include "sim/odoo/odoo_call.hpp"

#include <list>
#include <optional>
#include <string>

namespace batchbridge::sim {

// kind          the client sees                                    Odoo processes the call
// hang          nothing until the faults are cleared, then EOF     never
// delay         the answer, `delay` later                          after the delay
// drop_after    EOF                                                yes
// late_commit   EOF after twice `delay`                            after the delay, also when the client hung up before
//   with calls  EOF when it has landed, or the faults are cleared  after `calls` later calls of that order, before the last one's answer
//   with after  likewise                                           after the next call of that method of that order
// http_504      a proxy's page at once                             after the delay, or as late_commit with `calls` or `after`
// reset         RST                                                never
// half_open     the head and half of the answer, then EOF          yes
// garbage       HTTP 200 with broken JSON                          never
// html          HTTP 200 with a page                               never
// http_500      HTTP 500 with a page                               never
// operational_error      PostgreSQL is down: an error with psycopg2.OperationalError (jsonrpc), 404 with HTML (session,
//                        scada), 500 with HTML (json2)             never
// serialization_failure  Odoo has tried five times                 never
// exception     `name` and `message`, HTTP `status` if it is given never
struct odoo_sim_fault {
    std::string kind;
    std::string method, protocol, model;   // empty: any
    std::int64_t order = 0;                // 0: any
    int count = 0;                         // 0: until cleared
    std::chrono::milliseconds delay{0};
    int calls = 0;
    std::string after;
    std::string name, message;
    unsigned status = 0;
};

class odoo_fault_list {
public:
    static bool known(const std::string& kind);
    void add(odoo_sim_fault f) { faults_.push_back(std::move(f)); }
    void clear() { faults_.clear(); }
    std::size_t size() const noexcept { return faults_.size(); }
    // The fault for this call; counted.
    std::optional<odoo_sim_fault> take(const odoo_call& c);

private:
    std::list<odoo_sim_fault> faults_;
};

}  // namespace batchbridge::sim
