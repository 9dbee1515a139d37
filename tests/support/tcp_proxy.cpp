#include "support/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace bb_test {

namespace {

sockaddr_in loopback(int port)
{
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<std::uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

std::int64_t monotonic_ns()
{
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

void reset(int fd)
{
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
}

// One direction of a connection.
struct way {
    int from = -1, to = -1;
    std::string pending;
    bool ended = false;      // `from` sends no more
};

struct link {
    way up, down;            // client to server and back
};

}  // namespace

struct tcp_proxy::impl {
    enum class state { pass, hold, cut };

    int listener = -1, port = 0, server_port = 0;
    std::atomic<state> now{state::pass};
    std::atomic<bool> lie{false};
    mutable std::mutex guard;
    std::vector<piece> sent;
    std::list<link> links;               // the thread's own
    std::jthread thread;                 // last: ends before the rest

    void accept_one()
    {
        const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) return;
        if (now == state::cut) {
            reset(client);
            return;
        }
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto a = loopback(server_port);
        if (::connect(server, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) {
            ::close(server);
            reset(client);
            return;
        }
        ::fcntl(server, F_SETFL, O_NONBLOCK);
        const int on = 1;
        for (const int fd : {client, server}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        link l;
        l.up.from = l.down.to = client;
        l.up.to = l.down.from = server;
        links.push_back(std::move(l));
    }

    // False: the connection is broken.
    bool move_bytes(way& w, bool from_client)
    {
        if (!w.ended && w.pending.empty()) {
            char buffer[65536];
            const auto n = ::recv(w.from, buffer, sizeof buffer, MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
            if (n == 0) {
                w.ended = true;
                ::shutdown(w.to, SHUT_WR);
            }
            if (n > 0) {
                w.pending.assign(buffer, static_cast<std::size_t>(n));
                if (from_client) {
                    const std::lock_guard lock(guard);
                    sent.push_back({monotonic_ns(), w.pending});
                } else if (lie) {
                    // BackendKeyData: 'K', length 12, process number, secret (PostgreSQL manual, 55.7), in the server's first burst.
                    const auto at = w.pending.find(std::string("K\0\0\0\x0c", 5));
                    if (at != std::string::npos && at + 9 <= w.pending.size()) w.pending.replace(at + 5, 4, std::string("\0\0\x30\x39", 4));
                }
            }
        }
        while (!w.pending.empty()) {
            const auto n = ::send(w.to, w.pending.data(), w.pending.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN || errno == EINTR;
            w.pending.erase(0, static_cast<std::size_t>(n));
        }
        return true;
    }

    void run(const std::stop_token& stop)
    {
        while (!stop.stop_requested()) {
            std::vector<pollfd> fds;
            const auto mode = now.load();
            if (mode != state::hold) fds.push_back({listener, POLLIN, 0});
            if (mode == state::pass)
                for (const auto& l : links)
                    for (const auto* w : {&l.up, &l.down}) {
                        if (!w->pending.empty()) fds.push_back({w->to, POLLOUT, 0});
                        else if (!w->ended) fds.push_back({w->from, POLLIN, 0});
                    }
            ::poll(fds.data(), fds.size(), 10);
            if (now == state::cut) {
                for (const auto& l : links) {
                    reset(l.up.from);
                    reset(l.up.to);
                }
                links.clear();
            }
            if (now != state::hold && !fds.empty() && fds.front().fd == listener && (fds.front().revents & POLLIN) != 0) accept_one();
            if (now != state::pass) continue;
            for (auto l = links.begin(); l != links.end();) {
                const bool whole = move_bytes(l->up, true) && move_bytes(l->down, false);
                if (whole && !(l->up.ended && l->down.ended)) {
                    ++l;
                    continue;
                }
                if (whole) {
                    ::close(l->up.from);
                    ::close(l->up.to);
                } else {
                    reset(l->up.from);
                    reset(l->up.to);
                }
                l = links.erase(l);
            }
        }
        for (const auto& l : links) {
            ::close(l.up.from);
            ::close(l.up.to);
        }
    }
};

tcp_proxy::tcp_proxy(int server_port) : impl_(std::make_unique<impl>())
{
    auto& i = *impl_;
    i.server_port = server_port;
    i.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    auto a = loopback(0);
    socklen_t size = sizeof a;
    if (::bind(i.listener, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(i.listener, 64) != 0 || ::getsockname(i.listener, reinterpret_cast<sockaddr*>(&a), &size) != 0)
        throw std::runtime_error("tcp_proxy cannot listen");
    i.port = ntohs(a.sin_port);
    i.thread = std::jthread([&i](const std::stop_token& stop) { i.run(stop); });
}

tcp_proxy::~tcp_proxy()
{
    impl_->thread.request_stop();
    impl_->thread.join();
    ::close(impl_->listener);
}

int tcp_proxy::port() const noexcept
{
    return impl_->port;
}

void tcp_proxy::black_hole()
{
    impl_->now = impl::state::hold;
}

void tcp_proxy::cut()
{
    impl_->now = impl::state::cut;
}

void tcp_proxy::restore()
{
    impl_->now = impl::state::pass;
}

void tcp_proxy::invent_process_numbers()
{
    impl_->lie = true;
}

std::vector<tcp_proxy::piece> tcp_proxy::sent() const
{
    const std::lock_guard lock(impl_->guard);
    return impl_->sent;
}

std::vector<std::int64_t> modbus_writes(const std::vector<tcp_proxy::piece>& sent)
{
    std::vector<std::int64_t> out;
    for (const auto& p : sent)
        if (p.bytes.size() > 7) {
            const auto function = static_cast<unsigned char>(p.bytes[7]);
            if (function == 5 || function == 6 || function == 15 || function == 16) out.push_back(p.ns);
        }
    return out;
}

std::vector<std::int64_t> odoo_writes(const std::vector<tcp_proxy::piece>& sent)
{
    std::vector<std::int64_t> out;
    for (const auto& p : sent)
        for (const auto* method : {"\"write\"", "\"button_mark_done\"", "\"action_cancel\""})
            if (p.bytes.find(method) != std::string::npos) {
                out.push_back(p.ns);
                break;
            }
    return out;
}

}  // namespace bb_test
