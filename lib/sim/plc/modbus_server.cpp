#include "sim/plc/modbus_server.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <modbus/modbus.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace batchbridge::sim {

namespace {

// The header of a Modbus TCP request: transaction, protocol, length, unit, then function, address, count or value.
constexpr int header_length = 7;

int word_at(const std::vector<std::uint8_t>& q, std::size_t at)
{
    return (q[at] << 8) | q[at + 1];
}

}  // namespace

modbus_server::modbus_server(plc_model& model, const std::string& host, std::uint16_t port, const std::string& log) : model_(model)
{
    if (!log.empty()) log_.open(log, std::ios::app);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 16) != 0)
        throw std::runtime_error(fmt::format("cannot listen on {}:{}: {}", host, port, std::strerror(errno)));
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
}

modbus_server::~modbus_server()
{
    stop_ = true;
    ++cleared_;
    thread_.join();
    for (const int fd : clients_) ::close(fd);
    ::close(listener_);
}

void modbus_server::set_fault(plc_fault f)
{
    const std::lock_guard lock(fault_guard_);
    faults_.push_back(std::move(f));
}

void modbus_server::clear_faults()
{
    const std::lock_guard lock(fault_guard_);
    faults_.clear();
    ++cleared_;
}

std::optional<plc_fault> modbus_server::next_fault()
{
    const std::lock_guard lock(fault_guard_);
    if (faults_.empty()) return std::nullopt;
    auto f = faults_.front();
    if (f.count > 0 && --faults_.front().count == 0) faults_.erase(faults_.begin());
    return f;
}

void modbus_server::log_event(const std::string& text)
{
    const std::lock_guard lock(log_guard_);
    if (!log_.is_open()) return;
    boost::json::object o;
    o["ns"] = std::chrono::steady_clock::now().time_since_epoch().count();
    o["event"] = text;
    log_ << boost::json::serialize(o) << '\n' << std::flush;
}

void modbus_server::log_request(int function, int address, int count, const char* result)
{
    const std::lock_guard lock(log_guard_);
    if (!log_.is_open()) return;
    log_ << fmt::format(R"({{"ns":{},"function":{},"address":{},"count":{},"result":"{}"}})", std::chrono::steady_clock::now().time_since_epoch().count(), function, address,
                        count, result)
         << '\n'
         << std::flush;
}

void modbus_server::handle(int fd, std::vector<std::uint8_t>& query, int length)
{
    ++requests_;
    const int function = query[header_length];
    const int address = length >= header_length + 3 ? word_at(query, header_length + 1) : 0;
    const int count = length >= header_length + 5 && function != 6 ? word_at(query, header_length + 3) : 1;
    const auto fault = next_fault();
    const std::string kind = fault ? fault->kind : "";
    const auto close_now = [&] {
        ::close(fd);
        std::erase(clients_, fd);
    };
    if (kind == "hang") {
        log_request(function, address, count, "hang");
        return;   // never answered
    }
    if (kind == "delay") {
        const auto until = std::chrono::steady_clock::now() + fault->delay;
        const auto cleared = cleared_.load();
        while (std::chrono::steady_clock::now() < until && cleared == cleared_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (kind == "reset") {
        const linger now{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        log_request(function, address, count, "reset");
        return close_now();
    }
    modbus_t* context = modbus_new_tcp("127.0.0.1", 1502);
    modbus_set_socket(context, fd);
    if (kind == "exception") {
        modbus_reply_exception(context, query.data(), static_cast<unsigned>(fault->code));
        log_request(function, address, count, "exception");
        modbus_free(context);
        return;
    }
    {
        const std::lock_guard lock(guard_);
        modbus_mapping_t mapping{};
        mapping.nb_registers = static_cast<int>(model_.registers().size());
        mapping.tab_registers = model_.registers().data();
        const int torn_at = kind == "torn_slot" ? model_.map().read_address(std::max(1, fault->slot)) : -1;
        std::vector<std::uint16_t> kept;
        if (torn_at == address && function == 3) {
            // The low words of what is being dosed are new, the high ones old: a value about 655 kg off.
            kept = model_.registers();
            for (const auto& s : model_.map().silos) {
                auto& high = model_.registers()[static_cast<std::size_t>(torn_at + s.quantity.at)];
                const auto low = model_.registers()[static_cast<std::size_t>(torn_at + s.quantity.at + 1)];
                if (low != 0 || high != 0) high = static_cast<std::uint16_t>(high ^ 1U);
            }
        }
        if (kind == "drop_after") {
            // Executed, then closed without an answer: the reply goes to a socket nobody reads.
            int pair[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
                modbus_set_socket(context, pair[0]);
                modbus_reply(context, query.data(), length, &mapping);
                ::close(pair[0]);
                ::close(pair[1]);
            }
        } else {
            modbus_reply(context, query.data(), length, &mapping);
        }
        if (!kept.empty()) std::copy(kept.begin(), kept.end(), model_.registers().begin());
    }
    log_request(function, address, count, kind.empty() ? "ok" : kind.c_str());
    modbus_free(context);
    if (kind == "drop_after") close_now();
}

void modbus_server::run()
{
    std::vector<std::uint8_t> query(MODBUS_TCP_MAX_ADU_LENGTH);
    auto next_tick = std::chrono::steady_clock::now();
    constexpr auto scan = std::chrono::milliseconds(50);
    while (!stop_) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= next_tick) {
            std::vector<std::string> events;
            {
                const std::lock_guard lock(guard_);
                model_.tick(now);
                events = model_.take_events();
            }
            for (const auto& e : events) log_event(e);
            next_tick = std::max(next_tick + scan, now);
        }
        std::vector<pollfd> waits{{listener_, POLLIN, 0}};
        for (const int fd : clients_) waits.push_back({fd, POLLIN, 0});
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next_tick - std::chrono::steady_clock::now()).count();
        if (::poll(waits.data(), waits.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 50))) <= 0) continue;
        for (std::size_t i = 1; i < waits.size(); ++i) {
            if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
            modbus_t* context = modbus_new_tcp("127.0.0.1", 1502);
            modbus_set_socket(context, waits[i].fd);
            const int n = modbus_receive(context, query.data());
            modbus_free(context);
            if (n > header_length) {
                handle(waits[i].fd, query, n);
            } else if (n < 0) {
                ::close(waits[i].fd);
                std::erase(clients_, waits[i].fd);
            }
        }
        if ((waits[0].revents & POLLIN) != 0) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd >= 0) {
                bool refused = false;
                {
                    const std::lock_guard lock(fault_guard_);
                    refused = !faults_.empty() && faults_.front().kind == "refuse";
                }
                const int on = 1;
                ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                if (refused) ::close(fd);
                else clients_.push_back(fd);
                most_connections_ = std::max(most_connections_.load(), static_cast<int>(clients_.size()));
            }
        }
    }
}

}  // namespace batchbridge::sim
