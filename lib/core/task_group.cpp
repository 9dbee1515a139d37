#include "core/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <utility>

#include "core/error.hpp"

namespace batchbridge::core {

namespace asio = boost::asio;

task_group::task_group(asio::any_io_executor executor, on_failure failed)
    : executor_(executor), failed_(std::move(failed)), ended_(executor)
{
}

void task_group::spawn(std::string name, std::function<asio::awaitable<void>()> body)
{
    const auto where = entries_.emplace(entries_.end());
    where->name = std::move(name);
    where->body = std::move(body);
    asio::co_spawn(executor_, where->body(),
                   asio::bind_cancellation_slot(where->signal.slot(), [this, where](std::exception_ptr e) {
                       if (e && !is_cancellation(e) && failed_) failed_(where->name, e);
                       // Not yet: the handler itself sits in the entry's slot.
                       asio::post(executor_, [this, where] {
                           entries_.erase(where);
                           ended_.set();
                       });
                   }));
}

void task_group::cancel()
{
    for (auto& e : entries_) e.signal.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> task_group::join()
{
    while (!entries_.empty()) co_await ended_.wait();
}

std::string task_group::names() const
{
    std::string all;
    for (const auto& e : entries_) {
        if (!all.empty()) all += ", ";
        all += e.name;
    }
    return all;
}

}  // namespace batchbridge::core
