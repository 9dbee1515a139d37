#include "odoo/auto_transport.hpp"

#include "core/deadline.hpp"
#include "core/log.hpp"
#include "odoo/json2_transport.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace batchbridge::odoo {

namespace asio = boost::asio;
namespace json = boost::json;
using core::error_kind;
using domain::call_outcome;
using domain::error_class;
using std::chrono::steady_clock;

auto_transport::auto_transport(asio::any_io_executor executor, transport_options options)
    : executor_(executor), options_(std::move(options)), asker_(executor, options_), lock_(executor)
{
}

asio::awaitable<void> auto_transport::detect(time_point limit)
{
    auto info = co_await asker_.ask_json_version(limit);
    const bool has_json2 = info.has_value();
    if (!info) info = co_await asker_.ask_common_version(limit);
    const bool use_json2 = has_json2 && options_.secret_is_key;
    const bool news = !way_ || way_->version() != info->version || named_arguments_ != use_json2;
    if (!way_ || named_arguments_ != use_json2) {
        if (use_json2) way_ = std::make_shared<json2_transport>(executor_, options_);
        else way_ = std::make_shared<jsonrpc_transport>(executor_, options_);
        named_arguments_ = use_json2;
    }
    const auto version = info->version;
    const bool verified = info->verified;
    way_->assume(std::move(*info));
    if (!news) co_return;
    core::log::info({}, "ODOO_API=auto: {} says version {}, using {}", target(), version, use_json2 ? "json2" : "jsonrpc");
    if (has_json2 && !use_json2)
        core::log::warning({}, "{}: /jsonrpc is deprecated in Odoo {}; set ODOO_API_KEY, then json2 is used", target(), version);
    if (!verified)
        core::log::warning({}, "{}: version {} is not one this program was verified with (18, 19); nothing is written to it unless ODOO_UNVERIFIED_VERSION=true", target(),
                           version);
}

asio::awaitable<std::shared_ptr<http_transport>> auto_transport::current(time_point limit)
{
    if (way_ && !way_->stale()) co_return way_;
    std::optional<error> failed;
    try {
        // One asks, the others wait for it.
        const auto guard = co_await core::with_deadline(limit - steady_clock::now(), lock_.lock());
        if (!way_ || way_->stale()) co_await detect(limit);
    } catch (const core::timed_out&) {
        failed = error(error_kind::timeout, call_outcome::not_sent, error_class::retry, "detect the version", target(), "the question of another call takes too long");
    } catch (const error& e) {
        failed = http_transport::opening(e);
    }
    if (failed) throw *failed;
    co_return way_;
}

asio::awaitable<server_info> auto_transport::open(time_point limit)
{
    const auto way = co_await current(limit);
    co_return co_await way->open(limit);
}

asio::awaitable<json::value> auto_transport::ask(call c, time_point limit)
{
    const auto way = co_await current(limit);
    co_return co_await way->ask(std::move(c), limit);
}

}  // namespace batchbridge::odoo
