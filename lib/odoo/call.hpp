// One method of one Odoo model with its arguments, before any protocol: a transport turns it into a request.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace batchbridge::odoo {

// open: version, login, probe, check. They change nothing and may be sent without the lease.
enum class purpose { open, read, write };

struct call {
    call(std::string of_model, std::string of_method, purpose w) : model(std::move(of_model)), method(std::move(of_method)), why(w) {}

    // The records the method works on. An empty list is a method of the model itself that JSON-RPC wants a place kept for.
    call& on(std::vector<std::int64_t> records)
    {
        ids = std::move(records);
        return *this;
    }
    // JSON-RPC sends this one by position, in this order; JSON-2 by this name, which is Odoo's own.
    call& with(std::string name, boost::json::value value)
    {
        positional.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    std::string operation() const { return model + "." + method; }
    // As execute_kw and call_kw take them: the records first, where the method works on some.
    boost::json::array by_position() const
    {
        boost::json::array out;
        if (ids) out.emplace_back(boost::json::array(ids->begin(), ids->end()));
        for (const auto& [name, value] : positional) out.push_back(value);
        return out;
    }

    std::string model, method;
    purpose why;
    std::optional<std::vector<std::int64_t>> ids;
    std::vector<std::pair<std::string, boost::json::value>> positional;
    boost::json::object keyword;   // the context is one of them
};

}  // namespace batchbridge::odoo
