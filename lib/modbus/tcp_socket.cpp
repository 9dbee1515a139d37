#include "modbus/tcp_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace batchbridge::modbus {

namespace {

using clock = std::chrono::steady_clock;

void set_options(int fd)
{
    // A PLC that lost its power must be noticed within seconds, not hours.
    const int on = 1, idle = 5, interval = 2, count = 3;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

// 0 when connected, else an errno value; ETIMEDOUT when `until` passed.
int await_connected(int fd, clock::time_point until)
{
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
        if (left <= 0) return ETIMEDOUT;
        pollfd p{fd, POLLOUT, 0};
        const int n = ::poll(&p, 1, static_cast<int>(left));
        if (n < 0 && errno != EINTR) return errno;
        if (n > 0) break;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return error;
    // A socket that was shut down while connecting has no error either, but no peer.
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 ? 0 : errno;
}

}  // namespace

tcp_socket::tcp_socket(resolver_function resolver) : names_(std::move(resolver)) {}

tcp_socket::~tcp_socket()
{
    close();
}

connect_result tcp_socket::give_up(connect_result what, std::string reason)
{
    close();
    reason_ = std::move(reason);
    return what;
}

connect_result tcp_socket::connect(const std::string& host, std::uint16_t port, core::duration limit, const std::function<bool()>& cut)
{
    close();
    const auto until = clock::now() + limit;
    const auto names = names_.find(host, port, until, cut);
    switch (names.what) {
    case name_lookup::outcome::found: break;
    case name_lookup::outcome::failed: return give_up(connect_result::not_resolved, "the name does not resolve: " + names.fault);
    case name_lookup::outcome::late:
        return give_up(connect_result::not_resolved, "the name does not resolve: no answer from the name server within " + core::to_string(limit));
    case name_lookup::outcome::cut: return give_up(connect_result::cut, "interrupted");
    }

    int error = EHOSTUNREACH;
    for (const auto& a : names.addresses) {
        close();
        if (cut()) return give_up(connect_result::cut, "interrupted");
        const int fd = ::socket(a.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
        if (fd < 0) {
            error = errno;
            continue;
        }
        if (fd >= FD_SETSIZE) {
            ::close(fd);
            return give_up(connect_result::failed, "more than 1023 files are open, libmodbus cannot handle the descriptor");
        }
        {
            const std::lock_guard lock(guard_);
            fd_ = fd;
        }
        set_options(fd);
        error = ::connect(fd, reinterpret_cast<const sockaddr*>(&a.storage), a.size) == 0 ? 0 : errno;
        // Asked once more now that a shutdown takes effect: one that came before had no connection to cut.
        if (cut()) return give_up(connect_result::cut, "interrupted");
        if (error == EINPROGRESS) error = await_connected(fd, until);
        if (cut()) return give_up(connect_result::cut, "interrupted");
        if (error == 0) {
            reason_.clear();
            return connect_result::connected;
        }
        if (clock::now() >= until) break;
    }
    switch (error) {
    case ETIMEDOUT: return give_up(connect_result::timed_out, "no answer within " + core::to_string(limit) + " (cable, address, firewall?)");
    case ECONNREFUSED: return give_up(connect_result::refused, "connection refused (wrong port, or Modbus server off?)");
    default: return give_up(connect_result::failed, std::strerror(error));
    }
}

idle_state tcp_socket::idle() const noexcept
{
    char byte;
    const auto n = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) return idle_state::unasked_bytes;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? idle_state::quiet
                                                                                : idle_state::closed;
}

void tcp_socket::close() noexcept
{
    const std::lock_guard lock(guard_);
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

void tcp_socket::shutdown() noexcept
{
    {
        const std::lock_guard lock(guard_);
        if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
    }
    names_.wake();
}

}  // namespace batchbridge::modbus
