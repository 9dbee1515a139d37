// One shape for all answers (L-45): they come bare or under `result`, nothing at all means null, and faults come with
// HTTP 200.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace batchbridge::odoo {

struct answer {
    enum class kind {
        value,    // Odoo's own answer
        fault,    // Odoo's own error, with the exception's name
        foreign   // not Odoo's: a proxy's page, broken JSON, an error without a name
    };
    kind what = kind::foreign;
    unsigned status = 200;         // HTTP
    boost::json::value value;      // kind value; null when the method returned nothing
    boost::json::value id;         // the echoed id, null when there was none
    bool enveloped = false;        // false: the value came bare
    std::string name, message;     // kind fault: exception name, text for people (may be translated)
    std::string reason;            // kind foreign: what came instead
};

// JSON-RPC. Never throws for bad input. The server's traceback (`debug`) is dropped here.
answer normalise(unsigned status, std::string_view content_type, std::string_view body);
// JSON-2: the bare value with 200, an error's {name, message, ..} with any other status. The same care.
answer normalise_bare(unsigned status, std::string_view content_type, std::string_view body);

}  // namespace batchbridge::odoo
