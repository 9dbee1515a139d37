#include "register_peer.hpp"

namespace batchbridge::tests {

namespace {

using clock = std::chrono::steady_clock;
constexpr int read_holding = 3, write_single = 6, write_multiple = 16;
constexpr std::uint8_t illegal_function = 1, illegal_value = 3;

std::uint16_t word_at(const bytes& b, std::size_t at)
{
    return static_cast<std::uint16_t>((b[at] << 8) | b[at + 1]);
}

}  // namespace

register_peer::register_peer(hook before) : before_(std::move(before)), peer_([this](raw_connection& c, int number) { serve(c, number); }) {}

std::vector<peer_request> register_peer::requests() const
{
    const std::lock_guard lock(guard_);
    return requests_;
}

void register_peer::serve(raw_connection& c, int number)
{
    for (;;) {
        const auto request = c.receive();
        if (request.size() < 12) return;
        peer_request r;
        r.received = clock::now();
        r.connection = number;
        r.function = request[7];
        r.address = word_at(request, 8);
        r.count = r.function == write_single ? 1 : word_at(request, 10);
        if (before_) before_(memory_);
        const auto answer = execute(request);
        r.answered = clock::now();   // a little before the bytes leave: never after the client has them
        {
            const std::lock_guard lock(guard_);
            requests_.push_back(r);
        }
        c.send(answer);
    }
}

bytes register_peer::execute(const bytes& request)
{
    const std::size_t address = word_at(request, 8), count = word_at(request, 10);
    switch (request[7]) {
    case read_holding: {
        if (static_cast<int>(count) > most_) return exception_answer(request, illegal_value);
        auto answer = read_answer(request, 0);
        for (std::size_t i = 0; i < count; ++i) {
            answer[9 + 2 * i] = static_cast<std::uint8_t>(memory_.at(address + i) >> 8);
            answer[10 + 2 * i] = static_cast<std::uint8_t>(memory_.at(address + i));
        }
        return answer;
    }
    case write_single: memory_.at(address) = static_cast<std::uint16_t>(count); return write_answer(request);
    case write_multiple:
        for (std::size_t i = 0; i < count; ++i) memory_.at(address + i) = word_at(request, 13 + 2 * i);
        return write_answer(request);
    default: return exception_answer(request, illegal_function);
    }
}

}  // namespace batchbridge::tests
