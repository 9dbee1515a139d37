// The start-up check: what a person should know before orders are written.
#include "odoo/mrp.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using domain::call_outcome;
using domain::error_class;
using verdict = finding::verdict;

namespace {

void add(std::vector<finding>& out, verdict how, std::string what, std::string text, std::string advice = {})
{
    finding f;
    f.how = how;
    f.what = std::move(what);
    f.text = std::move(text);
    f.advice = std::move(advice);
    out.push_back(std::move(f));
}

// Odoo itself said no, and repeating would not change it.
bool is_a_no(const error& e)
{
    return e.outcome() == call_outcome::rejected && e.decision() != error_class::retry;
}

void check_clock(const std::optional<core::duration>& ahead, std::vector<finding>& out)
{
    if (!ahead) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*ahead).count();
    const auto size = seconds < 0 ? -seconds : seconds;
    const auto text = fmt::format("Odoo's clock is {} s {} ours", size, seconds < 0 ? "behind" : "ahead of");
    const auto* advice = "set both machines by the same time server (NTP)";
    if (size > 60) add(out, verdict::bad, "clock", text, advice);
    else if (size > 5) add(out, verdict::warning, "clock", text, advice);
    else add(out, verdict::good, "clock", "Odoo's clock agrees with ours");
}

}  // namespace

asio::awaitable<json::value> mrp::ask_for_check(call c, std::optional<error>& no)
{
    json::value answer;
    try {
        answer = co_await ask(std::move(c));
    } catch (const error& e) {
        no = e;
    }
    if (no && !is_a_no(*no)) throw *no;
    co_return answer;
}

asio::awaitable<void> mrp::check_rights(std::vector<finding>& out)
{
    for (const auto* operation : {"read", "write"}) {
        call c("mrp.production", "has_access", purpose::open);
        c.on({}).with("operation", operation);
        std::optional<error> failed;
        const auto answer = co_await ask_for_check(std::move(c), failed);
        const auto* advice = "give the user the group Manufacturing / User (mrp.group_mrp_user)";
        if (failed) add(out, verdict::bad, "orders", fmt::format("whether {} may {} manufacturing orders: {}", way_->who(), operation, failed->reason()),
                        "is the app Manufacturing installed? " + std::string(advice));
        else if (answer.is_bool() && answer.get_bool()) add(out, verdict::good, "orders", fmt::format("{} may {} manufacturing orders", way_->who(), operation));
        else add(out, verdict::bad, "orders", fmt::format("{} may not {} manufacturing orders", way_->who(), operation), advice);
    }
}

asio::awaitable<void> mrp::check_equipment(std::vector<finding>& out)
{
    call c("maintenance.equipment", "search_read", purpose::open);
    json::array domain;
    domain.emplace_back(condition("serial_no", "!=", false));
    c.with("domain", std::move(domain));
    json::array fields;
    fields.emplace_back("name");
    fields.emplace_back("serial_no");
    c.keyword["fields"] = std::move(fields);
    c.keyword["order"] = "id";
    std::optional<error> failed;
    const auto answer = co_await ask_for_check(std::move(c), failed);
    const auto* list = answer.if_array();
    if (failed) add(out, verdict::warning, "equipment", "equipment cannot be read: " + failed->reason(),
                    "install the app Maintenance, or switch task 5 (ENABLE_TASK_5_EQUIPMENT_FAILURE) off");
    else if (list != nullptr && !list->empty()) add(out, verdict::good, "equipment", fmt::format("{} pieces of equipment with a serial number are visible", list->size()));
    // A user without the group gets an empty list, not an error (k01).
    else add(out, verdict::warning, "equipment", "no equipment with a serial number is visible; failures will be reported without it",
             "give the user the group Maintenance / Equipment Manager, or make it a follower of each piece of equipment; or there is none yet");
}

asio::awaitable<void> mrp::check_mail(std::vector<finding>& out)
{
    call c("res.users", "read", purpose::open);
    c.on({way_->uid()});
    json::array fields;
    fields.emplace_back("login");
    fields.emplace_back("email");
    c.with("fields", std::move(fields));
    std::optional<error> failed;
    const auto answer = co_await ask_for_check(std::move(c), failed);
    const auto* list = answer.if_array();
    const auto* record = list != nullptr && list->size() == 1 ? list->front().if_object() : nullptr;
    const auto* email = record != nullptr ? record->if_contains("email") : nullptr;
    if (failed || email == nullptr)
        add(out, verdict::warning, "e-mail", fmt::format("the own record of {} cannot be read{}", way_->who(), failed ? ": " + failed->reason() : std::string{}),
            "make sure that the user has an e-mail address: without one Odoo refuses every call that posts a message");
    else if (email->is_string() && !email->get_string().empty()) add(out, verdict::good, "e-mail", fmt::format("{} has an e-mail address", way_->who()));
    // h32
    else add(out, verdict::bad, "e-mail", fmt::format("{} has no e-mail address: Odoo refuses every call that posts a message", way_->who()),
             "enter one in the user's record");
}

asio::awaitable<std::vector<finding>> mrp::check()
{
    std::vector<finding> out;
    std::optional<error> failed;
    server_info info;
    try {
        info = co_await connect();
    } catch (const error& e) {
        failed = e;
    }
    if (failed && !is_a_no(*failed)) throw *failed;
    if (failed) {
        // JSON-2 looks for the database before it looks at the key, and answers with a page when there is none.
        const bool no_database = failed->peer_code() == "404" && failed->operation() == "res.users.context_get";
        add(out, verdict::bad, no_database ? "database" : "login", failed->what(), "correct ODOO_URL, ODOO_DB, ODOO_USERNAME, ODOO_PASSWORD or ODOO_API_KEY; the text says which");
        co_return out;
    }
    add(out, verdict::good, "database", fmt::format("database {} answers", way_->database()));
    add(out, verdict::good, "login", fmt::format("logged in as {} (uid {})", way_->who(), way_->uid()));
    if (info.verified && info.protocol == "jsonrpc" && info.version.starts_with("19"))
        add(out, verdict::warning, "version", fmt::format("Odoo {} by jsonrpc, which it calls deprecated", info.version), "set ODOO_API_KEY and ODOO_API=auto or json2");
    else if (info.verified) add(out, verdict::good, "version", fmt::format("Odoo {} by {}", info.version, info.protocol));
    else add(out, verdict::warning, "version", fmt::format("Odoo {} by {} is not a version this program was verified with (18, 19)", info.version, info.protocol),
             "nothing is written to it unless ODOO_UNVERIFIED_VERSION=true; try that on a copy of the database first");
    co_await check_rights(out);
    co_await check_equipment(out);
    co_await check_mail(out);
    check_clock(way_->clock_ahead(), out);
    co_return out;
}

}  // namespace batchbridge::odoo
