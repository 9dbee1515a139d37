// Creating maintenance requests (odoo18.md section 9, odoo19.md section 7; g01, h06 to h10, g_request_create*).
#include "sim/odoo/odoo_model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

bool empty(const json::value& v)
{
    return v.is_null() || (v.is_bool() && !v.get_bool()) || (v.is_string() && v.get_string().empty());
}

void selection(const json::value& v, const char* field, std::initializer_list<const char*> known, std::string& to)
{
    const auto found = std::find_if(known.begin(), known.end(), [&](const char* k) { return v == k; });
    if (found == known.end()) throw odoo_fault("builtins.ValueError", fmt::format("Wrong value for maintenance.request.{}: {}", field, python(v)));
    to = *found;
}

// HTML: a bare text is wrapped (g01).
std::string html(const std::string& text)
{
    return text.starts_with("<") ? text : "<p>" + text + "</p>";
}

// The sender's own key stands in brackets at the end of the subject.
std::string key_of(const std::string& name)
{
    const auto from = name.rfind('['), to = name.rfind(']');
    return from != std::string::npos && to != std::string::npos && from < to ? name.substr(from, to - from + 1) : std::string();
}

}  // namespace

std::int64_t odoo_model::add_request(const json::object& values, const call_facts& facts)
{
    sim_request q;
    for (const auto& [key, v] : values) {
        const auto text = v.is_string() ? std::string(v.get_string()) : std::string();
        if (key == "name") {
            q.name = text;
        } else if (key == "equipment_id") {
            if (!empty(v)) q.equipment_id = v.as_int64();
        } else if (key == "description") {
            if (!text.empty()) q.description = html(text);
        } else if (key == "request_date") {
            q.request_date = text;
        } else if (key == "schedule_date") {
            if (!empty(v) && !core::from_odoo(text)) throw odoo_fault("builtins.ValueError", fmt::format("time data '{}' does not match format '%Y-%m-%d %H:%M:%S'", text));
            q.schedule_date = text;
        } else if (key == "maintenance_type") {
            selection(v, "maintenance_type", {"corrective", "preventive"}, q.maintenance_type);
        } else if (key == "priority") {
            selection(v, "priority", {"0", "1", "2", "3"}, q.priority);
        } else if (key != "maintenance_team_id" && key != "user_id" && key != "stage_id") {
            throw bad_write_field(options_, key, "maintenance.request");
        }
    }
    if (q.name.empty()) throw mandatory_name(options_);
    const bool known = std::any_of(equipment_.begin(), equipment_.end(), [&](const sim_equipment& e) { return e.id == q.equipment_id; });
    if (q.equipment_id != 0 && !known) throw no_such_equipment(options_);
    for (const auto& [id, other] : requests_)
        if (!key_of(q.name).empty() && key_of(other.name) == key_of(q.name)) complain(facts, fmt::format("maintenance request created twice: {}", q.name));
    q.create_date = odoo_now();
    if (q.request_date.empty()) q.request_date = core::to_odoo(q.create_date).substr(0, 10);
    q.id = next_request_++;
    const auto id = q.id;
    requests_.emplace(id, std::move(q));
    return id;
}

// Always the list of new ids; a front that was given one record by position answers with the id alone.
json::value odoo_model::create_requests(const json::value& values, const call_facts& facts)
{
    json::array out;
    if (values.is_object()) {
        out.push_back(add_request(values.get_object(), facts));
        return out;
    }
    // One transaction: a bad one takes the others with it.
    const auto before = requests_;
    try {
        for (const auto& v : values.as_array()) out.push_back(add_request(v.as_object(), facts));
    } catch (...) {
        requests_ = before;
        throw;
    }
    return out;
}

}  // namespace batchbridge::sim
