#include "raw_peer.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace batchbridge::tests {

namespace {

bool receive_exactly(int fd, std::uint8_t* at, std::size_t count)
{
    while (count > 0) {
        const auto n = ::recv(fd, at, count, 0);
        if (n <= 0) return false;
        at += n;
        count -= static_cast<std::size_t>(n);
    }
    return true;
}

bytes with_length(bytes answer)
{
    const auto length = answer.size() - 6;
    answer[4] = static_cast<std::uint8_t>(length >> 8);
    answer[5] = static_cast<std::uint8_t>(length);
    return answer;
}

}  // namespace

bytes raw_connection::receive()
{
    bytes request(6);
    if (!receive_exactly(fd_, request.data(), 6)) return {};
    const std::size_t length = static_cast<std::size_t>((request[4] << 8) | request[5]);
    request.resize(6 + length);
    if (!receive_exactly(fd_, request.data() + 6, length)) return {};
    return request;
}

void raw_connection::send(const bytes& data)
{
    [[maybe_unused]] const auto n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
}

void raw_connection::reset()
{
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void raw_connection::await_close()
{
    std::uint8_t byte = 0;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
}

raw_peer::raw_peer(script s) : script_(std::move(s))
{
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0 || ::listen(listener_, 8) != 0) throw std::runtime_error("raw_peer cannot listen");
    socklen_t size = sizeof a;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size);
    port_ = ntohs(a.sin_port);
    thread_ = std::thread([this] { run(); });
}

raw_peer::~raw_peer()
{
    stop_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    {
        const std::lock_guard lock(guard_);
        if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
    }
    thread_.join();
    ::close(listener_);
}

void raw_peer::run()
{
    while (!stop_) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        {
            const std::lock_guard lock(guard_);
            current_ = fd;
        }
        raw_connection c(fd);
        script_(c, ++connections_);
        const std::lock_guard lock(guard_);
        ::close(fd);
        current_ = -1;
    }
}

bytes read_answer(const bytes& request, std::uint16_t value)
{
    const int count = (request[10] << 8) | request[11];
    bytes answer(request.begin(), request.begin() + 8);
    answer.push_back(static_cast<std::uint8_t>(2 * count));
    for (int i = 0; i < count; ++i) {
        answer.push_back(static_cast<std::uint8_t>(value >> 8));
        answer.push_back(static_cast<std::uint8_t>(value));
    }
    return with_length(std::move(answer));
}

bytes write_answer(const bytes& request)
{
    return with_length(bytes(request.begin(), request.begin() + 12));
}

bytes exception_answer(const bytes& request, std::uint8_t code)
{
    bytes answer(request.begin(), request.begin() + 8);
    answer[7] = static_cast<std::uint8_t>(answer[7] | 0x80);
    answer.push_back(code);
    return with_length(std::move(answer));
}

}  // namespace batchbridge::tests
