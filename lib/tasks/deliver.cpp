#include "tasks/deliver.hpp"

#include "tasks/delivery_work.hpp"

namespace batchbridge::tasks {

namespace asio = boost::asio;
using domain::delivery_kind;

asio::awaitable<delivery_end> deliver(line& l, store::delivery d)
{
    work w{l, std::move(d), {}};
    w.about = l.about("dispatcher", w.d.batch_id, w.d.mo_id);
    switch (w.d.kind) {
    case delivery_kind::finish: co_return co_await deliver_finish(w);
    case delivery_kind::consumption: co_return co_await deliver_consumption(w);
    case delivery_kind::cancel: co_return co_await deliver_cancel(w);
    case delivery_kind::maintenance_request: co_return co_await deliver_request(w);
    case delivery_kind::note: co_return co_await deliver_note(w);
    case delivery_kind::webhook: break;
    }
    co_return co_await park(w, fmt::format("this version does not send {}", domain::to_string(w.d.kind)));
}

}  // namespace batchbridge::tasks
