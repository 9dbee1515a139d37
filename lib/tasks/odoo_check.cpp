#include "tasks/odoo_check.hpp"

#include "core/backoff.hpp"
#include "core/log.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace batchbridge::tasks {

namespace asio = boost::asio;
using verdict = odoo::finding::verdict;

namespace {

constexpr core::backoff_limits pace{std::chrono::milliseconds(200), std::chrono::seconds(5)};
constexpr auto when_good = std::chrono::minutes(10);
constexpr auto when_bad = std::chrono::minutes(1);

bool any_bad(const std::vector<odoo::finding>& all)
{
    return std::any_of(all.begin(), all.end(), [](const auto& f) { return f.how == verdict::bad; });
}

// What stood in the same place last time: several findings may be about the same thing.
const odoo::finding* counterpart(const std::vector<odoo::finding>& all, const std::vector<odoo::finding>& fresh, std::size_t at)
{
    const auto nth = std::count_if(fresh.begin(), fresh.begin() + static_cast<std::ptrdiff_t>(at), [&](const auto& f) { return f.what == fresh[at].what; });
    std::ptrdiff_t seen = 0;
    for (const auto& f : all)
        if (f.what == fresh[at].what && seen++ == nth) return &f;
    return nullptr;
}

}  // namespace

std::string_view to_string(verdict v) noexcept
{
    switch (v) {
    case verdict::good: return "good";
    case verdict::warning: return "warning";
    case verdict::bad: return "bad";
    }
    return "bad";
}

// Once per change; a difference of clocks that moves by a second is none.
void odoo_check::tell(const std::vector<odoo::finding>& fresh) const
{
    for (std::size_t i = 0; i < fresh.size(); ++i) {
        const auto& f = fresh[i];
        const auto* before = counterpart(findings_, fresh, i);
        if (before != nullptr && before->how == f.how && (before->advice == f.advice || f.how == verdict::good)) continue;
        if (f.how == verdict::bad) core::log::error({}, "Odoo, {}: {}. To do: {}", f.what, f.text, f.advice);
        else if (f.how == verdict::warning) core::log::warning({}, "Odoo, {}: {}. To do: {}", f.what, f.text, f.advice);
        else if (before != nullptr) core::log::info({}, "Odoo, {}: {}", f.what, f.text);
        else core::log::debug({}, "Odoo, {}: {}", f.what, f.text);
    }
}

asio::awaitable<void> odoo_check::look()
{
    const auto info = co_await env_.erp.connect();
    env_.board.up("odoo", fmt::format("version {} over {}", info.version, info.protocol));
    auto fresh = co_await env_.erp.check();
    tell(fresh);
    findings_ = std::move(fresh);
    looked_at_ = core::utc_now();
}

asio::awaitable<void> odoo_check::run()
{
    unsigned failures = 0;
    asio::steady_timer timer(env_.executor);
    for (;;) {
        std::exception_ptr failure;
        try {
            co_await look();
        } catch (...) {
            failure = std::current_exception();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        if (failure) {
            // Whether Odoo is down is for those to say who need it; at the start nobody may.
            if (!looked_at_) env_.board.down("odoo", core::describe(failure));
            timer.expires_after(core::backoff_delay(pace, ++failures, core::random_unit()));
        } else {
            failures = 0;
            timer.expires_after(any_bad(findings_) ? core::duration(when_bad) : core::duration(when_good));
        }
        co_await timer.async_wait(asio::use_awaitable);
    }
}

}  // namespace batchbridge::tasks
