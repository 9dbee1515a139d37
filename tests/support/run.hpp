// Runs a coroutine on a loop of its own to the end, from a test case.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>
#include <stdexcept>

namespace bb_test {

// `body` is a callable that outlives the run, so its captures do too. Its exception is thrown here.
inline void run(boost::asio::io_context& ioc, const std::function<boost::asio::awaitable<void>()>& body)
{
    std::exception_ptr failure;
    bool ended = false;
    boost::asio::co_spawn(ioc, body, [&](std::exception_ptr e) {
        failure = e;
        ended = true;
        ioc.stop();
    });
    ioc.restart();
    ioc.run();
    if (failure) std::rethrow_exception(failure);
    if (!ended) throw std::runtime_error("the coroutine never ended: nothing was left to wait for");
}

inline void run(const std::function<boost::asio::awaitable<void>()>& body)
{
    boost::asio::io_context ioc;
    run(ioc, body);
}

}  // namespace bb_test
