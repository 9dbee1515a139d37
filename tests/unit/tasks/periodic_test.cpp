// The scheduler loop with a real io_context and bodies that count and wait on events.
#include "tasks/periodic.hpp"

#include "support/catch.hpp"

#include "core/error.hpp"
#include "core/task_group.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace asio = boost::asio;
using namespace batchbridge;
using namespace std::chrono_literals;
using tasks::periodic;
using tasks::run_result;

namespace {

struct fixture {
    asio::io_context ioc;
    core::event gate{ioc.get_executor()}, started{ioc.get_executor()};
    int runs = 0, inside = 0, most_inside = 0;
    std::vector<tasks::finished_run> records;

    std::unique_ptr<periodic> make(core::duration interval, bool enabled, periodic::body body, periodic::told already_told = {})
    {
        domain::schedule_rule rule;
        rule.interval = interval;
        return std::make_unique<periodic>(ioc.get_executor(), "line1", "probe", rule, enabled, std::move(body),
                                          [this](const tasks::finished_run& r) -> asio::awaitable<void> {
                                              records.push_back(r);
                                              co_return;
                                          },
                                          std::move(already_told));
    }

    // Runs `script` beside the task's loop and ends when the script does.
    void play(periodic& p, std::function<asio::awaitable<void>()> script)
    {
        std::exception_ptr failure;
        core::task_group group(ioc.get_executor(), [&](const std::string&, std::exception_ptr e) { failure = e; });
        group.spawn("loop", [&p]() { return p.loop(); });
        asio::co_spawn(ioc, [&]() -> asio::awaitable<void> {
            co_await script();
            p.stop();
            gate.set();
            co_await group.join();
        }, [&](std::exception_ptr e) { if (e) failure = e; });
        ioc.run_for(20s);
        if (failure) std::rethrow_exception(failure);
    }

    asio::awaitable<run_result> gated_body()
    {
        ++runs;
        most_inside = std::max(most_inside, ++inside);
        started.set();
        co_await gate.wait();
        --inside;
        co_return run_result::done(true, "ran");
    }
};

}  // namespace

TEST_CASE("a task runs once at start and a trigger gets the run's real outcome (L-16)")
{
    fixture f;
    auto p = f.make(1h, true, [&f]() -> asio::awaitable<run_result> {
        ++f.runs;
        if (f.runs == 2) throw core::error(core::error_kind::rejected, "write", "somewhere", "no");
        f.started.set();
        co_return run_result::done(false, "fine");
    });
    std::optional<periodic::trigger_answer> answer;
    f.play(*p, [&]() -> asio::awaitable<void> {
        co_await f.started.wait();
        answer = co_await p->trigger();
    });
    REQUIRE(f.runs == 2);
    REQUIRE(answer);
    CHECK(answer->what == periodic::answer::ran);
    REQUIRE(answer->run);
    CHECK(answer->run->result.what == run_result::kind::failed);
    CHECK(answer->run->result.detail.find("somewhere") != std::string::npos);
    CHECK(answer->run->asked_for);
}

TEST_CASE("a trigger during a run is answered with already running and wakes merge into one run (L-12)")
{
    fixture f;
    auto p = f.make(1h, true, [&f]() { return f.gated_body(); });
    periodic::answer second{};
    f.play(*p, [&]() -> asio::awaitable<void> {
        co_await f.started.wait();
        second = (co_await p->trigger()).what;
        p->wake();
        p->wake();
        p->wake();
        f.gate.set();
        co_await f.started.wait();
    });
    CHECK(second == periodic::answer::already_running);
    CHECK(f.runs == 2);
    CHECK(f.most_inside == 1);
}

TEST_CASE("a disabled task does not run by time or wake, but when a person asks")
{
    fixture f;
    auto p = f.make(10ms, false, [&f]() -> asio::awaitable<run_result> {
        ++f.runs;
        co_return run_result::done(false, "");
    });
    f.play(*p, [&]() -> asio::awaitable<void> {
        p->wake();
        asio::steady_timer t(f.ioc, 60ms);
        co_await t.async_wait(asio::use_awaitable);
        CHECK(f.runs == 0);
        const auto answer = co_await p->trigger();
        CHECK(answer.what == periodic::answer::ran);
    });
    CHECK(f.runs == 1);
}

TEST_CASE("a run that failed is repeated before its interval, whatever it failed of")
{
    using kind = run_result::kind;
    struct row {
        std::exception_ptr failure;
        kind recorded;
    };
    const auto of = [](core::error_kind k) { return std::make_exception_ptr(core::error(k, "read", "somewhere", "no")); };
    // What lies outside is unavailable; what was refused, or is broken here, failed.
    const auto r = GENERATE_COPY(row{of(core::error_kind::unavailable), kind::unavailable}, row{of(core::error_kind::timeout), kind::unavailable},
                                 row{of(core::error_kind::protocol), kind::unavailable}, row{of(core::error_kind::cancelled), kind::unavailable},
                                 row{of(core::error_kind::rejected), kind::failed}, row{of(core::error_kind::internal), kind::failed},
                                 row{std::make_exception_ptr(std::runtime_error("no")), kind::failed});
    fixture f;
    auto p = f.make(1h, true, [&f, &r]() -> asio::awaitable<run_result> {
        if (++f.runs == 1) std::rethrow_exception(r.failure);
        f.started.set();
        co_return run_result::done(false, "");
    });
    const auto begin = std::chrono::steady_clock::now();
    f.play(*p, [&]() -> asio::awaitable<void> { co_await f.started.wait(); });
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(f.runs == 2);
    CHECK(took >= 900ms);
    CHECK(took < 5s);
    REQUIRE(f.records.size() >= 1);
    CHECK(f.records[0].news);
    CHECK(f.records[0].result.what == r.recorded);
}

TEST_CASE("a run that failed by its own word is repeated before its interval")
{
    fixture f;
    auto p = f.make(1h, true, [&f]() -> asio::awaitable<run_result> {
        run_result out;
        if (++f.runs == 1) out.what = run_result::kind::failed;
        else f.started.set();
        co_return out;
    });
    f.play(*p, [&]() -> asio::awaitable<void> { co_await f.started.wait(); });
    CHECK(f.runs == 2);
}

TEST_CASE("the log says what changed in how a task fails, not every attempt")
{
    fixture f;
    // Empty: the run is good. A leading '!' is of kind rejected; '~' is told by somebody else.
    const std::vector<std::pair<std::string, bool>> runs{{"", false}, {"!a", true}, {"!a", false}, {"!b", true}, {"~away", false}, {"!b", false}, {"!a", false}, {"", true}, {"", false},
                                                          {"x", true}, {"y", false}, {"!a", true}, {"", true}, {"~away", false}, {"", false}};
    auto p = f.make(1h, true, [&]() -> asio::awaitable<run_result> {
        const auto& what = runs.at(static_cast<std::size_t>(f.runs++)).first;
        if (!what.empty()) throw core::error(what[0] == '!' ? core::error_kind::rejected : core::error_kind::unavailable, "run", "probe", what);
        f.started.set();
        co_return run_result::done(false, "");
    }, [](std::exception_ptr e) { return core::describe(e).find('~') != std::string::npos; });
    f.play(*p, [&]() -> asio::awaitable<void> {
        co_await f.started.wait();
        while (static_cast<std::size_t>(f.runs) < runs.size()) co_await p->trigger();
    });
    REQUIRE(f.records.size() == runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
        INFO("run " << i << ": " << f.records[i].result.detail);
        CHECK(f.records[i].news == runs[i].second);
    }
}

TEST_CASE("a loop that is cancelled ends, its body too")
{
    fixture f;
    auto p = f.make(1h, true, [&f]() { return f.gated_body(); });
    core::task_group group(f.ioc.get_executor(), [](const std::string&, std::exception_ptr) {});
    group.spawn("loop", [&p]() { return p->loop(); });
    bool joined = false;
    asio::co_spawn(f.ioc, [&]() -> asio::awaitable<void> {
        co_await f.started.wait();
        group.cancel();
        co_await group.join();
        joined = true;
    }, asio::detached);
    f.ioc.run_for(5s);
    CHECK(joined);
    CHECK_FALSE(p->running());
}
