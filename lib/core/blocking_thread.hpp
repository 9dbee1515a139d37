// Runs blocking calls (libmodbus, getaddrinfo) on one thread of their own and resumes the caller on its executor.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace batchbridge::core {

// One thread; calls run in the order they were posted. The destructor waits for the call in progress:
// whoever owns a blocking resource must be able to unblock it first (shutdown(2) on its socket). The callers' io_context
// must outlive this object, not only the awaits: the thread still touches it a moment after it has woken the caller.
class blocking_thread {
public:
    blocking_thread();
    ~blocking_thread();
    blocking_thread(const blocking_thread&) = delete;
    blocking_thread& operator=(const blocking_thread&) = delete;

    // Runs f() on the thread and returns its value (or rethrows) on the awaiting coroutine's executor. It cannot be
    // cancelled: the coroutine waits for the call, so the call must be bounded by its own timeouts. `f` is moved to
    // the thread and destroyed there; what it refers to must live until the await returns.
    template <class F>
    boost::asio::awaitable<std::invoke_result_t<F>> run(F f)
    {
        using result = std::invoke_result_t<F>;
        using stored = std::conditional_t<std::is_void_v<result>, char, result>;
        // The state is shared, so that the value survives however the handler is moved about.
        struct state {
            std::optional<stored> value;
            std::exception_ptr error;
        };
        auto shared = std::make_shared<state>();
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
            [this](auto handler, F call, std::shared_ptr<state> out) {
                auto executor = boost::asio::get_associated_executor(handler);
                auto work = boost::asio::make_work_guard(executor);
                boost::asio::post(pool_, [handler = std::move(handler), call = std::move(call), out = std::move(out),
                                          executor, work = std::move(work)]() mutable {
                    try {
                        F here = std::move(call);  // gone, with all it captured, before the caller goes on
                        if constexpr (std::is_void_v<result>) {
                            here();
                            out->value.emplace();
                        } else {
                            out->value.emplace(here());
                        }
                    } catch (...) {
                        out->error = std::current_exception();
                    }
                    out.reset();   // from here on the value, or the error, belongs to the awaiting side alone
                    boost::asio::post(executor, std::move(handler));
                });
            },
            boost::asio::use_awaitable, std::move(f), shared);
        if (shared->error) std::rethrow_exception(shared->error);
        if constexpr (!std::is_void_v<result>) co_return std::move(*shared->value);
    }

private:
    boost::asio::thread_pool pool_;
};

}  // namespace batchbridge::core
