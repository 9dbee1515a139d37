#include "sim/plc/modbus_server.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <modbus/modbus.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace batchbridge::sim {

namespace {

using clock = std::chrono::steady_clock;

// The header of a Modbus TCP request: transaction, protocol, length, unit; then function, address, count or value.
constexpr int header_length = 7, unit_at = 6;
constexpr int exception_length = 9;
constexpr auto longest_wait = std::chrono::milliseconds(20);

int word_at(const std::vector<std::uint8_t>& q, std::size_t at)
{
    return (q[at] << 8) | q[at + 1];
}

struct free_context {
    void operator()(modbus_t* c) const noexcept { modbus_free(c); }
};

// libmodbus's view of a connection we accepted; the descriptor stays ours.
std::unique_ptr<modbus_t, free_context> context_for(int fd)
{
    std::unique_ptr<modbus_t, free_context> c(modbus_new_tcp("127.0.0.1", 502));
    modbus_set_socket(c.get(), fd);
    return c;
}

std::int64_t wall_ns()
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

modbus_server::modbus_server(plc_model& model, const std::string& host, std::uint16_t port, const std::string& log) : model_(model), host_(host), port_(port)
{
    if (!log.empty()) {
        log_.open(log, std::ios::app);
        if (!log_) throw std::runtime_error("cannot write the log " + log);
    }
    listen();
    server_ = std::thread([this] { serve(); });
    scanner_ = std::thread([this] { scan(); });
}

modbus_server::~modbus_server()
{
    stop_ = true;
    server_.join();
    scanner_.join();
    for (const int fd : clients_) ::close(fd);
    ::close(listener_);
}

// Binds again to the same port after a time of refusing; a bound socket that does not listen refuses and keeps the port.
void modbus_server::listen()
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &found) != 0) throw std::runtime_error("no address: " + host_);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
    if (listener_ >= 0) ::close(listener_);
    listener_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_, address->ai_addr, address->ai_addrlen) != 0 || (!refuse_until_ && ::listen(listener_, 64) != 0))
        throw std::runtime_error(fmt::format("cannot listen on {}:{}: {}", host_, port_, std::strerror(errno)));
    listening_ = !refuse_until_;
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

void modbus_server::refuse_or_listen()
{
    const std::lock_guard lock(fault_guard_);
    if (refuse_until_ && clock::now() >= *refuse_until_) refuse_until_.reset();
    if (refuse_until_ && listening_) {
        for (const int fd : clients_) ::close(fd);
        clients_.clear();
        listen();
    } else if (!refuse_until_ && !listening_) {
        ::listen(listener_, 64);
        listening_ = true;
    }
}

void modbus_server::set_fault(plc_fault f)
{
    const std::lock_guard lock(fault_guard_);
    if (f.kind == "refuse") refuse_until_ = f.delay.count() > 0 ? clock::now() + f.delay : clock::time_point::max();
    else faults_.push_back(std::move(f));
}

void modbus_server::clear_faults()
{
    const std::lock_guard lock(fault_guard_);
    faults_.clear();
    refuse_until_.reset();
    ++cleared_;
}

// The first fault that fits the request. The caller holds `guard_`.
std::optional<plc_fault> modbus_server::next_fault(int function, int address, int count)
{
    const std::lock_guard lock(fault_guard_);
    const auto fits = [&](const plc_fault& f) {
        if (f.function != 0 && f.function != function) return false;
        if (f.kind != "torn_slot") return true;
        const int from = model_.map().read_address(f.slot);
        return function == MODBUS_FC_READ_HOLDING_REGISTERS && address <= from && address + count >= from + model_.map().slots.words && can_tear(f.slot);
    };
    const auto it = std::find_if(faults_.begin(), faults_.end(), fits);
    if (it == faults_.end()) return std::nullopt;
    const auto f = *it;
    if (it->count > 0 && --it->count == 0) faults_.erase(it);
    return f;
}

bool modbus_server::can_tear(int slot)
{
    return domain::decode_slot(model_.map(), model_.read_slot(slot)).any_actual();
}

// The silo dosed last gets a high word that does not belong to its low word.
void modbus_server::tear(int slot)
{
    auto block = model_.read_slot(slot);
    const auto shown = domain::decode_slot(model_.map(), block);
    const domain::silo* last = nullptr;
    for (const auto& s : model_.map().silos)
        if (shown.quantities.at(s.id) > 0) last = &s;
    if (last == nullptr || last->quantity.words != 2) return;
    const auto by = core::decimal::divide(65536, last->quantity.scale, 4);
    const auto now = shown.quantities.at(last->id);
    domain::encode_value(model_.map(), last->quantity, now >= by ? now - by : now + by, block);
}

void modbus_server::log_event(const plc_event& e)
{
    const std::lock_guard lock(log_guard_);
    if (!log_.is_open()) return;
    boost::json::object o;
    o["ns"] = clock::now().time_since_epoch().count();
    o["wall_ns"] = wall_ns();
    o["event"] = e.kind;
    o["text"] = e.text;
    if (e.slot > 0) o["slot"] = e.slot;
    if (!e.order.empty()) o["order"] = e.order;
    if (e.kind == "finished" || e.kind == "failed") {
        boost::json::object actual;
        for (const auto& [silo, kg] : e.actual)
            if (!kg.is_zero()) actual[std::to_string(silo)] = kg.to_string(2);
        o["actual"] = std::move(actual);
        o["weight"] = e.weight.to_string(2);
    }
    log_ << boost::json::serialize(o) << '\n' << std::flush;
}

void modbus_server::log_request(int unit, int function, int address, int count, const char* result)
{
    const std::lock_guard lock(log_guard_);
    if (!log_.is_open()) return;
    log_ << fmt::format(R"({{"ns":{},"wall_ns":{},"unit":{},"function":{},"address":{},"count":{},"result":"{}"}})", clock::now().time_since_epoch().count(), wall_ns(), unit,
                        function, address, count, result)
         << '\n'
         << std::flush;
}

void modbus_server::close_client(int fd)
{
    ::close(fd);
    std::erase(clients_, fd);
}

void modbus_server::handle(int fd, std::vector<std::uint8_t>& query, int length)
{
    ++requests_;
    const int function = query[header_length], unit = query[unit_at];
    const int address = length >= header_length + 3 ? word_at(query, header_length + 1) : 0;
    const int count = length >= header_length + 5 && function != MODBUS_FC_WRITE_SINGLE_REGISTER ? word_at(query, header_length + 3) : 1;
    std::optional<plc_fault> fault;
    {
        const std::lock_guard lock(guard_);
        fault = next_fault(function, address, count);
    }
    const std::string kind = fault ? fault->kind : "";
    if (kind == "hang" || kind == "silence") return log_request(unit, function, address, count, "hang");
    if (kind == "reset") {
        const linger now{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        log_request(unit, function, address, count, "reset");
        return close_client(fd);
    }
    if (kind == "exception") {
        log_request(unit, function, address, count, "exception");
        modbus_reply_exception(context_for(fd).get(), query.data(), static_cast<unsigned>(fault->code));
        return;
    }
    if (kind == "delay") {
        const auto until = clock::now() + fault->delay;
        const auto cleared = cleared_.load();
        while (clock::now() < until && cleared == cleared_ && !stop_) std::this_thread::sleep_for(std::min<clock::duration>(longest_wait, until - clock::now()));
    }
    const bool drop = kind == "drop_after";
    const char* result = answer(fd, query, length, drop, kind == "torn_slot" ? fault->slot : 0);
    log_request(unit, function, address, count, kind.empty() ? result : kind.c_str());
    if (drop) close_client(fd);
}

const char* modbus_server::answer(int fd, const std::vector<std::uint8_t>& query, int length, bool drop, int torn_slot)
{
    auto context = context_for(fd);
    const std::lock_guard lock(guard_);
    modbus_mapping_t mapping{};
    mapping.nb_registers = static_cast<int>(model_.registers().size());
    mapping.tab_registers = model_.registers().data();
    domain::words kept;
    if (torn_slot > 0) {
        const auto slot = model_.read_slot(torn_slot);
        kept.assign(slot.begin(), slot.end());
        tear(torn_slot);
    }
    int n = 0;
    if (drop) {
        // The answer goes to a socket that nobody reads.
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
            modbus_set_socket(context.get(), pair[0]);
            n = modbus_reply(context.get(), query.data(), length, &mapping);
            ::close(pair[0]);
            ::close(pair[1]);
        }
    } else {
        n = modbus_reply(context.get(), query.data(), length, &mapping);
    }
    if (!kept.empty()) std::copy(kept.begin(), kept.end(), model_.read_slot(torn_slot).begin());
    model_.written();
    // Now and not at the next scan: the time of an acknowledgement is compared with that of a commit.
    for (const auto& e : model_.take_events()) log_event(e);
    return n == exception_length ? "refused" : n < 0 ? "not sent" : "ok";
}

void modbus_server::scan()
{
    auto next = clock::now();
    while (!stop_) {
        std::this_thread::sleep_until(std::min(next, clock::now() + longest_wait));
        const auto now = clock::now();
        if (now < next) continue;
        next = std::max(next + model_.scan(), now);
        std::vector<plc_event> events;
        {
            const std::lock_guard lock(guard_);
            model_.tick(now);
            events = model_.take_events();
        }
        for (const auto& e : events) log_event(e);
    }
}

void modbus_server::accept()
{
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients_.push_back(fd);
    ++connections_;
    most_connections_ = std::max(most_connections_.load(), static_cast<int>(clients_.size()));
}

void modbus_server::serve()
{
    std::vector<std::uint8_t> query(MODBUS_TCP_MAX_ADU_LENGTH);
    while (!stop_) {
        refuse_or_listen();
        std::vector<pollfd> waits;
        for (const int fd : clients_) waits.push_back({fd, POLLIN, 0});
        if (listening_) waits.push_back({listener_, POLLIN, 0});
        if (::poll(waits.data(), waits.size(), static_cast<int>(longest_wait.count())) <= 0) continue;
        for (const auto& w : waits) {
            if (w.revents == 0) continue;
            if (w.fd == listener_) {
                accept();
                continue;
            }
            const int n = modbus_receive(context_for(w.fd).get(), query.data());
            if (n > header_length) handle(w.fd, query, n);
            else if (n < 0) close_client(w.fd);
        }
    }
}

}  // namespace batchbridge::sim
