#include "modbus/name_lookup.hpp"

#include <netdb.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace batchbridge::modbus {

namespace {

using clock = std::chrono::steady_clock;

// An answer that nobody waited for is of use to the next try, but not for ever: the name may lead elsewhere by then.
constexpr auto keep_late_answer = std::chrono::seconds(30);

// `flags` as for getaddrinfo. Nothing found: `fault` says why.
socket_addresses look_up(const std::string& host, std::uint16_t port, int flags, std::string& fault)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    addrinfo* list = nullptr;
    socket_addresses out;
    if (const int e = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list); e != 0) {
        fault = e == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(e);
        return out;
    }
    for (const auto* a = list; a != nullptr; a = a->ai_next) {
        socket_address found;
        if (a->ai_addrlen > sizeof found.storage) continue;
        std::memcpy(&found.storage, a->ai_addr, a->ai_addrlen);
        found.size = a->ai_addrlen;
        out.push_back(found);
    }
    ::freeaddrinfo(list);
    if (out.empty()) fault = "no address";
    return out;
}

}  // namespace

socket_addresses system_resolve(const std::string& host, std::uint16_t port)
{
    std::string fault;
    auto out = look_up(host, port, 0, fault);
    if (out.empty()) throw std::runtime_error(fault);
    return out;
}

struct name_lookup::board {
    struct question {
        clock::time_point answered{};    // epoch: its thread is still asking
        socket_addresses found;
        std::string fault;
    };
    resolver_function resolver;
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::pair<std::string, std::uint16_t>, question> questions;
};

name_lookup::name_lookup(resolver_function resolver) : board_(std::make_shared<board>())
{
    board_->resolver = resolver ? std::move(resolver) : system_resolve;
}

name_lookup::~name_lookup() = default;

void name_lookup::wake() noexcept
{
    // With the lock, lest the caller has asked `cut` and does not wait yet.
    const std::lock_guard lock(board_->mutex);
    board_->changed.notify_all();
}

name_lookup::answer name_lookup::find(const std::string& host, std::uint16_t port, clock::time_point until, const std::function<bool()>& cut)
{
    std::string no_literal;
    if (auto literal = look_up(host, port, AI_NUMERICHOST, no_literal); !literal.empty()) return {outcome::found, std::move(literal), {}};

    const auto ask = [box = board_, key = std::pair(host, port)] {
        board::question out;
        try {
            out.found = box->resolver(key.first, key.second);
            if (out.found.empty()) out.fault = "no address";
        } catch (const std::exception& e) {
            out.fault = e.what();
        }
        const std::lock_guard lock(box->mutex);
        out.answered = clock::now();
        box->questions[key] = std::move(out);
        box->changed.notify_all();
    };

    std::unique_lock lock(board_->mutex);
    const std::pair key(host, port);
    const auto answered = [&] { return board_->questions.at(key).answered != clock::time_point{}; };
    if (board_->questions.contains(key) && answered() && clock::now() - board_->questions.at(key).answered > keep_late_answer) board_->questions.erase(key);
    if (board_->questions.try_emplace(key).second) {
        try {
            std::thread(ask).detach();
        } catch (const std::system_error& e) {
            board_->questions.erase(key);
            return {outcome::failed, {}, e.what()};
        }
    }
    board_->changed.wait_until(lock, until, [&] { return answered() || cut(); });
    if (cut()) return {outcome::cut, {}, {}};
    if (!answered()) return {outcome::late, {}, {}};
    auto question = std::move(board_->questions.at(key));
    board_->questions.erase(key);
    if (question.found.empty()) return {outcome::failed, {}, std::move(question.fault)};
    return {outcome::found, std::move(question.found), {}};
}

}  // namespace batchbridge::modbus
