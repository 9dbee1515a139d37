#include "web/batch_actions.hpp"

#include "core/log.hpp"

#include <charconv>

namespace batchbridge::web {

namespace asio = boost::asio;
namespace json = boost::json;
using domain::action;
using http::server_response;
using step = domain::table_decision::step;

namespace {

constexpr std::string_view retry_shape = R"({"reason": text, "who": text}, both optional)";
constexpr std::string_view reason_shape = R"({"reason": text, "who": text}, who optional)";
constexpr std::string_view complete_shape = R"({"produced": kg above 0, "actuals": {"101": kg, ..}, "reason": text, "who": text}, who optional)";

std::optional<action> action_of(std::string_view name)
{
    for (const auto a : {action::cancel, action::reset, action::complete, action::retry})
        if (domain::to_string(a) == name) return a;
    return std::nullopt;
}

// As the database keeps it: grams, below 10^11 kg.
std::optional<core::decimal> kilograms(const json::value& v)
{
    static const auto most = core::decimal::from_scaled(99999999999, 0);
    std::optional<core::decimal> d;
    if (v.is_string()) d = core::decimal::parse(v.get_string());
    else if (v.is_int64()) d = core::decimal::parse(std::to_string(v.get_int64()));
    else if (v.is_double()) d = core::decimal::from_double(v.get_double());
    if (!d || *d < 0 || *d > most) return std::nullopt;
    return d->rounded(3);
}

// The figures of a completion by hand.
struct figures {
    core::decimal produced;
    domain::silo_kg actual;
};

std::variant<figures, server_response> figures_of(const act_body& body, const domain::plant_map& map)
{
    const auto* produced = body.fields.if_contains("produced");
    const auto* actuals = body.fields.if_contains("actuals");
    const auto kg = produced != nullptr ? kilograms(*produced) : std::nullopt;
    if (!kg || kg->is_zero()) return bad_body("'produced' is no quantity above 0", complete_shape);
    if (actuals == nullptr || !actuals->is_object()) return bad_body("'actuals' is no object", complete_shape);
    figures out;
    out.produced = *kg;
    for (const auto& [key, value] : actuals->get_object()) {
        int silo = 0;
        const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), silo);
        const auto amount = kilograms(value);
        if (ec != std::errc() || end != key.data() + key.size() || map.find_silo(silo) == nullptr || !amount)
            return server_response::error(400, fmt::format("actuals: '{}' is no silo of the map, or its value is no quantity", std::string_view(key)));
        out.actual[silo] = *amount;
    }
    return out;
}

// Also when the answer to a commit is lost: what it did is seen by the next look at the rows.
struct rows_are_read_again {
    tasks::line& l;
    explicit rows_are_read_again(tasks::line& x) : l(x) {}
    ~rows_are_read_again() { l.rows_changed(); }
};

struct order {
    action what;
    std::int64_t id;
    const act_body& body;
};

// Carries the decision out. False: the batch is no longer as it was seen.
asio::awaitable<bool> carry_out(tasks::line& l, const order& o, const store::standing& stands, const domain::table_decision& d, const figures& given)
{
    auto& store = l.env().store;
    auto entry = entry_of(o.body, fmt::format("api.{}", domain::to_string(o.what)));
    entry.order = stands.batch.order;
    entry.mo_id = stands.batch.mo_id;
    store::as_seen seen;
    seen.state = stands.batch.state;
    seen.version = stands.batch.version;
    switch (d.what) {
    case step::take_out: {
        const std::string reason(domain::to_string(*d.reason));
        co_return co_await store.ask_take_out(l.hold(), o.id, reason, std::move(entry));
    }
    case step::cancel_in_odoo: co_return co_await store.ask_cancel(l.hold(), o.id, std::move(entry), seen);
    case step::archive_reset: co_return co_await store.reset_batch(l.hold(), o.id, seen.version, o.body.reason, std::move(entry));
    case step::due_now: co_return co_await store.retry_batch(l.hold(), o.id, std::move(entry), seen);
    case step::complete: {
        // A silo that is not named was not used.
        auto actual = stands.batch.actual;
        for (auto& [silo, kg] : actual) kg = core::decimal();
        for (const auto& [silo, kg] : given.actual) actual[silo] = kg;
        entry.values = o.body.fields.at("actuals");
        co_return co_await store.complete_batch(l.hold(), o.id, given.produced, actual, std::move(entry), seen);
    }
    case step::nothing:
    case step::conflict:
    case step::archive_cancelled:
    case step::archive_discarded:
    case step::drop_consumption:
    case step::step0_decides:
    case step::alert: break;
    }
    throw core::error(core::error_kind::internal, "act on a batch", std::to_string(o.id), fmt::format("the table of states says '{}'", domain::to_string(d.what)));
}

asio::awaitable<server_response> act_on_batch(tasks::service& service, tasks::line& l, const order& o)
{
    figures given;
    if (o.what == action::complete) {
        auto read = figures_of(o.body, l.map());
        if (auto* refusal = std::get_if<server_response>(&read)) co_return std::move(*refusal);
        given = std::get<figures>(std::move(read));
    }
    const rows_are_read_again again(l);
    const auto stands = co_await service.env().store.standing_of(o.id);
    if (!stands) co_return server_response::error(409, "the batch changed meanwhile; look again");
    const auto decision = domain::decide_action(o.what, stands->facts);
    if (decision.what == step::conflict) co_return server_response::error(409, decision.why);
    const bool done = co_await carry_out(l, o, *stands, decision, given);
    if (!done && o.what == action::retry) co_return server_response::error(409, "its delivery is due already, or the batch changed meanwhile; look again");
    if (!done) co_return server_response::error(409, "the batch changed meanwhile; look again");
    service.env().deliveries.set();
    if (auto* reader = l.task(tasks::task_names::plc_read_sync)) reader->wake();
    core::log::info(l.about("api", o.id, stands->batch.mo_id), "{} asked for by {}{}", domain::to_string(o.what), o.body.who, o.body.reason.empty() ? "" : ": " + o.body.reason);
    co_return accepted("batch", o.id, domain::to_string(o.what));
}

}  // namespace

asio::awaitable<std::optional<server_response>> change_batch(tasks::service& service, const path_parts& path, const http::server_request& request)
{
    const auto what = path.size() == 3 && path[0] == "batches" ? action_of(path[2]) : std::nullopt;
    if (!what) co_return std::nullopt;
    const auto id = id_of(path[1]);
    if (!id) co_return bad_id("batch");
    const auto read = *what == action::complete ? read_act(request, complete_shape, {"produced", "actuals"}, reason_rule::required)
                      : *what == action::retry  ? read_act(request, retry_shape, {}, reason_rule::optional)
                                                : read_act(request, reason_shape, {}, reason_rule::required);
    if (const auto* refusal = std::get_if<server_response>(&read)) co_return *refusal;
    const auto batch = co_await service.env().store.batch(*id);
    if (!batch) co_return server_response::error(404, fmt::format("no batch {} in the queue", *id));
    const order o{*what, *id, std::get<act_body>(read)};
    const line_act act = [&service, &o](tasks::line& l) { return act_on_batch(service, l, o); };
    co_return co_await on_line(service, batch->line, act);
}

}  // namespace batchbridge::web
