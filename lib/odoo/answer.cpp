#include "odoo/answer.hpp"

#include "core/utf8.hpp"

#include <boost/json/parse.hpp>

#include <fmt/format.h>

namespace batchbridge::odoo {

namespace json = boost::json;

namespace {

std::string text_or_empty(const json::object& o, std::string_view name)
{
    const auto* v = o.if_contains(json::string_view(name.data(), name.size()));
    return v != nullptr && v->is_string() ? core::clean_utf8(std::string_view(v->get_string().data(), v->get_string().size())) : std::string{};
}

answer foreign(unsigned status, std::string_view content_type, std::string_view what)
{
    answer out;
    out.status = status;
    out.reason = fmt::format("HTTP {} with {}, {}", status, content_type.empty() ? "no content type" : core::clean_utf8(core::utf8_prefix(content_type, 80)), what);
    return out;
}

}  // namespace

answer normalise(unsigned status, std::string_view content_type, std::string_view body)
{
    boost::system::error_code ec;
    auto parsed = json::parse(json::string_view(body.data(), body.size()), ec);
    if (ec) return foreign(status, content_type, "not an answer of Odoo's own (a proxy? a wrong address?)");
    auto* object = parsed.if_object();
    if (object != nullptr) {
        if (const auto* error = object->if_contains("error"); error != nullptr && !error->is_null()) {
            const auto* detail = error->is_object() ? error->get_object().if_contains("data") : nullptr;
            answer out;
            if (detail != nullptr && detail->is_object()) {
                out.name = text_or_empty(detail->get_object(), "name");
                out.message = text_or_empty(detail->get_object(), "message");
            }
            // The plant's module may leave the name out; the code says the same.
            const auto* code = error->is_object() ? error->get_object().if_contains("code") : nullptr;
            if (out.name.empty() && code != nullptr && *code == json::value(100)) out.name = "odoo.http.SessionExpiredException";
            if (out.name.empty()) return foreign(status, content_type, "an error without an exception name");
            out.what = answer::kind::fault;
            out.status = status;
            if (const auto* id = object->if_contains("id")) out.id = *id;
            return out;
        }
    }
    if (status != 200) return foreign(status, content_type, "not an answer of Odoo's own");
    answer out;
    out.what = answer::kind::value;
    if (object == nullptr) {
        out.value = std::move(parsed);
        return out;
    }
    out.enveloped = object->contains("jsonrpc") || object->contains("result");
    if (!out.enveloped) {
        out.value = std::move(parsed);
        return out;
    }
    if (const auto* id = object->if_contains("id")) out.id = *id;
    // A method that returns nothing: neither result nor error (h30).
    if (auto* result = object->if_contains("result")) out.value = std::move(*result);
    return out;
}

answer normalise_bare(unsigned status, std::string_view content_type, std::string_view body)
{
    boost::system::error_code ec;
    auto parsed = json::parse(json::string_view(body.data(), body.size()), ec);
    if (ec) return foreign(status, content_type, "not an answer of Odoo's own (a proxy? a wrong address or database?)");
    answer out;
    out.status = status;
    if (status == 200) {
        out.what = answer::kind::value;
        out.value = std::move(parsed);
        return out;
    }
    if (const auto* o = parsed.if_object()) {
        out.name = text_or_empty(*o, "name");
        out.message = text_or_empty(*o, "message");
    }
    if (out.name.empty()) return foreign(status, content_type, "an error without an exception name");
    out.what = answer::kind::fault;
    return out;
}

}  // namespace batchbridge::odoo
