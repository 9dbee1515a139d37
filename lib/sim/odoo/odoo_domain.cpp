#include "sim/odoo/odoo_domain.hpp"

#include <boost/json/object.hpp>

#include <algorithm>
#include <cctype>

namespace batchbridge::sim {

namespace json = boost::json;

namespace {

json::string_view view(std::string_view s)
{
    return {s.data(), s.size()};
}

bool same(const json::value& a, const json::value& b)
{
    if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>();
    return a == b;
}

bool less(const json::value& a, const json::value& b)
{
    if (a.is_string() && b.is_string()) return a.get_string() < b.get_string();
    if (a.is_number() && b.is_number()) return a.to_number<double>() < b.to_number<double>();
    // Empty values (false) come first.
    return !a.is_string() && !a.is_number() && (b.is_string() || b.is_number());
}

// SQL's LIKE: % is anything, _ one character.
bool like(std::string_view text, std::string_view pattern)
{
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '%') {
        for (std::size_t i = 0; i <= text.size(); ++i)
            if (like(text.substr(i), pattern.substr(1))) return true;
        return false;
    }
    if (text.empty()) return false;
    const bool escaped = pattern.front() == '\\' && pattern.size() > 1;
    if (escaped) pattern.remove_prefix(1);
    return (text.front() == pattern.front() || (!escaped && pattern.front() == '_')) && like(text.substr(1), pattern.substr(1));
}

std::string lower(std::string s)
{
    for (auto& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return s;
}

bool is_like(const json::value& mine, const std::string& op, const json::value& value)
{
    if (!mine.is_string() || !value.is_string()) return false;
    std::string text(mine.get_string()), pattern(value.get_string());
    const bool whole = op.starts_with('=');
    if (!whole) pattern = "%" + pattern + "%";
    if (op.ends_with("ilike")) {
        text = lower(std::move(text));
        pattern = lower(std::move(pattern));
    }
    return like(text, pattern);
}

bool matches_term(const asked_model& m, const field_reader& record, const json::array& term)
{
    const std::string field(term.at(0).as_string()), op(term.at(1).as_string());
    const auto& value = term.at(2);
    const auto found = record(field);
    if (!found) throw bad_domain_field(m.options, m.name, field, term[1], value);
    const auto& mine = *found;
    const auto in = [&] {
        const auto& all = value.as_array();
        return std::any_of(all.begin(), all.end(), [&](const json::value& v) { return same(v, mine); });
    };
    if (op == "=") return same(mine, value);
    if (op == "!=") return !same(mine, value);
    if (op == "in") return in();
    if (op == "not in") return !in();
    if (op == "<=") return !less(value, mine);
    if (op == ">=") return !less(mine, value);
    if (op == "<") return less(mine, value);
    if (op == ">") return less(value, mine);
    if (op == "like" || op == "ilike" || op == "=like" || op == "=ilike") return is_like(mine, op, value);
    throw odoo_fault("builtins.ValueError", "Invalid operator " + op);
}

}  // namespace

bool matches(const asked_model& m, const field_reader& record, const json::array& domain)
{
    std::size_t at = 0;
    const std::function<bool()> next = [&]() -> bool {
        const auto& v = domain.at(at++);
        if (v.is_array()) return matches_term(m, record, v.get_array());
        const auto& op = v.as_string();
        if (op == "!") return !next();
        const bool a = next(), b = next();
        return op == "|" ? a || b : a && b;
    };
    bool all = true;
    while (at < domain.size()) all = next() && all;
    return all;
}

bool comes_before(const asked_model& m, const field_reader& a, const field_reader& b, std::string_view order)
{
    while (!order.empty()) {
        const auto comma = order.find(',');
        auto part = order.substr(0, comma);
        order = comma == std::string_view::npos ? std::string_view{} : order.substr(comma + 1);
        while (part.starts_with(' ')) part.remove_prefix(1);
        const auto field = part.substr(0, part.find(' '));
        const bool down = part.find(" desc") != std::string_view::npos;
        const auto x = a(field), y = b(field);
        if (!x || !y) throw bad_read_field(m.options, field, m.name);
        if (same(*x, *y)) continue;
        return less(*x, *y) != down;
    }
    return false;
}

std::optional<json::value> field_at(const json::object& record, std::string_view path)
{
    const auto dot = path.find('.');
    const auto* v = record.if_contains(view(path.substr(0, dot)));
    if (v == nullptr) return std::nullopt;
    if (dot != std::string_view::npos) {
        // Behind an empty relation there is nothing, and no error.
        if (!v->is_object()) return json::value(false);
        return field_at(v->get_object(), path.substr(dot + 1));
    }
    if (v->is_object()) return v->get_object().at("id");
    return *v;
}

json::array ids_named(const json::array& domain)
{
    json::array out;
    for (const auto& term : domain) {
        const auto* t = term.if_array();
        if (t == nullptr || t->size() != 3 || t->at(0) != "id") continue;
        if (t->at(1) == "=") out.push_back(t->at(2));
        if (t->at(1) == "in" && t->at(2).is_array()) out.insert(out.end(), t->at(2).get_array().begin(), t->at(2).get_array().end());
    }
    return out;
}

}  // namespace batchbridge::sim
