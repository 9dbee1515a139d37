// Equipment, maintenance requests and notes (odoo18.md section 9, odoo19.md section 7).
#include "odoo/mrp.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;

std::string to_html(std::string_view text)
{
    std::string out = "<p>";
    for (const char ch : text) {
        switch (ch) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\n': out += "<br/>"; break;
        case '\r': break;
        default: out += ch;
        }
    }
    return out + "</p>";
}

std::string like_pattern(std::string_view text)
{
    std::string out;
    for (const char ch : text) {
        if (ch == '%' || ch == '_' || ch == '\\') out += '\\';
        out += ch;
    }
    return out;
}

asio::awaitable<std::optional<std::int64_t>> mrp::first_id(const char* model, json::array domain)
{
    auto c = search_one(model, std::move(domain), purpose::read);
    const auto operation = c.operation();
    const auto value = co_await ask(std::move(c));
    const auto* list = value.if_array();
    if (list == nullptr) throw nonsense(operation, fmt::format("the answer is {}, expected a list", kind_of(value)));
    if (list->empty()) co_return std::nullopt;
    const auto* record = list->front().if_object();
    const auto* id = record != nullptr ? record->if_contains("id") : nullptr;
    if (id == nullptr || !id->is_int64() || id->get_int64() <= 0) throw nonsense(operation, "a record without an id");
    co_return id->get_int64();
}

asio::awaitable<std::optional<std::int64_t>> mrp::find_equipment(const std::string& serial_no)
{
    if (const auto known = equipment_.find(serial_no); known != equipment_.end()) co_return known->second;
    json::array domain;
    domain.emplace_back(condition("serial_no", "=", json::string(serial_no)));
    const auto id = co_await first_id("maintenance.equipment", std::move(domain));
    if (id) equipment_[serial_no] = *id;
    co_return id;
}

// Requests are archived by a field of their own (`archive`), not by `active`: a search finds them all, in any stage.
asio::awaitable<std::optional<std::int64_t>> mrp::find_request(const std::string& key)
{
    json::array domain;
    domain.emplace_back(condition("name", "like", json::string(like_pattern(key))));
    co_return co_await first_id("maintenance.request", std::move(domain));
}

asio::awaitable<std::int64_t> mrp::create_request(const maintenance_request& what)
{
    json::object values;
    values["name"] = fmt::format("{} [{}]", what.title, what.key);
    if (what.equipment_id) values["equipment_id"] = *what.equipment_id;
    values["maintenance_type"] = "corrective";
    values["priority"] = what.urgent ? "3" : "2";
    values["request_date"] = core::to_odoo(what.at).substr(0, 10);
    values["description"] = to_html(what.description);
    call c("maintenance.request", "create", purpose::write);
    c.with("vals_list", std::move(values));
    const auto operation = c.operation();
    std::optional<error> failed;
    json::value answer;
    try {
        answer = co_await ask(std::move(c));
    } catch (const error& e) {
        failed = e;
    }
    if (failed) {
        // The equipment may have been deleted: h10 says so with a ValidationError.
        if (failed->peer_code() == "odoo.exceptions.ValidationError" || failed->peer_code() == "odoo.exceptions.MissingError")
            std::erase_if(equipment_, [&](const auto& known) { return what.equipment_id && known.second == *what.equipment_id; });
        throw *failed;
    }
    const auto id = one_id_of(answer);
    if (!id) throw nonsense(operation, fmt::format("the answer is {}, expected the new request's id", kind_of(answer)));
    co_return *id;
}

asio::awaitable<void> mrp::post_note(std::int64_t odoo_id, const std::string& text)
{
    call c("mrp.production", "message_post", purpose::write);
    c.on({odoo_id});
    // Odoo escapes it: a plain text stays one.
    c.keyword["body"] = text;
    const auto operation = c.operation();
    const auto answer = co_await ask(std::move(c));
    if (!one_id_of(answer)) throw nonsense(operation, fmt::format("the answer is {}, expected the new message's id", kind_of(answer)));
}

}  // namespace batchbridge::odoo
